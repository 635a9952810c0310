"""The quickstart as an analyst meets it: open, run all, click, see."""

import os
import re

from playwright.sync_api import expect

from tests.browser.jupyter import Lab


def test_the_quickstart_runs_and_its_workbench_steps_runs_and_rewinds(lab: Lab) -> None:
    notebook = lab.open("00_quickstart.ipynb", height=1000)
    notebook.widen()
    notebook.run_all()
    page = notebook.page
    round, points = page.locator(".fedlab-round"), page.locator(".fedlab-chart .point")
    expect(page.locator(".fedlab-chart .main-svg").first).to_be_visible()
    expect(round).to_have_text("No run yet")
    expect(points).to_have_count(0)

    page.locator(".fedlab-step").click()
    expect(round).to_have_text("Round 1")
    # Two losses and one accuracy at rounds 0 and 1; four norms at round 1.
    expect(points).to_have_count(3 * 2 + 4)

    page.locator(".fedlab-step").click()
    expect(round).to_have_text("Round 2")
    expect(points).to_have_count(3 * 3 + 4 * 2)

    page.locator(".fedlab-run").click()
    expect(round).to_have_text("Round 12")
    expect(points).to_have_count(3 * 13 + 4 * 12)
    expect(page.locator(".fedlab-status")).to_have_text("Rounds up to 12 are done.")
    assert notebook.execute("print(bench.run.round)") == "12"

    page.get_by_role("tab", name="Contributions").click()
    page.locator(".fedlab-contribute").click()
    expect(page.locator(".fedlab-contributions-table .fill")).to_have_count(4)
    picture = os.environ.get("FEDLAB_SCREENSHOT")
    if picture:
        page.set_viewport_size({"width": 1280, "height": 1130})
        page.locator(".fedlab-bench").evaluate("bench => bench.scrollIntoView({block: 'end'})")
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        page.screenshot(path=picture)

    page.locator(".fedlab-rewind").click()
    expect(round).to_have_text("Round 11")
    expect(points).to_have_count(3 * 12 + 4 * 11)
    expect(page.locator(".fedlab-status")).to_have_text(re.compile("stays in their ledgers"))
    assert notebook.strangers == []
    assert notebook.dialogs == []
    notebook.close()
