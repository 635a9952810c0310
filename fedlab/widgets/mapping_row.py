"""One feature in the mapping's panel: its column, its unit, and what becomes of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as ipw

from fedlab.displays.escape import as_html
from fedlab.displays.look import COLOURS, GREY
from fedlab.errors import FedlabError
from fedlab.site.mapping.draft import Draft

__all__ = ["MappingRow", "counted"]

NOWHERE = "— none —"
SHADES = {"mapped": COLOURS[0], "missing": GREY, "unmapped": COLOURS[4], "outside": COLOURS[1]}


class MappingRow:
    """The inputs of one feature.

    Parameters
    ----------
    name : str
    draft : Draft
    told : callable
        Is handed the error of a change, or None after one that went well.

    Attributes
    ----------
    widget : ipywidgets.Box
    confirm : ipywidgets.Checkbox
    column : ipywidgets.Dropdown
    unit : ipywidgets.Text
    """

    def __init__(self, name: str, draft: Draft, told: Callable[[Exception | None], None]) -> None:
        self._name, self._draft, self._told = name, draft, told
        proposal, made = draft.proposals[name], draft.made[name]
        to = proposal.feature.unit
        self.confirm = ipw.Checkbox(
            value=False,
            indent=False,
            description=name,
            tooltip=f"I have looked at {name}, and it is right",
        )
        self.column = ipw.Dropdown(
            options=_options(draft.columns),
            value="" if made is None or made.column is None else made.column,
            tooltip=f"Column of {name}",
        )
        self.unit = ipw.Text(
            value="" if made is None else made.unit or "",
            placeholder="unit",
            continuous_update=False,
            disabled=to is None,
            tooltip=f"Unit of {name} in this table",
        )
        arrow = f"→ {as_html(to)}" if to is not None else '<span class="small">no unit</span>'
        units = ipw.Box([self.unit, ipw.HTML(arrow)] if to is not None else [ipw.HTML(arrow)])
        units.add_class("fedlab-unit")
        self._why, self._counts = ipw.HTML(), ipw.HTML()
        self._busy = False
        self.widget = ipw.Box([self.confirm, self.column, units, self._why, self._counts])
        self.widget.add_class("fedlab-maprow")
        self._say(proposal.reason, proposal.confidence)
        self._count()
        self.confirm.observe(self._agree, names="value")
        self.column.observe(self._choose, names="value")
        self.unit.observe(self._convert, names="value")

    def _say(self, reason: str, confidence: float | None = None) -> None:
        sure = "" if confidence is None else f"<b>{confidence:.0%}</b> "
        self._why.value = f'{sure}<span class="small">{as_html(reason)}</span>'

    def _count(self) -> None:
        try:
            counts, error = self._draft.counts(self._name), None
        except FedlabError as fault:
            counts, error = {}, fault
        self._counts.value = counted(counts)
        if error is not None:
            self._counts.value = f'<span class="small">does not fit: {as_html(error.rule)}</span>'

    def _agree(self, _: object = None) -> None:
        if not self._busy:
            agreed = bool(self.confirm.value)
            self._try(lambda: self._draft.confirm(self._name, agreed=agreed))

    def _choose(self, _: object = None) -> None:
        if self._busy:
            return
        column = self.column.value or None
        self._try(lambda: self._say(self._draft.choose(self._name, column)))

    def _convert(self, _: object = None) -> None:
        if self._busy:
            return
        column, unit = self.column.value or None, self.unit.value.strip() or None
        self._try(lambda: self._say(self._draft.choose(self._name, column, unit)))

    def _try(self, work: Callable[[], None]) -> None:
        """One change; whatever it ends in is shown, and none of it is raised into the page."""
        found: Exception | None = None
        try:
            work()
        except Exception as error:
            found = error
        # What is shown follows the draft, without being taken for a click.
        self._busy = True
        try:
            made = self._draft.made[self._name]
            self.confirm.value = self._name in self._draft.confirmed
            if found is None and made is not None and made.unit is not None:
                self.unit.value = made.unit
            self._count()
        except Exception as error:
            found = found or error
        self._busy = False
        self._told(found)


def _options(columns: Sequence[str]) -> list[tuple[str, str]]:
    return [(NOWHERE, ""), *((column, column) for column in columns)]


def counted(counts: dict[str, int]) -> str:
    """Counts as a bar and in words; a count of none is left out but for what is mapped."""
    if not counts:
        return '<span class="small">left out</span>'
    # What is kept outside of its range is mapped as well.
    whole = max(sum(counts.values()), 1)
    parts = "".join(
        f'<span style="width:{100 * count / whole:.2f}%;background:{SHADES[what]}"></span>'
        for what, count in counts.items()
    )
    told = [f"{count:,} {what}" for what, count in counts.items() if count or what == "mapped"]
    words = ", ".join(told)
    return (
        f'<div class="stack" role="img" aria-label="{words}">{parts}</div>'
        f'<span class="small">{words}</span>'
    )
