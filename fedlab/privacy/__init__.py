"""Privacy promises, what they cost, and the noise that keeps them."""

from fedlab.privacy.accounting import calibrate, epsilon_bound, epsilon_spent
from fedlab.privacy.events import Event, RecordDP, Releases
from fedlab.privacy.noise import Noise, system_noise, teaching_noise
from fedlab.privacy.planning import Plan, plan
from fedlab.privacy.site_level import AdaptiveClipping, SiteDP

__all__ = [
    "AdaptiveClipping",
    "Event",
    "Noise",
    "Plan",
    "RecordDP",
    "Releases",
    "SiteDP",
    "calibrate",
    "epsilon_bound",
    "epsilon_spent",
    "plan",
    "system_noise",
    "teaching_noise",
]
