"""One spelling for what looks the same: entities, wide digits, look-alike letters, odd dashes."""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["OPAQUE", "plain"]

# Letters of other scripts that a reader takes for Latin ones.
LOOKALIKES = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u0391"
    "\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "ABEKMHOPCTXIJSaeopcyxijsdqwABEZHIKMNOPTYXo",
)
DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2043, 0x2212, 0xFE63, 0xFF0D], "-")
MARKS = str.maketrans({"\uff20": "@", "\ufe6b": "@", "\u2018": "'", "\u2019": "'"})
# Zero-width signs and soft hyphens split a word for a program, not for a reader.
INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F)]
)
ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
#: Blobs: base64 and the like, in which a short pattern would turn up by chance.
OPAQUE = re.compile(r"[A-Za-z0-9+/=_-]{129,}")


def plain(text: str) -> str:
    """The text as a reader takes it, in Latin letters without accents and ASCII digits.

    Examples
    --------
    >>> plain("Jos\u00e9 &#64; \uff10\uff11 \u0408\u043ehn")
    'Jose @ 01 John'
    """
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "\x1b" in text:
        text = ANSI.sub("", text)
    text = text.replace("\r\n", "\n").replace("%40", "@")
    if not text.isascii():
        text = text.translate(INVISIBLE).translate(DASHES).translate(MARKS).translate(LOOKALIKES)
        text = unicodedata.normalize("NFKD", text)
        text = "".join(_ascii_digit(c) for c in text if not unicodedata.combining(c))
        text = text.translate(LOOKALIKES)
    return OPAQUE.sub(_without_blob, text)


def _without_blob(match: re.Match[str]) -> str:
    # A genetic sequence is as long as a blob; enough of it is kept to be found.
    return match[0][:60] if set(match[0]) <= set("ACGTN") else " "


def _ascii_digit(character: str) -> str:
    if character.isascii() or not character.isdecimal():
        return character
    return str(unicodedata.decimal(character))
