"""The look of the mapping's panel: a table where there is room, and cards where there is not."""

from __future__ import annotations

import anywidget

from fedlab.widgets.style import CSS

__all__ = ["MappingSheet"]

MORE = """
.fedlab-map { container-type: inline-size; }
.fedlab-map .fedlab-maprow, .fedlab-map .fedlab-maphead { display: grid; gap: 4px 12px;
  grid-template-columns: minmax(110px, 1fr) minmax(130px, 1.2fr) minmax(150px, 1fr)
    minmax(140px, 1.3fr) minmax(150px, 1.3fr);
  align-items: center; padding: 6px 4px; border-bottom: 1px solid var(--jp-border-color2, #ccc); }
.fedlab-map .fedlab-maphead { font-weight: 600; padding: 2px 4px; }
.fedlab-map .fedlab-maprow > * { margin: 0; min-width: 0; width: auto; }
.fedlab-map .fedlab-maprow .widget-html-content { overflow-wrap: anywhere; line-height: 1.35; }
.fedlab-map .widget-inline-hbox select, .fedlab-map .widget-inline-hbox input { min-width: 0; }
.fedlab-map .widget-checkbox .widget-label-basic { overflow: hidden; text-overflow: ellipsis;
  font-weight: 600; width: auto; }
.fedlab-map .fedlab-unit { display: flex; align-items: center; gap: 6px; }
.fedlab-map .fedlab-unit > .widget-text { flex: 1 1 70px; max-width: 130px; min-width: 60px; }
.fedlab-map .fedlab-unit > .widget-html { flex: 0 1 auto; white-space: nowrap; }
.fedlab-map .stack { display: flex; height: 8px; border-radius: 2px; overflow: hidden;
  background: var(--jp-layout-color3, rgba(128,128,128,.25)); margin: 2px 0; max-width: 320px; }
.fedlab-map .stack > span { display: block; height: 100%; }
.fedlab-map .small { font-size: 0.92em; color: var(--jp-ui-font-color2, #666); }
.fedlab-map .fedlab-save { padding: 10px 4px 2px; }
.fedlab-map .widget-checkbox .widget-label-basic { display: flex; align-items: center; }
.fedlab-map .widget-checkbox input { margin-top: 0; margin-bottom: 0; }
.fedlab-map .fedlab-save > .widget-inline-hbox { flex: 1 1 230px; }
.fedlab-map .fedlab-save > .widget-text { flex: 1 1 200px; max-width: 340px; }
@container (max-width: 760px) {
  .fedlab-map .fedlab-maphead { display: none; }
  .fedlab-map .fedlab-maprow { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    border: 1px solid var(--jp-border-color2, #bbb); border-radius: 4px; padding: 8px;
    margin: 0 0 8px; }
  .fedlab-map .fedlab-maprow > :first-child { grid-column: 1 / -1; }
}
"""


class MappingSheet(anywidget.AnyWidget):
    """Takes no room; brings the style sheet."""

    _esm = "export default { render() {} };"
    _css = CSS + MORE
