"""By what a site knows a row again, after a restart, in another order or another table."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fedlab.queries import Rows
from fedlab.queries.query import Split

__all__ = ["Identities"]

MARK_BYTES = 16


class Identities:
    """A mark of each row and of its patient, made when they are first asked for.

    A patient with one row is known by the pseudonym, whatever the row's values become. Rows of a
    site that does not know its patients, and the rows of a patient with several, are known by
    their content, through a keyed hash, and by which of its equals a row is: so they are known
    again in another order and beside others, and a row whose values or columns changed counts as
    another one. A position in the table would not do, since one row more moves all that follow.

    Parameters
    ----------
    secret : bytes
        Of the site; without it a mark cannot be made from a row that one guesses.
    rows : mapping of split to Rows
        "train" and "test".
    pseudonyms : mapping of split to sequence of bytes, or None
    """

    def __init__(
        self,
        secret: bytes,
        rows: Mapping[Split, Rows],
        pseudonyms: Mapping[str, Sequence[bytes]] | None,
    ) -> None:
        self._key = hashlib.sha256(b"fedlab rows 1" + secret).digest()
        self._rows, self._pseudonyms = rows, pseudonyms
        self._marks: tuple[list[bytes], list[bytes]] | None = None

    def part(self, split: Split) -> slice:
        """Where the rows of a split are among all."""
        n_train = len(self._rows["train"])
        return {"train": slice(0, n_train), "test": slice(n_train, None), "all": slice(0, None)}[
            split
        ]

    @property
    def marks(self) -> tuple[list[bytes], list[bytes]]:
        """Of each row, and of whose row it is, those for training first."""
        if self._marks is None:
            self._marks = self._made()
        return self._marks

    def _made(self) -> tuple[list[bytes], list[bytes]]:
        owners = None
        if self._pseudonyms is not None:
            owners = [*self._pseudonyms["train"], *self._pseudonyms["test"]]
            several = {owner for owner, count in Counter(owners).items() if count > 1}
            if not several:
                return owners, owners
        rows = self._by_content(owners)
        if owners is None:
            return rows, rows
        rows = [row if who in several else who for row, who in zip(rows, owners, strict=True)]
        return rows, owners

    def _by_content(self, owners: Sequence[bytes] | None) -> list[bytes]:
        hashes = np.concatenate([_hashes(self._rows[split]) for split in ("train", "test")])
        found: list[bytes] = []
        seen: Counter[bytes] = Counter()
        for i, told in enumerate(hashes):
            content = told.tobytes() if owners is None else told.tobytes() + owners[i]
            text = content + seen[content].to_bytes(8, "big")
            seen[content] += 1
            found.append(hmac.digest(self._key, text, "sha256")[:MARK_BYTES])
        return found


def _hashes(rows: Rows) -> Any:
    columns = {f"feature {name}": rows.features[name] for name in rows.features.columns}
    columns["target"] = rows.target
    if rows.event is not None:
        columns["event"] = rows.event
    # In the order of names: columns in another order are the same rows.
    frame = pd.DataFrame({name: columns[name] for name in sorted(columns)})
    return pd.util.hash_pandas_object(frame, index=False).to_numpy(dtype=np.uint64)
