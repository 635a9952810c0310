"""Ways for requests to reach sites and for replies to come back."""

from fedlab.engines.engine import Connection, Engine
from fedlab.engines.in_process import InProcess
from fedlab.engines.signed import Signed

__all__ = ["Connection", "Engine", "InProcess", "Signed"]
