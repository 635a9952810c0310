"""Masked sums: exact for whoever is left, closed when too few are, deaf to what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, product
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.errors import SecureSumError
from fedlab.privacy.secure import member as member_module
from fedlab.privacy.secure.member import Member, Opening
from fedlab.privacy.secure.opening import open_sum
from fedlab.privacy.secure.pads import Ring
from fedlab.privacy.secure.setting import Advert, Setting, floor
from fedlab.privacy.secure.signatures import Identity

STEPS = ("advertise", "share", "mask", "confirm", "open")
N_VALUES = 3


class Cohort:
    """Sites of one sum, and what they hide."""

    def __init__(self, n_sites: int, *, degree: int = 0, **changes: Any) -> None:
        self.names = tuple(f"site {i:03d}" for i in range(n_sites))
        self.identities = {name: Identity.fresh() for name in self.names}
        holders = n_sites if degree == 0 else degree + 1
        given: dict[str, Any] = {
            "run": "run",
            "round": 1,
            "attempt": 0,
            "question": b"q" * 32,
            "sites": self.names,
            "identities": tuple(self.identities[name].public for name in self.names),
            "weights": (1,) * n_sites,
            "threshold": floor(holders, collusion=False),
            "degree": degree,
        }
        self.setting = Setting(**{**given, **changes})
        self.members = {n: Member(self.setting, n, self.identities[n]) for n in self.names}
        random = np.random.default_rng(n_sites)
        self.values: dict[str, Ring] = {
            name: random.integers(0, 2**64, N_VALUES, dtype=np.uint64) for name in self.names
        }

    def oracle(self, names: Iterable[str]) -> list[int]:
        """The sum modulo 2^64 by Python's whole numbers."""
        columns = zip(*(self.values[name].tolist() for name in names), strict=True)
        return [sum(column) % 2**64 for column in columns]

    def run(self, gone: dict[str, int] | None = None) -> tuple[list[int], list[str]]:
        """The opened sum, and whose values are in it; ``gone[site]`` is the step it never takes."""
        gone = gone or {}

        def there(names: Iterable[str], step: int) -> list[str]:
            return [name for name in names if gone.get(name, len(STEPS)) > step]

        members = self.members
        adverts = {name: members[name].advertise() for name in there(self.names, 0)}
        sealed = {name: members[name].share(adverts) for name in there(adverts, 1)}
        masked = {
            name: members[name].mask(
                self.values[name].copy(),
                {s: letters[name] for s, letters in sealed.items() if name in letters},
            )
            for name in there(sealed, 2)
        }
        survivors = tuple(sorted(masked))
        signed = {name: members[name].confirm(survivors) for name in there(survivors, 3)}
        openings = {name: members[name].open(signed) for name in there(signed, 4)}
        total = open_sum(self.setting, adverts, frozenset(sealed), masked, openings)
        return total.tolist(), list(survivors)


def cases() -> list[tuple[int, dict[int, int]]]:
    """Every subset of dropouts at every step for three and four sites; for more, up to two."""
    found = []
    for n_sites in (3, 4, 5, 6):
        most = n_sites if n_sites < 5 else 2
        for n_gone in range(most + 1):
            for who in combinations(range(n_sites), n_gone):
                for when in product(range(len(STEPS)), repeat=n_gone):
                    found.append((n_sites, dict(zip(who, when, strict=True))))
    return found


def test_the_sum_is_exact_or_nothing_is_opened_whoever_drops_out_when() -> None:  # R1 R2
    exact = closed = 0
    for n_sites, gone in cases():
        cohort = Cohort(n_sites)
        left = n_sites - len(gone)
        in_sum = sum(gone.get(i, 9) > 2 for i in range(n_sites))
        enough = left >= cohort.setting.threshold and in_sum >= 3
        if enough:
            total, survivors = cohort.run({cohort.names[i]: step for i, step in gone.items()})
            assert total == cohort.oracle(survivors)
            assert len(survivors) == in_sum
            exact += 1
        else:
            with pytest.raises(SecureSumError):
                cohort.run({cohort.names[i]: step for i, step in gone.items()})
            closed += 1
    assert exact > 300
    assert closed > 300


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_larger_cohorts_sparse_ones_among_them_are_exact_or_closed(data: st.DataObject) -> None:
    n_sites = data.draw(st.integers(5, 14))  # R1
    degree = data.draw(st.sampled_from([0, 4, 6]).filter(lambda d: d < n_sites - 1))
    steps = st.dictionaries(st.integers(0, n_sites - 1), st.integers(0, 4), max_size=n_sites // 2)
    gone = data.draw(steps)
    cohort = Cohort(n_sites, degree=degree)
    try:
        total, survivors = cohort.run({cohort.names[i]: step for i, step in gone.items()})
    except SecureSumError:
        assert gone
        return
    assert total == cohort.oracle(survivors)
    assert set(survivors) == {cohort.names[i] for i in range(n_sites) if gone.get(i, 9) > 2}


def test_masked_values_alone_tell_nothing_that_repeats() -> None:  # R7
    def first(cohort: Cohort) -> Ring:
        members = cohort.members
        adverts = {name: each.advertise() for name, each in members.items()}
        sealed = {name: each.share(adverts) for name, each in members.items()}
        name = cohort.names[0]
        letters = {s: box[name] for s, box in sealed.items() if name in box}
        return members[name].mask(np.zeros(1000, dtype=np.uint64), letters)

    one, two = first(Cohort(3)), first(Cohort(3))
    assert len(set(one.tolist()) | set(two.tolist())) == 2000
    # A site that sent zeros sent about as many ones as zeros.
    assert abs(np.unpackbits(one.view(np.uint8)).mean() - 0.5) < 0.01


def test_a_step_is_taken_once_and_in_order() -> None:  # R3
    cohort = Cohort(3)
    member = cohort.members[cohort.names[0]]
    with pytest.raises(SecureSumError, match="share too early"):
        member.share({})
    with pytest.raises(SecureSumError, match="once each"):
        member.advertise()
    cohort = Cohort(3)
    cohort.run()
    last = cohort.members[cohort.names[0]]
    assert last.awaits is None
    with pytest.raises(SecureSumError, match="open again"):
        last.open({})


def through(cohort: Cohort, step: str) -> dict[str, Any]:
    """Everything that was said up to a step, which is not taken."""
    said: dict[str, Any] = {}
    members = cohort.members
    said["adverts"] = {name: each.advertise() for name, each in members.items()}
    if step == "share":
        return said
    said["sealed"] = {name: each.share(said["adverts"]) for name, each in members.items()}
    said["letters"] = {
        name: {s: box[name] for s, box in said["sealed"].items() if name in box}
        for name in cohort.names
    }
    if step == "mask":
        return said
    said["masked"] = {
        name: each.mask(cohort.values[name].copy(), said["letters"][name])
        for name, each in members.items()
    }
    if step == "confirm":
        return said
    said["signed"] = {name: each.confirm(cohort.names) for name, each in members.items()}
    if step == "open":
        return said
    said["openings"] = {name: each.open(said["signed"]) for name, each in members.items()}
    return said


def open_of(cohort: Cohort, said: dict[str, Any]) -> Ring:
    return open_sum(
        cohort.setting,
        said["adverts"],
        frozenset(said["sealed"]),
        said["masked"],
        said["openings"],
    )


def test_no_site_gives_both_secrets_of_a_peer_whatever_lists_it_is_told() -> None:  # R3 R4
    cohort = Cohort(5)
    said = through(cohort, "confirm")
    a, b, c, d, e = cohort.names
    # The coordinator tells half of the sites that one of them is gone, and the others that not.
    all_there, one_gone = (a, b, c, d, e), (a, b, c, d)
    told = {a: all_there, b: all_there, c: one_gone, d: one_gone, e: all_there}
    signed = {name: cohort.members[name].confirm(told[name]) for name in cohort.names}
    for name in cohort.names:
        with pytest.raises(SecureSumError, match=r"one list of survivors|must have confirmed"):
            cohort.members[name].open(signed)
    assert said


def test_fewer_confirmations_than_the_threshold_open_nothing() -> None:  # R4
    cohort = Cohort(5)
    said = through(cohort, "open")
    name = cohort.names[0]
    few = dict(list(said["signed"].items())[:2])
    with pytest.raises(SecureSumError, match="holders must have confirmed"):
        cohort.members[name].open(few)


@pytest.mark.parametrize(
    "survivors",
    [
        lambda names: names[:2],
        lambda names: names[1:],
        lambda names: names[::-1],
        lambda names: (*names[:-1], names[-2]),
        lambda names: (*names[:-1], "stranger"),
    ],
)
def test_a_list_that_cannot_be_opened_safely_is_not_signed(
    survivors: Callable[[tuple[str, ...]], tuple[str, ...]],
) -> None:  # R2 R6
    cohort = Cohort(4)
    through(cohort, "confirm")
    with pytest.raises(SecureSumError, match="nothing was opened"):
        cohort.members[cohort.names[0]].confirm(survivors(cohort.names))


def advert_changes() -> dict[str, Callable[[Advert, Cohort], Advert]]:
    stranger = Identity.fresh()

    def forged(advert: Advert, cohort: Cohort) -> Advert:
        signature = stranger.sign(advert.signed(cohort.setting, cohort.names[1]))
        return msgspec.structs.replace(advert, signature=signature)

    def other_question(advert: Advert, cohort: Cohort) -> Advert:
        setting = msgspec.structs.replace(cohort.setting, question=b"p" * 32)
        signature = cohort.identities[cohort.names[1]].sign(advert.signed(setting, cohort.names[1]))
        return msgspec.structs.replace(advert, signature=signature)

    return {
        "forged": forged,
        "signed for another question": other_question,
        "other key": lambda advert, _: msgspec.structs.replace(advert, pad=bytes(31) + b"\x09"),
        "other promise": lambda advert, _: msgspec.structs.replace(advert, promise=bytes(32)),
    }


@pytest.mark.parametrize("change", advert_changes())
def test_keys_that_a_peer_did_not_sign_for_this_question_end_the_sum(change: str) -> None:
    cohort = Cohort(3)  # R4 R5
    adverts = through(cohort, "share")["adverts"]
    adverts[cohort.names[1]] = advert_changes()[change](adverts[cohort.names[1]], cohort)
    with pytest.raises(SecureSumError, match="signed by the identity"):
        cohort.members[cohort.names[0]].share(adverts)


def test_one_key_for_two_sites_and_missing_or_strange_sites_end_the_sum() -> None:
    cohort = Cohort(4)
    adverts = through(cohort, "share")["adverts"]
    a, b, c, _ = cohort.names
    with pytest.raises(SecureSumError, match="one key twice"):
        cohort.members[a].share({**adverts, b: msgspec.structs.replace(adverts[c])})
    with pytest.raises(SecureSumError, match="must be there"):
        cohort.members[b].share({b: adverts[b], c: adverts[c]})
    with pytest.raises(SecureSumError, match="1 strangers"):
        cohort.members[c].share({**adverts, "stranger": adverts[a]})


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_changed_byte_of_a_sealed_share_ends_the_sum(data: st.DataObject) -> None:  # R11
    cohort = Cohort(3)
    said = through(cohort, "mask")
    name, other = cohort.names[:2]
    letter = bytearray(said["letters"][name][other])
    letter[data.draw(st.integers(0, len(letter) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SecureSumError, match="changed"):
        cohort.members[name].mask(
            cohort.values[name], {**said["letters"][name], other: bytes(letter)}
        )
    assert cohort.members[name].awaits is None


def test_a_share_for_another_site_or_of_another_sum_cannot_be_passed_on() -> None:  # R11
    cohort = Cohort(4)
    said = through(cohort, "mask")
    a, b, c, _ = cohort.names
    swapped = {**said["letters"][a], b: said["sealed"][b][c]}
    with pytest.raises(SecureSumError, match="another sum or site"):
        cohort.members[a].mask(cohort.values[a], swapped)
    again = Cohort(4)
    later = through(again, "mask")
    stale = {**later["letters"][a], b: said["letters"][a][b]}
    with pytest.raises(SecureSumError):
        again.members[a].mask(again.values[a], stale)


@pytest.mark.parametrize("kind", ["own", "pads"])
def test_a_wrong_share_is_found_before_anything_is_opened(kind: str) -> None:
    cohort = Cohort(4)
    gone = cohort.names[3]
    said = through(cohort, "confirm")
    del said["masked"][gone]
    survivors = cohort.names[:3]
    signed = {name: cohort.members[name].confirm(survivors) for name in survivors}
    openings = {name: cohort.members[name].open(signed) for name in survivors}
    assert all(set(each.pads) == {gone} for each in openings.values())
    victim = gone if kind == "pads" else survivors[1]
    shares = dict(getattr(openings[survivors[0]], kind))
    shares[victim] = bytes([shares[victim][0]]) + bytes(32)
    openings[survivors[0]] = msgspec.structs.replace(openings[survivors[0]], **{kind: shares})
    said["openings"] = openings
    with pytest.raises(SecureSumError, match="wrong share"):
        open_of(cohort, said)


def test_with_too_few_openings_nothing_is_opened() -> None:  # R2
    cohort = Cohort(5)
    said = through(cohort, "")
    said["openings"] = dict(list(said["openings"].items())[:2])
    with pytest.raises(SecureSumError, match="needs 3 shares"):
        open_of(cohort, said)
    assert isinstance(next(iter(said["openings"].values())), Opening)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 2}, "between 3 and 5"),
        ({"threshold": 6}, "between 3 and 5"),
        ({"threshold": 3, "collusion": True}, "between 4 and 5"),
        ({"degree": 3}, "between"),
        ({"degree": -2}, "between"),
        ({"bits": 60}, "60 digits"),
        ({"weights": (1, 1, 1, 1, 0)}, "weights are positive"),
        ({"weights": (1, 1, 1)}, "do not fit"),
        ({"identities": (b"x" * 32,) * 5}, "one identity twice"),
        ({"sites": ("b", "a", "c", "d", "e")}, "different sites"),
    ],
)
def test_a_site_holds_the_floors_whatever_the_coordinator_says(
    changes: dict[str, Any], said: str
) -> None:  # R2
    cohort = Cohort(5)
    setting = msgspec.structs.replace(cohort.setting, **changes)
    with pytest.raises(SecureSumError, match=said):
        Member(setting, cohort.names[0], cohort.identities[cohort.names[0]])


def test_two_sites_make_no_sum() -> None:  # R6
    with pytest.raises(SecureSumError, match="at least 3"):
        Cohort(2)


def test_a_site_takes_part_only_under_its_own_name_and_identity() -> None:
    cohort = Cohort(3)
    with pytest.raises(SecureSumError, match="own identity"):
        Member(cohort.setting, cohort.names[0], cohort.identities[cohort.names[1]])
    with pytest.raises(SecureSumError, match="own identity"):
        Member(cohort.setting, "stranger", cohort.identities[cohort.names[1]])


def test_everything_is_bound_to_the_sum_it_is_for() -> None:  # R11
    setting = Cohort(3).setting
    others = [
        msgspec.structs.replace(setting, **change)
        for change in (
            {"run": "other"},
            {"round": 2},
            {"attempt": 1},
            {"question": b"p" * 32},
            {"bits": 31},
            {"weights": (1, 1, 2)},
            {"protocol": "other"},
        )
    ]
    digests = {each.digest for each in [setting, *others]}
    assert len(digests) == len(others) + 1
    assert setting.use("a", "bc") != setting.use("ab", "c")


def test_no_secret_shows_in_a_repr() -> None:  # R30
    cohort = Cohort(3)
    member = cohort.members[cohort.names[0]]
    for shown in (repr(member), repr(member._secrets.pad), repr(cohort.identities)):
        assert "secret" not in shown
        assert member._secrets.own.hex() not in shown
    assert member_module.__doc__
