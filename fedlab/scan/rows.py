"""What looks like rows of patients, or like one raw value a patient.

A table of rows is told from a table of results by its nameless index of whole numbers and by
headers, most of which are no words of statistics. A chart is told by its type and number of points.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from fedlab.scan.kinds import ROWS
from fedlab.scan.rule import Hit
from fedlab.scan.tables import Table

__all__ = ["MANY", "array_hits", "chart_hits", "quoted_hits", "table_hits"]

#: From so many markers on, a chart shows single rows rather than groups.
MANY = 50
STATISTICS = """
mean std sd se sem min max median mode var variance skew coef coefficient coefficients estimate
estimates odds ratio hr pvalue p z t chi statistic lower upper low high ci quantile percentile
auc accuracy precision recall f1 brier loss auroc auprc epsilon delta spent left budget round
rounds epoch epochs step strategy run runs site sites clinic share proportion percent shapley
gap error standard cosine answers seed parameter parameters feature features importance gain
value values metric model iteration norm gradient concordance bits bytes seconds duration
threshold fpr tpr sensitivity specificity calibration predicted observed expected kind cell
output noise query queries n count cluster clusters component components reject hazard
survival survivors events risk cumulative bin bins edge edges
"""
RESULTS = frozenset(STATISTICS.split())
QUOTING = re.compile(
    r"could not convert string to float:|invalid literal for int\(\)|time data ['\"]"
    r"|Unable to parse"
    r"|unseen labels|unknown categor(?:y|ies) \[|Unknown datetime string|Invalid value ['\"]"
    r"|could not be parsed|does not match format|Cannot interpret|not in index|Error parsing"
    r"|out of bounds.{0,20}['\"]|(?:Length|Value)Error: .{0,60}[\[{]['\"]"
)
RAW = {
    "histogram",
    "histogram2d",
    "histogram2dcontour",
    "box",
    "violin",
    "splom",
    "parcoords",
    "parcats",
}
MARKED = {
    "scatter",
    "scattergl",
    "scatter3d",
    "scatterpolar",
    "scattergeo",
    "scattermap",
    "scattermapbox",
}
WIDTHS = {"f8": 8, "f4": 4, "i4": 4, "u4": 4, "i2": 2, "u2": 2, "i1": 1, "u1": 1, "i8": 8, "u8": 8}
ARRAYS = (
    "x",
    "y",
    "z",
    "values",
    "text",
    "customdata",
    "ids",
    "hovertext",
    "lat",
    "lon",
    "r",
    "theta",
)


def _is_result(name: str) -> bool:
    words = re.findall(r"[a-z]+\d?|\d+%", name.lower())
    return any(word in RESULTS or word.endswith("%") for word in words)


def table_hits(table: Table, counts: Collection[int] = ()) -> Iterator[Hit]:
    """A table whose rows look like patients.

    Parameters
    ----------
    table : Table
    counts : collection of int
        Numbers of rows that sites are known to hold.
    """
    named = [name for name in table.header if name]
    rows = table.rows
    if table.typed and not named:
        if len(rows) >= 5 and _is_numbered(table):
            yield Hit(ROWS, "a column of single values", f"{len(rows)} values")
        return
    if len(named) < 2 or len(rows) < 2:
        return
    of_results = sum(map(_is_result, named)) / len(named)
    running = table.header[0] == "" and _is_numbered(table)
    if (running and len(named) >= 3 and len(rows) >= 3 and of_results < 0.34) or (
        len(rows) in counts
        or (len(rows) >= MANY and of_results < 0.2 and not _is_result(table.header[0]))
    ):
        yield Hit(ROWS, "a table that looks like rows", f"{len(rows)} x {len(named)}")


def _is_numbered(table: Table) -> bool:
    labels = [row[0] for row in table.rows if row and row[0] not in {"...", "..", "⋮"}]
    return bool(labels) and all(re.fullmatch(r"\d{1,12}", label) for label in labels)


def array_hits(text: str) -> Iterator[Hit]:
    """A printed matrix with many rows of at least three values, other than a square one."""
    inside = 0
    widths: list[int] = []
    for line in [*text.split("\n"), ""]:
        bare = line.strip(" ,")
        row = (
            bare.startswith(("[", "array([", "("))
            and bare.endswith(("]", ")"))
            and len(line) < 20_000
        )
        if row and not re.search(r"[A-Za-z]{6}", bare):
            inside += 1
            widths.append(len(re.findall(r"-?\d[\d.e+-]*", bare)))
            continue
        if inside >= 10 and min(widths) >= 3 and widths[0] != inside:
            yield Hit(ROWS, "a printed matrix with many rows", f"{inside} x {widths[0]}")
        inside, widths = 0, []


def quoted_hits(message: str) -> Iterator[Hit]:
    """An error of another library that quotes the value it could not read."""
    if QUOTING.search(message[:100_000]):
        yield Hit(ROWS, "an error that quotes a value", "")


def _points(array: object) -> int:
    """Number of values of a plotly array: a list, or base64 of a known width."""
    if isinstance(array, list):
        return len(array)
    if isinstance(array, Mapping) and isinstance(array.get("bdata"), str):
        coded = array["bdata"]
        size = len(coded) * 3 // 4 - coded[-2:].count("=")
        return int(size // WIDTHS.get(str(array.get("dtype", "")).lstrip("<>=|"), 1))
    return 0


def chart_hits(figure: object, counts: Collection[int] = ()) -> Iterator[Hit]:
    """Traces of a plotly figure that hold one point a row."""
    traces = figure.get("data") if isinstance(figure, Mapping) else None
    for trace in traces if isinstance(traces, list) else []:
        if not isinstance(trace, Mapping):
            continue
        shape = str(trace.get("type", "scatter"))
        points = max((_points(trace.get(name)) for name in ARRAYS), default=0)
        dimensions = trace.get("dimensions")
        for dimension in dimensions if isinstance(dimensions, list) else []:
            if isinstance(dimension, Mapping):
                points = max(points, _points(dimension.get("values")))
        dotted = shape in MARKED and "markers" in str(trace.get("mode", "markers+lines"))
        raw = shape in RAW and not ("q1" in trace and "median" in trace)
        if (raw and points >= 5) or (dotted and points >= MANY) or (points and points in counts):
            yield Hit(ROWS, f"a {shape} trace with a point a row", f"{points} points")
        elif points > 2000:
            yield Hit(ROWS, f"a {shape} trace with very many points", f"{points} points")
