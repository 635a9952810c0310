"""What all sites of a secure sum must agree on to the bit, and the floors that none goes below."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from fedlab.core.wire import encode
from fedlab.errors import SecureSumError
from fedlab.privacy.secure.topology import neighbours

__all__ = ["LEAST_SITES", "Advert", "Setting", "floor", "graph_of", "lopsided"]

LEAST_SITES = 3
MOST_BITS = 52
PROTOCOL = "fedlab secure sum 1"
# Of a weighted sum: what one site counts for beyond that is its own answer, but for a little.
MOST_SHARE = 0.9


class Setting(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One secure sum, as every site has to see it.

    Its digest goes into every key, seal and signature, so that nothing of one sum can be used in
    another, and all sites know that they answer one question (Pasquini et al. 2022).

    Attributes
    ----------
    run : str
    round, attempt : int
        A sum that failed is tried again under another number, with fresh keys.
    question : bytes
        SHA-256 of the encoded query.
    sites : tuple of str
        Sorted.
    identities : tuple of bytes
        The sites' Ed25519 public keys, in their order.
    weights : tuple of int
        What each site multiplies its values by.
    mean : bool
        Whether the sum is divided by the weights of those that are in it.
    threshold : int
        How many holders of a secret recover it.
    degree : int
        Neighbours of each site; 0 for all others.
    bits : int
        Binary digits after the point.
    collusion : bool
        Whether the threshold must hold against a coordinator that works with some sites.
    promise : bytes
        SHA-256 of the encoded privacy promise, empty without one: noise of which each site adds a
        share is enough only if all add it for the same promise.
    seed : int
        From which sites derive the randomness of their answers.
    shares : bool
        Whether the noise of a promise about records comes in shares, so that the sum has once what
        else each site adds.
    sensitivity : float
        Of one site's weighted values to one record at the most, where noise comes in shares. Each
        site refuses when its own is larger.
    """

    protocol: str = PROTOCOL
    run: str
    round: int
    attempt: int
    question: bytes
    sites: tuple[str, ...]
    identities: tuple[bytes, ...]
    weights: tuple[int, ...]
    mean: bool = False
    threshold: int
    degree: int = 0
    bits: int = 32
    collusion: bool = False
    promise: bytes = b""
    seed: int = 0
    shares: bool = False
    sensitivity: float = 0.0

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all of it."""
        return hashlib.sha256(encode(self)).digest()

    @property
    def holders(self) -> int:
        """How many sites hold a share of each secret, its owner included."""
        return len(self.sites) if self.degree == 0 else self.degree + 1

    @property
    def noisy(self) -> int:
        """Of how many sites, at the least, an opened sum has noise that no coordinator knows.

        As many as must survive, less those that may work with the coordinator: fewer than a third
        of the holders of a secret, as the threshold has it.
        """
        if self.collusion:
            return self.threshold - (self.holders - 1) // 3
        return max(LEAST_SITES, self.threshold)

    def identity(self, site: str) -> bytes:
        """The public key of a site's signatures."""
        return self.identities[self.sites.index(site)]

    def weight(self, site: str) -> int:
        """What the site multiplies its values by."""
        return self.weights[self.sites.index(site)]

    def place(self, site: str) -> int:
        """Where the site stands on the polynomials, from 1."""
        return self.sites.index(site) + 1

    def use(self, *parts: str | bytes) -> bytes:
        """A label for keys and signatures that belongs to this sum alone."""
        texts = [part.encode() if isinstance(part, str) else part for part in parts]
        return b"".join(len(text).to_bytes(4, "big") + text for text in (self.digest, *texts))

    def check(self) -> None:
        """Raise SecureSumError unless a site may take part, whatever the coordinator says."""
        if self.protocol != PROTOCOL:
            raise SecureSumError(
                f"A site speaks {PROTOCOL!r}.", "another protocol", "Use one version of fedlab."
            )
        n_sites = len(self.sites)
        if n_sites < LEAST_SITES or list(self.sites) != sorted(set(self.sites)):
            raise SecureSumError(
                f"A secure sum needs at least {LEAST_SITES} different sites.",
                f"{len(set(self.sites))}",
                "Ask more sites.",
            )
        if not len(self.identities) == len(self.weights) == n_sites == len(set(self.identities)):
            raise SecureSumError(
                "Each site of a secure sum has an identity of its own, and a weight.",
                "lists that do not fit, or one identity twice",
                "Describe the sites again.",
            )
        least = floor(self.holders, collusion=self.collusion)
        sound = self.degree % 2 == 0 and 0 <= self.degree < n_sites
        if not least <= self.threshold <= self.holders or not sound:
            raise SecureSumError(
                f"The threshold lies between {least} and {self.holders} holders of a secret.",
                f"{self.threshold} of {self.holders}",
                "Raise it; a site does not take part below that.",
            )
        if not 0 <= self.bits <= MOST_BITS or not all(0 < w < 2**53 for w in self.weights):
            raise SecureSumError(
                f"Digits lie between 0 and {MOST_BITS}, and weights are positive.",
                f"{self.bits} digits",
                "Pass e.g. fl.SecureSum(bits=32).",
            )
        self.check_shares(self.sites)

    def check_shares(self, sites: Iterable[str]) -> None:
        """Raise SecureSumError where one of `sites` counts for nearly all of their sum."""
        if lopsided([self.weight(site) for site in sites]):
            raise SecureSumError(
                f"No site may count for more than {MOST_SHARE:.0%} of a weighted sum, which would "
                "be its own answer.",
                "weights of which one is larger",
                "Weight sites equally, e.g. fl.FedAvg(weighting='equal').",
            )


def lopsided(weights: Sequence[int]) -> bool:
    """Whether one weight is nearly all of their sum.

    Examples
    --------
    >>> lopsided([1, 1, 10**9]), lopsided([3, 60, 400])
    (True, False)
    """
    return max(weights) > MOST_SHARE * sum(weights)


def floor(holders: int, *, collusion: bool) -> int:
    """The fewest holders that may recover a secret (Bonawitz et al. 2017, section 6.2).

    Examples
    --------
    >>> floor(6, collusion=False), floor(6, collusion=True)
    (4, 5)
    """
    return (2 * holders // 3 if collusion else holders // 2) + 1


class Advert(msgspec.Struct, frozen=True, kw_only=True):
    """A site's fresh public keys of one sum, signed by its identity.

    Attributes
    ----------
    seal, pad : bytes
        X25519 public keys, for sealed shares and for pads.
    promise : bytes
        SHA-256 of the seed of the site's own mask, by which a wrong recovery shows.
    signature : bytes
    """

    seal: bytes
    pad: bytes
    promise: bytes
    signature: bytes

    def signed(self, setting: Setting, site: str) -> bytes:
        """What the signature is over."""
        return setting.use("advert", site, self.seal, self.pad, self.promise)


def _beacon(setting: Setting, adverts: dict[str, Advert]) -> bytes:
    """What the graph follows from: all sites' fresh keys, so that no one of them decides it."""
    return hashlib.sha256(setting.use("graph", encode(dict(sorted(adverts.items()))))).digest()


def graph_of(setting: Setting, adverts: dict[str, Advert]) -> dict[str, tuple[str, ...]]:
    """The neighbours of each site that advertised."""
    return neighbours(sorted(adverts), setting.degree, _beacon(setting, adverts))
