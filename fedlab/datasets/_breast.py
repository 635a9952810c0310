"""Breast biopsies of Wisconsin: one hospital, dealt out to simulated sites."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from fedlab.core.assignment import LabelSkew, QuantitySkew
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["breast_cancer"]

CITATION = (
    "Wolberg W, Mangasarian O, Street N, Street W. Breast Cancer Wisconsin (Diagnostic). UCI "
    "Machine Learning Repository 1993, doi:10.24432/C5DW2B (CC BY 4.0); copy of scikit-learn."
)

# Of a nucleus up to 50 units across; the rest are ratios that their definitions keep small.
SHAPES: dict[str, float] = {
    "radius": 50,
    "texture": 60,
    "perimeter": 320,
    "area": 8000,
    "smoothness": 0.5,
    "compactness": 2,
    "concavity": 2,
    "concave_points": 0.5,
    "symmetry": 1,
    "fractal_dimension": 0.4,
}

RANGES: dict[str, tuple[float, float]] = {
    **{f"mean_{shape}": (0, top) for shape, top in SHAPES.items()},
    **{f"{shape}_error": (0, top / 4) for shape, top in SHAPES.items()},
    **{f"worst_{shape}": (0, top) for shape, top in SHAPES.items()},
}


def breast_cancer(
    n_sites: int = 5,
    skew: float | LabelSkew | QuantitySkew | None = None,
    seed: int = 0,
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    minimum_rows: int = 1,
) -> list[Site]:
    """Is a breast mass malignant? 569 biopsies of one hospital, at simulated sites.

    Target
    ------
    malignant : 0 or 1
        1 for 212 biopsies. (scikit-learn counts the other way: there, 1 is benign.)

    Features
    --------
    Ten shapes of the cell nuclei of a fine-needle aspirate (radius, texture, perimeter, area,
    smoothness, compactness, concavity, concave_points, symmetry, fractal_dimension), each as
    ``mean_...``, ``..._error`` (standard error) and ``worst_...`` (mean of the three largest).

    Parameters
    ----------
    n_sites, skew, seed, policy, home, test_size, minimum_rows
        As in `fedlab.partition`, the function.

    Returns
    -------
    list of Site

    References
    ----------
    Street WN, Wolberg WH, Mangasarian OL. Nuclear feature extraction for breast tumor diagnosis.
    Proc SPIE 1905, 1993. UCI Machine Learning Repository, doi:10.24432/C5DW2B, CC BY 4.0.

    Examples
    --------
    >>> [site.name for site in breast_cancer(n_sites=3, skew=1.0)]
    ['site-01', 'site-02', 'site-03']
    """
    table = import_module("sklearn.datasets").load_breast_cancer(as_frame=True)
    frame = table.data.rename(columns=lambda name: name.replace(" ", "_"))
    return partition(
        frame.assign(malignant=1 - table.target),
        n_sites,
        target="malignant",
        skew=skew,
        seed=seed,
        minimum_rows=minimum_rows,
        policy=policy,
        home=home,
        test_size=test_size,
        ranges=RANGES,
        source=CITATION,
    )
