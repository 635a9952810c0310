"""What there is to look at beside the chart, one tab each."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from fedlab.contributions import Contributions
from fedlab.displays.escape import as_html
from fedlab.errors import ExportError, PrivacyError
from fedlab.evaluation import Evaluation
from fedlab.federation import Federation
from fedlab.privacy import RecordDP
from fedlab.quality import Quality
from fedlab.strategies import Personal
from fedlab.training import Training
from fedlab.widgets.bars import gauges, worths
from fedlab.widgets.style import field

__all__ = ["Results"]


class Results:
    """Sites, last round, contributions, privacy, evaluation and export.

    Attributes
    ----------
    widget : ipywidgets.Tab
    contribute, evaluate, export : ipywidgets.Button
    noise : ipywidgets.Text
        ε for the answers of an evaluation.
    personal : ipywidgets.Checkbox
        Whether each site's own parameters are judged too.
    folder : ipywidgets.Text
        Where to export to.
    """

    def __init__(self) -> None:
        names = ("sites", "round", "contributions", "privacy", "evaluation", "export")
        self._shown = {name: ipw.HTML() for name in names}
        for name, html in self._shown.items():
            html.add_class(f"fedlab-{name}-table")
        self.contribute = _button("Compute", "What each site was worth (run.contributions)")
        self.contribute.add_class("fedlab-contribute")
        self.evaluate = _button("Evaluate", "Judge on held-out rows at the sites (run.evaluate)")
        self.evaluate.add_class("fedlab-evaluate")
        self.export = _button("Export", "Write model, card and signed manifest (run.export)")
        self.export.add_class("fedlab-export")
        self.noise = field(
            ipw.Text,
            "ε for the answers",
            "Privacy that an evaluation with noise costs; empty for exact answers",
            placeholder="exact answers",
        )
        self.personal = ipw.Checkbox(
            value=True,
            indent=False,
            description="Each site's own parameters too",
            tooltip="Judged on the site's own rows; answers are exact",
            layout={"width": "auto", "display": "none"},
        )
        self.folder = field(ipw.Text, "Folder", "Made if it is not there", value="model")
        tops = {
            "contributions": [self.contribute],
            "evaluation": [self.noise, self.personal, self.evaluate],
            "export": [self.folder, self.export],
        }
        titles = ("Sites", "Last round", "Contributions", "Privacy", "Evaluation", "Export")
        tabs = [ipw.VBox([*_line(tops.get(name)), self._shown[name]]) for name in names]
        self.widget = ipw.Tab(tabs, titles=titles)
        self.widget.add_class("fedlab-tabs")
        self.forget()

    def forget(self) -> None:
        """Take away what was computed for another run."""
        self._judged = False
        for name, words in {
            "round": "What each site sends, once there is a round.",
            "contributions": "Shapley values and leave-one-out of the run so far, without "
            "training again.",
            "evaluation": "Accuracy, sensitivity, specificity, precision, F1 and AUC of each site.",
            "export": "ONNX, skops (not of trees), model card and signed manifest.",
        }.items():
            self._shown[name].value = _quiet(words)

    def allow(self, run: Training | None, *, busy: bool) -> None:
        """Leave only those buttons that make sense."""
        nothing = run is None or run.round == 0
        self.evaluate.disabled = busy or run is None
        self.export.disabled = busy or nothing
        keeps = run is None or run.strategy.keeps_answers
        hidden = run is not None and run.rounds[-1].hidden
        self.contribute.disabled = busy or nothing or not (keeps or hidden)
        self.contribute.tooltip = (
            "Which rounds gained more, by who took part in them (run.quality)"
            if hidden
            else "What each site was worth (run.contributions)"
        )
        if hidden and not self._judged:
            self._shown["contributions"].value = _quiet(
                "Secure sums hide what each site sent, so there are no Shapley values and no "
                "leave-one-out. Compute shows what the sums tell (run.quality): it needs sites "
                "drawn for each round, e.g. half of them, and better 60 rounds than 10."
            )
        elif run is not None and not keeps:
            self._shown["contributions"].value = _quiet(
                f"{type(run.strategy).__name__} keeps only the sums of what sites sent, so their "
                "contributions cannot be told apart. Compare fits with and without a site."
            )
        own = run is not None and isinstance(run.strategy, Personal)
        self.personal.layout.display = "" if own else "none"

    def show_sites(self, fed: Federation) -> None:
        """Show the sites and what they have spent, as their ledgers say now."""
        self._shown["sites"].value = fed._repr_html_()
        spend = fed.privacy
        self._shown["privacy"].value = gauges(spend.totals) + spend._repr_html_()

    def show_round(self, run: Training) -> None:
        """Show what each site sent in the last round."""
        self._shown["round"].value = run.rounds[-1]._repr_html_()

    def show_contributions(self, found: Contributions | Quality, round: int) -> None:
        """Show what the sites were worth up to `round`, or what sums tell of it."""
        bars = worths(found.frame) if isinstance(found, Contributions) else ""
        self._shown["contributions"].value = _as_of(round) + bars + found._repr_html_()
        self._judged = True

    def show_evaluation(self, found: Evaluation, round: int) -> None:
        """Show how the model of `round` does."""
        self._shown["evaluation"].value = _as_of(round) + found._repr_html_()

    def show_export(self, found: object, round: int) -> None:
        """Show what was written."""
        html = getattr(found, "_repr_html_", None)
        words = html() if html else f"<pre>{as_html(repr(found))}</pre>"
        self._shown["export"].value = _as_of(round) + words

    def promise(self, run: Training) -> RecordDP | None:
        """The promise of the next evaluation, or None for exact answers.

        Raises
        ------
        PrivacyError
            When ε is not a positive number.
        """
        text = self.noise.value.strip()
        if not text:
            return None
        try:
            epsilon = float(text)
        except ValueError:
            raise PrivacyError(
                "ε must be a number.", f"{text!r}", "Type e.g. 0.5, or leave it empty."
            ) from None
        delta = 1e-5 if run.privacy is None else run.privacy.delta
        return RecordDP(epsilon=epsilon, delta=delta)

    def wants_personal(self, run: Training) -> bool:
        """Whether sites' own parameters are to be judged too, where there are any."""
        return self.personal.value and isinstance(run.strategy, Personal)

    def path(self) -> Path:
        """The folder to export to.

        Raises
        ------
        ExportError
            When none is named.
        """
        if not self.folder.value.strip():
            raise ExportError("An export needs a folder.", "an empty name", "Type e.g. model.")
        return Path(self.folder.value.strip())


def _button(label: str, tooltip: str) -> ipw.Button:
    return ipw.Button(description=label, tooltip=tooltip)


def _line(children: list[ipw.DOMWidget] | None) -> list[ipw.DOMWidget]:
    if children is None:
        return []
    line = ipw.Box(children)
    line.add_class("fedlab-row")
    return [line]


def _as_of(round: int) -> str:
    return _quiet(f"After round {round}.")


def _quiet(words: str) -> str:
    return f'<div class="fedlab-quiet">{as_html(words)}</div>'
