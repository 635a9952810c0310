"""The curves of a report: operating characteristic, precision, calibration, net benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.displays.escape import as_html
from fedlab.judging.svg import Trace, lines

if TYPE_CHECKING:
    from fedlab.judging.benchmark import Benchmark
    from fedlab.judging.result import Judgement

__all__ = ["curves_section"]


def curves_section(benchmark: Benchmark) -> list[str]:
    """Figures of all models of two classes, as HTML; nothing where there is none."""
    scored = {n: j for n, j in benchmark.judgements.items() if j.kind == "scores"}
    if not scored:
        return []
    ends = np.array([0.0, 1.0])
    chance = Trace("chance", ends, ends, dotted=True)
    figures = []
    roc = [chance]
    precision = []
    for name, judged in scored.items():
        curve = judged.roc
        roc.append(
            Trace(
                name,
                curve["false_positive_rate"].to_numpy(),
                curve["sensitivity"].to_numpy(),
                _region(
                    curve,
                    "false_positive_rate_low",
                    "sensitivity_high",
                    "false_positive_rate_high",
                    "sensitivity_low",
                ),
            )
        )
        known = curve[curve["precision"].notna()]
        precision.append(
            Trace(name, known["sensitivity"].to_numpy(), known["precision"].to_numpy())
        )
    figures.append(
        (
            "Receiver operating characteristic",
            lines(roc, title="ROC curves", x="1 − specificity", y="sensitivity"),
        )
    )
    figures.append(
        (
            "Precision and recall",
            lines(precision, title="precision-recall curves", x="sensitivity", y="precision"),
        )
    )
    probable = {name: judged for name, judged in scored.items() if judged.reads != "margin"}
    if probable:
        calibration = [chance]
        for name, judged in probable.items():
            curve = judged.calibration
            mean, seen = curve["mean_score"].to_numpy(), curve["observed"].to_numpy()
            calibration.append(Trace(name, mean, seen, marks=True))
        figures.append(
            (
                "Calibration",
                lines(calibration, title="calibration", x="mean score", y="observed share"),
            )
        )
        figures.append(("Decision curve", _decision(probable)))
    shown = "".join(
        f"<figure>{drawing}<figcaption>{as_html(caption)}</figcaption></figure>"
        for caption, drawing in figures
    )
    return [
        "<h2>Curves</h2>",
        f'<div class="grid">{shown}</div>',
        '<p class="note">Faint regions hold the ROC curve for certain. Dashes: chance, perfect '
        "calibration, or treating all.</p>",
    ]


def _region(
    curve: pd.DataFrame, *names: str
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]] | None:
    columns = [[float(each) for each in curve[name]] for name in names]
    one = list(zip(columns[0], columns[1], strict=True))
    other = list(zip(columns[2], columns[3], strict=True))
    same = all(abs(a - c) + abs(b - d) < 1e-9 for (a, b), (c, d) in zip(one, other, strict=True))
    return None if same else (one, other)


def _decision(probable: dict[str, Judgement]) -> str:
    curves = {name: judged.decision for name, judged in probable.items()}
    first = next(iter(curves.values()))
    high = max(0.05, *(float(curve["net_benefit"].max()) for curve in curves.values()))
    high = max(high, float(first["treat_all"].max()))
    x, all_of_them = first["threshold"].to_numpy(), first["treat_all"].to_numpy()
    inside = all_of_them >= -0.3 * high
    traces = [Trace("treat all", x[inside], all_of_them[inside], dotted=True)]
    traces.append(Trace("treat nobody", np.array([0.0, 1.0]), np.zeros(2), dotted=True))
    traces += [
        Trace(name, curve["threshold"].to_numpy(), curve["net_benefit"].to_numpy())
        for name, curve in curves.items()
    ]
    return lines(
        traces,
        title="net benefit",
        x="threshold",
        y="net benefit",
        low=-0.3 * high,
        high=high * 1.1,
    )
