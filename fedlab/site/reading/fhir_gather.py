"""One row a patient from the rows of views, gathered as they come.

What is kept is a few numbers for each patient and column, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add
from typing import NamedTuple, cast

from fedlab.site.reading.faults import RecordError
from fedlab.site.reading.fhir_flat import Row
from fedlab.site.reading.fhir_path import Value
from fedlab.site.reading.fhir_view import NUMBERS, ORDERED, FhirColumn
from fedlab.site.reading.moments import moment
from fedlab.site.reading.tally import Tally

__all__ = ["Gatherer", "Piece"]

COMBINE: dict[str, Callable[[float, float], float]] = {"mean": add, "min": min, "max": max}


class Piece(NamedTuple):
    """What one row gives to one column."""

    value: Value
    unit: str | None
    order: tuple[float, str] | None


class _State:
    """What is known of one patient in one column."""

    __slots__ = ("count", "order", "several_units", "several_values", "unit", "value")

    def __init__(self) -> None:
        self.count = 0
        self.value: Value = None
        self.unit: str | None = None
        self.order: tuple[float, str] | None = None
        self.several_units = self.several_values = False


class Gatherer:
    """Gathers one column."""

    def __init__(self, column: FhirColumn, tally: Tally) -> None:
        self.column, self._tally = column, tally
        self._states: dict[str, _State] = {}

    def piece(self, row: Row, key: str) -> Piece | None:
        """What a row of a resource with this id gives, or None.

        Raises
        ------
        RecordError
            When a date or number is none.
        """
        column = self.column
        value: Value = True if column.column is None else row[column.column]
        if value is None:
            return None
        if column.take in NUMBERS and (isinstance(value, bool | str)):
            raise RecordError("not_a_number")
        unit = None if column.unit is None else row[column.unit]
        if unit is not None and not isinstance(unit, str):
            raise RecordError("not_a_value")
        order = None
        if column.take in ORDERED and column.date is not None:
            date = row[column.date]
            order = None if date is None else (moment(date), key)
        return Piece(value, unit, order)

    def add(self, patient: str, piece: Piece) -> None:
        """Take in what `piece` found; the order of calls changes at most last bits of a mean."""
        column, take = self.column, self.column.take
        if column.required_unit is not None and piece.unit != column.required_unit:
            self._tally.gap(column.name, "not_the_unit")
            return
        if take in ORDERED and piece.order is None:
            self._tally.gap(column.name, "no_date")
            return
        state = self._states.get(patient)
        if state is None:
            state = self._states[patient] = _State()
        state.count += 1
        if take in ORDERED:
            self._replace(state, piece)
            return
        if state.count == 1:
            state.value, state.unit = piece.value, piece.unit
            return
        state.several_units |= state.unit != piece.unit
        if take == "only":
            state.several_values |= state.value != piece.value
        elif take in NUMBERS:
            state.value = COMBINE[take](cast(float, state.value), cast(float, piece.value))

    def _replace(self, state: _State, piece: Piece) -> None:
        if state.order is None or piece.order is None:
            better = True
        elif self.column.take == "first":
            better = piece.order < state.order
        else:
            better = piece.order > state.order
        if better:
            state.value, state.unit, state.order = piece
        elif piece.order == state.order:
            # Two rows of one resource, which nothing puts in order.
            state.several_values |= (state.value, state.unit) != (piece.value, piece.unit)

    def patients(self) -> set[str]:
        """Who has anything in this column."""
        return set(self._states)

    def columns(self, patients: Sequence[str]) -> dict[str, list[Value]]:
        """The finished column, and its unit if that is kept; counts what is left missing."""
        found = [self._finished(self._states.get(patient)) for patient in patients]
        columns: dict[str, list[Value]] = {self.column.name: [value for value, _ in found]}
        if self.column.keeps_unit:
            columns[f"{self.column.name}_unit"] = [unit for _, unit in found]
        return columns

    def _finished(self, state: _State | None) -> tuple[Value, Value]:
        take = self.column.take
        if take == "count":
            return (0 if state is None else state.count), None
        if take == "exists":
            return state is not None, None
        if state is None:
            return None, None
        for reason, found in (
            ("several_units", state.several_units),
            ("several_values", state.several_values),
        ):
            if found:
                self._tally.gap(self.column.name, reason)
                return None, None
        if take == "mean":
            return cast(float, state.value) / state.count, state.unit
        return state.value, state.unit
