"""Privacy promises, what they cost, and the noise that keeps them."""

from fedlab.privacy.accounting import calibrate, epsilon_bound, epsilon_spent
from fedlab.privacy.events import Event, RecordDP, Releases
from fedlab.privacy.noise import Noise, system_noise, teaching_noise

__all__ = [
    "Event",
    "Noise",
    "RecordDP",
    "Releases",
    "calibrate",
    "epsilon_bound",
    "epsilon_spent",
    "system_noise",
    "teaching_noise",
]
