"""A panel in which a hospital's data manager confirms a proposed mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from fedlab.displays.escape import as_html
from fedlab.site.mapping.draft import Draft
from fedlab.site.mapping.mapping import Mapping
from fedlab.site.readers import Data
from fedlab.widgets.mapping_row import MappingRow
from fedlab.widgets.mapping_style import MappingSheet
from fedlab.widgets.notice import Notice

__all__ = ["MappingPanel"]

HEADS = ("Feature", "Column", "Unit", "Why", "Rows")
NOTE = (
    "Counts are exact and for this hospital's own eyes: clear the output before the notebook goes "
    "elsewhere. Only what is ticked is written; codes are mended in the file."
)


class MappingPanel:
    """Features of the federation, and the columns of a table that they come from.

    It begins with what `suggest_mapping` proposes. Each feature is ticked by a person; changing
    its column or unit takes the tick away. It shows counts and no row, and runs where the rows are.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or what a reader of records gave
    features : sequence of Feature, Schema, Federation, Mapping or path of a file
        The federation's.
    path : str
        Where `Save` writes the mapping, until another one is typed.

    Attributes
    ----------
    widget : ipywidgets.VBox
    rows : dict of str to MappingRow
    patient : ipywidgets.Dropdown
    path : ipywidgets.Text
    preview, save : ipywidgets.Button
    error : Exception or None
        Of the last click.

    Raises
    ------
    DataError
        When the table or the features cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from fedlab.site.mapping.wanted import Feature
    >>> table = pd.DataFrame({"TEMP_F": [98.6, 99.1, 300.0]})
    >>> panel = MappingPanel(table, [Feature("temperature", unit="Cel", range=(30, 45))])
    >>> row = panel.rows["temperature"]
    >>> row.column.value, row.unit.value
    ('TEMP_F', '[degF]')
    >>> row.confirm.value = True
    >>> panel.mapping.frame["from"].to_dict()
    {'temperature': 'TEMP_F'}
    """

    def __init__(self, data: Data, features: object, *, path: str = "mapping.yaml") -> None:
        self._draft = Draft(data, features)
        self.error: Exception | None = None
        self._notice = Notice()
        self.rows = {name: MappingRow(name, self._draft, self._tell) for name in self._draft.made}
        columns = [("— nobody says —", ""), *((name, name) for name in self._draft.columns)]
        self.patient = ipw.Dropdown(
            options=columns,
            value=self._draft.patient or "",
            description="Whose row it is",
            tooltip="The column that tells patients apart; it never leaves the site",
            style={"description_width": "initial"},
        )
        self.path = ipw.Text(
            value=path,
            description="File",
            tooltip="Ends in .yaml or .toml",
            style={"description_width": "initial"},
        )
        self.preview = ipw.Button(
            description="Preview",
            icon="eye",
            tooltip="What the ticked features become (Draft.preview)",
        )
        self.save = ipw.Button(
            description="Save", icon="save", tooltip="Write the ticked features (Draft.save)"
        )
        self._report = ipw.HTML()
        self.widget = self._laid_out()
        self.patient.observe(self._whose, names="value")
        self.preview.on_click(lambda _: self._try(self._show))
        self.save.on_click(lambda _: self._try(self._write))
        self._notice.say(self._progress())

    @property
    def mapping(self) -> Mapping:
        """The mapping of what is ticked.

        Raises
        ------
        DataError
            When nothing is, or it does not fit together.
        """
        return self._draft.mapping

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # The widget's own text would list every part, with ids that differ each time.
        return {**self.widget._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"MappingPanel({len(self._draft.confirmed)} of {len(self.rows)} features confirmed)"

    def _laid_out(self) -> ipw.VBox:
        sheet = MappingSheet()
        sheet.add_class("fedlab-sheet")
        head = ipw.Box([ipw.HTML(as_html(each)) for each in HEADS])
        head.add_class("fedlab-maphead")
        foot = ipw.Box([self.patient, self.path, self.preview, self.save])
        note = ipw.HTML(f'<div class="fedlab-quiet">{as_html(NOTE)}</div>')
        for part, name in ((foot, "fedlab-row"), (foot, "fedlab-save")):
            part.add_class(name)
        rows = [row.widget for row in self.rows.values()]
        whole = ipw.VBox([sheet, head, *rows, foot, self._notice.widget, self._report, note])
        whole.add_class("fedlab-bench")
        whole.add_class("fedlab-map")
        return whole

    def _progress(self) -> str:
        done, of = len(self._draft.confirmed), len(self.rows)
        return f"{done} of {of} features confirmed."

    def _tell(self, error: Exception | None) -> None:
        """Show what came of a change in a row."""
        self.error = error
        self._report.value = ""
        if error is None:
            self._notice.say(self._progress())
        else:
            self._notice.complain(error, "what was confirmed is kept")

    def _whose(self, _: object = None) -> None:
        self._draft.patient = self.patient.value or None
        self._tell(None)

    def _show(self) -> str:
        self._report.value = self._draft.preview()._repr_html_()
        return self._progress()

    def _write(self) -> str:
        file = self._draft.save(self.path.value.strip())
        left = [name for name in self.rows if name not in self._draft.confirmed]
        more = f" Left out: {', '.join(left)}." if left else ""
        return f"Written to {file.name}, {self._progress()}{more}"

    def _try(self, work: Callable[[], str]) -> None:
        """One click; whatever it ends in is shown."""
        self.error = None
        try:
            words = work()
        except Exception as error:
            self.error = error
            self._notice.complain(error, "what was confirmed is kept")
        else:
            self._notice.say(words)
