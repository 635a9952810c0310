"""A running JupyterLab, and a notebook open in it, as a test sees them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Dialog, Page, Request, WebSocket

__all__ = ["Lab", "Notebook"]

SECONDS = 60
# A status of "idle" on the page says nothing: cells that run before this are lost without a word.
READY = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
CELLS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells)
    .filter(cell => cell.type === 'code' && cell.sharedModel.getSource().trim())
    .map(cell => ({count: cell.executionCount, outputs: cell.outputs.toJSON()}))"""
EXECUTE = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    let text = '';
    const future = kernel.requestExecute({code, store_history: false});
    future.onIOPub = ({content}) => { text += content.text ?? content.evalue ?? ''; };
    await future.done;
    return text.trim();
}"""


@dataclass
class Notebook:
    """A notebook open in a page of JupyterLab.

    Attributes
    ----------
    page : Page
    dialogs : list of str
        What scripts have popped up.
    strangers : list of str
        Addresses off this machine that were asked for.
    """

    page: Page
    dialogs: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note what a page must never do."""

        def dialog(shown: Dialog) -> None:
            self.dialogs.append(shown.message)
            shown.dismiss()

        def asked(request: Request | WebSocket) -> None:
            # Data and blobs have no host.
            if urlsplit(request.url).hostname not in {"127.0.0.1", "localhost", None}:
                self.strangers.append(request.url)

        self.page.on("dialog", dialog)
        self.page.on("request", asked)
        self.page.on("websocket", asked)

    def command(self, name: str, **arguments: str) -> None:
        """Run one of JupyterLab's own commands, to its end."""
        script = "([name, args]) => window.jupyterapp.commands.execute(name, args)"
        self.page.evaluate(script, [name, arguments])

    def run_all(self) -> None:
        """Run all cells as the menu does; each has to end without an error."""
        self.command("runmenu:run-all")
        self.page.wait_for_function(f"() => ({CELLS})().every(cell => cell.count !== null)")
        cells = self.page.evaluate(CELLS)
        assert cells
        errors = [o for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]
        assert errors == []

    def execute(self, code: str) -> str:
        """Run code in the notebook's kernel; give what it prints."""
        printed: str = self.page.evaluate(EXECUTE, code)
        return printed

    def widen(self) -> None:
        """Close the side bar."""
        self.command("application:toggle-left-area")

    def close(self) -> None:
        """Close the page, and the kernel with it."""
        self.command("kernelmenu:shutdown")
        self.page.context.close()


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab.

    Attributes
    ----------
    url, token : str
    folder : Path
        Where its notebooks are.
    browser : Browser
    """

    url: str
    token: str
    folder: Path
    browser: Browser

    def open(
        self, path: str, *, width: int = 1280, height: int = 900, scale: float = 1
    ) -> Notebook:
        """Open a notebook of the folder and wait for its kernel."""
        page = self.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale
        ).new_page()
        page.set_default_timeout(SECONDS * 1000)
        notebook = Notebook(page)
        notebook.listen()
        # A workspace of its own, or the tabs of the test before would open as well.
        workspace = secrets.token_hex(4)
        page.goto(f"{self.url}/lab/workspaces/{workspace}/tree/{path}?token={self.token}")
        page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
        page.evaluate(READY)
        return notebook

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells to the folder."""
        notebook = {
            "cells": [
                {
                    **{"cell_type": "code", "id": f"cell-{place}", "source": source},
                    **{"metadata": {}, "outputs": [], "execution_count": None},
                }
                for place, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.folder / name).write_text(json.dumps(notebook), "utf-8")
        return name
