"""A benchmark as one page of HTML: no script, no request, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.displays.escape import as_html
from fedlab.displays.judging_figures import words_of
from fedlab.judging.report_curves import curves_section
from fedlab.judging.report_style import COLOURS, STYLE
from fedlab.judging.svg import dots

if TYPE_CHECKING:
    from fedlab.judging.benchmark import Benchmark
    from fedlab.judging.result import Judgement

__all__ = ["report_page"]

LOWER_IS_BETTER = ("brier", "log_loss", "mae", "rmse")
# The error of calibration hangs on the blocks in which each site tells scores.
NOT_RANKED = (
    "rows",
    "prevalence",
    "selection_rate",
    "calibration_in_the_large",
    "calibration_error",
    "bias",
)
TABLE = (
    "auc", "average_precision", "brier", "calibration_error", "accuracy", "balanced_accuracy",
    "macro_f1", "sensitivity", "specificity", "ppv", "npv", "f1", "net_benefit", "log_loss",
    "mae", "rmse", "r2", "bias",
)  # fmt: skip
"""What the report's first table tells, in this order."""
OPEN = 0.01
"""What bins alone leave open at most, which an interval is much wider than."""


def report_page(benchmark: Benchmark, day: str, title: str) -> str:
    """The page.

    Parameters
    ----------
    benchmark : Benchmark
    day : str
    title : str
    """
    parts = [
        f"<h1>{as_html(title)}</h1>",
        f'<p class="sub">{as_html(day)} · {len(benchmark.files)} models · '
        f"{len(benchmark.sites)} sites</p>",
        "<p>Each model's file went to the sites, which ran it on their rows and told counts. No "
        "row left a site.</p>",
        _key(benchmark),
        *_results(benchmark),
        *curves_section(benchmark),
        *_subgroups(benchmark),
        *_sites(benchmark),
        *_models(benchmark),
        *_limits(benchmark),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{as_html(title)}</title>\n<style>{STYLE}{COLOURS}</style>\n</head>\n"
        f'<body class="tex2jax_ignore mathjax_ignore">\n{"".join(parts)}\n</body>\n</html>\n'
    )


def _key(benchmark: Benchmark) -> str:
    items = "".join(
        f'<li><i class="k{place % 6 + 1}"></i>{as_html(name)}</li>'
        for place, name in enumerate(benchmark.judgements)
    )
    return f'<ul class="key">{items}</ul>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table of cells that are HTML already; the first `texts` columns are text."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=text' if place < texts else ''}>{cell}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    top = f"<thead><tr>{cells('th', head)}</tr></thead>"
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _results(benchmark: Benchmark) -> list[str]:
    frame = benchmark.intervals
    whole = frame[frame["group"] == "everybody"] if len(frame) else frame
    if not len(whole):
        return ["<h2>Results</h2>", "<p>No model was judged.</p>"]
    figures = [name for name in TABLE if name in set(whole["figure"])]
    best = _best(whole, figures) if benchmark.comparable else {}
    judged = benchmark.judgements
    rows = [
        ["sites", *(f"{each.answering} of {each.n_sites}" for each in judged.values())],
        ["rows", *map(_number, judged.values())],
    ]
    by_name = {name: whole[whole["model"] == name].set_index("figure") for name in judged}
    rows += [
        [
            as_html(words_of(figure)),
            *(_cell(mine, figure, best.get(figure) == name) for name, mine in by_name.items()),
        ]
        for figure in figures
    ]
    level = 100 * next(iter(judged.values())).level
    return [
        "<h2>Results over all sites</h2>",
        _table(["", *map(as_html, judged)], rows),
        f'<p class="note">Below each figure its {level:g}% interval, and after ≥ and ≤ what it is '
        "for certain where suppression or bins leave it open. "
        + (
            "Bold is the best estimate, where bounds leave no doubt which it is; it says nothing "
            "on whether the difference is more than chance.</p>"
            if benchmark.comparable
            else "<strong>Models were judged at different sites, so their figures do not compare."
            "</strong></p>"
        ),
    ]


def _number(judged: Judgement) -> str:
    rows = judged.frame["rows"].iloc[0]
    return "—" if rows != rows else f"{rows:,.0f}"


def _best(whole: pd.DataFrame, figures: Sequence[str]) -> dict[str, str]:
    best = {}
    for figure in figures:
        mine = whole[(whole["figure"] == figure) & whole["estimate"].notna()]
        if figure in NOT_RANKED or len(mine) < 2:
            continue
        values = mine["estimate"].to_numpy()
        lower = figure in LOWER_IS_BETTER
        place = int(values.argmin() if lower else values.argmax())
        others = mine.drop(mine.index[place])
        winner = mine.iloc[place]
        # Sites tell less of some models than of others, which alone may make one the best.
        apart = mine["high"] - mine["low"] > OPEN
        beaten = winner["high"] < others["low"] if lower else winner["low"] > others["high"]
        if not apart.any() or beaten.all():
            best[figure] = str(winner["model"])
    return best


def _cell(mine: pd.DataFrame, figure: str, best: bool) -> str:
    if figure not in mine.index:
        return "—"
    line = mine.loc[figure]
    known = line["estimate"] == line["estimate"]
    text = f"{line['estimate']:.3f}" if known else "—"
    text = f'<span class="best">{text}</span>' if best else text
    if line["lower"] == line["lower"]:
        text += f'<span class="range">{line["lower"]:.3f} to {line["upper"]:.3f}</span>'
    if line["high"] - line["low"] > OPEN:
        text += f'<span class="range">≥ {line["low"]:.3f}, ≤ {line["high"]:.3f}</span>'
    return text


def _subgroups(benchmark: Benchmark) -> list[str]:
    frame = benchmark.intervals
    if not len(frame) or frame["group"].nunique() < 2:
        return []
    main = benchmark.main
    mine = frame[frame["figure"] == main]
    rows = []
    for group in dict.fromkeys(
        name for judged in benchmark.judgements.values() for name in judged.frame.index
    ):
        for place, model in enumerate(benchmark.judgements):
            line = mine[(mine["group"] == group) & (mine["model"] == model)]
            values = (
                [float(line[name].iloc[0]) for name in ("estimate", "lower", "upper")]
                if len(line)
                else [np.nan] * 3
            )
            # Once for each, as the colour says which model it is.
            rows.append(("" if place else str(group), place, values[0], values[1], values[2]))
    known = [each for row in rows for each in row[2:] if each == each]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = max(high - low, 0.02) * 0.08
    drawing = dots(rows, title=f"{words_of(main)} by subgroup", low=low - room, high=high + room)
    parts = [
        "<h2>Subgroups</h2>",
        f'<figure><div class="scroll"><div class="wide">{drawing}</div></div>'
        f"<figcaption>{as_html(words_of(main))} with its interval. Not told is not zero: too few "
        "patients, what would give such away, or bounds too far apart.</figcaption></figure>",
    ]
    gaps = benchmark.gaps
    if len(gaps):
        told = [
            [
                as_html(line.model),
                as_html(f"{line.factor}: {line.level}"),
                as_html(f"{line.factor}: {line.reference}"),
                as_html(words_of(str(line.figure))),
                f"{line.gap:+.3f}",
                _span(float(line.lower), float(line.upper)),
            ]
            for line in _lines(gaps)
        ]
        head = ["model", "subgroup", "against", "figure", "gap", "interval"]
        parts += ["<h3>Gaps between subgroups</h3>", _table(head, told, texts=4)]
    return parts


def _lines(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples())


def _span(lower: float, upper: float) -> str:
    return "—" if lower != lower else f"{lower:+.3f} to {upper:+.3f}"


def _sites(benchmark: Benchmark) -> list[str]:
    rows = []
    main = benchmark.main
    for site in benchmark.sites:
        cells = [as_html(site)]
        for judged in benchmark.judgements.values():
            cells.append(_standing(judged, site, main))
        cells += ["not judged" for _ in benchmark.failures]
        rows.append(cells)
    head = ["site", *map(as_html, benchmark.judgements), *map(as_html, benchmark.failures)]
    refused = [f"<li>{as_html(note)}</li>" for note in benchmark.notes]
    listed = f"<ul>{''.join(refused)}</ul>" if refused else ""
    return [
        "<h2>Sites</h2>",
        _table(head, rows),
        f'<p class="note">{as_html(words_of(main))} at each site. A site that answered had let the '
        "model through by its own policy, with its data owner's approval where that asks for one."
        "</p>",
        listed,
    ]


def _standing(judged: Judgement, site: str, main: str) -> str:
    if site in judged.awaiting:
        return "awaiting approval"
    if site in judged.refusals:
        return f"refused ({as_html(judged.refusals[site].code)})"
    if site not in judged.sites:
        return "answered, within a secure sum"
    everybody = judged.judged[site][0]
    line = everybody.lines.get(main)
    if line is None or line.estimate != line.estimate:
        return "answered, figure not told"
    return f"{line.estimate:.3f} of {everybody.rows:,.0f} rows"


def _models(benchmark: Benchmark) -> list[str]:
    rows = []
    for name, file in benchmark.files.items():
        judged = benchmark.judgements.get(name)
        read = "not judged" if judged is None else judged.reads
        rows.append(
            [
                as_html(name),
                as_html(file.says),
                f'<span class="hash">{as_html(file.digest)}</span>',
                as_html(read),
                f"{len(file.file):,}",
            ]
        )
    return [
        "<h2>Models</h2>",
        _table(["model", "what it is", "file", "output read as", "bytes"], rows, texts=4),
    ]


def _limits(benchmark: Benchmark) -> list[str]:
    by_model = {
        name: [
            note for note in judged.notes if not note.startswith(("Model ", "Awaiting", "Site "))
        ]
        for name, judged in benchmark.judgements.items()
    }
    notes = dict.fromkeys(
        note if all(note in each for each in by_model.values()) else f"{name}: {note}"
        for name, mine in by_model.items()
        for note in mine
    )
    fixed = [
        "Figures describe these sites' rows. Other hospitals, later patients and other ways of "
        "measuring can differ, and rows that a model was trained on flatter it.",
        "Nothing here is a clinical validation.",
    ]
    items = "".join(f"<li>{as_html(note)}</li>" for note in [*notes, *fixed])
    return ["<h2>Limits</h2>", f"<ul>{items}</ul>"]
