"""Acute myeloid leukaemia: a rare cancer in 24 districts of North West England."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fedlab.datasets._common import survset_table, yes_no
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["leukaemia"]

CITATION = (
    "Henderson R, Shimakura S, Gorst D. Modeling spatial variation in leukemia survival data. J Am "
    "Stat Assoc 2002;97:965-972. Taken from the R package spBayesSurv by way of SurvSet (GPL-3)."
)

RANGES: dict[str, tuple[float, float]] = {
    "age": (0, 110),
    "male": (0, 1),
    "log_white_cells": (0, 7),
    "deprivation": (-8, 12),
}

YEAR = 365


def leukaemia(
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    seed: int = 0,
) -> list[Site]:
    """Who will die within a year of acute myeloid leukaemia? 1,015 patients of 24 real districts.

    A rare cancer, of which a district sees few cases a year: no one of them has enough to learn
    from. The sites are the districts in which the patients lived, each with its health authority.

    Target
    ------
    died_within_a_year : 0 or 1
        1 for the 650 patients who died within 365 days of diagnosis, 0 for the 365 who were alive
        then.

    Features
    --------
    age : years, 14 to 92
    male : 0 or 1
    log_white_cells : natural logarithm of 1 + white cells of the blood at diagnosis, in 10^9 per l,
        which were cut off at 500
    deprivation : Townsend score of where the patient lived; higher is poorer

    Left out is the place itself.

    Parameters
    ----------
    policy : Policy, optional
        What each site allows. By default a site answers from 11 rows on, which not all districts
        have among their held-out rows: pass ``fl.Policy(minimum_rows=1)`` to let all of them take
        part in a simulation.
    home, test_size, seed
        As in `opt`.

    Returns
    -------
    list of Site
        Named ``district-01`` and so on by the number in the table. The largest have 98 rows
        (district-24, 71 deaths), 80 and 68, the smallest 12 (district-06, 8 deaths; district-10,
        5) and 14; the median is 39.5.

    Notes
    -----
    The table has 1,043 patients; the 28 who were watched for less than a year and not seen to die
    are left out. None of the rest has a gap. What is known at diagnosis, above all age, tells about
    as much as one may hope for: the cells' chromosomes, which decide more, are not in the table.

    References
    ----------
    Henderson R, Shimakura S, Gorst D. Modeling spatial variation in leukemia survival data. J Am
    Stat Assoc 2002;97:965-972. The copy read here is ``spBayesSurv::LeukSurv`` (GPL-2 or later) as
    packed in SurvSet (GPL-3), which is not part of fedlab.

    Examples
    --------
    >>> sites = leukaemia()
    >>> len(sites), sites[0]
    (24, Site('district-01', 27 training rows, 7 held out, 4 features))
    """
    return partition(
        _prepare(survset_table("LeukSurv", shape=(1043, 10))),
        target="died_within_a_year",
        by="district",
        policy=policy,
        home=home,
        test_size=test_size,
        seed=seed,
        ranges=RANGES,
        source=CITATION,
    )


def _prepare(table: pd.DataFrame) -> pd.DataFrame:
    table = table[(table["event"] == 1) | (table["time"] >= YEAR)]
    coded = {
        "district": [f"district-{int(number):02d}" for number in table["fac_district"]],
        "age": table["num_age"],
        "male": yes_no(table["fac_sex"]),
        "log_white_cells": np.log1p(table["num_wbc"]),
        "deprivation": table["num_tpi"],
        "died_within_a_year": (table["time"] < YEAR).astype("int64"),
    }
    return pd.DataFrame(coded).reset_index(drop=True)
