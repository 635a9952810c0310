"""The hospital: rows, and the one door in front of them."""

from fedlab.site.policy import Policy
from fedlab.site.reveal import reveal
from fedlab.site.site import Site

__all__ = ["Policy", "Site", "reveal"]
