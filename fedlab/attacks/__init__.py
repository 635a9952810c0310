"""The attack lab: the analyst plays the adversary, in simulations on tables that are at hand.

=======================  ==========================================================  ===============
attack                   asks                                                        is stopped by
=======================  ==========================================================  ===============
`membership_inference`   was this row in the training?                               record privacy
`gradient_inversion`     which record made this update?                              sums, privacy
`attribute_inference`    what is the hidden value of a known record?                 record privacy
`privacy_audit`          does the code keep the ε it claims?                         (finds faults)
`robustness_table`       what do bad sites do to the model?                          robust rules
=======================  ==========================================================  ===============

Each gives a result with ``.frame``, ``.plot()`` and notes on what was attacked and what the
adversary knows. None reads a row through a site's door that the site would not give: attacks on
models need the table that simulated sites are made of.
"""

from fedlab.attacks.attributes import AttributeInference, attribute_inference
from fedlab.attacks.auditing import PrivacyAudit, privacy_audit
from fedlab.attacks.catalogue import every_poison, every_rule
from fedlab.attacks.hostile import Hostile
from fedlab.attacks.inversion import invert
from fedlab.attacks.leakage import GradientInversion, gradient_inversion
from fedlab.attacks.membership import MembershipInference, membership_inference
from fedlab.attacks.one_run import epsilon_lower_bound
from fedlab.attacks.poisons import (
    ALIE,
    IPM,
    LabelFlip,
    ModelReplacement,
    Poison,
    SignFlip,
    flip_labels,
)
from fedlab.attacks.recipes import FederatedRecipe
from fedlab.attacks.result import AttackResult
from fedlab.attacks.robustness import RobustnessTable, robustness_table

__all__ = [
    "ALIE",
    "IPM",
    "AttackResult",
    "AttributeInference",
    "FederatedRecipe",
    "GradientInversion",
    "Hostile",
    "LabelFlip",
    "MembershipInference",
    "ModelReplacement",
    "Poison",
    "PrivacyAudit",
    "RobustnessTable",
    "SignFlip",
    "attribute_inference",
    "epsilon_lower_bound",
    "every_poison",
    "every_rule",
    "flip_labels",
    "gradient_inversion",
    "invert",
    "membership_inference",
    "privacy_audit",
    "robustness_table",
]
