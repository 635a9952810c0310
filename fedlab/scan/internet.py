"""(F) Email addresses, (N) web addresses and (O) IP addresses.

Web addresses of papers, standards and libraries name nobody; `REFERENCES` lists their hosts. The
machine itself (127.0.0.1, ::1) and network masks are no addresses of anybody.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from fedlab.scan.rule import Match, Rule

__all__ = ["REFERENCES", "RULES"]

HOSTS = """
doi.org arxiv.org pubmed.gov nih.gov hhs.gov ecfr.gov census.gov cdc.gov fda.gov nist.gov who.int
europa.eu ietf.org rfc-editor.org w3.org iso.org unicode.org ieee.org acm.org jmlr.org mlr.press
openreview.net neurips.cc springer.com nature.com sciencedirect.com wiley.com oup.com bmj.com
jstor.org projecteuclid.org plos.org biomedcentral.com wikipedia.org r-project.org uci.edu
python.org jupyter.org ipython.org numpy.org scipy.org pydata.org scikit-learn.org
statsmodels.org matplotlib.org plotly.com plot.ly onnx.ai opendp.org anaconda.org conda-forge.org
readthedocs.io readthedocs.org mybinder.org creativecommons.org opensource.org apache.org
github.com githubusercontent.com jsdelivr.net unpkg.com cdnjs.cloudflare.com mozilla.org
nvidia.com flower.ai huggingface.co physionet.org synthea.org hl7.org
"""
REFERENCES = frozenset(HOSTS.split())
LABEL = r"[A-Za-z0-9-]{1,63}"
TOP = r"(?:com|org|net|edu|gov|int|info|health|care|io|de|uk|fr|eu)"
EMAIL = rf"[A-Za-z0-9][A-Za-z0-9._%+'-]{{0,63}}@{LABEL}(?:\.{LABEL}){{0,4}}\.[A-Za-z]{{2,24}}\b"
VERSION = re.compile(r"(?:[=~<>!]=|\bv|version\W{0,3}|release\W{0,3})\s?$", re.IGNORECASE)


def _is_personal(match: Match) -> bool:
    # `git@github.com:owner/name` is where a program fetches code.
    return not match[0].lower().startswith("git@")


def _names_nobody(match: Match) -> bool:
    address = match[0] if "://" in match[0] else f"http://{match[0]}"
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host in {"localhost", "127.0.0.1", "::1"}:
        return True
    return any(host == known or host.endswith(f".{known}") for known in REFERENCES)


def _is_foreign_page(match: Match) -> bool:
    return not _names_nobody(match)


def _is_address(match: Match) -> bool:
    if VERSION.search(match.string[max(0, match.start() - 12) : match.start()]):
        return False
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    mask = match[0].startswith("255.")
    return not (mask or address.is_loopback or address.is_unspecified)


RULES = (
    Rule("email", "an email address", re.compile(rf"(?<![\w.]){EMAIL}"), _is_personal),
    Rule(
        "email",
        "an email address spelled out",
        re.compile(
            rf"\b[\w.+-]{{1,40}}\s?[\[(]?\b(?:at|AT)\b[\])]?\s?{LABEL}(?:\s?[\[(]?\b(?:dot|DOT)\b[\])]?"
            rf"\s?{LABEL}){{0,2}}\s?[\[(]?\b(?:dot|DOT)\b[\])]?\s?{TOP}\b"
        ),
    ),
    Rule(
        "url",
        "a web address",
        re.compile(r"\b(?:https?|ftps?|sftp|s3|smb|file)://[^\s<>\"'`)\]}]{1,400}", re.IGNORECASE),
        _is_foreign_page,
    ),
    Rule(
        "url",
        "a web address",
        re.compile(rf"(?<![\w./@-])www\.{LABEL}(?:\.{LABEL}){{1,4}}", re.IGNORECASE),
        _is_foreign_page,
    ),
    Rule(
        "ip_address",
        "an IPv4 address",
        re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)"),
        _is_address,
    ),
    Rule(
        "ip_address",
        "an IPv6 address",
        re.compile(
            r"(?<![\w:.])[0-9A-Fa-f]{3,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]|\.\d)",
        ),
        _is_address,
    ),
)
