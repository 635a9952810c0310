"""Arguments of strategies and aggregators, looked at once when they are made."""

from __future__ import annotations

import math

from fedlab.errors import TrainingError

__all__ = ["nonnegative", "positive", "share", "whole"]


def whole(name: str, value: object, *, least: int = 1, optional: bool = False) -> None:
    """Raise TrainingError unless `value` is a whole number of at least `least`.

    Examples
    --------
    >>> whole("keep", 0)
    Traceback (most recent call last):
    ...
    fedlab.errors.TrainingError: keep must be a whole number of at least 1. Got 0. Pass e.g. keep=1.
    """
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TrainingError(
            f"{name} must be a whole number of at least {least}{' or None' * optional}.",
            f"{value!r}",
            f"Pass e.g. {name}={max(least, 1)}.",
        )


def positive(name: str, value: float | None, *, optional: bool = False, example: float = 1) -> None:
    """Raise TrainingError unless `value` is positive and finite."""
    if optional and value is None:
        return
    if value is None or not 0 < value < math.inf:
        raise TrainingError(
            f"{name} must be positive.",
            "None" if value is None else f"{value:g}",
            f"Pass e.g. {name}={example:g}{', or leave it out' * optional}.",
        )


def nonnegative(name: str, value: float, *, example: float = 0.1) -> None:
    """Raise TrainingError unless `value` is at least 0 and finite."""
    if not 0 <= value < math.inf:
        raise TrainingError(
            f"{name} must be at least 0.", f"{value:g}", f"Pass e.g. {name}={example:g}."
        )


def share(name: str, value: float, *, example: float = 0.9) -> None:
    """Raise TrainingError unless `value` is at least 0 and below 1."""
    if not 0 <= value < 1:
        raise TrainingError(
            f"{name} must be at least 0 and below 1.",
            f"{value:g}",
            f"Pass e.g. {name}={example:g}.",
        )
