"""One secure sum of a few numbers laid open: what a lesson may see and no coordinator does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.core.wire import encode
from fedlab.displays.tables import to_html
from fedlab.errors import SecureSumError
from fedlab.privacy.secure.agreement import KeyPair
from fedlab.privacy.secure.fixed_point import quantise, read_sum
from fedlab.privacy.secure.member import Member, own_pad
from fedlab.privacy.secure.opening import open_sum
from fedlab.privacy.secure.pads import Ring, pad
from fedlab.privacy.secure.setting import Setting, floor
from fedlab.privacy.secure.signatures import Identity

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MaskLesson", "mask_lesson"]

STEPS = ("keys", "shares", "masked value", "signature", "opening")


@dataclass(frozen=True, repr=False)
class MaskLesson:
    """A secure sum with everything in view.

    Attributes
    ----------
    frame : DataFrame
        One row a site: its ``value``, its ``own_mask``, the sum of its ``pads`` with other sites,
        what it ``sent``; masks and what was sent as shares of 2^64 from -0.5 to 0.5.
    pads : DataFrame of shape (n_sites, n_sites)
        The pad that each site adds for each other one, as a share of 2^64; equal and opposite.
    bytes : DataFrame of shape (n_sites, 5)
        What each site sent, by step; 0 for steps it did not take.
    total : float
        The opened sum, or NaN where nothing could be opened.
    notes : tuple of str
        What happened, in words.
    """

    frame: pd.DataFrame
    pads: pd.DataFrame
    bytes: pd.DataFrame
    total: float
    notes: tuple[str, ...]

    def plot(self) -> go.Figure:
        """The pads as a heat map: what is blue on one side is orange on the other."""
        from fedlab.displays.mask_figure import mask_figure

        return mask_figure(self.pads)

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(6).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        title = "A secure sum, as only a lesson can see it (shares of 2^64)"
        return to_html(self.frame, title=title, notes=list(self.notes))


def mask_lesson(
    values: Mapping[str, float],
    *,
    gone: Mapping[str, str] | None = None,
    bits: int = 16,
    seed: int = 0,
) -> MaskLesson:
    """Add one number of each site by the real protocol, and show what it hides.

    Parameters
    ----------
    values : mapping of str to float
        Of at least three sites.
    gone : mapping of str to str, optional
        The step at which a site is gone: "keys", "shares", "masked value", "signature" or
        "opening".
    bits : int
        Binary digits after the point.
    seed : int
        Keys of a lesson follow from it. Those of real sums come from the operating system.

    Raises
    ------
    SecureSumError
        When there are fewer than three sites, or a step has another name.

    Examples
    --------
    >>> mask_lesson({"mercy": 3.0, "hope": 4.5, "grace": 1.0}).total
    8.5
    """
    gone = dict(gone or {})
    unknown = sorted({site for site in gone if site not in values} | set(gone.values()) - {*STEPS})
    if unknown:
        raise SecureSumError(
            f"A site of the lesson may be gone at one of: {', '.join(STEPS)}.",
            f"{', '.join(map(repr, unknown))}",
            "Pass e.g. gone={'mercy': 'masked value'}.",
        )
    names = tuple(sorted(values))
    members, setting = _members(names, bits, seed)
    there = {site: STEPS.index(gone[site]) if site in gone else len(STEPS) for site in names}
    sent = {site: dict.fromkeys(STEPS, 0) for site in names}

    def taken(step: int, among: Mapping[str, object], take: Callable[[str], Any]) -> dict[str, Any]:
        done = {site: take(site) for site in names if site in among and there[site] > step}
        for site, what in done.items():
            plain = what.view(np.int64) if isinstance(what, np.ndarray) else what
            sent[site][STEPS[step]] = len(encode(plain))
        return done

    sealed, masked, total, closed = {}, {}, np.nan, None
    try:
        adverts = taken(0, members, lambda site: members[site].advertise())
        sealed = taken(1, adverts, lambda site: members[site].share(adverts))

        def mask(site: str) -> Any:
            letters = {s: box[site] for s, box in sealed.items() if site in box}
            hidden = quantise(np.array([float(values[site])]), bits, len(names))
            return members[site].mask(hidden, letters)

        masked = taken(2, sealed, mask)
        survivors = tuple(masked)
        signed = taken(3, masked, lambda site: members[site].confirm(survivors))
        openings = taken(4, signed, lambda site: members[site].open(signed))
        opened = open_sum(setting, adverts, frozenset(sealed), masked, openings)
        total = float(read_sum(opened, bits)[0])
    except SecureSumError as error:
        closed = error
    pads, own = _masks(setting, members, sealed, masked)
    frame = pd.DataFrame(
        {
            "value": [float(values[site]) for site in names],
            "own_mask": [own.get(site, 0.0) for site in names],
            "pads": _centred(pads.sum(axis=1).to_numpy()),
            "sent": [_share(masked[s]) if s in masked else np.nan for s in names],
        },
        index=pd.Index(names, name="site"),
    )
    notes = tuple(_notes(setting, frame, gone, total, closed))
    return MaskLesson(frame, pads, pd.DataFrame(sent).T, total, notes)


def _members(names: tuple[str, ...], bits: int, seed: int) -> tuple[dict[str, Member], Setting]:
    chance = {site: generator(seed, site, "lesson of masks") for site in names}
    identities = {site: Identity(chance[site].bytes(32)) for site in names}
    setting = Setting(
        run="lesson",
        round=1,
        attempt=0,
        question=bytes(32),
        sites=names,
        identities=tuple(identities[site].public for site in names),
        weights=(1,) * len(names),
        threshold=floor(len(names), collusion=False),
        bits=bits,
    )
    members = {
        site: Member(setting, site, identities[site], entropy=chance[site].bytes) for site in names
    }
    return members, setting


def _masks(
    setting: Setting,
    members: Mapping[str, Member],
    sealed: Mapping[str, object],
    masked: Mapping[str, object],
) -> tuple[pd.DataFrame, dict[str, float]]:
    names = setting.sites
    pads = pd.DataFrame(0.0, index=pd.Index(names, name="site"), columns=list(names))
    own = {}
    for site in masked:
        ours = members[site]._secrets
        own[site] = _share(pad(own_pad(setting, ours.own), 1))
        for other in sealed:
            if other != site:
                theirs: KeyPair = members[other]._secrets.pad
                value = _share(pad(ours.pad.agree(theirs.public, setting.use("pad")), 1))
                pads.loc[site, other] = value if site < other else -value
    return pads, own


def _share(value: Ring) -> float:
    return float(value.view(np.int64)[0]) / 2.0**64


def _centred(values: Array) -> Array:
    return np.asarray(values - np.rint(values))


def _notes(
    setting: Setting,
    frame: pd.DataFrame,
    gone: Mapping[str, str],
    total: float,
    closed: SecureSumError | None,
) -> list[str]:
    notes = [
        f"Each site adds a mask of its own and one pad for each other site; {setting.threshold} of "
        f"{len(frame)} sites recover the secrets of one.",
    ]
    notes += [f"{site} was gone before its {step}." for site, step in sorted(gone.items())]
    if closed is not None:
        notes.append(f"Nothing was opened: {closed}")
    else:
        n_sent = int(frame["sent"].notna().sum())
        notes.append(f"The coordinator opened the sum of {n_sent} sites, {total:g}, and no more.")
    return notes
