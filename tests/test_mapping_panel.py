"""The panel without a browser: what is ticked is written, and no click fails into the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import pandas as pd
import pytest

from fedlab.errors import DataError
from fedlab.site.mapping import Mapping
from fedlab.site.mapping.draft import Draft
from fedlab.site.mapping.wanted import Feature
from fedlab.widgets.mapping_panel import MappingPanel
from fedlab.widgets.mapping_row import MappingRow
from tests.test_mapping_apply import american, clean
from tests.test_mapping_suggestions import WANTED

HOSTILE = "<img src=x onerror=alert(1)>"


def patients() -> pd.DataFrame:
    table = american(clean())
    table.loc[::10, "GENDER"] = "Jane Doe"
    return table


@pytest.fixture
def panel() -> MappingPanel:
    return MappingPanel(patients(), WANTED)


def parts(widget: Any) -> Iterator[Any]:
    """A widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def ticked(row: MappingRow) -> bool:
    """Whether a feature is confirmed."""
    return bool(row.confirm.value)


def shown(panel: MappingPanel) -> str:
    """The HTML of the whole panel."""
    return "\n".join(w.value for w in parts(panel.widget) if isinstance(w, ipw.HTML))


def test_it_begins_with_the_suggestion_and_nothing_is_confirmed(panel: MappingPanel) -> None:
    assert panel.rows["weight"].column.value == "Body Weight"
    assert panel.rows["weight"].unit.value == "[lb_av]"
    assert panel.rows["lactate"].column.value == ""
    assert panel.patient.value == "MRN"
    assert not any(row.confirm.value for row in panel.rows.values())
    assert "0 of 9 features confirmed" in shown(panel)
    assert repr(panel) == "MappingPanel(0 of 9 features confirmed)"
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel)


def test_what_is_ticked_is_previewed_in_counts_and_written(
    panel: MappingPanel, tmp_path: Path
) -> None:
    for name in ("weight", "sex"):
        panel.rows[name].confirm.value = True
    panel.preview.click()
    assert panel.error is None
    unknown = int((~patients()["GENDER"].isin(["F", "M"])).sum())
    assert f"<td>{unknown}</td>" in shown(panel)
    panel.path.value = str(tmp_path / "mercy.yaml")
    panel.save.click()
    assert panel.error is None
    mapping = Mapping.read(tmp_path / "mercy.yaml")
    assert mapping == panel.mapping
    assert [feature.name for feature in mapping.features] == ["weight", "sex"]
    assert mapping.patient == "MRN"
    assert "# Left out: temperature" in (tmp_path / "mercy.yaml").read_text()
    assert "2 of 9 features confirmed. Left out: temperature" in shown(panel)


def test_a_change_takes_the_tick_away_and_counts_anew(panel: MappingPanel) -> None:
    row = panel.rows["temperature"]
    row.confirm.value = True
    row.unit.value = "Cel"
    assert not ticked(row)
    assert panel.error is None
    assert "400 outside" in shown(panel)
    row.column.value = "CREAT"
    assert panel.error is None
    row.column.value = ""
    assert "left out" in shown(panel)
    row.confirm.value = True
    assert not ticked(row)
    assert "must come from a column" in str(panel.error)
    row.column.value = "TEMP_F"
    assert row.unit.value == "[degF]"
    row.confirm.value = True
    assert panel.error is None
    panel.patient.value = ""
    assert panel.mapping.patient is None


@pytest.mark.parametrize("unit", ["quux", "kg", HOSTILE, "9**9", "x" * 999])
def test_a_wrong_unit_is_told_and_nothing_fails(panel: MappingPanel, unit: str) -> None:
    row = panel.rows["temperature"]
    row.unit.value = unit
    assert isinstance(panel.error, DataError)
    row.confirm.value = True
    assert not ticked(row)
    assert "<img" not in shown(panel)
    row.unit.value = "[degF]"
    assert "alert" not in shown(panel)
    row.confirm.value = True
    assert panel.mapping.features[0].unit == "[degF]"


@pytest.mark.parametrize("path", ["", "x", "x.json", "no/such/folder/x.yaml", "\x00.yaml"])
def test_a_wrong_path_is_told_and_nothing_fails(panel: MappingPanel, path: str) -> None:
    panel.rows["weight"].confirm.value = True
    panel.path.value = path
    panel.save.click()
    assert isinstance(panel.error, DataError)
    assert 'role="alert"' in shown(panel)
    assert "finished rounds" not in shown(panel)


def test_without_a_tick_nothing_is_written(panel: MappingPanel, tmp_path: Path) -> None:
    panel.path.value = str(tmp_path / "x.yaml")
    for button in (panel.save, panel.preview):
        button.click()
        assert "no feature that is" in str(panel.error)
    assert not list(tmp_path.iterdir())
    # A target alone is no mapping.
    target = MappingPanel(pd.DataFrame({"died": [0, 1]}), [Feature("died", role="target")])
    target.rows["died"].confirm.value = True
    target.preview.click()
    assert isinstance(target.error, DataError)


def test_no_cell_and_no_hostile_name_is_in_the_panel(panel: MappingPanel) -> None:
    for row in panel.rows.values():  # R30
        row.column.value = "GENDER"
    state = str([w.get_state() for w in parts(panel.widget)])
    assert "Jane Doe" not in state
    assert "Doe" not in shown(panel)
    table = pd.DataFrame({HOSTILE: [1.0, 2.0], "x": [1, 2]})  # R31
    evil = MappingPanel(table, [Feature(HOSTILE), Feature("x")])
    evil.rows[HOSTILE].confirm.value = True
    evil.preview.click()
    assert evil.error is None
    assert "<img" not in shown(evil)


def test_a_column_that_does_not_fit_says_so(panel: MappingPanel) -> None:
    row = panel.rows["glucose"]
    row.column.value = "BIRTH"
    assert "does not fit" in shown(panel)
    row.confirm.value = True
    panel.preview.click()
    assert isinstance(panel.error, DataError)


def test_wrong_names_are_refused_by_the_draft() -> None:
    draft = Draft(american(clean(20)), WANTED)
    for work in (draft.counts, draft.confirm, lambda name: draft.choose(name, None)):
        with pytest.raises(DataError, match="one of the federation's"):
            work("nobody")
    with pytest.raises(DataError, match="must be in the table"):
        draft.choose("weight", "nowhere")
    assert draft.confirmed == ()
    draft.confirm("weight")
    draft.confirm("weight", agreed=False)
    assert draft.confirmed == ()


def test_codes_for_no_value_are_proposed_as_such() -> None:
    table = pd.DataFrame(
        {"glucose_mg_dl": ["90", "N/A", "NULL", "110"], "sex": ["F", ".", "M", ""]}
    )
    wanted = [
        Feature("glucose", unit="mmol/L", range=(1, 50)),
        Feature("sex", categories=("female", "male")),
    ]
    draft = Draft(table, wanted)
    assert draft.counts("glucose") == {"mapped": 2, "missing": 2, "unmapped": 0, "outside": 0}
    assert draft.counts("sex") == {"mapped": 2, "missing": 2, "unmapped": 0, "outside": 0}


def test_a_table_or_features_that_cannot_be_read_are_refused() -> None:
    for data, features in ((7, WANTED), (pd.DataFrame(), WANTED), (clean(20), 7)):
        with pytest.raises(DataError):
            MappingPanel(data, features)  # type: ignore[arg-type]
