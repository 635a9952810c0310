"""One column of a Table 1: its figures by group, and whether groups differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fedlab.asking.categories import Shares, Table, levels_of
from fedlab.asking.lines import ALL_SITES, Line, added
from fedlab.asking.moments import Moments
from fedlab.asking.quantiles import bounds_of
from fedlab.asking.testing_tables import (
    chi_square,
    difference_of_means,
    difference_of_shares,
    equal_means,
)
from fedlab.core.parameters import Array
from fedlab.core.schema import Column
from fedlab.queries.group_blocks import BlockCounts

__all__ = ["Block", "category_block", "median_block", "number_block"]

NAN = float("nan")


@dataclass(frozen=True)
class Block:
    """Figures of one column.

    Attributes
    ----------
    column : str
    kind : "number", "median", "flag" or "category"
    cells : list of list of dict
        By level, then by group, the last for all groups together.
    levels : tuple of str
        One empty name for numbers.
    p_value, smd : float
        Of a difference between groups; NaN where no site tells enough.
    tested : "all", "some sites" or "nothing"
        Which sites that is of.
    """

    column: str
    kind: str
    cells: list[list[dict[str, Any]]]
    levels: tuple[str, ...]
    p_value: float
    smd: float
    tested: str

    def lines(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of the frame."""
        return [
            {"column": self.column, "kind": self.kind, "level": level, "group": group}
            | cell
            | {"p_value": self.p_value, "smd": self.smd, "tested": self.tested}
            for level, cells in zip(self.levels, self.cells, strict=True)
            for group, cell in zip(groups, cells, strict=True)
        ]


def category_block(column: Column, shares: Sequence[Shares]) -> Block:
    """Patients by level, of the groups' own levels; those without a group are left out."""
    levels, pooled = levels_of(column), shares[-1].tables[column.name]
    absent = [added(pooled.patients[g, -2:], pooled.state[g, -2:]) for g in _own(pooled)]
    absent.append(added(*zip(*absent, strict=True)))
    cells = []
    for k in range(len(levels)):
        told = [
            (float(pooled.patients[g, k]), str(pooled.state[g, k]), float(pooled.share[g, k]))
            for g in _own(pooled)
        ]
        total, whole = added([n for n, _, _ in told], [s for _, s, _ in told])
        told.append((total, whole, _share_of_all(pooled, k)))
        cells.append(
            [
                {
                    "patients": n,
                    "status": s,
                    "share": share,
                    "missing": m,
                    "missing_status": t,
                    "noise": shares[-1].noise * (1 if g < len(told) - 1 else np.sqrt(g)),
                }
                for g, ((n, s, share), (m, t)) in enumerate(zip(told, absent, strict=True))
            ]
        )
    table, tested = _tested_table(column.name, shares)
    kind = "category" if column.categories else "flag"
    p_value = NAN if table is None else chi_square(table).p_value
    smd = NAN if table is None else difference_of_shares(table[table.sum(axis=1) > 0])
    return Block(column.name, kind, cells, levels, p_value, smd, tested)


def _own(table: Table) -> range:
    return range(len(table.patients) - 2)


def _share_of_all(table: Table, level: int) -> float:
    inner, kinds = table.patients[:-2, :-2], table.state[:-2, :-2]
    total = inner.sum()
    if not np.isin(kinds, ("shown", "noisy")).all() or not total > 0:
        return NAN
    return float(inner[:, level].sum() / total)


def _tested_table(name: str, shares: Sequence[Shares]) -> tuple[Array | None, str]:
    """Counts by group and level of all sites, or of those that tell every cell."""
    tables = [line.tables[name] for line in _told(shares)]
    whole = [t for t in tables if (t.state[:-2, :-2] == "shown").all()]
    if not whole:
        return None, "nothing"
    of = "all" if len(whole) == _parts(shares) else "some sites"
    return np.sum([t.patients[:-2, :-2] for t in whole], axis=0), of


def _told(lines: Sequence[Any]) -> list[Any]:
    """Single sites, or their sum where nothing else is seen."""
    single = [line for line in lines if line.site != ALL_SITES]
    return single or list(lines)


def _parts(lines: Sequence[Any]) -> int:
    """How many of `_told` there would be if each site told all."""
    return int(lines[-1].n_sites) if len(lines) > 1 else 1


class Spread(NamedTuple):
    """Rows, mean and standard deviation of some rows."""

    rows: float
    mean: float
    sd: float


def number_block(column: Column, place: int, moments: Sequence[Moments]) -> Block:
    """Mean and standard deviation of each group."""
    pooled = moments[-1]
    cells: list[dict[str, Any]] = []
    for g in range(len(pooled.mean) - 2):
        missing, state = _absent(pooled, g, place)
        cells.append(
            {
                "patients": float(pooled.patients[g, place]),
                "rows": float(pooled.rows[g, place]),
                "mean": float(pooled.mean[g, place]),
                "sd": float(pooled.sd[g, place]),
                "status": str(pooled.mean_state[g, place]),
                "missing": missing,
                "missing_status": state,
                "mean_noise": float(pooled.mean_noise[g, place]),
                "noise": pooled.count_noise,
            }
        )
    together = _merged(Spread(c["rows"], c["mean"], c["sd"]) for c in cells)
    patients, _ = added([c["patients"] for c in cells], pooled.patients_state[:-2, place])
    missing, state = added([c["missing"] for c in cells], [c["missing_status"] for c in cells])
    cells.append(
        {
            "patients": patients,
            **together._asdict(),
            "status": _in_part([c["status"] for c in cells]),
            "missing": missing,
            "missing_status": state,
            **_noise_of_all(cells, pooled.count_noise),
        }
    )
    spreads, tested = _tested_spreads(place, moments)
    p_value, smd = NAN, NAN
    if spreads:
        n, mean, sd = np.array([each for each in spreads if each.rows > 1]).reshape(-1, 3).T
        p_value, smd = equal_means(n, mean, sd), difference_of_means(mean, sd)
    return Block(column.name, "number", [cells], ("",), p_value, smd, tested)


def _noise_of_all(cells: Sequence[dict[str, Any]], noise: float) -> dict[str, float]:
    rows = np.array([max(cell["rows"], 0.0) for cell in cells])
    parts = np.nan_to_num(np.array([cell["mean_noise"] for cell in cells]))
    total = rows.sum()
    mean = float(np.sqrt(((rows * parts) ** 2).sum()) / total) if total > 0 else NAN
    return {"mean_noise": mean, "noise": noise * float(np.sqrt(len(cells)))}


def _absent(line: Moments, group: int, place: int) -> tuple[float, str]:
    return added(
        [line.missing[group, place], line.unmapped[group, place]],
        [line.missing_state[group, place], line.unmapped_state[group, place]],
    )


def _in_part(kinds: Iterable[str]) -> str:
    found = set(kinds)
    return next(iter(found)) if len(found) == 1 else "in part"


def _merged(spreads: Iterable[Spread]) -> Spread:
    """Of all rows together (Chan, Golub and LeVeque 1983)."""
    some = [each for each in spreads if each.rows > 0]
    rows = sum(each.rows for each in some)
    if not rows > 0:
        return Spread(0.0, NAN, NAN)
    mean = sum(each.rows * each.mean for each in some) / rows
    squares = sum(
        (each.rows - 1) * (each.sd**2 if each.rows > 1 else 0.0)
        + each.rows * (each.mean - mean) ** 2
        for each in some
    )
    return Spread(rows, mean, float(np.sqrt(squares / (rows - 1))) if rows > 1 else NAN)


def _tested_spreads(place: int, moments: Sequence[Moments]) -> tuple[list[Spread], str]:
    """Each group over all sites, or over those that tell every group."""
    whole = [m for m in _told(moments) if (m.mean_state[:-2, place] == "shown").all()]
    if not whole:
        return [], "nothing"
    merged = [
        _merged(Spread(m.rows[g, place], m.mean[g, place], m.sd[g, place]) for m in whole)
        for g in range(len(whole[0].mean) - 2)
    ]
    return merged, "all" if len(whole) == _parts(moments) else "some sites"


def median_block(
    means: Block, place: int, lines: Sequence[Line[BlockCounts]], edges: Array
) -> Block:
    """Median and quartiles of each group, beside what `number_block` found; nothing is tested."""
    pooled = lines[-1]
    early, late = pooled.answer.earliest[place, :-2], pooled.answer.latest[place, :-2]
    kinds = [
        "shown" if told >= pooled.n_sites else "in part" if told else "suppressed"
        for told in pooled.answer.shown[place, :-2]
    ]
    kinds.append(_in_part(kinds))
    early, late = np.vstack([early, early.sum(axis=0)]), np.vstack([late, late.sum(axis=0)])
    cells = []
    for first, last, kind, cell in zip(early, late, kinds, means.cells[0], strict=True):
        quarter, half, three = (bounds_of(first, last, edges, q) for q in (0.25, 0.5, 0.75))
        cells.append(
            {
                **cell,
                "median": half.value,
                "median_low": half.low,
                "median_high": half.high,
                "q25": quarter.value,
                "q75": three.value,
                "status": kind,
            }
        )
    return replace(means, kind="median", cells=[cells], p_value=NAN)
