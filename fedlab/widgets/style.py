"""The workbench's look: JupyterLab's own colours, and a layout that folds when narrow."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets as ipw

__all__ = ["Sheet", "field"]

# A chart with a far larger share of the free width than the form stands beside it where there is
# room, and else takes a line of its own, as the form does then. No query for the page's width is
# needed, which would be wrong anyway: a cell is narrower than the page.
CSS = """
.fedlab-bench, .fedlab-bench .widget-box { overflow: visible; }
.fedlab-bench { color: var(--jp-ui-font-color1, inherit); padding: 4px 2px; }
.fedlab-bench .widget-html { margin: 0; height: auto; }
.fedlab-bench .widget-html-content { line-height: 1.45; }
.fedlab-sheet { display: none; }
.fedlab-columns { display: flex; flex-flow: row wrap; gap: 16px; align-items: flex-start; }
.fedlab-side { flex: 1 1 320px; min-width: 0; }
.fedlab-chart { flex: 999 1 400px; min-width: 0; margin: 0; }
.fedlab-card { border: 1px solid var(--jp-border-color2, #bbb); border-radius: 4px; padding: 8px;
  margin: 0 0 8px; }
.fedlab-row { display: flex; flex-flow: row wrap; gap: 6px; align-items: center; }
.fedlab-row > .widget-button { margin: 2px 0; width: auto; min-width: 84px; flex: 0 0 auto; }
.fedlab-wide > .widget-button { flex: 1 1 70px; min-width: 0; }
.fedlab-row > .widget-inline-hbox { flex: 1 1 150px; min-width: 0; max-width: 420px; }
.fedlab-row > .widget-checkbox { flex: 0 1 auto; margin-right: 12px; }
.fedlab-bench .widget-inline-hbox { width: auto; margin: 2px 0; }
.fedlab-bench .widget-inline-hbox .widget-label { width: 98px; text-align: left; }
.fedlab-bench .fedlab-slider .widget-label,
.fedlab-bench .fedlab-tabs .widget-label { width: auto; }
.fedlab-bench button:focus-visible, .fedlab-bench input:focus-visible,
.fedlab-bench select:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.fedlab-round { font-size: 1.7em; font-weight: 600; }
.fedlab-bench .fedlab-round .widget-html-content { font-size: inherit; line-height: 1.3; }
.fedlab-progress, .fedlab-progress .progress { height: 6px; min-height: 0; margin: 2px 0 4px; }
.fedlab-status { min-height: 1.5em; overflow-wrap: anywhere; }
.fedlab-quiet { color: var(--jp-ui-font-color2, #666); }
.fedlab-error { border-left: 4px solid var(--jp-error-color1, #d32f2f); padding: 6px 10px;
  background: var(--jp-layout-color2, rgba(128,128,128,.12)); overflow-wrap: anywhere; }
.fedlab-bars { display: grid; grid-template-columns: fit-content(40%) minmax(40px, 360px) auto;
  gap: 4px 10px; align-items: center; margin: 6px 0 10px; justify-content: start; }
.fedlab-bars .name { overflow-wrap: anywhere; }
.fedlab-bars .number { font-variant-numeric: tabular-nums; }
.fedlab-bars .track { position: relative; height: 12px; border-radius: 2px;
  background: var(--jp-layout-color3, rgba(128,128,128,.25)); }
.fedlab-bars .fill { position: absolute; top: 0; bottom: 0; border-radius: 2px; }
.fedlab-tabs .lm-TabBar-tab { flex: 0 1 auto !important; min-width: 0 !important; }
.fedlab-tabs > .widget-tab-contents { padding: 8px; overflow-x: auto; }
"""

# A plotly figure is drawn before it has its place on the page, and afterwards hears of the
# window's size alone: not of a side bar that opens, nor of a tab that was hidden. It is told twice,
# since it passes over a change that comes while it still draws for the one before.
SCRIPT = """
export default { render({ el }) {
  let width = 0, gone = false, later = 0;
  const tell = () => window.dispatchEvent(new Event("resize"));
  const watch = new ResizeObserver(([chart]) => {
    const now = Math.round(chart.contentRect.width);
    if (now === width) { return; }
    width = now;
    tell();
    clearTimeout(later);
    later = setTimeout(tell, 400);
  });
  const find = () => {
    const chart = el.closest(".fedlab-bench")?.querySelector(".fedlab-chart");
    if (chart) { watch.observe(chart); } else if (!gone) { setTimeout(find, 50); }
  };
  find();
  return () => { gone = true; watch.disconnect(); clearTimeout(later); };
} };
"""


class Sheet(anywidget.AnyWidget):
    """Takes no room; brings the style sheet and tells the chart when its room changes."""

    _esm = SCRIPT
    _css = CSS


def field(kind: type[Any], label: str, tooltip: str, **settings: object) -> Any:
    """An input as wide as its column, with its label to the left."""
    return kind(description=label, tooltip=tooltip, layout=ipw.Layout(width="auto"), **settings)
