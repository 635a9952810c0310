"""What judging a model has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.displays.tables import counted, to_html
from fedlab.errors import DataError, RefusedError
from fedlab.evaluation import ALL_SITES
from fedlab.judging.curves import (
    calibration_curve,
    calibration_cuts,
    decision_curve,
    roc_curve,
)
from fedlab.judging.gaps import gaps_of
from fedlab.judging.left_open import notes_of_open
from fedlab.judging.measures import between
from fedlab.judging.scored import Line
from fedlab.privacy import RecordDP

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["GroupName", "Judged", "Judgement"]

Kind = Literal["scores", "confusion", "numbers"]
FORMS = {
    "scores": ("roc", "precision", "calibration", "decision", "subgroups"),
    "confusion": ("confusion", "subgroups"),
    "numbers": ("subgroups",),
}
MAIN = {"scores": "auc", "confusion": "accuracy", "numbers": "mae"}
NO_VALUE = ("missing", "unmapped")
HEAD = {
    "scores": ["auc", "average_precision", "brier", "sensitivity", "specificity"],
    "confusion": ["accuracy", "balanced_accuracy", "macro_f1", "brier"],
    "numbers": ["mae", "rmse", "r2", "bias"],
}
"""What is told first of each kind."""


@dataclass(frozen=True)
class GroupName:
    """A subgroup: the level of a factor, and both in words."""

    factor: str
    level: str
    label: str


@dataclass(frozen=True)
class Judged:
    """One group at one site, or at all.

    Attributes
    ----------
    rows : float
        Of the sites that tell the group.
    sites : int
        How many tell it.
    unknown : float
        Rows among them of which neither class nor score is told.
    lines : mapping of str to Line
    lowest, highest : ndarray or None
        Rows by class and score, each at the first and at the last bin where it may be; or by true
        and called class, NaN where suppressed.
    """

    rows: float
    sites: int
    unknown: float
    lines: Mapping[str, Line]
    lowest: Array | None = None
    highest: Array | None = None


@dataclass(frozen=True, repr=False, kw_only=True)
class Judgement:
    """A model's figures over all sites, by site and by subgroup.

    ``lower`` and ``upper`` are ends of confidence intervals. ``low`` and ``high`` are certain: what
    a figure is at least and at most, whatever stands behind suppressed counts and inside of bins.
    Where that is too much there is no estimate but these two, in ``intervals``.

    Attributes
    ----------
    name, digest : str
        Of the model; the SHA-256 of its file.
    size : int
        Bytes of the file.
    kind : "scores", "confusion" or "numbers"
    target : str
    classes : tuple of str
    groups : tuple of GroupName
        Everybody first.
    judged : dict of str to tuple of Judged
        For all sites together and for each: one entry a group.
    refusals : dict of str to RefusedError
        Sites that did not answer.
    silent : dict of str to RefusedError
        Sites that told counts but no exact sums of losses.
    answering, n_sites : int
    minimum : int
        Fewest patients that sites tell of; the largest of theirs.
    threshold, level : float
    reads : str
        What the model's output was taken for.
    conditioned : str
        Columns with conditions on whom it is about.
    split : str
    privacy : RecordDP or None
    edges : ndarray
        Of the bins of scores.
    """

    name: str
    digest: str
    size: int
    kind: Kind
    target: str
    classes: tuple[str, ...]
    groups: tuple[GroupName, ...]
    judged: dict[str, tuple[Judged, ...]]
    refusals: dict[str, RefusedError]
    silent: dict[str, RefusedError]
    answering: int
    n_sites: int
    minimum: int
    threshold: float
    level: float
    reads: str
    conditioned: str
    split: str
    privacy: RecordDP | None
    edges: Array = field(default_factory=lambda: np.array([0.0, 1.0]))

    @property
    def awaiting(self) -> tuple[str, ...]:
        """Sites whose data owner has not approved the model yet."""
        return tuple(site for site, error in self.refusals.items() if error.code == "approval")

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites whose single figures are known; none under a secure sum."""
        return tuple(site for site in self.judged if site != ALL_SITES)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a subgroup over all sites, everybody first.

        ``status`` tells suppressed groups from groups of nobody, and which sites tell less.
        """
        return self._wide(ALL_SITES)

    @cached_property
    def by_site(self) -> pd.DataFrame:
        """One row a site and subgroup; no row under a secure sum."""
        parts = {site: self._wide(site) for site in self.sites}
        if not parts:
            return self._wide(ALL_SITES).iloc[:0]
        return pd.concat(parts, names=["site"])

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """One row a subgroup and figure over all sites: estimate, interval and certain bounds."""
        lines = [
            [group.label, name, line.estimate, line.lower, line.upper, line.low, line.high]
            for group, judged in self._shown(ALL_SITES)
            for name, line in judged.lines.items()
            if line.estimate == line.estimate or line.low == line.low
        ]
        names = ["group", "figure", "estimate", "lower", "upper", "low", "high"]
        return pd.DataFrame(lines, columns=names)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Differences of subgroups from the largest one of their factor, with intervals."""
        tables = {
            (group.factor, group.level): between(each.lowest, each.highest)
            for group, each in zip(self.groups, self.judged[ALL_SITES], strict=True)
            if group.factor
            and group.level not in NO_VALUE
            and self.kind == "scores"
            and each.lowest is not None
            and each.highest is not None
        }
        gaps = gaps_of(tables, self.edges, self.threshold, self.level)
        known = {
            (group.factor, group.level, name)
            for group, each in zip(self.groups, self.judged[ALL_SITES], strict=True)
            for name, line in each.lines.items()
            if line.estimate == line.estimate
        }
        kept = [
            (line.factor, line.level, line.figure) in known
            and (line.factor, line.reference, line.figure) in known
            for line in gaps.itertuples()
        ]
        return gaps[kept].reset_index(drop=True)

    @property
    def confusion(self) -> pd.DataFrame:
        """Rows by true and by called class over all sites, NaN where suppressed."""
        whole = self.judged[ALL_SITES][0]
        table = np.full((len(self.classes),) * 2, np.nan)
        if self.kind == "confusion" and whole.lowest is not None:
            table = whole.lowest
        elif whole.lowest is not None and whole.highest is not None and not whole.unknown:
            cut = int(np.searchsorted(self.edges[:-1], self.threshold - 1e-12))
            ends = [
                np.stack([each[:, :cut].sum(axis=1), each[:, cut:].sum(axis=1)], axis=1)
                for each in (whole.lowest, whole.highest)
            ]
            table = np.where(ends[0] == ends[1], ends[0], np.nan)
        index = pd.Index(self.classes, name=self.target)
        return pd.DataFrame(table, index, pd.Index(self.classes, name="called"))

    @property
    def calibration(self) -> pd.DataFrame:
        """Observed share beside the mean score, by blocks of scores."""
        low, high = self._ends("calibration")
        cuts = calibration_cuts(low, high, self.edges)
        return calibration_curve(between(low, high), self.edges, cuts, self.level)

    @property
    def decision(self) -> pd.DataFrame:
        """Net benefit at each threshold."""
        return decision_curve(*self._ends("decision"), self.edges)

    @property
    def roc(self) -> pd.DataFrame:
        """Rates and precision at each threshold, with what they are at least and at most."""
        return roc_curve(*self._ends("roc"), self.edges)

    def _ends(self, asked: str) -> tuple[Array, Array]:
        whole = self.judged[ALL_SITES][0]
        calibrated = self.reads != "margin" or asked == "roc"
        if self.kind != "scores" or whole.lowest is None or whole.highest is None or not calibrated:
            raise DataError(
                f"A {asked} curve needs probabilities of two classes.",
                f"a model judged by {self.kind}, read as {self.reads}",
                "Use .frame, .confusion or .plot().",
            )
        return np.maximum(whole.lowest, 0.0), np.maximum(whole.highest, 0.0)

    def _shown(self, site: str) -> list[tuple[GroupName, Judged]]:
        """Groups without those that nobody is in anywhere, as most of what is missing."""
        pairs = list(zip(self.groups, self.judged[site], strict=True))
        return [
            (group, each)
            for group, each in pairs
            if group.level not in NO_VALUE or each.rows > 0 or each.sites < self._answers(site)
        ]

    def _answers(self, site: str) -> int:
        return self.answering if site == ALL_SITES else 1

    def _wide(self, site: str) -> pd.DataFrame:
        lines, known = {}, {"rows", "unknown_rows", "status"}
        for group, each in self._shown(site):
            told = each.sites > 0
            # What is left open stays a column: its bounds are told.
            known |= {
                name
                for name, found in each.lines.items()
                if found.estimate == found.estimate or found.low == found.low
            }
            line: dict[str, object] = {"rows": each.rows if told else np.nan}
            line |= {name: found.estimate for name, found in each.lines.items()}
            line["unknown_rows"] = each.unknown if told else np.nan
            line["status"] = self._status(each, self._answers(site))
            lines[group.label] = line
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index.name = "group"
        figures = [name for name in frame if name not in ("rows", "unknown_rows", "status")]
        ordered = ["rows", *figures, "unknown_rows", "status"]
        return frame[[name for name in ordered if name in known]]

    def _status(self, each: Judged, answering: int) -> str:
        if self.privacy is not None:
            return "with noise"
        few = f"fewer than {self.minimum} patients, or would give such away"
        if each.sites == 0:
            return f"suppressed: {few}"
        if each.sites < answering:
            return f"told by {each.sites} of {answering} sites; elsewhere {few}"
        if each.unknown > 0:
            return "told, some classes suppressed"
        return "told" if each.rows > 0 else "nobody"

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        notes = [f"Model {self.name}, {self.digest}, {self.size:,} bytes."]
        notes += [f"Awaiting approval by site {site!r}." for site in self.awaiting]
        notes += [
            f"Site {site!r} is not in it. {error.rule} Got {error.came}."
            for site, error in self.refusals.items()
            if site not in self.awaiting
        ]
        notes += [
            f"Site {site!r} tells no exact sums of losses: the Brier score then comes from bins, "
            "within its bounds, and log loss is not known."
            for site in self.silent
        ]
        if self.kind == "scores":
            notes.append(
                f"Class {self.classes[1]} is called where the score is above {self.threshold:g}. "
                f"Scores are counted in {len(self.edges) - 1} bins, rows of one bin as tied; low "
                "and high hold for whatever their order is."
            )
            if self.reads == "margin":
                notes.append(
                    "Scores rank and are no probabilities: 0 is the threshold 0.5, and there is no "
                    "calibration."
                )
        whole = self.judged[ALL_SITES]
        if self.kind != "numbers" and self.privacy is None:
            notes += notes_of_open(
                whole[0].lines if self.kind == "scores" else {},
                [each.lines for each in whole if each.rows > 0],
                self.minimum,
            )
        if any(each.unknown > 0 for each in self.judged[ALL_SITES]):
            notes.append(
                f"Classes of fewer than {self.minimum} patients are suppressed; estimates are of "
                "the other rows, low and high of all."
            )
        if self.privacy is not None:
            notes.append(
                f"Counts with noise: at most ε = {self.privacy.epsilon:g} at δ = "
                f"{self.privacy.delta:g} for one {self.privacy.unit}, charged at each site. "
                "Intervals are of the bootstrap, noise included."
            )
        if self.conditioned:
            notes.append(f"Only rows that meet conditions on {self.conditioned}.")
        return notes

    def plot(self, kind: str | None = None) -> go.Figure:
        """A figure of the model; by default the first that fits it.

        Parameters
        ----------
        kind : str, optional
            ``"roc"``, ``"precision"``, ``"calibration"``, ``"decision"``, ``"confusion"`` or
            ``"subgroups"``.

        Raises
        ------
        DataError
            For one that does not fit.
        """
        from fedlab.displays import judging_figures as figures

        chosen = kind or FORMS[self.kind][0]
        if chosen not in FORMS[self.kind]:
            raise DataError(
                "A figure must fit the model.",
                f"{chosen!r}",
                f"Choose from {', '.join(map(repr, FORMS[self.kind]))}.",
            )
        if chosen == "roc":
            return figures.roc_figure({self.name: self.roc})
        if chosen == "precision":
            return figures.precision_figure({self.name: self.roc}, self._prevalence)
        if chosen == "calibration":
            return figures.calibration_figure({self.name: self.calibration})
        if chosen == "decision":
            return figures.decision_figure({self.name: self.decision})
        if chosen == "confusion":
            return figures.confusion_figure(self.confusion)
        frame = self.intervals
        return figures.subgroups_figure(frame[frame["figure"] == self.main], self.main, self.level)

    @property
    def main(self) -> str:
        """The figure by which models of this kind are compared first."""
        return MAIN[self.kind]

    @property
    def head(self) -> list[str]:
        """The figures that are told first."""
        return [name for name in HEAD[self.kind] if name in self.frame]

    @property
    def _prevalence(self) -> float:
        return self.judged[ALL_SITES][0].lines["prevalence"].estimate

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        title = f"{self.name} judged at {self.answering} of {self.n_sites} sites"
        frame = counted(self.frame, "rows", "unknown_rows")
        return to_html(frame, title=title, notes=self.notes)
