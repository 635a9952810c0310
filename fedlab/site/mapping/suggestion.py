"""A mapping proposed to a site from its own table, for a person to confirm."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fedlab.displays.tables import to_html
from fedlab.errors import DataError
from fedlab.site.mapping.feature import USUAL_MISSING, FeatureMapping
from fedlab.site.mapping.fitting import Column, Fit, fit
from fedlab.site.mapping.mapping import Mapping
from fedlab.site.mapping.naming import likeness, means
from fedlab.site.mapping.wanted import Feature, wanted_features
from fedlab.site.readers import Data, read_table

__all__ = ["Proposal", "Suggestion", "suggest_mapping"]

#: Below it a feature is left blank. Names that are alike in part, or values that are plausible in
#: part, end below.
SURE = 0.5
ALIKE, SITE = 0.3, "suggest"
NOTES = (
    "Proposed from names, units, codes and ranges; nothing left the site. A person has to confirm "
    "every line: a wrong unit or code is not found later."
)


@dataclass(frozen=True)
class Proposal:
    """What one feature may come from.

    Attributes
    ----------
    feature : Feature
    made : FeatureMapping or None
        None where it is left blank.
    confidence : float
        From 0 to 1, of the best column, whether it was sure enough or not. It orders proposals and
        is no probability.
    reason : str
    """

    feature: Feature
    made: FeatureMapping | None
    confidence: float
    reason: str


@dataclass(frozen=True, repr=False)
class Suggestion:
    """Proposals for all features.

    Attributes
    ----------
    proposals : tuple of Proposal
        In the federation's order.
    patient : str or None
        The column that seems to tell whose row it is.
    """

    proposals: tuple[Proposal, ...]
    patient: str | None = None

    @property
    def blank(self) -> tuple[str, ...]:
        """Features that nobody could be sure of."""
        return tuple(each.feature.name for each in self.proposals if each.made is None)

    @property
    def mapping(self) -> Mapping:
        """The mapping of all that was proposed.

        Raises
        ------
        DataError
            When nothing was.
        """
        return mapping_of({each.feature: each.made for each in self.proposals}, self.patient)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a feature: column, units, codes, confidence and reason."""
        rows = [
            {
                "role": each.feature.role,
                "column": None if each.made is None else each.made.column,
                "unit": None if each.made is None else each.made.unit,
                "to": each.feature.unit,
                "codes": 0 if each.made is None else len(each.made.values),
                "confidence": each.confidence,
                "reason": each.reason,
            }
            for each in self.proposals
        ]
        names = [each.feature.name for each in self.proposals]
        return pd.DataFrame(rows, index=pd.Index(names, name="feature"))

    @property
    def notes(self) -> list[str]:
        """What a proposal is, and what is left to do."""
        blank = [f"Left blank: {', '.join(self.blank)}."] if self.blank else []
        whose = [] if self.patient is None else [f"Whose row it is: {self.patient!r}, by its name."]
        return [NOTES, *blank, *whose]

    def write(self, path: str | Path) -> Path:
        """Write the mapping as a YAML or TOML file; what is blank is named at its end.

        Raises
        ------
        DataError
            When nothing was proposed, or the file cannot be written.
        """
        file = self.mapping.write(path)
        if self.blank:
            with file.open("a", encoding="utf-8", newline="\n") as end:
                end.write(f"# Left blank: {', '.join(self.blank)}\n")
        return file

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Proposed mapping", notes=self.notes)


def suggest_mapping(data: Data, features: object) -> Suggestion:
    """Propose how a site's table becomes the federation's features.

    It runs at the site, on the site's own rows, and sends nothing. Names are compared by what they
    usually stand for and by their letters, values by unit, range and codes; each column is given to
    one feature, so that the confidence of all is greatest (Kuhn 1955, the assignment problem).
    Codes are proposed where they say what they mean ("F", "female"); numbers for categories are
    not.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or what a reader of records gave
    features : sequence of Feature, Schema, Federation, Mapping or path of a file
        The federation's.

    Returns
    -------
    Suggestion
        With ``frame``, ``mapping`` and ``write``. A feature of low confidence is left blank.

    Raises
    ------
    DataError
        When the table or the features cannot be read.

    Examples
    --------
    >>> table = pd.DataFrame({"TEMP_F": [98.6, 99.1], "GENDER": ["F", "M"], "X1": [1, 2]})
    >>> found = suggest_mapping(
    ...     table,
    ...     [
    ...         Feature("temperature", unit="Cel", range=(30, 45)),
    ...         Feature("sex", categories=("female", "male")),
    ...         Feature("lactate", unit="mmol/L", range=(0, 30)),
    ...     ],
    ... )
    >>> found.frame["column"].fillna("").to_dict()
    {'temperature': 'TEMP_F', 'sex': 'GENDER', 'lactate': ''}
    >>> found.blank
    ('lactate',)
    """
    wanted = wanted_features(features)
    frame = read_table(data, SITE)
    columns = [Column.of(str(name), frame[name]) for name in frame.columns]
    whose = _patient(columns)
    free = [column for column in columns if column.name != whose]
    asked = [feature for feature in wanted if feature.role != "patient"]
    fits = [[_judged(feature, column) for column in free] for feature in asked]
    scores = np.array([[score for score, _ in row] for row in fits]).reshape(len(asked), len(free))
    chosen = _assigned(scores)
    proposals = [
        _proposal(feature, free, fits[place], chosen.get(place))
        for place, feature in enumerate(asked)
    ]
    return Suggestion(tuple(proposals), whose)


def _patient(columns: list[Column]) -> str | None:
    named = [column.name for column in columns if means(column.name) == "patient"]
    return named[0] if len(named) == 1 else None


def _judged(feature: Feature, column: Column) -> tuple[float, Fit]:
    """Confidence and fit; names count first, since many columns hold plausible numbers."""
    alike = max(likeness(feature.name, column.name), _by_analyte(feature, column))
    if alike < ALIKE and feature.kind != "category":
        return 0.0, Fit(0.0, "no column of a like name")
    found = fit(feature, column)
    if not found.share:
        return 0.0, found
    confidence = alike * (0.3 + 0.7 * found.share)
    if found.strong:
        confidence = max(confidence, 0.6 * found.share)
    return round(confidence, 3), replace(found, reason=f"name {alike:.0%} alike; {found.reason}")


def _by_analyte(feature: Feature, column: Column) -> float:
    return 0.0 if feature.analyte is None else 0.95 * likeness(feature.analyte, column.name)


def _assigned(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment

    if not scores.size:
        return {}
    # What is not sure takes no column away from what is.
    rows, columns = linear_sum_assignment(np.where(scores >= SURE, scores, 0.0), maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True)}


def _proposal(
    feature: Feature, columns: list[Column], fits: list[tuple[float, Fit]], place: int | None
) -> Proposal:
    if place is None or fits[place][0] < SURE:
        best = max(range(len(fits)), key=lambda place: fits[place][0], default=-1)
        score, found = fits[best] if best >= 0 else (0.0, Fit(0.0, ""))
        if not score:
            return Proposal(feature, None, 0.0, "no column of a like name and kind")
        taken = "which is another feature's" if score >= SURE else "which is not sure enough"
        words = f"perhaps {columns[best].name!r}, {taken}: {found.reason}"
        return Proposal(feature, None, score, words)
    confidence, found = fits[place]
    return Proposal(feature, made_of(feature, columns[place], found), confidence, found.reason)


def made_of(feature: Feature, column: Column, found: Fit) -> FeatureMapping:
    """The mapping of a feature that comes from a column."""
    units = found.unit is not None and feature.unit is not None
    return FeatureMapping(
        feature.name,
        column=column.name,
        missing=None if column.missing == USUAL_MISSING else column.missing,
        unit=found.unit if units else None,
        to=feature.unit if units else None,
        analyte=feature.analyte if units else None,
        values=tuple(found.values.items()),
        categories=feature.categories,
        range=feature.range if feature.kind == "number" else None,
    )


def mapping_of(made: Dict[Feature, FeatureMapping | None], patient: str | None) -> Mapping:
    """The mapping of features that were chosen.

    Raises
    ------
    DataError
        When there is none, or they do not fit together.
    """
    chosen = {feature: each for feature, each in made.items() if each is not None}
    roles = {feature.role: each for feature, each in chosen.items()}
    features = tuple(each for feature, each in chosen.items() if feature.role == "feature")
    if not features:
        raise DataError(
            "A mapping must have features.",
            "a table in which none of them was found",
            "Write the mapping by hand, or name the columns more like the features.",
        )
    target = roles.get("target")
    event = roles.get("event") if target is not None else None
    return Mapping(features, target=target, event=event, patient=patient)
