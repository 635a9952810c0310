"""Patients by group, by site and over all sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.asking.asked import How, ask
from fedlab.asking.bench import Bench
from fedlab.asking.labels import group_names, level_names
from fedlab.asking.lines import ALL_SITES, Line, added, lines_of, states
from fedlab.asking.naming import By, Where, conditions, factors, names_read, not_counted
from fedlab.asking.printed import PaperRow, Printed, amount
from fedlab.asking.result import Result
from fedlab.core.parameters import Array
from fedlab.queries.group_counts import CountGroups, GroupCounts
from fedlab.queries.groups import Factor, schema_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Counts", "cells_frame", "count", "count_cells", "total_of"]


@dataclass(frozen=True, repr=False)
class Counts(Result):
    """Patients by group.

    Attributes
    ----------
    frame : DataFrame
        One row a site and group, and the same for all sites: the levels it was grouped by;
        ``patients``, NaN where suppressed; ``status``: "shown" (0 is nobody), "suppressed",
        "at least" where some of the sites suppress it, or "noisy"; ``sites`` that tell it;
        ``noise``, its standard deviation. Groups named (missing) and (unmapped) are of patients
        without a value, and of those whose record holds what the site's mapping has no word for.
    by : tuple of str
        Columns it was grouped by.
    levels : tuple of tuple of str
        Levels of each of them.
    remarks : tuple of str
        Who may be in no group.
    """

    by: tuple[str, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        return [*self.remarks, *super().notes]

    @property
    def totals(self) -> pd.DataFrame:
        """Patients of each site over its groups: at least so many where one is suppressed."""
        found = {site: total_of(part) for site, part in self.frame.groupby("site", sort=False)}
        frame = pd.DataFrame.from_dict(found, orient="index", columns=["patients", "status"])
        frame.index.name = "site"
        return frame

    def plot(self) -> go.Figure:
        """Bars by site and group; a suppressed group is hatched, of no height that is known."""
        from fedlab.displays.group_figures import counts_figure

        group = self.frame[list(self.by)].agg(" · ".join, axis=1) if self.by else "patients"
        return counts_figure(self.frame.assign(group=group), ALL_SITES)

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        title = "Patients" + (f" by {' and '.join(self.by)}" if self.by else "")
        sites = list(dict.fromkeys(self.frame["site"]))
        notes = list(self.notes)
        if not self.by:
            rows = [
                PaperRow(site, [amount(n, state)], kind="all" if site == ALL_SITES else "row")
                for site, n, state in zip(
                    sites, self.frame["patients"], self.frame["status"], strict=True
                )
            ]
            return Printed(title, ["Site", "Patients"], rows, notes)
        columns = self._columns()
        words = [
            word
            for word, level in zip(("a missing", "an unmapped"), self.levels[-1][-2:], strict=True)
            if level not in columns
        ]
        if words:
            notes.insert(0, f"No patient has {' or '.join(words)} {self.by[-1]}.")
        head = ["Site", *columns, "Total"]
        rows = []
        for site in sites:
            part = self.frame[self.frame["site"] == site]
            kind = "all" if site == ALL_SITES else "row"
            if len(self.by) == 1:
                rows.append(PaperRow(site, self._cells(part, columns), kind=kind))
                continue
            rows.append(PaperRow(site, [], kind="head"))
            for names, group in part.groupby(list(self.by[:-1]), sort=False):
                if group["patients"].eq(0).all():
                    continue
                label = " · ".join(map(str, names))
                rows.append(PaperRow(label, self._cells(group, columns), indent=1))
        return Printed(title, head, rows, notes)

    def _columns(self) -> list[str]:
        last, counts = self.frame[self.by[-1]], self.frame["patients"]
        own = len(self.levels[-1]) - 2
        return [
            level
            for i, level in enumerate(self.levels[-1])
            if i < own or not counts[last == level].eq(0).all()
        ]

    def _cells(self, part: pd.DataFrame, columns: Sequence[str]) -> list[str]:
        found = {line[self.by[-1]]: line for line in part.to_dict("records")}
        cells = [amount(found[level]["patients"], found[level]["status"]) for level in columns]
        return [*cells, amount(*total_of(part))]


def total_of(part: pd.DataFrame) -> tuple[float, str]:
    """The sum of the cells that are told, and whether it is all of them."""
    return added(part["patients"], part["status"])


def count(federation: Bench, by: By | None, where: Where | None, how: How) -> Counts:
    """Ask all sites for patients by group; see `Federation.count`."""
    groups = factors(federation.schema, by)
    lines, refusals = count_cells(federation, groups, where, how)
    return Counts(
        cells_frame(lines, groups),
        refusals,
        federation.minimums,
        how.privacy,
        by=tuple(each.column for each in groups),
        levels=tuple(tuple(level_names(each)) for each in groups),
        remarks=tuple(not_counted(federation.schema, groups)),
    )


def count_cells(
    federation: Bench, groups: tuple[Factor, ...], where: Where | None, how: How
) -> tuple[list[Line[GroupCounts]], dict[str, str]]:
    """The cells of one table at each site and over all, and who refused."""
    conditioned = conditions(federation.schema, where)
    schema = schema_of(federation.schema, names_read(groups, conditioned))
    query = CountGroups(schema=schema, factors=groups, where=conditioned)
    replies = ask(federation, query, how.parts(1))
    return lines_of(replies, GroupCounts), replies.refusals


def cells_frame(lines: Sequence[Line[GroupCounts]], groups: Sequence[Factor]) -> pd.DataFrame:
    """One row a line and cell."""
    names = group_names(groups)
    parts = []
    for line in lines:
        counts: Array = np.ravel(line.answer.counts)
        shown: Array = np.ravel(line.answer.shown)
        status = states(shown, line.n_sites, counts.shape)
        told: dict[str, Any] = {"site": [line.site] * len(names)}
        told |= {each.column: [row[i] for row in names] for i, each in enumerate(groups)}
        told["patients"] = np.where(status == "suppressed", np.nan, counts)
        told["status"] = status
        told["sites"] = shown.astype(int) if shown.size else line.n_sites
        told["noise"] = line.noise
        parts.append(pd.DataFrame(told))
    frame = pd.concat(parts, ignore_index=True)
    if not (frame["noise"] > 0).any():
        del frame["noise"]
    return frame
