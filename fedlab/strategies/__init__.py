"""What to ask in a round and what follows from the answers: pure functions of both."""

from fedlab.strategies.fedavg import FedAvg
from fedlab.strategies.fednewton import FedNewton
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedAvg", "FedNewton", "Problem", "State", "Strategy"]
