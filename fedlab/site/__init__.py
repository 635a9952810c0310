"""The hospital: rows, and the one door in front of them."""

from fedlab.site.actor import Actor
from fedlab.site.approval import Approval
from fedlab.site.consent import Authorization, Consent
from fedlab.site.patients import Participation
from fedlab.site.policy import Policy
from fedlab.site.processing import ProcessingRecord
from fedlab.site.reveal import reveal
from fedlab.site.sealed import make_key
from fedlab.site.site import Site

__all__ = [
    "Actor",
    "Approval",
    "Authorization",
    "Consent",
    "Participation",
    "Policy",
    "ProcessingRecord",
    "Site",
    "make_key",
    "reveal",
]
