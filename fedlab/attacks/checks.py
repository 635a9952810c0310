"""Arguments that several attacks share, looked at before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fedlab.errors import DataError, TrainingError

__all__ = ["check_confidence", "check_levels", "check_seed", "check_table"]


def check_table(frame: pd.DataFrame, *columns: str, least: int = 4) -> None:
    """Raise DataError unless `frame` is a table with `columns` and at least `least` rows."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            "An attack in the lab needs the table that its sites would be made of.",
            f"a {type(frame).__name__}",
            "Pass a pandas DataFrame; rows of real sites cannot be attacked from here.",
        )
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(
            "Target and attribute must be columns of the table.",
            f"a table without {', '.join(map(repr, missing))}",
            "Check the spelling.",
        )
    if len(frame) < least:
        raise DataError(
            f"The attack needs at least {least} rows.", f"{len(frame)}", "Pass a larger table."
        )


def check_seed(seed: object, name: str = "seed") -> None:
    """Raise TrainingError unless `seed` is a whole number of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise TrainingError(
            f"{name} must be a whole number of at least 0.", f"{seed!r}", f"Pass e.g. {name}=7."
        )


def check_confidence(confidence: float) -> None:
    """Raise TrainingError unless `confidence` lies between a half and 1."""
    if not 0.5 <= confidence < 1:
        raise TrainingError(
            "confidence must be at least 0.5 and below 1.",
            f"{confidence:g}",
            "Pass e.g. confidence=0.95.",
        )


def check_levels(levels: Sequence[float]) -> None:
    """Raise TrainingError unless there are levels, all between 0 and 1."""
    if not len(levels) or not all(0 < level < 1 for level in levels):
        raise TrainingError(
            "False-positive rates must lie between 0 and 1.",
            f"{list(levels)!r}",
            "Pass e.g. at=(0.01, 0.1).",
        )
