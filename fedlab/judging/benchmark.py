"""Several models over the same sites, side by side, and as a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedlab.displays.judging_figures import words_of
from fedlab.displays.tables import counted, to_html
from fedlab.errors import DataError, RefusedError, TrainingError
from fedlab.evaluation import ALL_SITES
from fedlab.judging.evaluating import evaluate_model
from fedlab.judging.left_open import wide
from fedlab.judging.models import ModelFile, as_file
from fedlab.judging.result import Judgement

if TYPE_CHECKING:
    from datetime import date

    import plotly.graph_objects as go

    from fedlab.asking.bench import Bench

__all__ = ["Benchmark", "benchmark"]

CURVES = ("roc", "precision", "calibration", "decision")
ORDER = (
    "prevalence", "selection_rate", "accuracy", "balanced_accuracy", "macro_f1", "sensitivity",
    "specificity", "ppv", "npv", "f1", "auc", "average_precision", "net_benefit", "brier",
    "calibration_in_the_large", "calibration_error", "log_loss",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Benchmark:
    """Several models judged over the same sites.

    Attributes
    ----------
    judgements : dict of str to Judgement
    files : dict of str to ModelFile
        Of all models, those that no site judged too.
    failures : dict of str to str
        Models that no site judged, and why.
    sites : tuple of str
        Of the federation.
    """

    judgements: dict[str, Judgement]
    files: dict[str, ModelFile]
    failures: dict[str, str]
    sites: tuple[str, ...]

    @property
    def main(self) -> str:
        """The figure that is compared first."""
        return next((each.main for each in self.judgements.values()), "auc")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a model: figures over all sites, and at how many."""
        lines = {}
        for name, judged in self.judgements.items():
            everybody = judged.frame.iloc[0]
            figures = [
                each for each in map(str, judged.frame) if each not in ("unknown_rows", "status")
            ]
            lines[name] = {
                "sites": judged.answering,
                **{each: everybody[each] for each in figures},
                "status": everybody["status"],
            }
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index.name = "model"
        # The first model may lack figures that others have.
        names = [name for name in ORDER if name in frame]
        ends = ["sites", "rows", "status"]
        others = [name for name in frame if name not in [*names, *ends]]
        return frame[[*ends[:2], *names, *others, "status"]] if len(frame) else frame

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """One row a model, subgroup and figure, with intervals and certain bounds."""
        parts = [judged.intervals.assign(model=name) for name, judged in self.judgements.items()]
        if not parts:
            return pd.DataFrame(columns=["model", "group", "figure", "estimate"])
        frame = pd.concat(parts, ignore_index=True)
        return frame[["model", *(name for name in frame if name != "model")]]

    @cached_property
    def by_site(self) -> pd.DataFrame:
        """One row a model, site and subgroup."""
        parts = {name: judged.by_site for name, judged in self.judgements.items()}
        return pd.concat(parts, names=["model"]) if parts else pd.DataFrame()

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Differences between subgroups, by model."""
        parts = [judged.gaps.assign(model=name) for name, judged in self.judgements.items()]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"model": []})
        return frame[["model", *(name for name in frame if name != "model")]]

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        notes = [f"{name}: no site judged it. {why}" for name, why in self.failures.items()]
        for name, judged in self.judgements.items():
            notes += [f"{name}: awaiting approval by site {site!r}." for site in judged.awaiting]
            notes += [
                f"{name}: site {site!r} is not in it. {error.rule} Got {error.came}."
                for site, error in judged.refusals.items()
                if error.code != "approval"
            ]
            if judged.privacy is None:
                notes += [
                    f"{name}: {words_of(self.main)} is between {line.low:.4f} and {line.high:.4f} "
                    "for certain; a site tells less of each further model about the same patients."
                    for figure, line in wide(judged.judged[ALL_SITES][0].lines).items()
                    if figure == self.main
                ]
        if not self.comparable:
            notes.append("Models were judged at different sites, so their figures do not compare.")
        return notes

    @property
    def comparable(self) -> bool:
        """Whether all models were judged at the same sites."""
        answering = {
            tuple(site for site in self.sites if site not in judged.refusals)
            for judged in self.judgements.values()
        }
        return len(answering) < 2

    def plot(self, kind: str | None = None) -> go.Figure:
        """Models side by side.

        Parameters
        ----------
        kind : str, optional
            ``"roc"``, ``"precision"``, ``"calibration"`` or ``"decision"`` for curves of all
            models; by default their main figure by subgroup.

        Raises
        ------
        DataError
            When no model has such a curve.
        """
        from fedlab.displays import judging_figures as figures

        if kind is None:
            frame = self.intervals
            level = next((each.level for each in self.judgements.values()), 0.95)
            return figures.compared_figure(frame[frame["figure"] == self.main], self.main, level)
        having = {n: j for n, j in self.judgements.items() if j.kind == "scores"}
        if kind != "roc" and kind != "precision":
            having = {name: judged for name, judged in having.items() if judged.reads != "margin"}
        if kind not in CURVES or not having:
            raise DataError(
                "A figure must fit the models.",
                f"{kind!r}",
                f"Choose from {', '.join(map(repr, CURVES))}, for models of two classes.",
            )
        if kind == "roc":
            return figures.roc_figure({name: judged.roc for name, judged in having.items()})
        if kind == "precision":
            first = next(iter(having.values()))
            prevalence = float(first.frame["prevalence"].iloc[0])
            return figures.precision_figure({n: j.roc for n, j in having.items()}, prevalence)
        if kind == "calibration":
            return figures.calibration_figure({n: j.calibration for n, j in having.items()})
        return figures.decision_figure({n: j.decision for n, j in having.items()})

    def write(
        self, path: str | Path, *, day: date | str | None = None, title: str = "Benchmark of models"
    ) -> Path:
        """Write a report as one HTML file that needs no network.

        The same judgements and day give the same bytes.

        Parameters
        ----------
        path : path
        day : date or str, optional
            As it is to stand on the report; by default today.
        title : str
        """
        from datetime import date

        from fedlab.judging.report import report_page

        target = Path(path)
        try:
            target.write_text(report_page(self, str(day or date.today()), title), "utf-8")
        except OSError as error:
            raise DataError(
                "A report needs a place that can be written.",
                f"{type(error).__name__} for {target.name!r}",
                "Choose another path.",
            ) from None
        return target

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        title = f"{len(self.files)} models judged over {len(self.sites)} sites"
        frame = counted(self.frame, "sites", "rows")
        return to_html(frame, title=title, notes=self.notes)


def benchmark(
    federation: Bench,
    models: Mapping[str, Any],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    **common: Any,
) -> Benchmark:
    """Judge several models over all sites.

    A model that no site judges, as one whose file they do not run or have not approved, is told
    among the failures and stops none of the others.

    Parameters
    ----------
    federation : Federation
    models : mapping of str to model
        As `Federation.evaluate` takes them, by name.
    options : mapping of str to mapping, optional
        What is passed for single models, e.g. ``{"vendor": {"columns": ["age", "lab"]}}``.
    common
        What is passed for all, e.g. ``by="sex"``.

    Raises
    ------
    DataError
        When there is no model, or something is left open.
    """
    if not isinstance(models, Mapping) or not models:
        raise DataError(
            "A benchmark needs models by name.",
            "none" if isinstance(models, Mapping) else type(models).__name__,
            "Pass e.g. fl.benchmark(fed, {'ours': run, 'vendor': 'model.onnx'}).",
        )
    strange = sorted(set(options or {}) - set(models))
    if strange:
        raise DataError(
            "options are for models of the benchmark.", f"{strange[0]!r}", "Correct the name."
        )
    judgements, files, failures = {}, {}, {}
    for name, model in models.items():
        # Made once: the digest on the report is of the bytes that were judged.
        files[name] = file = as_file(model)
        mine = dict((options or {}).get(name, {}))
        if file.labels:
            mine.setdefault("classes", file.labels)
        try:
            judgements[name] = evaluate_model(
                federation, file.file, **{**common, **mine, "name": name}
            )
        except (RefusedError, TrainingError) as error:
            failures[name] = f"{error.rule} Got {error.came}."
    return Benchmark(judgements, files, failures, tuple(federation.sites))
