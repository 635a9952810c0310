"""Haemodialysis in Rio de Janeiro State: 67 centres of very unequal size."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fedlab.datasets._common import categories, survset_table
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["dialysis"]

CITATION = (
    "Sa Carvalho M, Henderson R, Shimakura S, Sousa IPSC. Survival of hemodialysis patients: "
    "modeling differences in risk of dialysis centers. Int J Qual Health Care 2003;15:189-196. "
    "Taken from the R package RcmdrPlugin.survival by way of SurvSet (GPL-3)."
)

RANGES: dict[str, tuple[float, float]] = {"age": (0, 110), "month_begun": (1, 44)}

CAUSES = {
    "congen": "congenital",
    "diabetes": "diabetes",
    "hypert": "hypertension",
    "renal": "renal",
    "other": "other",
}


def dialysis(
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    seed: int = 0,
) -> list[Site]:
    """How long do patients live on haemodialysis? 6,805 patients in 67 real centres.

    All federally funded clinics of Rio de Janeiro State, Brazil, January 1998 to August 2001: a
    federation as they are, with centres of 4 to 241 patients.

    Target
    ------
    months : under observation, 1 to 44
    died : 1 for the 1,603 patients who died, 0 for the 5,202 who were censored

    Features
    --------
    age : years, 0 to 97; 115 patients are under 18
    month_begun : month of the study in which treatment began, 1 for January 1998
    cause : of renal failure, one of "congenital" (142 patients), "diabetes" (1,283),
        "hypertension" (2,836), "renal" (1,414) and "other" (1,130)

    Parameters
    ----------
    policy : Policy, optional
        What each site allows. By default a site answers from 11 rows on, which three centres do not
        have at all and 16, those included, do not have among their held-out rows: pass
        ``fl.Policy(minimum_rows=1)`` to let all of them take part in a simulation.
    home, test_size, seed
        As in `opt`.

    Returns
    -------
    list of Site
        Named ``center-0120`` and so on by the number in the table. The largest have 241
        (center-2844, 91 deaths), 227 and 222 rows, the smallest 4 (center-0936, 2 deaths), 6
        (center-0917, none) and 8 (center-1061, 5); the median is 98.

    Notes
    -----
    No row is dropped and none has a gap. In this copy ``month_begun + months`` reaches 45, while
    the study ended in month 44: one month seems to have been added to every time, so that none is
    0. The package's manual dates month 44 to August 2000, which counted from January 1998 is August
    2001.

    Times are whole months, so every month has tied deaths. Cox regression on all rows (Efron's
    ties): hazard ratio 1.41 (95% interval 1.36 to 1.46) for ten years of age, concordance 0.65 on
    the rows it was fitted to.

    References
    ----------
    Sa Carvalho M, Henderson R, Shimakura S, Sousa IPSC. Survival of hemodialysis patients: modeling
    differences in risk of dialysis centers. Int J Qual Health Care 2003;15:189-196. Fox J, Carvalho
    MS. The RcmdrPlugin.survival package. J Stat Softw 2012;49(7), doi:10.18637/jss.v049.i07. The
    copy read here is ``RcmdrPlugin.survival::Dialysis`` (GPL-2 or later) as packed in SurvSet
    (GPL-3), which is not part of fedlab.

    Examples
    --------
    >>> sites = dialysis()
    >>> len(sites), sites[0]
    (67, Site('center-0120', 126 training rows, 32 held out, 3 features))
    """
    return partition(
        _prepare(survset_table("Dialysis", shape=(6805, 7))),
        target="months",
        event="died",
        by="center",
        policy=policy,
        home=home,
        test_size=test_size,
        seed=seed,
        ranges=RANGES,
        source=CITATION,
    )


def _prepare(table: pd.DataFrame) -> pd.DataFrame:
    coded = {
        "center": [f"center-{int(number):04d}" for number in table["fac_center"]],
        "age": table["num_age"],
        "month_begun": table["num_begin"],
        "cause": categories(table["fac_disease"], CAUSES),
        "months": table["time"],
        "died": table["event"],
    }
    return pd.DataFrame(coded)
