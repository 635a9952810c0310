"""The mapping's panel in a page: wide and narrow, ticked and saved, with hostile names."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import Lab, Notebook

HOSTILE = "<img src=x onerror=alert(1)>"
OVERFLOW = "panel => panel.scrollWidth - panel.clientWidth"


@pytest.fixture(scope="module")
def notebook(lab: Lab) -> Iterator[Notebook]:
    """A panel over a small table."""
    path = lab.write(
        "mapping.ipynb",
        "import pandas as pd\n"
        "from fedlab.site.mapping.wanted import Feature\n"
        "from fedlab.widgets.mapping_panel import MappingPanel\n"
        "table = pd.DataFrame({'TEMP_F': [98.6, 99.5], 'GENDER': ['F', 'M'],"
        f" {HOSTILE!r}: [1, 2]}})\n"
        "features = [Feature('temperature', unit='Cel', range=(30, 45)),"
        " Feature('sex', categories=('female', 'male')),"
        f" Feature({HOSTILE!r}), Feature('a_long_name_' * 6, unit='mmol/L')]",
        "panel = MappingPanel(table, features, path='mercy.yaml')\npanel",
    )
    opened = lab.open(path, width=1400, height=1000)
    opened.widen()
    opened.run_all()
    yield opened
    opened.close()


def test_a_feature_is_ticked_changed_and_saved_by_mouse_and_keyboard(notebook: Notebook) -> None:
    page, status = notebook.page, notebook.page.locator(".fedlab-status")
    page.get_by_role("checkbox", name="temperature").check()
    expect(status).to_contain_text("1 of 4 features confirmed")
    unit = page.get_by_title("Unit of temperature in this table")
    unit.fill("kg")
    unit.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("A unit must convert")
    expect(page.get_by_role("checkbox", name="temperature")).not_to_be_checked()
    unit.fill("[degF]")
    unit.press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("checkbox", name="temperature").press("Space")
    page.locator(".fedlab-save").get_by_role("button", name="Save").click()
    expect(status).to_contain_text("Written to mercy.yaml")
    assert "TEMP_F" in notebook.execute("print(open('mercy.yaml').read())")


@pytest.mark.parametrize("width", [1400, 620])
def test_nothing_is_cut_off(notebook: Notebook, width: int) -> None:
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 1000})
    panel = page.locator(".fedlab-map").first
    expect(panel).to_be_visible()
    page.wait_for_timeout(300)
    assert panel.evaluate(OVERFLOW) <= 0
    for row in page.locator(".fedlab-maprow").all():
        assert row.evaluate(OVERFLOW) <= 0


def test_no_name_ran_and_nothing_left_the_machine(notebook: Notebook) -> None:
    assert notebook.dialogs == []
    assert notebook.strangers == []
