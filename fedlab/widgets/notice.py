"""The line that says what goes on, and errors in words."""

from __future__ import annotations

import ipywidgets as ipw
from traitlets.log import get_logger

from fedlab.displays.escape import as_html
from fedlab.errors import FedlabError

__all__ = ["Notice", "in_words"]


def in_words(error: Exception) -> str:
    """What to tell the analyst.

    Only our own errors are known to quote no row, so of others no more than their kind is told.

    Examples
    --------
    >>> in_words(ValueError("could not convert string to float: 'Jane Doe'"))
    'Something unforeseen happened (ValueError). Nothing was lost; see the kernel log.'
    """
    if isinstance(error, FedlabError):
        return str(error)
    kind = type(error).__name__
    return f"Something unforeseen happened ({kind}). Nothing was lost; see the kernel log."


class Notice:
    """Status and error, each its own widget.

    Attributes
    ----------
    widget : ipywidgets.VBox
    """

    def __init__(self) -> None:
        self._status, self._error = ipw.HTML(), ipw.HTML()
        self._status.add_class("fedlab-status")
        self.widget = ipw.VBox([self._status, self._error])
        self.widget.add_class("fedlab-notice")

    def say(self, text: str) -> None:
        """Show what goes on, and take the last error away."""
        self._status.value = f'<div role="status" class="fedlab-quiet">{as_html(text)}</div>'
        self._error.value = ""

    def complain(self, error: Exception, kept: str = "finished rounds are kept") -> None:
        """Show an error in words; what was not foreseen also goes to the kernel's log."""
        if not isinstance(error, FedlabError):
            # Not to stderr, which a notebook shows and saves: a foreign error may quote a row.
            get_logger().error("fedlab workbench", exc_info=error)
        self.say(f"Stopped by an error; {kept}.")
        words = as_html(in_words(error))
        self._error.value = (
            f'<div role="alert" class="fedlab-error tex2jax_ignore mathjax_ignore">{words}</div>'
        )
