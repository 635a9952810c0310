"""The analyst's verbs as buttons, and a mapping to confirm."""

from fedlab.widgets.mapping_panel import MappingPanel
from fedlab.widgets.workbench import Workbench

__all__ = ["MappingPanel", "Workbench"]
