"""Inputs for some arguments of a value, and the value they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ipywidgets as ipw
import msgspec
import numpy as np

from fedlab.errors import TrainingError
from fedlab.widgets.style import field

__all__ = ["REQUIRED", "Fields", "Setting", "changed"]

REQUIRED: Any = object()


@dataclass(frozen=True)
class Setting:
    """One argument that a form offers.

    Attributes
    ----------
    name : str
        Of the argument.
    label, tooltip : str
    kind : "whole", "number", "choice" or "times"
    empty : object
        What an empty field stands for; by default a field must not be empty.
    placeholder : str
        What an empty field says.
    choices : tuple of str
    """

    name: str
    label: str
    tooltip: str
    kind: Literal["whole", "number", "choice", "times"] = "number"
    empty: Any = REQUIRED
    placeholder: str = ""
    choices: tuple[str, ...] = ()


class Fields:
    """An input for each of some settings, filled in from `base`.

    Attributes
    ----------
    inputs : dict of str to ipywidgets.Widget
        By name of the argument.
    """

    def __init__(self, settings: Sequence[Setting], base: object) -> None:
        self._settings = list(settings)
        self.inputs: dict[str, Any] = {
            setting.name: _input(setting, getattr(base, setting.name)) for setting in settings
        }

    def values(self) -> dict[str, Any]:
        """The arguments as filled in.

        Raises
        ------
        TrainingError
            When one is not of its kind; whether it is in range is said by what takes it.
        """
        return {each.name: _read(each, self.inputs[each.name].value) for each in self._settings}


def _input(setting: Setting, value: Any) -> Any:
    options: dict[str, Any] = {"value": value}
    kind: type[Any] = ipw.IntText if setting.kind == "whole" else ipw.FloatText
    if setting.kind == "choice":
        kind, options["options"] = ipw.Dropdown, setting.choices
    elif setting.kind == "times" or setting.empty is not REQUIRED:
        kind = ipw.Text
        options = {"value": _shown(setting, value), "placeholder": setting.placeholder}
    return field(kind, setting.label, setting.tooltip, **options)


def _shown(setting: Setting, value: Any) -> str:
    if value is None or value == setting.empty:
        return ""
    if isinstance(value, str):
        return value
    if setting.kind != "times":
        return _digits(value)
    # A comma at the end tells two times from a step and an end.
    return ", ".join(map(_digits, value)) + "," * (len(value) == 2)


def _digits(value: float) -> str:
    return repr(value).removesuffix(".0")


def _read(setting: Setting, value: Any) -> Any:
    if not isinstance(value, str) or setting.kind == "choice":
        return value
    if setting.kind == "times":
        return _times(setting, value.strip())
    return setting.empty if not value.strip() else _number(setting, value)


def _number(setting: Setting, text: str) -> float:
    try:
        return int(text) if setting.kind == "whole" else float(text)
    except ValueError:
        word = "whole number" if setting.kind == "whole" else "number"
        empty = ", or leave it empty" if setting.empty is not REQUIRED else ""
        raise TrainingError(
            f"{setting.label} must be a {word}.", f"{text!r}", f"Correct it{empty}."
        ) from None


def _times(setting: Setting, text: str) -> tuple[float, ...] | str:
    """Step and end of an even grid, the times themselves, or "exact"."""
    if text == "exact":
        return text
    if not text:
        raise TrainingError(
            f"{setting.label} must be filled in: it decides what leaves the sites.",
            "an empty field",
            "Type a step and an end, e.g. 30, 3650 for months where time is in days, or exact "
            "where sites are simulated.",
        )
    try:
        times = tuple(float(part) for part in text.removesuffix(",").split(","))
    except ValueError:
        times = ()
    if len(times) == 2 and not text.endswith(","):
        step, end = times
        steps = end / step if step > 0 else math.nan
        sound = 1 <= steps <= 100_000
        times = tuple((step * np.arange(1, int(steps + 1e-9) + 1)).tolist()) if sound else ()
    if not times:
        raise TrainingError(
            f"{setting.label} takes a step and an end, times, or the word exact.",
            f"{text!r}",
            "Type e.g. 30, 3650 for months where time is in days.",
        )
    return times


def changed(base: Any, changes: Mapping[str, Any]) -> Any:
    """The same value with other arguments, those it has."""
    known = {field.name for field in msgspec.structs.fields(base)}
    return msgspec.structs.replace(base, **{n: v for n, v in changes.items() if n in known})
