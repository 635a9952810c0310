"""What was told of whom: patients parted into groups, and how those of two tellings overlap."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from fedlab.core.small_cuts import ROUNDING, Cut, Overlaps, cut_of

__all__ = ["Telling", "Tellings"]

Owners = np.ndarray[tuple[int], np.dtype[np.int64]]
FEW_GROUPS = 16
"""Tellings of so many groups are compared bit by bit, which takes a 64th of the time."""
LARGE = 1_000_000
MOST_LOOKED_AT = 200
"""Groups; where two tellings have more, and patients came or left, they are taken to conflict."""
HELD = 2.0**40
"""More patients than any site has: what shares so many is never cut apart."""
WIDTHS = (np.uint8, np.uint16, np.uint32)


class _Written(msgspec.Struct, frozen=True, array_like=True):
    width: int
    free: tuple[int, ...]
    rest: int
    groups: bytes


@dataclass(frozen=True, eq=False)
class Telling:
    """Rows parted into groups, all of which are told of.

    Attributes
    ----------
    groups : ndarray of int of shape (n_rows,)
        The group of each row a site has ever had, in the order in which it came to have them; 0
        for absent rows, which were in no sum: those of patients who did not agree, and those
        beyond the end, that the site came to have later.
    free : tuple of int
        Groups that may be told apart from others although they are small.
    rest : int
        The group that the question is not about: its number of patients is known, as that of all
        is, and nothing else. 0 for none.
    """

    groups: Any
    free: tuple[int, ...] = ()
    rest: int = 0

    @classmethod
    def of(cls, groups: Any, free: Sequence[int] = (), rest: int = 0) -> Telling:
        """The telling, its groups numbered by the first of their rows.

        Examples
        --------
        >>> Telling.of(np.array([0, 7, 7, 3, 0])).groups
        array([0, 1, 1, 2], dtype=uint8)
        """
        held = np.flatnonzero(groups)
        groups = groups[: held[-1] + 1] if len(held) else groups[:0]
        numbers, first, place = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(np.where(numbers == 0, -1, first))
        has_absent = bool(len(numbers)) and numbers[0] == 0
        rank = np.empty(len(numbers), dtype=np.int64)
        rank[order] = np.arange(len(numbers)) + (not has_absent)
        kind = next(k for k in WIDTHS if len(numbers) <= np.iinfo(k).max)
        renamed = {int(number): int(rank[i]) for i, number in enumerate(numbers)}
        kept = tuple(sorted(renamed[each] for each in free if each in renamed))
        return cls(rank[place].astype(kind), kept, renamed.get(rest, 0) if rest else 0)

    @cached_property
    def count(self) -> int:
        """How many groups there are, with that of absent rows."""
        return int(self.groups.max()) + 1 if len(self.groups) else 1

    @cached_property
    def written(self) -> bytes:
        """The telling as bytes, the same for the same one."""
        width = self.groups.dtype.itemsize
        told = self.groups.astype(self.groups.dtype.newbyteorder("<")).tobytes()
        return msgspec.msgpack.encode(_Written(width, self.free, self.rest, zlib.compress(told, 1)))

    @classmethod
    def read(cls, written: bytes) -> Telling:
        """The telling of which these are the bytes."""
        told = msgspec.msgpack.decode(written, type=_Written)
        return cls(
            np.frombuffer(zlib.decompress(told.groups), f"<u{told.width}"), told.free, told.rest
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of what is told, whatever it is compressed by."""
        head = msgspec.msgpack.encode((self.groups.dtype.itemsize, self.free, self.rest))
        return hashlib.sha256(head + self.groups.tobytes()).digest()

    def whole(self, n_rows: int) -> Any:
        """The group of each of so many rows."""
        return np.pad(self.groups, (0, max(n_rows - len(self.groups), 0)))

    def overlaps(self, other: Telling, n_rows: int, owners: Owners | None) -> Overlaps:
        """How many patients each two groups share.

        A patient with rows in several of these overlaps counts for one in all, in equal parts, so
        that overlaps added up are no more than the patients who are in any of them.

        Parameters
        ----------
        other : Telling
        n_rows : int
        owners : ndarray of int of shape (n_rows,) or None
            The patient of each row; None where each is another's.
        """
        size = self.count * other.count
        pairs = self.whole(n_rows).astype(np.int64) * other.count + other.whole(n_rows)
        weights = None
        if owners is not None:
            both = np.unique(owners * size + pairs)
            pairs, whose = both % size, both // size
            weights = 1.0 / np.bincount(whose)[whose]
        if size > max(n_rows, LARGE):
            at, pairs = np.unique(pairs, return_inverse=True)
            found = np.bincount(pairs, weights)
        else:
            found = np.bincount(pairs, weights)
            at = np.flatnonzero(found)
            found = found[at]
        first, second = np.divmod(at, other.count)
        told = ~(np.isin(first, self.free) | np.isin(second, other.free))
        told &= (first > 0) | (second > 0)
        # Who is absent is in no union of either side: held together, they are never cut apart.
        return Overlaps(
            np.append(first[told], 0),
            np.append(second[told], 0),
            np.append(found[told].astype(np.float64), HELD),
            self.count,
            other.count,
        )

    def bits(self, n_words: int) -> Any:
        """The rows of each group from the first, as bits, ``(n_groups, n_words)``."""
        flags = self.groups == np.arange(1, self.count)[:, None]
        packed = np.packbits(flags, axis=1)
        room = n_words * 8 - packed.shape[1]
        return np.pad(packed, ((0, 0), (0, max(room, 0)))).view(np.uint64)


def _cut(overlaps: Overlaps, minimum: int, *, totals: bool) -> Cut | None:
    """A light cut; one between all groups and who is absent only where both `totals` are told.

    Of whom one of the questions is not about the number alone is known. So where patients came or
    left since, the two totals together tell how many did, and nothing of them.
    """
    cut = cut_of(overlaps, minimum)
    if cut is None or totals or not _is_total(cut, overlaps):
        return cut
    groups = [(int(each), 0) for each in np.unique(overlaps.first) if each]
    groups += [(0, int(each)) for each in np.unique(overlaps.second) if each]
    if len(groups) > MOST_LOOKED_AT:
        return cut
    # Any other cut leaves some group with who is absent.
    for first, second in groups:
        held = overlaps._replace(
            first=np.append(overlaps.first, first),
            second=np.append(overlaps.second, second),
            patients=np.append(overlaps.patients, HELD),
        )
        found = cut_of(held, minimum)
        if found is not None:
            return found
    return None


def _is_total(cut: Cut, overlaps: Overlaps) -> bool:
    absent = cut.first[0]
    one, two = cut.first[overlaps.first], cut.second[overlaps.second]
    return bool(
        (one[overlaps.first > 0] != absent).all() & (two[overlaps.second > 0] != absent).all()
    )


class Tellings:
    """Tellings in their order, to compare another one with."""

    def __init__(self) -> None:
        self._all: list[Telling] = []
        self._stacked: tuple[int, int, Any] | None = None

    def __len__(self) -> int:
        return len(self._all)

    def add(self, telling: Telling) -> None:
        """Append one."""
        self._all.append(telling)

    def conflict(
        self, telling: Telling, minimum: int, n_rows: int, owners: Owners | None, start: int = 0
    ) -> tuple[int, Cut] | None:
        """The first from number `start` on that tells, with `telling`, of too few; and of which."""
        for number in self._doubtful(telling, minimum, n_rows, owners):
            if number >= start:
                other = self._all[number]
                overlaps = telling.overlaps(other, n_rows, owners)
                known = not (telling.rest or other.rest)
                cut = _cut(overlaps, minimum, totals=known)
                if cut is not None:
                    return int(number), cut
        return None

    def _doubtful(
        self, telling: Telling, minimum: int, n_rows: int, owners: Owners | None
    ) -> Sequence[int]:
        """Those with which some group shares a few patients; others need no second look."""
        if owners is not None or telling.free or telling.count > FEW_GROUPS or len(self) < 8:
            return range(len(self))
        n_words = -(-n_rows // 64)
        numbers, places, bits, sizes, slow = self._stack(n_words)
        if not len(numbers):
            return slow
        mine = telling.bits(n_words)
        own = np.bitwise_count(mine).sum(axis=1, dtype=np.int64)
        least = minimum - ROUNDING
        shared = np.stack(
            [np.bitwise_count(bits & each).sum(axis=1, dtype=np.int64) for each in mine], axis=1
        ).reshape(len(bits), len(mine))
        beside = sizes - shared.sum(axis=1)
        few = (((shared > 0) & (shared < least)).any(axis=1)) | ((beside > 0) & (beside < least))
        without = own - np.add.reduceat(shared, places, axis=0)
        open_ = np.add.reduceat(few, places) > 0
        open_ |= ((without > 0) & (without < least)).any(axis=1)
        return sorted([*numbers[open_].tolist(), *slow])

    def _stack(self, n_words: int) -> tuple[Any, Any, Any, Any, list[int]]:
        if self._stacked is None or self._stacked[:2] != (len(self), n_words):
            quick = [i for i, t in enumerate(self._all) if 1 < t.count <= FEW_GROUPS and not t.free]
            slow = sorted(set(range(len(self))) - set(quick))
            parts = [self._all[i].bits(n_words) for i in quick]
            bits = np.concatenate(parts) if parts else np.zeros((0, n_words), dtype=np.uint64)
            places = np.cumsum([0, *(len(part) for part in parts[:-1])])
            sizes = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
            found = (np.asarray(quick, dtype=np.int64), places, bits, sizes, slow)
            self._stacked = (len(self), n_words, found)
        return self._stacked[2]
