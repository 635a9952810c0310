"""What a secure sum costs, beside Flower's primitives and a bare loop of the same arithmetic."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fedlab.privacy.secure import shamir
from fedlab.privacy.secure.fixed_point import quantise, read_sum
from fedlab.privacy.secure.member import Member
from fedlab.privacy.secure.opening import open_sum
from fedlab.privacy.secure.setting import Setting, floor
from fedlab.privacy.secure.signatures import Identity
from fedlab.privacy.secure.topology import neighbours

Graph = dict[str, tuple[str, ...]]
N_VALUES = 1_000_000
# Sites, neighbours of each (0: all others), sites that are gone once their shares are out.
SHAPES = [(20, 0, 2), (100, 10, 0)]


def names_of(n_sites: int) -> tuple[str, ...]:
    return tuple(f"site {i:03d}" for i in range(n_sites))


def ours(n_sites: int, degree: int, n_gone: int, values: Any) -> Any:
    names = names_of(n_sites)
    identities = {name: Identity.fresh() for name in names}
    holders = n_sites if degree == 0 else degree + 1
    setting = Setting(
        run="bench",
        round=1,
        attempt=0,
        question=bytes(32),
        sites=names,
        identities=tuple(identities[name].public for name in names),
        weights=(1,) * n_sites,
        threshold=floor(holders, collusion=False),
        degree=degree,
    )
    members = {name: Member(setting, name, identities[name]) for name in names}
    adverts = {name: each.advertise() for name, each in members.items()}
    sealed = {name: each.share(adverts) for name, each in members.items()}
    masked = {}
    for name in names[n_gone:]:
        letters = {s: box[name] for s, box in sealed.items() if name in box}
        masked[name] = members[name].mask(quantise(values, 16, n_sites), letters)
    survivors = tuple(sorted(masked))
    signed = {name: members[name].confirm(survivors) for name in survivors}
    openings = {name: members[name].open(signed) for name in survivors}
    return read_sum(open_sum(setting, adverts, frozenset(sealed), masked, openings), 16)


def bare(n_sites: int, degree: int, n_gone: int, values: Any) -> Any:
    """The same key agreements, pads and shares with nothing around them."""
    names = names_of(n_sites)
    graph = neighbours(names, degree, b"")
    holders = n_sites if degree == 0 else degree + 1
    threshold = floor(holders, collusion=False)
    keys = {name: X25519PrivateKey.generate() for name in names}
    zeros, room = bytes(8 * N_VALUES), bytearray(8 * N_VALUES + 15)
    pad = np.frombuffer(room, np.uint64, N_VALUES)

    def stream(key: bytes) -> Any:
        Cipher(AES256(key), CTR(bytes(16))).encryptor().update_into(zeros, room)
        return pad

    def shared(one: str, other: str) -> bytes:
        exchanged = keys[one].exchange(keys[other].public_key())
        return HKDF(SHA256(), 32, None, b"").derive(exchanged)

    places, shares, total = range(1, holders + 1), {}, np.zeros(N_VALUES, np.uint64)
    for name in names:
        shares[name] = [shamir.split(secrets.token_bytes(32), places, threshold) for _ in "ab"]
    for name in names[n_gone:]:
        hidden = np.rint(values * 2.0**16).astype(np.int64).view(np.uint64)
        hidden += stream(secrets.token_bytes(32))
        for other in graph[name]:
            # One agreement for the seal of each direction that is opened, and one for the pad.
            shared(name, other)
            shared(name, other)
            hidden += stream(shared(name, other))
        total += hidden
    for name in names:
        shamir.recover(shares[name][0], threshold)
    for _ in names[n_gone:]:
        total -= stream(secrets.token_bytes(32))
    for name in names[:n_gone]:
        for other in graph[name]:
            if other not in names[:n_gone]:
                total -= stream(shared(name, other))
    return total


def flower(n_sites: int, degree: int, n_gone: int, values: Any) -> Any:
    """The same sum by the functions of Flower's SecAgg+, called as its two sides call them."""
    pytest.importorskip("flwr")
    from flwr.common.secure_aggregation.crypto.shamir import combine_shares, create_shares
    from flwr.common.secure_aggregation.crypto.symmetric_encryption import (
        decrypt,
        encrypt,
        generate_shared_key,
    )
    from flwr.common.secure_aggregation.ndarrays_arithmetic import (
        parameters_addition,
        parameters_mod,
        parameters_subtraction,
    )
    from flwr.common.secure_aggregation.quantization import quantize
    from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
    from flwr.supercore.primitives.asymmetric import (
        bytes_to_private_key,
        bytes_to_public_key,
        generate_key_pairs,
        private_key_to_bytes,
        public_key_to_bytes,
    )

    modulus: int = 2**32
    shapes: Any = [(N_VALUES,)]
    names = names_of(n_sites)
    there = names[n_gone:]
    graph = neighbours(names, degree, b"")
    holders = n_sites if degree == 0 else degree + 1
    threshold = floor(holders, collusion=False)
    secret, public = {}, {}
    for name in names:
        pairs = [generate_key_pairs() for _ in "ab"]
        secret[name] = [private_key_to_bytes(private) for private, _ in pairs]
        public[name] = [public_key_to_bytes(key) for _, key in pairs]
    seeds = {name: secrets.token_bytes(32) for name in names}

    def shared(one: str, other: str, which: int) -> Any:
        return generate_shared_key(
            bytes_to_private_key(secret[one][which]), bytes_to_public_key(public[other][which])
        )

    own, keys = {}, {}
    for name in names:
        own[name] = create_shares(seeds[name], threshold, holders)
        keys[name] = create_shares(secret[name][0], threshold, holders)
        for other, seed_share, key_share in zip(graph[name], own[name], keys[name], strict=False):
            sealed = encrypt(shared(name, other, 1), seed_share + key_share)
            decrypt(shared(other, name, 1), sealed)
    total: Any = None
    for name in there:
        hidden: Any = quantize([values], 8.0, 2**22)
        hidden = parameters_addition(hidden, pseudo_rand_gen(seeds[name], modulus, shapes))
        for other in graph[name]:
            join = parameters_addition if name > other else parameters_subtraction
            hidden = join(hidden, pseudo_rand_gen(shared(name, other, 0), modulus, shapes))
        hidden = parameters_mod(hidden, modulus)
        total = hidden if total is None else parameters_addition(total, hidden)
        total = parameters_mod(total, modulus)
    for name in there:
        near = [other for other in (name, *graph[name]) if other in there]
        seed = combine_shares(own[name][: len(near)])
        total = parameters_subtraction(total, pseudo_rand_gen(seed, modulus, shapes))
    for name in names[:n_gone]:
        near = [other for other in graph[name] if other in there]
        combine_shares(keys[name][: len(near)])
        for other in near:
            join = parameters_addition if name > other else parameters_subtraction
            total = join(total, pseudo_rand_gen(shared(name, other, 0), modulus, shapes))
    return parameters_mod(total, modulus)


def seconds(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = perf_counter()
        work()
        taken.append(perf_counter() - begun)
    return min(taken)


@pytest.mark.parametrize(("n_sites", "degree", "n_gone"), SHAPES)
def test_secure_sum_beside_flower_and_a_bare_loop(
    n_sites: int, degree: int, n_gone: int, capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).uniform(-8, 8, N_VALUES)
    shape = (n_sites, degree, n_gone, values)
    there = n_sites - n_gone
    assert np.abs(ours(*shape) - there * values).max() <= there * 2.0**-17
    mine, least = seconds(lambda: ours(*shape), 3), seconds(lambda: bare(*shape), 3)
    theirs = seconds(lambda: flower(*shape), 1)
    with capsys.disabled():
        print(
            f"\n{n_sites} sites, {degree or n_sites - 1} neighbours, {n_gone} gone, "
            f"{N_VALUES:,} values: {mine:.2f} s; {mine / least:.2f} times the bare loop "
            f"({least:.2f} s); Flower's primitives take {theirs / mine:.1f} times as long "
            f"({theirs:.1f} s)"
        )
