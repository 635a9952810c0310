"""Small figures for a page without scripts: lines and dots in SVG, in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fedlab.core.parameters import Array
from fedlab.displays.escape import as_html

__all__ = ["Trace", "dots", "lines"]

WIDTH, HEIGHT = 340, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 40
ROW = 22


@dataclass(frozen=True)
class Trace:
    """One line, and the region in which it lies for certain.

    Attributes
    ----------
    name : str
    x, y : ndarray
    band : tuple of two sequences of points, or None
        The region's two sides.
    dotted : bool
        For what models are compared with.
    marks : bool
        Whether points are marked.
    """

    name: str
    x: Array
    y: Array
    band: tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]] | None = None
    dotted: bool = False
    marks: bool = False


def round_ticks(low: float, high: float) -> list[float]:
    """Four to ten round numbers between two.

    Examples
    --------
    >>> round_ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * each for each in (1, 2, 5, 10) if unit * each >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) + 0.0 for number in range(first, last + 1)]


def lines(
    traces: Sequence[Trace], *, title: str, x: str, y: str, low: float = 0.0, high: float = 1.0
) -> str:
    """Curves over 0 to 1.

    Parameters
    ----------
    traces : sequence of Trace
    title, x, y : str
        For those who hear the page, and of the axes.
    low, high : float
        Ends of the vertical axis.
    """

    def place(point: tuple[float, float]) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * point[0]
        share = (min(max(point[1], low), high) - low) / (high - low)
        return f"{across:.1f},{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share:.1f}"

    drawn = [_axes(low, high, x, y)]
    style = -1
    for trace in traces:
        points = [
            (float(a), float(b)) for a, b in zip(trace.x, trace.y, strict=True) if a == a and b == b
        ]
        style += not trace.dotted
        kind = "c0" if trace.dotted else f"c{style % 6 + 1}"
        if trace.band is not None:
            region = [p for p in (*trace.band[0], *list(trace.band[1])[::-1]) if p[1] == p[1]]
            drawn.append(f'<polygon class="b {kind}" points="{" ".join(map(place, region))}"/>')
        drawn.append(f'<polyline class="l {kind}" points="{" ".join(map(place, points))}"/>')
        if trace.marks:
            for point in points:
                across, down = place(point).split(",")
                drawn.append(f'<circle class="m {kind}" cx="{across}" cy="{down}" r="3"/>')
    return _svg(WIDTH, HEIGHT, title, drawn)


def _axes(low: float, high: float, x: str, y: str) -> str:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for step in range(6):
        across = LEFT + (right - LEFT) * step / 5
        parts.append(f'<path class="g" d="M{across:.1f} {TOP}V{floor}"/>')
        parts.append(f'<text x="{across:.1f}" y="{floor + 15}" class="t">{step / 5:g}</text>')
    for value in round_ticks(low, high):
        down = floor - (floor - TOP) * (value - low) / (high - low)
        parts.append(f'<path class="g" d="M{LEFT} {down:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" class="e">{value:g}</text>')
    middle = (TOP + floor) / 2
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" class="t">{as_html(x)}</text>')
    parts.append(
        f'<text x="12" y="{middle}" class="t" transform="rotate(-90 12 {middle})">'
        f"{as_html(y)}</text>"
    )
    return "".join(parts)


def dots(
    rows: Sequence[tuple[str, int, float, float, float]], *, title: str, low: float, high: float
) -> str:
    """Estimates with intervals, one below the other.

    Parameters
    ----------
    rows : sequence of (label, colour, estimate, lower, upper)
    title : str
    low, high : float
        Ends of the axis.
    """
    width, names = 640, 230
    height = 30 + ROW * len(rows)

    def across(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return names + (width - names - 20) * share

    drawn = []
    for value in round_ticks(low, high):
        drawn.append(f'<path class="g" d="M{across(value):.1f} 4V{height - 22}"/>')
        drawn.append(f'<text class="t" x="{across(value):.1f}" y="{height - 6}">{value:g}</text>')
    for place, (label, colour, estimate, lower, upper) in enumerate(rows):
        down = 14 + ROW * place
        short = label if len(label) <= 34 else label[:33] + "…"
        drawn.append(f'<text class="e" x="{names - 10}" y="{down + 4}">{as_html(short)}</text>')
        if estimate != estimate:
            drawn.append(f'<text class="s" x="{names}" y="{down + 4}">not told</text>')
            continue
        if lower == lower and upper == upper:
            drawn.append(
                f'<path class="l c0" d="M{across(lower):.1f} {down}H{across(upper):.1f}"/>'
            )
        drawn.append(
            f'<circle class="m c{colour % 6 + 1}" cx="{across(estimate):.1f}" cy="{down}" r="5"/>'
        )
    return _svg(width, height, title, drawn)


def _svg(width: int, height: int, title: str, drawn: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{as_html(title)}">'
        f"{''.join(drawn)}</svg>"
    )
