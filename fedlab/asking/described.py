"""The frame of a description, from what sites said of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fedlab.asking.categories import Shares
from fedlab.asking.labels import group_names
from fedlab.asking.lines import Line
from fedlab.asking.moments import Moments
from fedlab.asking.quantiles import bounds_of
from fedlab.asking.ranges import even_edges
from fedlab.core.schema import Column
from fedlab.queries.group_blocks import BlockCounts
from fedlab.queries.groups import Factor

__all__ = ["category_frames", "edges_of", "number_frames"]

QUARTILES = (0.25, 0.5, 0.75)
BINS = 200


def edges_of(ranged: Sequence[Column]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Edges of fine bins over declared ranges, ``(n_columns, n_edges)``."""
    return np.array([even_edges(c.low or 0.0, c.high or 0.0, BINS) for c in ranged])


def number_frames(
    lines: Sequence[Moments],
    numbers: Sequence[Column],
    groups: Sequence[Factor],
    blocks: Sequence[Line[BlockCounts]],
    ranged: Sequence[Column],
) -> list[pd.DataFrame]:
    """A frame a line, with a row for each group and number."""
    names, found = group_names(groups), []
    edges = edges_of(ranged) if blocks else None
    places = {column.name: j for j, column in enumerate(ranged)}
    by_site = {line.site: line for line in blocks}
    for line in lines:
        rows = []
        for i, group in enumerate(names):
            for j, column in enumerate(numbers):
                told: dict[str, Any] = {"site": line.site, "_group": i}
                told |= {each.column: name for each, name in zip(groups, group, strict=True)}
                told |= {
                    "column": column.name,
                    "level": "",
                    "patients": line.patients[i, j],
                    "status": line.patients_state[i, j],
                    "noise": line.count_noise,
                    "missing": line.missing[i, j],
                    "missing_status": line.missing_state[i, j],
                    "unmapped": line.unmapped[i, j],
                    "unmapped_status": line.unmapped_state[i, j],
                    "share": np.nan,
                    "rows": line.rows[i, j],
                    "mean": line.mean[i, j],
                    "sd": line.sd[i, j],
                    "mean_status": line.mean_state[i, j],
                    "mean_noise": line.mean_noise[i, j],
                }
                place = places.get(column.name)
                told |= _quartile_columns(by_site.get(line.site), edges, place, i)
                told |= {
                    "range_low": np.nan if column.low is None else column.low,
                    "range_high": np.nan if column.high is None else column.high,
                }
                rows.append(told)
        found.append(pd.DataFrame(rows))
    return found


def _quartile_columns(
    line: Line[BlockCounts] | None, edges: Any, place: int | None, group: int
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    tally = 0.0 if line is None or place is None else float(line.answer.shown[place, group])
    for q in QUARTILES:
        name = f"q{100 * q:.0f}"
        if line is None or place is None:
            told |= {name: np.nan, f"{name}_low": np.nan, f"{name}_high": np.nan}
            continue
        early, late = line.answer.earliest[place, group], line.answer.latest[place, group]
        found = bounds_of(early, late, edges[place], q)
        told |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    if line is None or place is None:
        told["quartile_status"] = "none"
    else:
        told["quartile_status"] = (
            "shown" if tally >= line.n_sites else "in part" if tally else "suppressed"
        )
    return told


def category_frames(
    shares: Sequence[Shares], categories: Sequence[Column], groups: Sequence[Factor]
) -> list[pd.DataFrame]:
    """A frame a line, with a row for each group, category and level."""
    names, found = group_names(groups), []
    for line in shares:
        rows = []
        for i, group in enumerate(names):
            for column in categories:
                table = line.tables[column.name]
                for k, level in enumerate(column.categories):
                    told: dict[str, Any] = {"site": line.site, "_group": i}
                    told |= {each.column: name for each, name in zip(groups, group, strict=True)}
                    told |= {
                        "column": column.name,
                        "level": level,
                        "patients": table.patients[i, k],
                        "status": table.state[i, k],
                        "noise": line.noise,
                        "missing": table.patients[i, -2],
                        "missing_status": table.state[i, -2],
                        "unmapped": table.patients[i, -1],
                        "unmapped_status": table.state[i, -1],
                        "share": table.share[i, k],
                        "mean_status": "none",
                        "quartile_status": "none",
                    }
                    rows.append(told)
        found.append(pd.DataFrame(rows))
    return found
