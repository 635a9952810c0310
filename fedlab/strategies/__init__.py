"""What to ask in a round and what follows from the answers: pure functions of both."""

from fedlab.strategies.adaptive import FedAdagrad, FedAdam, FedYogi
from fedlab.strategies.aggregators import (
    Aggregator,
    CentredClipping,
    GeometricMedian,
    Krum,
    Mean,
    Median,
    MultiKrum,
    NormClipping,
    Robust,
    TrimmedMean,
)
from fedlab.strategies.averaging import Averaging
from fedlab.strategies.defaults import default_strategy
from fedlab.strategies.ditto import Ditto
from fedlab.strategies.fedavg import FedAvg, FedSGD
from fedlab.strategies.fedavgm import FedAvgM
from fedlab.strategies.fedboost import FedBoost
from fedlab.strategies.fedcox import FedCox
from fedlab.strategies.fedforest import FedForest
from fedlab.strategies.fednewton import FedNewton
from fedlab.strategies.fednova import FedNova
from fedlab.strategies.fedprox import FedProx
from fedlab.strategies.fedsums import FedSums
from fedlab.strategies.fine_tuning import FineTuning
from fedlab.strategies.local_training import LocalTraining, ask_to_train
from fedlab.strategies.partial_fitting import ask_for_passes
from fedlab.strategies.personal import Personal, personal_parameters
from fedlab.strategies.scaffold import SCAFFOLD
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = [
    "SCAFFOLD",
    "Aggregator",
    "Averaging",
    "CentredClipping",
    "Ditto",
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedBoost",
    "FedCox",
    "FedForest",
    "FedNewton",
    "FedNova",
    "FedProx",
    "FedSGD",
    "FedSums",
    "FedYogi",
    "FineTuning",
    "GeometricMedian",
    "Krum",
    "LocalTraining",
    "Mean",
    "Median",
    "MultiKrum",
    "NormClipping",
    "Personal",
    "Problem",
    "Robust",
    "State",
    "Strategy",
    "TrimmedMean",
    "ask_for_passes",
    "ask_to_train",
    "default_strategy",
    "personal_parameters",
]
