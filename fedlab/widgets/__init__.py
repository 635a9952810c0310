"""The analyst's verbs as buttons."""

from fedlab.widgets.workbench import Workbench

__all__ = ["Workbench"]
