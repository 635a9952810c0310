"""What looks wrong in each site's records, from aggregates that pass its door."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.asking.asked import How, ask
from fedlab.asking.bench import Bench
from fedlab.asking.describing import chosen_columns, describe
from fedlab.asking.lines import ALL_SITES, lines_of
from fedlab.asking.naming import Where, conditions, names_read
from fedlab.asking.printed import NOTHING, SUPPRESSED, PaperRow, Printed
from fedlab.asking.quality_findings import (
    MISSING,
    OUTSIDE,
    SHIFT,
    SPREAD,
    VARIATION,
    findings_of,
    noise_of,
    share_of,
)
from fedlab.asking.result import Result
from fedlab.core.drift import pooled_moments, standardised_difference, total_variation
from fedlab.core.parameters import Array
from fedlab.core.schema import Column
from fedlab.core.unit_hints import unit_hint
from fedlab.errors import DataError
from fedlab.queries.group_counts import CountTables, GroupCounts
from fedlab.queries.groups import Factor, schema_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["DataQuality", "data_quality"]


@dataclass(frozen=True, repr=False)
class DataQuality(Result):
    """Each column of each site beside the other sites.

    Attributes
    ----------
    frame : DataFrame
        One row a site and column: ``kind``; ``patients`` with a value and their ``status``; shares
        that are ``missing``, ``unmapped`` and ``outside`` of the declared range, NaN where not
        told; ``mean`` and ``sd``; ``shift``, the standardised difference of the mean to all other
        sites; ``spread``, the ratio of standard deviations; ``variation``, the total variation
        distance of categories; and ``findings``, in words, empty for none.
    """

    @property
    def findings(self) -> pd.DataFrame:
        """The rows that are worth a look: site, column, and why."""
        found = self.frame[self.frame["findings"] != ""]
        return found[["site", "column", "findings"]].reset_index(drop=True)

    @property
    def notes(self) -> list[str]:
        """What has to be known to read it."""
        return [
            f"Worth a look: a mean {SHIFT:g} standard deviations from the other sites', a spread "
            f"{SPREAD:g} times theirs or less than half, categories of which {VARIATION:.0%} lie "
            f"elsewhere, {MISSING:.0%} more missing, {OUTSIDE:.0%} outside of the declared range, "
            "anything unmapped, or numbers as in another unit. Sites differ for good reasons too.",
            *["Where noise alone could make it so, nothing is said."] * (self.privacy is not None),
            *super().notes,
        ]

    def plot(self) -> go.Figure:
        """How far each column of each site is from the others; a dot where there is a finding."""
        from fedlab.displays.data_quality_figure import data_quality_figure

        return data_quality_figure(self.frame)

    @property
    def printed(self) -> Printed:
        """A block a site, a line a column."""
        rows = []
        for site, part in self.frame.groupby("site", sort=False):
            rows.append(PaperRow(str(site), [], kind="head"))
            rows += [PaperRow(line["column"], _cells(line), indent=1) for line in _lines(part)]
        head = ["Column", "Missing", "Unmapped", "Outside", "Mean ± SD", "Shift", "Worth a look"]
        return Printed("Quality of the sites' records", head, rows, self.notes)


def _lines(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in line.items()} for line in frame.to_dict("records")]


def _cells(line: dict[str, Any]) -> list[str]:
    def share(name: str) -> str:
        value = line[name]
        return SUPPRESSED if math.isnan(value) else f"{value:.1%}"

    number = line["kind"] == "number"
    shift = line["shift"] if number else line["variation"]
    mean = NOTHING
    if number:
        sd = NOTHING if math.isnan(line["sd"]) else f"{line['sd']:.3g}"
        mean = SUPPRESSED if math.isnan(line["mean"]) else f"{line['mean']:.4g} ± {sd}"
    return [
        share("missing"),
        share("unmapped"),
        share("outside") if line["ranged"] else NOTHING,
        mean,
        NOTHING if math.isnan(shift) else f"{shift:+z.2f}" if number else f"{shift:.2f}",
        line["findings"],
    ]


def data_quality(
    federation: Bench, columns: Sequence[str] | None, where: Where | None, how: How
) -> DataQuality:
    """Ask all sites what their columns hold, and compare; see `Federation.data_quality`."""
    if len(federation.sites) < 2:
        raise DataError(
            "Records are compared between sites.", "one site", "Use fed.describe() for one."
        )
    if how.aggregation not in (None, "plain"):
        raise DataError(
            "A report by site needs what each site says on its own.",
            "a secure sum, which hides it",
            "Leave aggregation out, or use fed.describe(aggregation='secure').",
        )
    chosen = chosen_columns(federation.schema, columns, [])
    # First, and without quartiles: bins that end just within a range and the count outside of it
    # would give away who lies between.
    outside = _outside(federation, chosen, where, how)
    summary = describe(federation, columns, None, where, how, quartiles=False)
    frame = summary.frame[summary.frame["site"] != ALL_SITES]
    lines = [
        _line(site, column, part, units, absent, outside.get((site, column.name)))
        for column in chosen
        if len(part := frame[frame["column"] == column.name])
        for units in [_units(column, part)]
        for absent in [{site: share_of(own, "missing") for site, own in part.groupby("site")}]
        for site in sorted(set(part["site"]))
    ]
    table = pd.DataFrame(lines).sort_values("site", kind="stable", ignore_index=True)
    return DataQuality(table, summary.refusals, summary.minimums, how.privacy)


def _outside(
    federation: Bench, columns: Sequence[Column], where: Where | None, how: How
) -> dict[tuple[str, str], tuple[float, float]]:
    """Share outside of the declared range by site and column, and how far noise moves it.

    NaN where it is not told.
    """
    ranged = [c for c in columns if c.kind == "number" and c.low is not None and c.high is not None]
    if not ranged:
        return {}
    groups = [
        Factor(
            column=c.name,
            edges=(
                -math.inf,
                float(c.low or 0.0),
                math.nextafter(c.high or 0.0, math.inf),
                math.inf,
            ),
        )
        for c in ranged
    ]
    conditioned = conditions(federation.schema, where)
    query = CountTables(
        schema=schema_of(federation.schema, names_read(groups, conditioned)),
        tables=tuple((each,) for each in groups),
        where=conditioned,
    )
    found = {}
    for line in lines_of(ask(federation, query, how.parts(1)), GroupCounts):
        size = groups[0].n_levels + 2
        counts = line.answer.counts.reshape(len(groups), size)
        shown = (
            line.answer.shown.reshape(counts.shape) if line.answer.shown.size else counts == counts
        )
        for column, mine, told in zip(ranged, counts, shown, strict=True):
            has = mine[:3].sum()
            known = bool(told[:3].all()) and has > 0
            share = float((mine[0] + mine[2]) / has) if known else math.nan
            share = min(max(share, 0.0), 1.0) if known else math.nan
            # Of two cells of one of the tables that share a promise.
            noise = line.noise * math.sqrt(2 * len(groups)) / has if known else math.nan
            found[line.site, column.name] = (share, noise)
    return found


def _units(column: Column, part: pd.DataFrame) -> dict[str, str]:
    """Sites whose numbers look as if they were in another unit than the others', and in which."""
    found: dict[str, str] = {}
    if column.kind == "number":
        told = part[part["mean"].notna() & part["sd"].notna()].set_index("site")
        for site in told.index:
            # Medians over sites: one other site in another unit must not make this one look wrong.
            typical = told.drop(index=site)[["mean", "sd"]].median()
            mine = told.loc[site]
            hint = unit_hint(column.name, mine["mean"], mine["sd"], typical["mean"], typical["sd"])
            found |= {} if hint is None else {str(site): hint}
    return found


def _line(
    site: str,
    column: Column,
    part: pd.DataFrame,
    units: dict[str, str],
    absent: dict[Any, float],
    outside: tuple[float, float] | None,
) -> dict[str, Any]:
    mine, others = part[part["site"] == site], part[part["site"] != site]
    first = mine.iloc[0]
    number = column.kind == "number"
    line: dict[str, Any] = {
        "site": site,
        "column": column.name,
        "kind": column.kind,
        "ranged": outside is not None,
        "patients": float(first["patients"] if number else mine["patients"].sum(min_count=1)),
        "status": str(first["status"]),
        "missing": absent[site],
        "unmapped": share_of(mine, "unmapped"),
        "outside": math.nan if outside is None else outside[0],
        "mean": float(first["mean"]) if number else math.nan,
        "sd": float(first["sd"]) if number else math.nan,
        "shift": math.nan,
        "spread": math.nan,
        "variation": math.nan,
    }
    if number:
        sound = others[~others["site"].isin(list(units))]
        _compare_numbers(line, sound if len(sound) else others)
    else:
        counts: Array = mine["patients"].to_numpy(np.float64)
        levels = others.pivot_table(index="level", columns="site", values="patients", sort=False)
        told = levels.reindex(mine["level"]).sum(axis=1).to_numpy(np.float64)
        known = np.isfinite(counts)
        # Of one category, or none, that is told nothing can lie elsewhere.
        if known.sum() > 1 or known.all():
            line["variation"] = total_variation(counts[known], told[known])
    noise = noise_of(line, mine, 0.0 if outside is None else outside[1])
    elsewhere = [share for each, share in absent.items() if each != site]
    line["findings"] = "; ".join(findings_of(line, elsewhere, units.get(site), noise))
    return line


def _compare_numbers(line: dict[str, Any], others: pd.DataFrame) -> None:
    each = [others[name].to_numpy(np.float64) for name in ("patients", "mean", "sd")]
    mean, sd = pooled_moments(*each)
    line["shift"] = standardised_difference(line["mean"], line["sd"], mean, sd)
    line["spread"] = line["sd"] / sd if sd > 0 else math.nan
