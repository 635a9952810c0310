"""Verify a site's records, and keep the heads that they are verified against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.core.wire import decode, encode
from fedlab.displays.tables import to_html
from fedlab.errors import MessageError, SaveFileError
from fedlab.queries.audit_head import AuditHead, ReadAuditHead
from fedlab.saves import write_whole
from fedlab.site.verifying import Fault, check_records, explained

if TYPE_CHECKING:
    from fedlab.federation import Federation

__all__ = ["Verification", "heads", "read_heads", "save_heads", "verify"]


@dataclass(frozen=True, repr=False)
class Verification:
    """What verifying a site's records found; true where nothing is wrong.

    Attributes
    ----------
    site : str
    entries : int
        Of the chain.
    faults : tuple of Fault
        Each with the number of its entry.
    kept : int
        Heads held elsewhere that it was compared with. Without one, a chain that was rolled back,
        or rebuilt by who holds the site's key, cannot be told from the right one.
    """

    site: str
    entries: int
    faults: tuple[Fault, ...]
    kept: int

    def __bool__(self) -> bool:
        return not self.faults

    @property
    def frame(self) -> pd.DataFrame:
        """One row a fault."""
        return pd.DataFrame(
            [(f.entry, f.record, f.what) for f in self.faults], columns=["entry", "record", "what"]
        ).astype({"entry": "Int64"})

    @property
    def notes(self) -> list[str]:
        """What was found, and what could not be looked for."""
        count = len(self.faults)
        notes = [f"{self.entries} entries, {count} fault{'s' * (count != 1)}."]
        if not self.kept:
            notes.append(
                "No head was kept elsewhere to compare with, so a file that was rolled back to an "
                "earlier state would not show. Pass head=."
            )
        return notes

    def __repr__(self) -> str:
        return "\n".join([f"Records of {self.site!r}", *explained(self.faults), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title=f"Records of {self.site}", notes=self.notes, index=False)


def verify(
    path: str | Path,
    head: AuditHead | Sequence[AuditHead] | None = None,
    *,
    identity: bytes | None = None,
) -> Verification:
    """Find every entry that was edited, removed, reordered or cut off since it was written.

    Works on the file alone: no site is opened and no patient's row is read.

    Parameters
    ----------
    path : path
        The site's home, or the file ``records.sqlite`` in it, or a copy.
    head : AuditHead or sequence of AuditHead, optional
        As kept elsewhere; shows a chain that was rebuilt or rolled back.
    identity : bytes, optional
        The site's public key, where it is known from elsewhere.

    Returns
    -------
    Verification
        True where nothing is wrong.

    Raises
    ------
    DataError
        When there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from fedlab.site import Site
    >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0], "died": [0, 0, 1, 1]})
    >>> with tempfile.TemporaryDirectory() as home:
    ...     head = Site("mercy", frame, target="died", home=home).audit.head
    ...     bool(verify(home, head))
    True
    """
    file = Path(path)
    file = file / "records.sqlite" if file.is_dir() else file
    kept = () if head is None else (head,) if isinstance(head, AuditHead) else tuple(head)
    site, entries, faults = check_records(file, kept, identity)
    return Verification(site, entries, tuple(faults), len(kept))


def heads(
    federation: Federation, since: Mapping[str, AuditHead] | None = None
) -> dict[str, AuditHead]:
    """Ask every site where its records stand; no row is read.

    Parameters
    ----------
    federation : Federation
    since : dict of str to AuditHead, optional
        Heads of an earlier day. Each site is asked for the same entry again, which shows, without
        its file, records that were rolled back or rebuilt since.

    Returns
    -------
    dict of str to AuditHead
        Keep them with `save_heads`, elsewhere than at the sites.

    Raises
    ------
    MessageError
        When a site's records are not those that an earlier head stands for.
    """
    before = {site: head for site, head in (since or {}).items() if site in federation.sites}
    again = _ask(federation, {site: head.sequence for site, head in before.items()})
    for site, head in sorted(before.items()):
        then = again.get(site)
        if then is None or (then.hash, then.identity) != (head.hash, head.identity):
            raise MessageError(
                "A site's records only grow.",
                f"another entry {head.sequence} than the one whose head was kept",
                "Ask its data owner; they were rolled back, rebuilt, or belong to another key.",
                site=site,
            )
    return _ask(federation, dict.fromkeys(federation.sites, 0))


def _ask(federation: Federation, entries: Mapping[str, int]) -> dict[str, AuditHead]:
    if not entries:
        return {}
    asked = {site: ReadAuditHead(at) for site, at in entries.items()}
    replies = federation.coordinator.ask("audit", 0, asked)
    answers = {site: reply.answer for site, reply in replies.items()}
    return {site: a for site, a in answers.items() if isinstance(a, AuditHead) and a.site == site}


def save_heads(path: str | Path, heads: Mapping[str, AuditHead]) -> None:
    """Write heads to a file, whole or not at all."""
    write_whole(Path(path), encode(dict(heads)))


def read_heads(path: str | Path) -> dict[str, AuditHead]:
    """Heads that `save_heads` wrote.

    Raises
    ------
    SaveFileError
        When the file is missing or damaged.
    """
    path = Path(path)
    try:
        found = decode(path.read_bytes(), dict[str, AuditHead])
    except (OSError, MessageError):
        found = {}
    if not found or not all(head.sound and head.site == site for site, head in found.items()):
        raise SaveFileError(
            "A file of heads must hold what its sites signed.",
            f"{path.name!r}, which does not",
            "Restore it from a copy.",
        )
    return found
