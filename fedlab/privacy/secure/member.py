"""A site's half of one secure sum: five steps, each taken once and in order.

The protocol is that of Bonawitz et al. 2017, figure 4, with its consistency check, on the graph of
Bell et al. 2020: a site hides its values under one pad for each neighbour, which cancels against
the neighbour's, and one of its own. Both keys are shared among the neighbours. Whoever is gone has
its pads with others recovered, whoever is there its own, and nobody ever both.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from fedlab.core.wire import decode, encode
from fedlab.errors import MessageError, SecureSumError
from fedlab.privacy.secure import shamir
from fedlab.privacy.secure.agreement import KeyPair, derive
from fedlab.privacy.secure.envelope import open_sealed, seal
from fedlab.privacy.secure.pads import Ring, add_pad
from fedlab.privacy.secure.setting import LEAST_SITES, Advert, Setting, graph_of
from fedlab.privacy.secure.signatures import Identity, signed_by
from fedlab.privacy.secure.topology import connected

__all__ = ["Member", "Opening", "check_present", "check_signed", "own_pad", "survivors_signed"]

STEPS = ("advertise", "share", "mask", "confirm", "open")


class Shares(msgspec.Struct, frozen=True):
    """One holder's shares of a site's two secrets."""

    pad: bytes
    own: bytes


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a site gives so that the sum can be opened, by site.

    Attributes
    ----------
    pads : dict of str to bytes
        Shares of the pad keys of sites that are gone.
    own : dict of str to bytes
        Shares of the own masks of sites that are there.
    """

    pads: dict[str, bytes]
    own: dict[str, bytes]


class _Secrets(NamedTuple):
    seal: KeyPair
    pad: KeyPair
    own: bytes


class Member:
    """A site in one secure sum.

    Parameters
    ----------
    setting : Setting
    name : str
    identity : Identity
    entropy : callable
        Gives as many secret bytes as it is asked for; the operating system's, but in lessons.

    Raises
    ------
    SecureSumError
        At each step: when it is not the next, or what came does not fit. The member is then of no
        more use, and what it hid stays hidden.
    """

    def __init__(
        self,
        setting: Setting,
        name: str,
        identity: Identity,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        setting.check()
        if name not in setting.sites or setting.identity(name) != identity.public:
            raise SecureSumError(
                "A secure sum must name the site with its own identity.",
                "another name or identity",
                "Describe the site again.",
            )
        self.setting, self.name = setting, name
        self._identity = identity
        self._secrets = _Secrets(KeyPair.of(entropy(32)), KeyPair.of(entropy(32)), entropy(32))
        self._next = 0
        # Requests may come in several threads, and a step is taken by one of them.
        self._turn = threading.Lock()
        self._adverts: dict[str, Advert] = {}
        self._graph: dict[str, tuple[str, ...]] = {}
        self._near: tuple[str, ...] = ()
        self._held: dict[str, Shares] = {}
        self._survivors: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Member({self.name!r}, {len(self.setting.sites)} sites)"

    @property
    def awaits(self) -> str | None:
        """The step that comes next, if any."""
        return STEPS[self._next] if self._next < len(STEPS) else None

    @property
    def holders(self) -> set[str]:
        """Sites that hold shares of this one's secrets and gave it theirs, itself included."""
        return set(self._held)

    def advertise(self) -> Advert:
        """Fresh public keys, signed."""
        with self._step("advertise"):
            blank = Advert(
                seal=self._secrets.seal.public,
                pad=self._secrets.pad.public,
                promise=hashlib.sha256(self._secrets.own).digest(),
                signature=b"",
            )
            signature = self._identity.sign(blank.signed(self.setting, self.name))
            return msgspec.structs.replace(blank, signature=signature)

    def share(self, adverts: Mapping[str, Advert]) -> dict[str, bytes]:
        """Shares of both secrets, sealed for each neighbour.

        Parameters
        ----------
        adverts : mapping of str to Advert
            Of all sites that are still there, this one included.
        """
        with self._step("share"):
            mine = adverts.get(self.name)
            if mine is None or mine.pad != self._secrets.pad.public:
                raise SecureSumError(
                    "The keys of a sum must contain the site's own.",
                    "others, or none",
                    "Start the sum again.",
                )
            self._adverts = dict(adverts)
            check_present(self.setting, self._adverts)
            self._graph = graph_of(self.setting, self._adverts)
            self._near = self._graph[self.name]
            check_signed(self.setting, {site: self._adverts[site] for site in self._near})
            holders = [self.name, *self._near]
            places = [self.setting.place(site) for site in holders]
            pads = shamir.split(self._secrets.pad.secret, places, self.setting.threshold)
            own = shamir.split(self._secrets.own, places, self.setting.threshold)
            given = {
                site: Shares(pads[place], own[place])
                for site, place in zip(holders, places, strict=True)
            }
            self._held = {self.name: given[self.name]}
            return {
                site: seal(
                    self._seal_key(self.name, site, site),
                    self.setting.use("shares", self.name, site),
                    encode(given[site]),
                )
                for site in self._near
            }

    def mask(self, values: Ring, sealed: Mapping[str, bytes]) -> Ring:
        """`values` under all masks, in place.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            The caller's to give away: nothing unmasked is left behind.
        sealed : mapping of str to bytes
            What each neighbour that is still there sealed for this site.
        """
        with self._step("mask"):
            strangers = set(sealed) - set(self._near)
            if strangers or len(sealed) + 1 < self.setting.threshold:
                raise SecureSumError(
                    f"Shares must come from neighbours, {self.setting.threshold - 1} at least.",
                    f"{len(strangers)} from others, {len(sealed) - len(strangers)} from neighbours",
                    "Ask again when more sites are there.",
                )
            for site in sorted(sealed):
                self._held[site] = self._opened(site, sealed[site])
            hidden = values
            add_pad(hidden, own_pad(self.setting, self._secrets.own))
            for site in sorted(sealed):
                key = self._secrets.pad.agree(self._adverts[site].pad, self.setting.use("pad"))
                add_pad(hidden, key, subtract=self.name > site)
            return hidden

    def confirm(self, survivors: tuple[str, ...]) -> bytes:
        """Signature under the list of sites whose values are in the sum.

        Parameters
        ----------
        survivors : tuple of str
            Sorted; a list on which a sum of few sites could be opened is not signed.
        """
        with self._step("confirm"):
            listed = list(survivors) == sorted(set(survivors)) and self.name in survivors
            known = set(survivors) <= set(self._adverts)
            mine = [site for site in survivors if site in self._held]
            enough = len(survivors) >= LEAST_SITES and len(mine) >= self.setting.threshold
            tied = known and connected(survivors, self._graph)
            if listed and known:
                self.setting.check_shares(survivors)
            if not (listed and enough and tied):
                raise SecureSumError(
                    f"A sum is opened over at least {LEAST_SITES} sites that masks tie together, "
                    f"{self.setting.threshold} of them holders of this site's secrets.",
                    f"a list of {len(survivors)} with {len(mine)} holders",
                    "Ask again when more sites are there; nothing was opened.",
                )
            self._survivors = survivors
            return self._identity.sign(self.setting.use("survivors", *survivors))

    def open(self, confirmations: Mapping[str, bytes]) -> Opening:
        """Shares by which the sum over the confirmed survivors can be opened, and nothing else.

        Parameters
        ----------
        confirmations : mapping of str to bytes
            Signatures of survivors under the same list.
        """
        with self._step("open"):
            near = {site: name for site, name in confirmations.items() if site in self._held}
            survivors_signed(self.setting, self._survivors, near)
            if len(near) < self.setting.threshold:
                raise SecureSumError(
                    f"At least {self.setting.threshold} holders must have confirmed the survivors.",
                    f"{len(near)}",
                    "Ask again when more sites are there; nothing was opened.",
                )
            there = set(self._survivors)
            return Opening(
                pads={site: s.pad for site, s in self._held.items() if site not in there},
                own={site: s.own for site, s in self._held.items() if site in there},
            )

    def _opened(self, sender: str, letter: bytes) -> Shares:
        """What `sender` sealed for this site."""
        label = self.setting.use("shares", sender, self.name)
        key = self._seal_key(sender, self.name, sender)
        try:
            shares = decode(open_sealed(key, label, letter), Shares)
            if {len(shares.pad), len(shares.own)} == {shamir.SHARE_BYTES}:
                return shares
            came = "shares of a wrong length"
        except SecureSumError as error:
            came = error.came
        except MessageError:
            came = "something else than shares"
        raise SecureSumError(
            "Sealed shares must arrive as they were sent.",
            f"from {sender!r} {came}",
            "Leave it out and start the sum again; nothing was opened.",
        )

    def _seal_key(self, sender: str, receiver: str, other: str) -> bytes:
        use = self.setting.use("seal", sender, receiver)
        return self._secrets.seal.agree(self._adverts[other].seal, use)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        # Until it is done well, no step comes next.
        with self._turn:
            here, self._next = self._next, len(STEPS)
        if here >= len(STEPS) or STEPS[here] != name:
            raise SecureSumError(
                "The steps of a secure sum are taken once each, in order.",
                f"{name} {'again' if name in STEPS[:here] else 'too early'}",
                "Start the sum again.",
            )
        yield
        self._next = here + 1


def own_pad(setting: Setting, seed: bytes) -> bytes:
    """The key of a site's own mask."""
    return derive(seed, setting.use("own"))


def check_present(setting: Setting, adverts: Mapping[str, Advert]) -> None:
    """Raise SecureSumError unless enough sites of the sum advertise keys, all different."""
    strangers = [site for site in adverts if site not in setting.sites]
    least = max(LEAST_SITES, setting.threshold)
    if strangers or len(adverts) < least:
        raise SecureSumError(
            f"At least {least} sites of the sum must be there.",
            f"{len(adverts) - len(strangers)}, and {len(strangers)} strangers",
            "Ask again when more sites are there.",
        )
    keys = [key for advert in adverts.values() for key in (advert.seal, advert.pad)]
    if len(set(keys)) < len(keys):
        raise SecureSumError(
            "Fresh keys are all different.", "one key twice", "Start the sum again."
        )


def check_signed(setting: Setting, adverts: Mapping[str, Advert]) -> None:
    """Raise SecureSumError unless each site's keys are signed by its identity, for this sum."""
    for site, advert in adverts.items():
        if not signed_by(setting.identity(site), advert.signature, advert.signed(setting, site)):
            raise SecureSumError(
                "Keys must be signed by the identity the site is known by.",
                f"keys of {site!r} that are not, or that were signed for another question",
                "Find out who sent them; nothing was opened.",
            )


def survivors_signed(
    setting: Setting, survivors: tuple[str, ...], confirmations: Mapping[str, bytes]
) -> None:
    """Raise SecureSumError unless all confirmations are survivors' signatures under one list."""
    data = setting.use("survivors", *survivors)
    for site, signature in confirmations.items():
        if site not in survivors or not signed_by(setting.identity(site), signature, data):
            raise SecureSumError(
                "All survivors must have signed one list of survivors.",
                f"a confirmation of {site!r} that is for another list, or not its own",
                "Somebody told sites different things; nothing was opened.",
            )
