"""One line a column, at each site and over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedlab.asking.asked import How, Replies, new_run, partly, together
from fedlab.asking.bench import Bench
from fedlab.asking.categories import ask_shares
from fedlab.asking.described import category_frames, edges_of, number_frames
from fedlab.asking.lines import ALL_SITES, lines_of
from fedlab.asking.moments import ask_moments
from fedlab.asking.naming import By, Where, column_of, conditions, factors, flag_values, listed
from fedlab.asking.printed import (
    NOTHING,
    SUPPRESSED,
    PaperRow,
    Printed,
    amount,
    mean_text,
    median_text,
)
from fedlab.asking.quantiles import ask_blocks
from fedlab.asking.result import Result
from fedlab.core.schema import Column, Schema
from fedlab.errors import DataError
from fedlab.queries.group_blocks import BlockCounts

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Summary", "chosen_columns", "describe"]


@dataclass(frozen=True, repr=False)
class Summary(Result):
    """What the columns hold.

    Attributes
    ----------
    frame : DataFrame
        For each site and all sites, and each group, one row a number and one a level of a
        category: ``column`` and ``level`` (empty for numbers); ``patients`` with the value and
        their ``status``; ``missing`` and ``unmapped`` patients, each with its status; ``share``
        of those with a value; ``mean`` and ``sd`` with ``mean_status``; ``q25``, ``q50`` and
        ``q75``, each with bounds ``_low`` and ``_high`` that hold for certain; the declared
        ``range_low`` and ``range_high``. Extremes are values of single patients and not given.
    by : tuple of str
        Columns it was grouped by.
    remarks : tuple of str
        What was left out.
    """

    by: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        notes = [
            "Mean (standard deviation), of rows with a value. Least and largest values are of "
            "single patients and not given: the range is the declared one."
        ]
        if self.privacy is None:
            notes.append(
                "Quartiles are estimates; the frame has bounds between which they lie for certain."
            )
        if (self.frame[["mean_status", "quartile_status"]] == "in part").any(axis=None):
            notes.append("†: of the sites that tell it; the frame says how many.")
        return [*notes, *self.remarks, *super().notes]

    def plot(self) -> go.Figure:
        """Share of patients with a value, by column and site."""
        from fedlab.displays.asking_figures import presence_figure

        return presence_figure(self.frame, ALL_SITES, self.by)

    def of(self, site: str) -> Summary:
        """The same of one site alone, where single sites are seen.

        Raises
        ------
        DataError
            When there is no such site in it.
        """
        part = self.frame[self.frame["site"] == site].reset_index(drop=True)
        if part.empty:
            raise DataError(
                "A description is of the sites that are in it.",
                f"{site!r}",
                f"Choose from {', '.join(map(repr, dict.fromkeys(self.frame['site'])))}.",
            )
        return replace(self, frame=part)

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        sites = list(dict.fromkeys(self.frame["site"]))
        site = sites[0] if len(sites) == 1 else ALL_SITES
        frame = self.frame[self.frame["site"] == site]
        quartiles = self.privacy is None
        mean = "Mean (SD)" if quartiles else "Mean (SD) ± noise"
        head = ["Column", "Patients", "Missing", "Unmapped", f"{mean}, or share"]
        head += ["Median [quartiles]"] * quartiles + ["Range"]
        rows = []
        for names, group in frame.groupby(list(self.by), sort=False) if self.by else [((), frame)]:
            indent = int(bool(self.by))
            if self.by:
                if group["patients"].fillna(0).eq(0).all() and (group["status"] == "shown").all():
                    continue
                rows.append(PaperRow(" · ".join(map(str, names)), [], kind="head"))
            for column, part in group.groupby("column", sort=False):
                lines = part.to_dict("records")
                if not lines[0]["level"]:
                    cells = _number_cells(lines[0], quartiles=quartiles)
                    rows.append(PaperRow(str(column), cells, indent=indent))
                    continue
                missing = [amount(lines[0][e], lines[0][f"{e}_status"]) for e in ABSENT]
                rows.append(PaperRow(str(column), ["", *missing], indent=indent))
                rows += [
                    PaperRow(
                        str(line["level"]),
                        [amount(line["patients"], line["status"]), "", "", _share(line)],
                        indent=indent + 1,
                    )
                    for line in lines
                ]
        title = "What the columns hold, "
        title += "all sites together" if site == ALL_SITES else f"site {site}"
        return Printed(title, head, rows, self.notes)


ABSENT = ("missing", "unmapped")


def _number_cells(line: dict[Any, Any], *, quartiles: bool) -> list[str]:
    cells = [amount(line["patients"], line["status"])]
    cells += [amount(line[each], line[f"{each}_status"]) for each in ABSENT]
    if line["mean_status"] == "suppressed":
        cells.append(SUPPRESSED)
    elif line["mean"] != line["mean"]:
        cells.append(NOTHING)
    else:
        mark = "†" * (line["mean_status"] == "in part")
        text = mean_text(line["mean"], line["sd"], mark)
        cells.append(text if quartiles else f"{text} ± {line['mean_noise']:.2g}")
    if quartiles:
        cells.append(_quartiles(line))
    low, high = line["range_low"], line["range_high"]
    return [*cells, NOTHING if low != low else f"{low:g} to {high:g}"]


def _quartiles(line: dict[Any, Any]) -> str:
    if line["quartile_status"] == "suppressed":
        return SUPPRESSED
    if line["q50"] != line["q50"]:
        return NOTHING
    mark = "†" * (line["quartile_status"] == "in part")
    return median_text(line["q25"], line["q50"], line["q75"], mark)


def _share(line: dict[Any, Any]) -> str:
    if line["share"] != line["share"]:
        return SUPPRESSED if line["status"] == "suppressed" else NOTHING
    return f"{100 * line['share']:.1f}%"


def chosen_columns(
    schema: Schema, columns: Sequence[str] | None, but: Sequence[str]
) -> list[Column]:
    """Columns that are asked about: those that are named, else all features and the target.

    Raises
    ------
    DataError
        When one is not there, or none is left.
    """
    events = [] if schema.event is None else [schema.event]
    names = [*schema.names, schema.target, *events] if columns is None else listed(columns)
    found = [column_of(schema, name) for name in dict.fromkeys(names) if name not in but]
    if not found:
        raise DataError(
            "A description needs columns.", "none", "Name some, or leave columns out for all."
        )
    return found


def describe(
    federation: Bench,
    columns: Sequence[str] | None,
    by: By | None,
    where: Where | None,
    how: How,
    *,
    quartiles: bool = True,
) -> Summary:
    """Ask all sites what their columns hold; see `Federation.describe`."""
    schema = federation.schema
    groups, conditioned = factors(schema, by), conditions(schema, where)
    chosen = chosen_columns(schema, columns, [each.column for each in groups])
    numbers = [column for column in chosen if column.kind == "number"]
    categories = [column for column in chosen if column.kind == "category"]
    remarks: list[str] = []
    if how.privacy is not None:
        unbounded = [c.name for c in numbers if c.low is None or c.high is None]
        if unbounded and columns is None:
            numbers = [c for c in numbers if c.name not in unbounded]
            remarks.append(
                f"Left out, since a noisy mean needs a declared range: {', '.join(unbounded)}."
            )
        remarks.append("Values beyond the declared range count as its ends.")
    promise = how.parts(bool(numbers) + bool(categories))
    run, parts = new_run(), list[Replies]()
    moments = shares = blocks = None
    # Quartiles of what is no or yes say nothing that its mean does not.
    ranged = [c for c in numbers if None not in (c.low, c.high) and not flag_values(c)]
    if numbers:
        moments, replies = ask_moments(
            federation, numbers, groups, conditioned, promise, run=run, part=0
        )
        parts.append(replies)
    if quartiles and ranged and how.privacy is None:
        names = tuple(column.name for column in ranged)
        edges = edges_of(ranged)
        blocks = ask_blocks(federation, names, edges, groups, conditioned, promise, run=run, part=3)
        parts.append(blocks)
    if categories:
        shares, replies = ask_shares(
            federation, categories, groups, conditioned, promise, run=run, part=4
        )
        parts.append(replies)
    whole = together(parts)
    n_sites, frames = len(whole.answering), list[pd.DataFrame]()
    if moments is not None:
        of_blocks = [] if blocks is None else lines_of(blocks, BlockCounts, n_sites)
        frames += number_frames(moments(n_sites), numbers, groups, of_blocks, ranged)
    if shares is not None:
        frames += category_frames(shares(n_sites), categories, groups)
    frame = pd.concat(frames, ignore_index=True)
    if how.privacy is None:
        frame = frame.drop(columns=["noise", "mean_noise"], errors="ignore")
    order = {column.name: i for i, column in enumerate(chosen)}
    frame["_order"] = frame["column"].map(order)
    sites = [s for s in dict.fromkeys(frame["site"]) if s != ALL_SITES]
    frame["site"] = pd.Categorical(frame["site"], [*sorted(sites), ALL_SITES])
    keys = ["site", "_group", "_order"]
    frame = frame.sort_values(keys, kind="stable", ignore_index=True)
    frame["site"] = frame["site"].astype("str")
    return Summary(
        frame.drop(columns=["_order", "_group"]),
        whole.refusals,
        federation.minimums,
        how.privacy,
        by=tuple(each.column for each in groups),
        remarks=(*remarks, *partly(parts)),
    )
