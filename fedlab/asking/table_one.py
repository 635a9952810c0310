"""Table 1 of a paper: who the patients of each group are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.asking.asked import How, new_run, partly, together
from fedlab.asking.bench import Bench
from fedlab.asking.categories import Shares, Table, ask_shares, levels_of
from fedlab.asking.describing import chosen_columns
from fedlab.asking.labels import level_names
from fedlab.asking.lines import added, lines_of
from fedlab.asking.moments import ask_moments
from fedlab.asking.naming import By, Where, conditions, factors, flag_values, listed, not_counted
from fedlab.asking.one_columns import Block, category_block, median_block, number_block
from fedlab.asking.printed import (
    PaperRow,
    Printed,
    amount,
)
from fedlab.asking.quantiles import ask_blocks
from fedlab.asking.ranges import even_edges, number_of, range_of
from fedlab.asking.result import Result
from fedlab.asking.table_one_rows import rows_of
from fedlab.core.schema import Column
from fedlab.errors import DataError, PrivacyError
from fedlab.queries.group_blocks import BlockCounts

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["TableOne", "table_one"]

BINS = 200


@dataclass(frozen=True, repr=False)
class TableOne(Result):
    """Characteristics of patients by group, all sites together.

    Attributes
    ----------
    frame : DataFrame
        One row a column, level and group: ``patients``, ``share``, ``mean``, ``sd``, ``median``,
        ``q25`` and ``q75``, ``missing`` (with those unmapped), each NaN where it does not apply or
        is suppressed; ``status`` of the row and ``missing_status``; ``p_value`` and ``smd`` of the
        column, ``tested`` on "all" sites, "some sites" that tell it whole, or "nothing". The first
        rows, of the column ``""``, are the sizes of the groups. Under privacy ``noise`` and
        ``mean_noise`` are standard deviations of the noise on counts and means.
    by : str
        The column of groups.
    groups : tuple of str
        Its levels, then the name of all groups together.
    remarks : tuple of str
        How the tests were made, and what was left out.
    """

    by: str = ""
    groups: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the table."""
        notes = list(self.remarks)
        parts = self.frame["status"].eq("in part") | self.frame["tested"].eq("some sites")
        if parts.any():
            notes.append("†: of the sites that tell it, or a test's whole table.")
        return [*notes, *super().notes]

    @property
    def tests(self) -> pd.DataFrame:
        """p-value and standardised difference, one row a column."""
        some = self.frame[self.frame["column"] != ""]
        return some.drop_duplicates("column").set_index("column")[["p_value", "smd", "tested"]]

    def plot(self) -> go.Figure:
        """Standardised differences of the groups (a Love plot)."""
        from fedlab.displays.asking_figures import differences_figure

        return differences_figure(self.tests)

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        frame, groups = self.frame, list(self.groups)
        head = ["Characteristic"]
        for line in frame[frame["column"] == ""].to_dict("records"):
            group = str(line["group"])
            name = group if group == groups[-1] else f"{self.by}: {group}"
            head.append(f"{name} (N = {amount(line['patients'], line['status'])})")
        tested = self.privacy is None
        head += ["p-value", "SMD"] if tested else []
        rows: list[PaperRow] = []
        for column, part in frame[frame["column"] != ""].groupby("column", sort=False):
            rows += rows_of(str(column), part, groups, tested=tested)
        title = f"Table 1. Characteristics of the patients by {self.by}"
        return Printed(title, head, rows, self.notes)


def table_one(
    federation: Bench,
    by: By,
    columns: Sequence[str] | None,
    median: Sequence[str],
    where: Where | None,
    how: How,
) -> TableOne:
    """Ask all sites for what Table 1 is made of; see `Federation.table_one`."""
    schema = federation.schema
    groups, conditioned = factors(schema, by), conditions(schema, where)
    if len(groups) != 1:
        raise DataError(
            "The groups of a Table 1 are those of one column.",
            f"{len(groups)} columns",
            "Pass e.g. by='treated'.",
        )
    wanted = listed(median, "median")
    chosen = chosen_columns(schema, columns, [groups[0].column])
    medians = [number_of(schema, name) for name in wanted]
    if medians and how.privacy is not None:
        raise PrivacyError(
            "Medians have certain bounds, which leave no room for noise.",
            "median=... with privacy",
            "Leave one of them out.",
        )
    counted = [c for c in chosen if levels_of(c) and c.name not in wanted]
    numbers = [c for c in chosen if not levels_of(c) and c.name not in wanted] + medians
    # The sizes of the groups are a table of their own, so a site's law sees them as one.
    promise, run = how.parts(1 + bool(numbers)), new_run()
    shares_of, replies = ask_shares(
        federation, counted, groups, conditioned, promise, run=run, part=0, sizes=True
    )
    parts, moments_of, found = [replies], None, None
    if numbers:
        moments_of, replies = ask_moments(
            federation, numbers, groups, conditioned, promise, run=run, part=1
        )
        parts.append(replies)
    edges = np.array([_edges(column) for column in medians])
    if medians:
        names = tuple(column.name for column in medians)
        found = ask_blocks(federation, names, edges, groups, conditioned, promise, run=run, part=4)
        parts.append(found)
    whole = together(parts)
    n_sites = len(whole.answering)
    shares = shares_of(n_sites)
    blocks = {column.name: category_block(column, shares) for column in counted}
    if moments_of is not None:
        moments = moments_of(n_sites)
        blocks |= {c.name: number_block(c, j, moments) for j, c in enumerate(numbers)}
    if found is not None:
        lines_of_blocks = lines_of(found, BlockCounts, n_sites)
        for j, column in enumerate(medians):
            means = blocks[column.name]
            blocks[column.name] = median_block(means, j, lines_of_blocks, edges[j])
    levels = level_names(groups[0])[:-2]
    everyone = "All"
    while everyone in levels:
        everyone = f"({everyone})"
    names_of_groups = (*levels, everyone)
    order = [*(c.name for c in chosen), *(c.name for c in medians)]
    lines: list[dict[str, Any]] = _sizes(shares[-1].sizes, names_of_groups)
    for name in dict.fromkeys(order):
        lines += blocks[name].lines(names_of_groups)
    frame = pd.DataFrame(lines)
    if how.privacy is None:
        frame = frame.drop(columns=["noise", "mean_noise"], errors="ignore")
    sizes = shares[-1].sizes
    remarks = _remarks(blocks, len(levels), private=how.privacy is not None)
    if sizes is not None and (np.nan_to_num(sizes.patients[0, -2:], nan=1.0) != 0).any():
        remarks = (*remarks, f"Patients without a value of {groups[0].column} are left out.")
    if sizes is not None:
        remarks = (*remarks, *_neither([c for c in counted if flag_values(c)], shares[-1], sizes))
    return TableOne(
        frame,
        whole.refusals,
        federation.minimums,
        how.privacy,
        by=groups[0].column,
        groups=names_of_groups,
        remarks=(*remarks, *not_counted(schema, groups), *partly(parts)),
    )


def _neither(flags: Sequence[Column], line: Shares, sizes: Table) -> list[str]:
    """Notes on numbers from 0 to 1 that turn out not to be flags."""
    n = sizes.patients[0, :-2].sum()
    tables = [line.tables[column.name] for column in flags]
    return [
        f"Of {column.name}, values are counted that are 0 or 1, and there are others: pass "
        f"median=[{column.name!r}] for a number."
        for column, table in zip(flags, tables, strict=True)
        # Fewer are counted too where some are not told.
        if (table.state == "shown").all() and table.patients[:-2].sum() < n
    ]


def _edges(column: Column) -> Any:
    return even_edges(*range_of(column, f"fed.quantile({column.name!r}, low=0, high=120)"), BINS)


def _sizes(sizes: Table | None, names: Sequence[str]) -> list[dict[str, Any]]:
    if sizes is None:
        raise TypeError("sizes were asked for")
    counts, state = sizes.patients[0, :-2], sizes.state[0, :-2]
    total, whole = added(counts, state)
    told = zip(names, [*counts, total], [*state, whole], strict=True)
    return [
        {"column": "", "kind": "size", "level": "", "group": g, "patients": n, "status": s}
        for g, n, s in told
    ]


def _remarks(blocks: dict[str, Block], n_groups: int, *, private: bool) -> tuple[str, ...]:
    if private:
        return ("No tests are given: they do not know of the noise.",)
    kinds = {block.kind for block in blocks.values()}
    told = []
    if "number" in kinds:
        told.append(
            "Numbers: mean (standard deviation), "
            + ("Welch's t-test." if n_groups == 2 else "one-way analysis of variance.")
        )
    if "median" in kinds:
        told.append("Median [quartiles] are estimates from blocks of patients, without a test.")
    if kinds & {"category", "flag"}:
        told.append("Categories: patients (% of those with a value), Pearson's chi-square.")
    told.append(
        "SMD: standardised difference, the largest of two groups each (Austin 2009; Yang and "
        "Dalton 2012). Tests are of the sites that tell all groups of the row, and not adjusted "
        "for their number."
    )
    return tuple(told)
