"""The coordinator's half of a secure sum: add what is masked, take off what does not cancel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from fedlab.errors import SecureSumError
from fedlab.privacy.secure import shamir
from fedlab.privacy.secure.agreement import KeyPair
from fedlab.privacy.secure.member import Opening, own_pad
from fedlab.privacy.secure.pads import Ring, add_pad
from fedlab.privacy.secure.setting import LEAST_SITES, Advert, Setting, graph_of

__all__ = ["open_sum"]


def open_sum(
    setting: Setting,
    adverts: Mapping[str, Advert],
    sharing: frozenset[str],
    masked: Mapping[str, Ring],
    openings: Mapping[str, Opening],
) -> Ring:
    """The sum modulo 2^64 of the values of all sites in `masked`.

    Parameters
    ----------
    setting : Setting
    adverts : mapping of str to Advert
        Of all sites that advertised keys.
    sharing : frozenset of str
        Sites whose sealed shares were passed on, so that others masked with them.
    masked : mapping of str to ndarray of shape (n_values,)
    openings : mapping of str to Opening

    Raises
    ------
    SecureSumError
        When too few shares came, or one was wrong.
    """
    if len(masked) < LEAST_SITES:
        raise SecureSumError(
            f"A sum is opened over at least {LEAST_SITES} sites.",
            f"{len(masked)}",
            "Ask again when more sites are there; nothing was opened.",
        )
    graph = graph_of(setting, dict(adverts))
    total: Ring = np.zeros_like(next(iter(masked.values())))
    for values in masked.values():
        total += values
    for site in sorted(masked):
        seed = _recover(setting, {s: o.own for s, o in openings.items()}, site)
        if hashlib.sha256(seed).digest() != adverts[site].promise:
            raise _wrong(site)
        add_pad(total, own_pad(setting, seed), subtract=True)
    for site in sorted(sharing - masked.keys()):
        near = [other for other in graph[site] if other in masked]
        if not near:
            continue
        pair = KeyPair.of(_recover(setting, {s: o.pads for s, o in openings.items()}, site))
        if pair.public != adverts[site].pad:
            raise _wrong(site)
        for other in near:
            key = pair.agree(adverts[other].pad, setting.use("pad"))
            # The neighbour added it when its name comes first, and that is what is taken off.
            add_pad(total, key, subtract=other < site)
    return total


def _recover(setting: Setting, shares: Mapping[str, Mapping[str, bytes]], site: str) -> bytes:
    given = {setting.place(s): each[site] for s, each in shares.items() if site in each}
    return shamir.recover(given, setting.threshold)


def _wrong(site: str) -> SecureSumError:
    return SecureSumError(
        "Shares must give back the secret whose public half was signed.",
        f"shares of {site!r} that give another",
        "One holder sent a wrong share; nothing was opened.",
    )
