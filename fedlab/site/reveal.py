"""The rows of simulated sites in one table: what no coordinator may see, and every oracle needs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fedlab.errors import DataError, PrivacyError
from fedlab.queries.query import Split
from fedlab.site.site import Site

__all__ = ["reveal"]


def reveal(sites: Site | Sequence[Site], split: Split = "train") -> pd.DataFrame:
    """The rows of all sites in one table, for fitting on them what a federation never could.

    Whoever simulates sites holds their rows anyway. Sites that are not simulated reveal nothing.

    Parameters
    ----------
    sites : Site or sequence of Site
    split : "train" or "test"
        Training rows, or those held out.

    Returns
    -------
    DataFrame of shape (n_samples, n_columns)
        In the order of the sites' names, the target (and the event) among the columns.

    Raises
    ------
    PrivacyError
        When a site is not simulated.
    DataError
        When there is no site, or no such split.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0], "died": [0, 0, 1, 1]})
    >>> reveal(Site("mercy", frame, target="died", test_size=0.5), "test").shape
    (2, 2)
    """
    chosen = [sites] if isinstance(sites, Site) else list(sites)
    if not chosen or not all(isinstance(site, Site) for site in chosen):
        raise DataError(
            "Rows are revealed of sites.",
            "no sites" if not chosen else "something that is not a Site",
            "Pass e.g. fl.datasets.opt().",
        )
    if split not in ("train", "test"):
        raise DataError("split must be 'train' or 'test'.", f"{split!r}", "Pass split='test'.")
    real = sorted(site.name for site in chosen if not site.simulated)
    if real:
        raise PrivacyError(
            "Only simulated sites reveal their rows.",
            f"{', '.join(map(repr, real))}, whose rows stay there",
            "Simulate sites with fl.partition to compare with a pooled fit.",
        )
    ordered = sorted(chosen, key=lambda site: site.name)
    return pd.concat([_table(site, split) for site in ordered], ignore_index=True)


def _table(site: Site, split: Split) -> pd.DataFrame:
    rows = site._rows[split]
    table = rows.features.assign(**{site.schema.target: rows.target})
    return table if site.schema.event is None else table.assign(**{site.schema.event: rows.event})
