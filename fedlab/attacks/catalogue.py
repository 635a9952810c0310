"""Every poison and every rule, by the names they have in tables."""

from __future__ import annotations

from fedlab.attacks.poisons import ALIE, IPM, LabelFlip, ModelReplacement, Poison, SignFlip
from fedlab.errors import TrainingError
from fedlab.strategies import (
    Aggregator,
    CentredClipping,
    GeometricMedian,
    Krum,
    Mean,
    Median,
    MultiKrum,
    NormClipping,
    TrimmedMean,
)

__all__ = ["every_poison", "every_rule"]


def every_poison() -> dict[str, Poison]:
    """All poisons, by the names they have in tables."""
    return {
        "label flip": LabelFlip(),
        "sign flip": SignFlip(),
        "model replacement": ModelReplacement(),
        "ALIE": ALIE(),
        "IPM": IPM(),
    }


def every_rule(n_sites: int, n_bad: int) -> dict[str, Aggregator]:
    """All rules that can provide for so many bad sites among so many.

    Krum and multi-Krum need at least ``2 f + 3`` sites.

    Examples
    --------
    >>> [name for name in every_rule(6, 2) if "Krum" in name]
    []
    """
    rules: dict[str, Aggregator] = {
        "mean": Mean(),
        "median": Median(),
        "trimmed mean": TrimmedMean(f=n_bad),
        "Krum": Krum(f=n_bad),
        "multi-Krum": MultiKrum(f=n_bad, keep=max(1, n_sites - n_bad)),
        "geometric median": GeometricMedian(),
        "norm clipping": NormClipping(),
        "centred clipping": CentredClipping(),
    }
    possible = {}
    for name, rule in rules.items():
        try:
            rule.check(n_sites)
        except TrainingError:
            continue
        possible[name] = rule
    return possible
