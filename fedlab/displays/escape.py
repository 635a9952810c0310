"""Names from elsewhere as plain text, wherever they are shown."""

from __future__ import annotations

import html
import re

__all__ = ["as_html", "as_label"]


def as_html(text: object) -> str:
    """Text for HTML.

    Examples
    --------
    >>> as_html("<img src=x onerror=alert(1)>")
    '&lt;img src=x onerror=alert(1)&gt;'
    """
    return html.escape(str(text))


def as_label(text: object, longest: int = 40) -> str:
    """Text for a plotly label, which reads a small HTML and TeX between dollar signs.

    A dollar is written by its number, which keeps MathJax away; control characters are dropped.

    Examples
    --------
    >>> as_label("<b>mercy</b>")
    '&lt;b&gt;mercy&lt;/b&gt;'
    >>> as_label("$x$")
    '&#36;x&#36;'
    """
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", str(text))
    short = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return html.escape(short, quote=False).replace("$", "&#36;")
