"""A mapping on the way: proposed, changed and confirmed feature by feature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedlab.errors import DataError
from fedlab.site.mapping.faults import shown
from fedlab.site.mapping.feature import FeatureMapping
from fedlab.site.mapping.fitting import Column, fit
from fedlab.site.mapping.mapping import Mapping
from fedlab.site.mapping.report import MappingReport
from fedlab.site.mapping.suggestion import Proposal, made_of, mapping_of, suggest_mapping
from fedlab.site.mapping.wanted import Feature
from fedlab.site.readers import Data, read_table

__all__ = ["Draft"]


class Draft:
    """What a person makes of a suggestion; nothing counts before it is confirmed.

    Parameters
    ----------
    data, features
        As of `suggest_mapping`.

    Attributes
    ----------
    proposals : dict of str to Proposal
        What was suggested, by feature.
    columns : tuple of str
        Of the table.
    made : dict of str to FeatureMapping or None
        As it stands.
    patient : str or None
        The column that tells whose row it is.
    """

    def __init__(self, data: Data, features: object) -> None:
        self._frame = read_table(data, "draft")
        found = suggest_mapping(self._frame, features)
        self.columns = tuple(str(name) for name in self._frame.columns)
        self.proposals: dict[str, Proposal] = {each.feature.name: each for each in found.proposals}
        self.made = {name: each.made for name, each in self.proposals.items()}
        self.patient = found.patient
        self._confirmed: dict[str, None] = {}

    @property
    def confirmed(self) -> tuple[str, ...]:
        """Features that were confirmed, in the federation's order."""
        return tuple(name for name in self.proposals if name in self._confirmed)

    def _feature(self, name: str) -> Feature:
        if name not in self.proposals:
            raise DataError(
                "A feature must be one of the federation's.", repr(shown(name)), "Correct the name."
            )
        return self.proposals[name].feature

    def choose(self, name: str, column: str | None, unit: str | None = None) -> str:
        """Take a feature from another column or unit; it is no longer confirmed.

        Parameters
        ----------
        name : str
        column : str or None
            None leaves the feature out.
        unit : str, optional
            The site's; by default the one that seems to be meant.

        Returns
        -------
        str
            Why it may be so, or not.

        Raises
        ------
        DataError
            When there is no such feature or column, or the unit does not convert.
        """
        feature = self._feature(name)
        self._confirmed.pop(name, None)
        if column is None:
            self.made[name] = None
            return "left out"
        if column not in self.columns:
            raise DataError("A column must be in the table.", repr(shown(column)), "Correct it.")
        read = Column.of(column, self._frame[column])
        found = fit(feature, read)
        if unit is not None and feature.unit is not None:
            found = replace(found, unit=unit, reason=f"in {shown(unit)}, as a person says")
        # Before it is tried: what stands there is what is shown.
        self.made[name] = None
        made = made_of(feature, read, found)
        _alone(feature, made)
        self.made[name] = made
        return found.reason

    def counts(self, name: str) -> dict[str, int]:
        """Rows mapped, missing, unmapped and outside; none where a feature is left out.

        Raises
        ------
        DataError
            When the column does not fit.
        """
        made = self.made[self._feature(name).name]
        if made is None:
            return {}
        return Mapping((replace(made, name=name),)).apply(self._frame).report.counts[name]

    def confirm(self, name: str, *, agreed: bool = True) -> None:
        """A person has looked at a feature.

        Raises
        ------
        DataError
            When it comes from nowhere.
        """
        self._feature(name)
        self._confirmed.pop(name, None)
        if agreed and self.made[name] is None:
            raise DataError(
                f"Feature {shown(name)!r} must come from a column before it is confirmed.",
                "none",
                "Choose its column.",
            )
        if agreed:
            self._confirmed[name] = None

    @property
    def mapping(self) -> Mapping:
        """The mapping of what was confirmed.

        Raises
        ------
        DataError
            When nothing was, or it does not fit together.
        """
        if not self._confirmed:
            raise DataError(
                "A mapping must be confirmed by a person.",
                "no feature that is",
                "Look at each feature and tick it.",
            )
        agreed = {self._feature(name): self.made[name] for name in self.confirmed}
        return mapping_of(agreed, self.patient)

    def preview(self) -> MappingReport:
        """What the confirmed mapping makes of the whole table, in counts.

        Raises
        ------
        DataError
            When nothing was confirmed, or the table does not fit.
        """
        return self.mapping.apply(self._frame).report

    def save(self, path: str | Path) -> Path:
        """Write the confirmed mapping; what is left out is named at its end.

        Raises
        ------
        DataError
            When nothing was confirmed, or the file cannot be written.
        """
        file = self.mapping.write(path)
        left = [name for name in self.proposals if name not in self._confirmed]
        if left:
            with file.open("a", encoding="utf-8", newline="\n") as end:
                end.write(f"# Left out: {', '.join(left)}\n")
        return file


def _alone(feature: Feature, made: FeatureMapping) -> None:
    """Raise DataError unless a feature is sound by itself."""
    Mapping((replace(made, name=feature.name),))
