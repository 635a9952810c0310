"""The model card as one HTML page that needs no network."""

from __future__ import annotations

from fedlab.displays.escape import as_html

__all__ = ["as_page"]

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #59636e; --line: #d1d9e0;
  --block: #f5f7f9; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --faint: #9aa4af; --line: #3a424b;
  --block: #1c2126; --paper: #121519; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
h1, h2 { line-height: 1.25; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--faint); font-weight: 600; }
code { font: .88em ui-monospace, monospace; background: var(--block); border-radius: 4px;
  padding: .1em .3em; white-space: pre-wrap; }
pre { background: var(--block); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; }
pre code { padding: 0; white-space: pre; overflow-wrap: normal; }
"""


def as_page(markdown: str, title: str) -> str:
    """HTML of a card.

    HTML inside the Markdown is shown as text, and the page's policy lets no script or request run.

    Examples
    --------
    >>> "<script>" in as_page("<script>alert(1)</script>", "<script>")
    False
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{as_html(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f'<body class="tex2jax_ignore mathjax_ignore">\n{body}</body>\n</html>\n'
    )
