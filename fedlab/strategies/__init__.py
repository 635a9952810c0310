"""What to ask in a round and what follows from the answers: pure functions of both."""

from fedlab.strategies.defaults import default_strategy
from fedlab.strategies.fedavg import FedAvg
from fedlab.strategies.fednewton import FedNewton
from fedlab.strategies.fedsums import FedSums
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedAvg", "FedNewton", "FedSums", "Problem", "State", "Strategy", "default_strategy"]
