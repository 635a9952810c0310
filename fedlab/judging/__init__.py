"""Judge a model from anywhere where the patients are, by counts that pass the sites' one door."""

from fedlab.judging.benchmark import Benchmark, benchmark
from fedlab.judging.evaluating import evaluate_model
from fedlab.judging.result import Judgement

__all__ = ["Benchmark", "Judgement", "benchmark", "evaluate_model"]
