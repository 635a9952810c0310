"""From a model's own parameters to what is reported: reference levels, and the columns' own units.

A model holds scaled numbers and one indicator for every category. With an intercept those overlap,
so single coefficients are no more than a convention. What the rows do determine is each category
against a reference, and that is what `Terms` has: ``terms = contrast @ (coef, intercept)`` and
back, ``(coef, intercept) = embed @ terms`` up to a change that no prediction notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.errors import TrainingError

__all__ = ["Terms", "terms_of"]

INTERCEPT, MISSING = "(intercept)", "(missing)"
NOTHING = 1e-12


@dataclass(frozen=True)
class Terms:
    """Intercept, numbers, and categories against their references.

    Attributes
    ----------
    names : tuple of str
        Intercept first, then in the order of ``space.names``.
    contrast : ndarray of shape (n_terms, n_features + 1)
    embed : ndarray of shape (n_features + 1, n_terms)
    units : ndarray of shape (n_terms, n_terms)
        Takes terms of scaled numbers to terms in the columns' own units.
    deviations : ndarray of shape (n_terms,)
        The standard deviation of a number's column, 1 for other terms.
    references : dict of str to str
        The reference of each categorical column.
    absent : tuple of str
        Columns and categories of which no row tells anything.
    """

    names: tuple[str, ...]
    contrast: Array
    embed: Array
    units: Array
    deviations: Array
    references: dict[str, str]
    absent: tuple[str, ...]

    def without_intercept(self) -> Terms:
        """The terms of a model that has none, and rows of coefficients alone."""
        return replace(
            self,
            names=self.names[1:],
            contrast=self.contrast[1:, :-1],
            embed=self.embed[:-1, 1:],
            units=self.units[1:, 1:],
            deviations=self.deviations[1:],
        )


def terms_of(space: Space, weights: Array, references: Mapping[str, str]) -> Terms:
    """The terms that rows of these weights determine.

    Parameters
    ----------
    space : Space
    weights : ndarray of shape (n_features + 1, n_features + 1)
        Hessian of one predictor: from it follows which categories occur, and whether some rows
        have none.
    references : mapping of str to str
        Reference by column; by default the first category that occurs.

    Raises
    ------
    TrainingError
        When a reference is not a category that occurs.
    """
    builder = _Builder(space, weights)
    _check_references(space, references)
    for position in range(len(space.numbers)):
        builder.add_number(position)
    start = len(space.numbers)
    for column in space.categories:
        builder.add_category(column, start, references.get(column.name))
        start += len(column.categories)
    return builder.built()


def _check_references(space: Space, references: Mapping[str, str]) -> None:
    known = {column.name for column in space.categories}
    for name in references:
        if name not in known:
            raise TrainingError(
                "A reference must be for a column of categories.",
                f"{name!r}",
                f"The columns are {', '.join(map(repr, sorted(known))) or 'none'}.",
            )


class _Builder:
    def __init__(self, space: Space, weights: Array) -> None:
        self._space, self._weights, self._size = space, weights, len(space.names) + 1
        self._whole = float(weights[-1, -1])
        last = np.eye(self._size)[-1]
        self._names, self._absent = [INTERCEPT], list[str]()
        self._contrast, self._embed = [last.copy()], [last.copy()]
        self._scale, self._shift = [1.0], [0.0]
        self._references: dict[str, str] = {}

    def add_number(self, position: int) -> None:
        name = self._space.names[position]
        if self._weights[position, position] <= NOTHING * self._whole:
            self._absent.append(name)
            return
        own = np.eye(self._size)[position]
        scale = float(self._space.scaling["scale"][position])
        self._add(name, own, own, scale, float(self._space.scaling["mean"][position]))

    def add_category(self, column: Column, start: int, wanted: str | None) -> None:
        places = np.arange(start, start + len(column.categories))
        by_level = self._weights[-1, places]
        occurs = by_level > 0
        without = self._whole - by_level.sum() > 1e-10 * self._whole
        names = [f"{column.name}={level}" for level in column.categories]
        self._absent += [n for n, there in zip(names, occurs, strict=True) if not there]
        levels = [level for level, there in zip(column.categories, occurs, strict=True) if there]
        if wanted is not None and wanted not in levels:
            raise TrainingError(
                f"The reference of column {column.name!r} must be a category that occurs.",
                f"{wanted!r}",
                f"Choose one of {', '.join(map(repr, levels))}.",
            )
        if not levels:
            return
        reference = wanted or levels[0]
        base = places[column.categories.index(reference)]
        self._references[column.name] = reference
        unit = np.eye(self._size)
        # The intercept is that of rows at all references.
        self._contrast[0] += unit[base]
        for place, name, there in zip(places, names, occurs, strict=True):
            if there and place != base:
                self._add(name, unit[place] - unit[base], unit[place])
        if without:
            # Rows without a category have no indicator: they sit at the model's intercept.
            back = unit[-1] - unit[places[occurs]].sum(axis=0)
            self._add(f"{column.name}={MISSING}", -unit[base], back)

    def _add(
        self, name: str, contrast: Array, embed: Array, scale: float = 1.0, shift: float = 0.0
    ) -> None:
        self._names.append(name)
        self._contrast.append(contrast)
        self._embed.append(embed)
        self._scale.append(scale)
        self._shift.append(shift)

    def built(self) -> Terms:
        scale = np.array(self._scale)
        units = np.diag(1 / scale)
        units[0] -= np.array(self._shift) / scale
        return Terms(
            names=tuple(self._names),
            contrast=np.array(self._contrast),
            embed=np.array(self._embed).T,
            units=units,
            deviations=scale,
            references=self._references,
            absent=tuple(self._absent),
        )
