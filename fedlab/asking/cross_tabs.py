"""Patients by two columns, and whether these go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.asking.asked import How
from fedlab.asking.bench import Bench
from fedlab.asking.counting import cells_frame, count_cells, total_of
from fedlab.asking.labels import level_names
from fedlab.asking.lines import ALL_SITES, Line, states
from fedlab.asking.naming import By, Where, factors, not_counted
from fedlab.asking.printed import NOTHING, PaperRow, Printed, amount, p_text
from fedlab.asking.result import Result
from fedlab.asking.testing_tables import chi_square
from fedlab.core.parameters import Array
from fedlab.errors import DataError
from fedlab.queries.group_counts import GroupCounts
from fedlab.queries.groups import Factor

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["CrossTab", "cross_tab"]

FEW_EXPECTED = 5


@dataclass(frozen=True, repr=False)
class CrossTab(Result):
    """Patients by two columns.

    Attributes
    ----------
    frame : DataFrame
        One row a site and cell, and the same for all sites: ``patients``, ``status``, ``sites``
        and ``noise`` as of `Counts`; ``row_share`` and ``column_share`` of the patients with a
        value of both, NaN where a cell of the row or column is suppressed.
    tests : DataFrame
        One row a site and one for all: Pearson's ``chi_square``, ``degrees_of_freedom``,
        ``p_value``, ``cramers_v`` and ``least_expected`` count, of the ``patients`` with a value of
        both; ``of``: "all" cells, "some sites" where others suppress one, or "nothing".
    rows, columns : tuple of str
        Name of the column, then its levels.
    remarks : tuple of str
        Who may be in no cell.
    """

    tests: pd.DataFrame = field(default_factory=pd.DataFrame, hash=False)
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        tests = self.tests.to_dict("index")
        notes = [_sentence({str(k): v for k, v in tests[ALL_SITES].items()})]
        kinds = set(self.tests["of"])
        if kinds == {"nothing"} and self.privacy is not None:
            notes = ["No test is given: chi-square does not know of the noise."]
        elif "nothing" in kinds:
            notes.append("A table in which a cell is suppressed has no test of its own.")
        few = self.tests.index[self.tests["least_expected"].lt(FEW_EXPECTED)]
        if ALL_SITES in few:
            notes.append("An expected count is below 5: the p-value is rough.")
        single = [str(site) for site in few if site != ALL_SITES]
        if single:
            notes.append(
                f"An expected count is below 5 at {', '.join(single)} alone: the p-value of "
                "a single site's table is rough there."
            )
        if kinds != {"nothing"}:
            notes.append(
                "Pearson's chi-square without correction, missing and unmapped left out. Fisher's "
                "exact test is for small cells, which are not told."
            )
        return [*notes, *self.remarks, *super().notes]

    def plot(self) -> go.Figure:
        """Shares of the columns' levels within each of the rows', all sites together."""
        from fedlab.displays.asking_figures import shares_figure

        pooled = self.frame[self.frame["site"] == ALL_SITES]
        return shares_figure(pooled, self.rows[0], self.columns[0], self.columns[1:-2])

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        pooled = self.frame[self.frame["site"] == ALL_SITES]
        rows, columns = pooled[self.rows[0]], pooled[self.columns[0]]
        across = _used(pooled, columns, self.columns[1:])
        body = []
        for name in _used(pooled, rows, self.rows[1:]):
            part = pooled[rows == name]
            found = {line[self.columns[0]]: line for line in part.to_dict("records")}
            cells = [_cell(found[level]) for level in across]
            body.append(PaperRow(name, [*cells, amount(*total_of(part))]))
        totals = [amount(*total_of(pooled[columns == level])) for level in across]
        body.append(PaperRow("Total", [*totals, amount(*total_of(pooled))], kind="all"))
        title = f"Patients by {self.rows[0]} and {self.columns[0]}, all sites: n (% of row)"
        head = [self.rows[0], *(f"{self.columns[0]}: {level}" for level in across), "Total"]
        return Printed(title, head, body, self.notes)


def _used(frame: pd.DataFrame, column: pd.Series, levels: Sequence[str]) -> list[str]:
    """The column's own levels, and missing and unmapped where anybody may be in them."""
    last = len(levels) - 2
    return [
        name
        for i, name in enumerate(levels)
        if i < last or not frame.loc[column == name, "patients"].eq(0).all()
    ]


def _cell(line: dict[Any, Any]) -> str:
    text, share = amount(line["patients"], line["status"]), float(line["row_share"])
    return text if share != share else f"{text} ({100 * share:.1f})"


def _sentence(test: dict[str, Any]) -> str:
    if test["of"] == "nothing" or test["p_value"] != test["p_value"]:
        return "All sites: no chi-square test."
    of = "All sites" if test["of"] == "all" else f"Of {test['told_by']}, which tell all cells"
    p, degrees = p_text(float(test["p_value"])), int(test["degrees_of_freedom"])
    return (
        f"{of}: χ² = {test['chi_square']:.4g} on {degrees} degree{'s' * (degrees != 1)} of "
        f"freedom, p {p if p.startswith('<') else '= ' + p}, Cramér's V = "
        f"{test['cramers_v']:.3g}, {int(test['patients']):,} patients."
    ).replace(NOTHING, "not given")


def cross_tab(federation: Bench, a: By, b: By, where: Where | None, how: How) -> CrossTab:
    """Ask all sites for patients by two columns; see `Federation.cross_tab`."""
    pair = (*factors(federation.schema, a), *factors(federation.schema, b))
    if len(pair) != 2 or pair[0].column == pair[1].column:
        raise DataError(
            "A cross table is of two columns.",
            f"{len(pair)} columns" if len(pair) != 2 else "one column twice",
            "Pass e.g. fed.cross_tab('sex', {'age': [0, 40, 60, 120]}).",
        )
    lines, refusals = count_cells(federation, pair, where, how)
    frame = cells_frame(lines, pair)
    frame["row_share"], frame["column_share"] = _shares(lines, pair)
    return CrossTab(
        frame,
        refusals,
        federation.minimums,
        how.privacy,
        tests=_tests(lines, private=how.privacy is not None),
        rows=(pair[0].column, *level_names(pair[0])),
        columns=(pair[1].column, *level_names(pair[1])),
        remarks=tuple(not_counted(federation.schema, pair)),
    )


def _told(line: Line[GroupCounts]) -> Any:
    """Which cells are told whole, ``(n_rows, n_columns)``."""
    state = states(line.answer.shown, line.n_sites, line.answer.counts.shape)
    return np.isin(state, ("shown", "noisy"))


def _shares(lines: Sequence[Line[GroupCounts]], pair: Sequence[Factor]) -> tuple[Array, Array]:
    parts: list[tuple[Array, Array]] = []
    for line in lines:
        counts, told = line.answer.counts, _told(line)
        both = []
        for axis in (1, 0):
            share = np.full(counts.shape, np.nan)
            inner = counts[:-2, :-2]
            whole = told[:-2, :-2].all(axis=axis, keepdims=True)
            total = inner.sum(axis=axis, keepdims=True)
            share[:-2, :-2] = inner / np.where(whole & (total > 0), total, np.nan)
            both.append(share.ravel())
        parts.append((both[0], both[1]))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _tests(lines: Sequence[Line[GroupCounts]], *, private: bool) -> pd.DataFrame:
    found: dict[str, dict[str, Any]] = {}
    whole: list[Line[GroupCounts]] = []
    for line in lines:
        inner, told = line.answer.counts[:-2, :-2], _told(line)[:-2, :-2].all() and not private
        of, by = ("all", "") if told else ("nothing", "")
        if line.site == ALL_SITES and not told and whole:
            # Sites that suppress a cell would bend the table of all; those that tell all do not.
            inner = np.sum([each.answer.counts[:-2, :-2] for each in whole], axis=0)
            of, by = "some sites", ", ".join(each.site for each in whole)
        elif told and line.site != ALL_SITES:
            whole.append(line)
        test = chi_square(inner if of != "nothing" else np.zeros((0, 0)))
        found[line.site] = {
            "chi_square": test.statistic,
            "degrees_of_freedom": test.degrees_of_freedom,
            "p_value": test.p_value,
            "cramers_v": test.cramers_v,
            "least_expected": test.least_expected,
            "patients": float(inner.sum()) if of != "nothing" else np.nan,
            "of": of,
            "told_by": by,
        }
    frame = pd.DataFrame.from_dict(found, orient="index")
    frame.index.name = "site"
    return frame
