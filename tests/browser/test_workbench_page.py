"""The workbench in a page: long runs, errors, hostile names, narrow and dark, the keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyter import Lab, Notebook

HOSTILE = "<img src=x onerror=alert(1)>"
TEX = "$x^2$ ward"
# A label may hold a space of no width after a dollar sign.


@pytest.fixture(scope="module")
def notebook(lab: Lab) -> Iterator[Notebook]:
    """A workbench over four clinics, two of which have hostile names."""
    path = lab.write(
        "workbench.ipynb",
        "import fedlab as fl\n"
        "from sklearn.datasets import load_breast_cancer\n"
        "frame = load_breast_cancer(as_frame=True).frame\n"
        f"names = [{HOSTILE!r}, {TEX!r}, 'mercy']\n"
        "sites = [fl.Site(n, frame.iloc[i::3], target='target') for i, n in enumerate(names)]\n"
        "fed = fl.Federation(sites, seed=7)\n"
        "fed",
        "bench = fl.widgets.Workbench(fed)\nbench",
        "run = fed.train(fl.LogisticRegression(), strategy=fl.FedAvg())\nrun.step()",
        "run.contributions().plot()",
        "run.contributions().plot_similarity()",
        "run.evaluate().plot()",
        "fed.privacy.plot()",
    )
    opened = lab.open(path, width=1400, height=1000)
    opened.widen()
    opened.run_all()
    yield opened
    opened.close()


def number(text: str) -> int:
    return int(text.split()[-1])


def test_a_long_run_leaves_the_page_free_and_pauses_between_rounds(notebook: Notebook) -> None:
    page = notebook.page
    page.get_by_label("Rounds to run").fill("5000")
    page.get_by_label("Rounds to run").press("Enter")
    page.locator(".fedlab-run").click()
    round, pause = page.locator(".fedlab-round"), page.locator(".fedlab-pause")
    expect(pause).to_be_enabled()
    expect(page.locator(".fedlab-step")).to_be_disabled()
    first = number(round.inner_text()) if "Round" in round.inner_text() else 0
    expect(round).not_to_have_text(f"Round {first}")
    assert notebook.execute("print(6 * 7)") == "42"
    pause.click()
    expect(page.locator(".fedlab-status")).to_contain_text("Paused after round")
    expect(page.locator(".fedlab-step")).to_be_enabled()
    stopped = number(round.inner_text())
    assert first < stopped < 5000
    assert notebook.execute("print(bench.run.round, bench.wait(0))") == f"{stopped} True"


def test_an_error_is_in_words_and_the_next_click_works(notebook: Notebook) -> None:
    page = notebook.page
    page.get_by_label("Batch size").fill("<b>many</b>")
    page.locator(".fedlab-start").click()
    error = page.locator(".fedlab-error")
    expect(error).to_have_text(
        "Batch size must be a whole number. Got '<b>many</b>'. Correct it, or leave it empty."
    )
    page.get_by_label("Batch size").fill("32")
    page.locator(".fedlab-start").click()
    expect(page.locator(".fedlab-round")).to_have_text("Round 0")
    expect(error).to_have_count(0)


def test_the_keyboard_is_enough(notebook: Notebook) -> None:
    page = notebook.page
    status = page.locator(".fedlab-status")
    page.locator(".fedlab-start").click()
    expect(status).to_have_text("A new run stands at round 0.")
    assert notebook.execute("print(bench.wait(10))") == "True"
    page.locator(".fedlab-step").focus()
    for round in (1, 2):
        page.keyboard.press("Enter")
        expect(page.locator(".fedlab-round")).to_have_text(f"Round {round}")
        expect(status).to_have_text(f"Round {round} is done.")
        assert notebook.execute("print(bench.wait(10))") == "True"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Run"


def test_an_error_of_the_kernel_is_not_shown_as_traceback(notebook: Notebook) -> None:
    page = notebook.page
    notebook.execute("step = type(bench.run).step\ntype(bench.run).step = lambda self: 1 / 0")
    page.locator(".fedlab-step").click()
    expect(page.locator(".fedlab-error")).to_contain_text("unforeseen happened (ZeroDivisionError)")
    notebook.execute("type(bench.run).step = step")
    assert page.get_by_text("Traceback").count() == 0
    page.locator(".fedlab-step").click()
    expect(page.locator(".fedlab-error")).to_have_count(0)


def test_hostile_names_are_text_in_tables_charts_and_tabs(notebook: Notebook) -> None:
    page = notebook.page
    page.locator(".fedlab-step").click()
    for tab, click in (
        ("Sites", None),
        ("Last round", None),
        ("Contributions", "contribute"),
        ("Privacy", None),
        ("Evaluation", "evaluate"),
    ):
        page.get_by_role("tab", name=tab).click()
        if click is not None:
            page.locator(f".fedlab-{click}").click()
        shown = page.locator(".fedlab-tabs td:visible", has_text=HOSTILE)
        expect(shown.first).to_be_visible()
        expect(page.locator(".fedlab-tabs td:visible", has_text=TEX).first).to_be_visible()
    expect(page.locator(".fedlab-chart text", has_text=HOSTILE)).to_have_count(1)
    expect(page.locator(".fedlab-chart text", has_text=TEX)).to_have_count(1)
    for plot in figures(page.locator(".jp-Cell .js-plotly-plot:not(.fedlab-chart)")):
        for name in (HOSTILE, TEX):
            expect(plot.locator(".ytick text", has_text=name)).to_have_count(1)
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("mjx-container").count() == 0
    assert notebook.dialogs == []


def figures(found: Locator) -> list[Locator]:
    expect(found).to_have_count(4)
    return found.all()


def test_models_and_strategies_are_chosen_with_their_own_settings(notebook: Notebook) -> None:
    page = notebook.page
    model, strategy = (page.get_by_label(name, exact=True) for name in ("Model", "Strategy"))
    model.select_option("RandomForestClassifier")
    expect(page.get_by_label("Trees", exact=True)).to_be_visible()
    expect(page.get_by_label("Batch size")).to_have_count(0)
    page.get_by_label("Trees", exact=True).fill("5")
    page.get_by_label("Trees", exact=True).press("Tab")
    page.get_by_label("Depth", exact=True).fill("3")
    page.get_by_label("Depth", exact=True).press("Tab")
    page.locator(".fedlab-start").click()
    expect(page.locator(".fedlab-status")).to_have_text("A new run stands at round 0.")
    page.locator(".fedlab-run").click()
    expect(page.locator(".fedlab-status")).to_contain_text("was the last: the model is finished")
    expect(page.locator(".fedlab-step")).to_be_disabled()
    expect(page.locator(".fedlab-chart text", has_text="sent by all")).to_have_count(1)
    page.get_by_role("tab", name="Contributions").click()
    expect(page.locator(".fedlab-contributions-table")).to_contain_text("keeps only the sums")
    model.select_option(label="LogisticRegression")
    strategy.select_option(label="Ditto (personal)")
    page.get_by_label("Combined by").select_option(label="TrimmedMean (robust)")
    page.get_by_label("Bad sites").fill("1")
    page.get_by_label("Bad sites").press("Tab")
    page.locator(".fedlab-start").click()
    expect(page.locator(".fedlab-status")).to_have_text("A new run stands at round 0.")
    page.locator(".fedlab-step").click()
    expect(page.locator(".fedlab-status")).to_have_text("Round 1 is done.")
    expect(page.locator(".fedlab-chart text", has_text="norm of")).to_have_count(1)
    asked = notebook.execute("print(bench.run.strategy.lam, bench.run.strategy.aggregator)")
    assert asked == "0.1 TrimmedMean(f=1)"
    page.get_by_role("tab", name="Evaluation").click()
    page.locator(".fedlab-evaluate").click()
    expect(page.locator(".fedlab-evaluation-table")).to_contain_text("personal accuracy")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
@pytest.mark.parametrize("width", [560, 1400])
def test_it_fits_narrow_and_wide_pages(notebook: Notebook, width: int, theme: str) -> None:
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 1000})
    notebook.command("apputils:change-theme", theme=theme)
    for part in ("bench", "side", "columns"):
        expect(page.locator(f".fedlab-{part}")).to_be_visible()
        # The figure is drawn anew for the new width, a moment after the page has it.
        page.wait_for_function(
            "name => { const node = document.querySelector(name);"
            " return node.scrollWidth <= node.clientWidth + 1; }",
            arg=f".fedlab-{part}",
        )
    chart = page.locator(".fedlab-chart")
    page.wait_for_function(
        "() => { const c = document.querySelector('.fedlab-chart');"
        " return Math.abs(c.clientWidth - c.querySelector('.main-svg').clientWidth) <= 2; }"
    )
    assert chart.evaluate("node => node.clientWidth") >= (350 if width < 600 else 700)
    beside = chart.evaluate(
        "node => node.getBoundingClientRect().left"
        " > document.querySelector('.fedlab-side').getBoundingClientRect().right"
    )
    assert beside == (width > 600)


def test_nothing_left_the_machine(notebook: Notebook) -> None:
    assert notebook.strangers == []
