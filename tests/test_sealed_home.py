"""What a site keeps in its home is unreadable without the key, and whole or refused."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab import audit
from fedlab.errors import DataError
from fedlab.site import Authorization, Consent, Site, make_key, sealed
from fedlab.site.sealed import ENVIRONMENT, read_sealed, write_sealed
from tests.builders import MODEL, RANGES, rows_of, table

KEY = bytes(range(32))
N = 50


def frame() -> pd.DataFrame:
    """A table with a category that no row takes, text, and named patients."""
    made = table(N, seed=9)
    made["ward"] = made["ward"].cat.add_categories("nowhere")
    return made.assign(sex=["f", "m"] * (N // 2), mrn=[f"Jane-Doe-{i}" for i in range(N)])


def kept(tmp_path: Path, **options: Any) -> Site:
    """A site that keeps its table under ``tmp_path / 'home'``."""
    if not (tmp_path / "key").exists():
        make_key(tmp_path / "key")
    consent = Consent(
        [
            Authorization(
                patient=f"Jane-Doe-{i}",
                what="all",
                discloser="a",
                receiver="b",
                purposes=("training", "summary", "evaluation"),
                expires="none",
                signed_by="the patient",
                signed_on=date(2020, 1, 1),
            )
            for i in range(N - 5)
        ]
    )
    settings: dict[str, Any] = {
        "target": "died",
        "home": tmp_path / "home",
        "policy": fl.Policy(minimum_rows=3, columns=["age", "lab", "ward", "sex"]),
        "categories": {"sex": ["f", "m"]},
        "ranges": RANGES,
        "patient": "mrn",
        "consent": consent,
        "source": "a register",
        "keep": True,
        "key": tmp_path / "key",
    }
    return Site("mercy", frame(), **{**settings, **options})


def test_an_opened_site_gives_the_same_bits(tmp_path: Path) -> None:
    site = kept(tmp_path)
    again = Site.open(tmp_path / "home", key=tmp_path / "key")
    assert again.schema == site.schema
    assert again.policy == site.policy
    assert (again.source, again.simulated) == (site.source, site.simulated)
    for split in ("train", "test"):
        pd.testing.assert_frame_equal(rows_of([again], split), rows_of([site], split))
    states = []
    for each in (site, again):
        run = fl.Federation([each]).train(MODEL)
        run.run(2, progress=False)
        states.append(run.state)
    assert states[0] == states[1]
    assert audit.verify(tmp_path / "home", again.audit.head)
    assert again.runs_of("Jane-Doe-0").frame["run"].nunique() == 2
    again.withdraw("Jane-Doe-0")
    later = Site.open(tmp_path / "home", key=tmp_path / "key", policy=fl.Policy(minimum_rows=7))
    assert later.policy.minimum_rows == 7
    assert later._declared("train") + later._declared("test") == N - 6


def test_nothing_in_the_home_can_be_read_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    real = os.fdopen

    def spy(*args: Any, **options: Any) -> Any:
        file = real(*args, **options)
        if "b" in args[1]:
            return _Spy(file)
        return file

    class _Spy:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> _Spy:
            return self

        def __exit__(self, *args: object) -> None:
            self._file.close()

        def write(self, data: bytes) -> None:
            written.append(bytes(data))
            self._file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    monkeypatch.setattr("fedlab.site.sealed.os.fdopen", spy)
    kept(tmp_path)
    monkeypatch.undo()
    files = sorted(path.name for path in (tmp_path / "home").iterdir())
    assert files == ["identity.key", "records.sqlite", "site.sealed"]
    told = b"".join(path.read_bytes() for path in (tmp_path / "home").iterdir())
    assert written
    secret = bytes.fromhex((tmp_path / "key").read_text())
    for text in (b"Jane-Doe", b"mrn", b"ARROW1", b"nowhere", b"smoker", secret):
        assert text not in told
        assert text not in b"".join(written)
    assert (tmp_path / "home" / "site.sealed").stat().st_mode & 0o077 == 0


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CHUNK", 64)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1000])
def test_what_is_sealed_comes_back(size: int, tmp_path: Path) -> None:
    data = bytes(i % 251 for i in range(size))
    write_sealed(tmp_path / "a", KEY, "mercy", data)
    assert read_sealed(tmp_path / "a", KEY) == ("mercy", data)
    first = (tmp_path / "a").read_bytes()
    write_sealed(tmp_path / "a", KEY, "mercy", data)
    # Fresh keys and nonces: the same data never looks the same.
    second = (tmp_path / "a").read_bytes()
    assert len(first) == len(second)
    assert first[60:] != second[60:]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_cut_or_longer_file_is_refused(
    data: st.DataObject, tmp_path: Path, small: None
) -> None:
    path = tmp_path / "a"
    write_sealed(path, KEY, "mercy", bytes(range(200)))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flip = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    damaged = data.draw(
        st.sampled_from(
            [whole[:place] + flip + whole[place + 1 :], whole[:place], whole + whole[place:]]
        )
    )
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="sealed table must be whole"):
        read_sealed(path, KEY)


@pytest.mark.usefixtures("small")
def test_chunks_that_were_moved_repeated_or_are_another_files_are_refused(tmp_path: Path) -> None:
    step = 64 + 12 + 16
    paths = {name: tmp_path / name for name in ("one", "same site", "other site")}
    for name, path in paths.items():
        write_sealed(path, KEY, "other" if name == "other site" else "mercy", bytes(64 * 4))
    whole = {name: path.read_bytes() for name, path in paths.items()}
    front = {name: len(data) - 4 * step for name, data in whole.items()}
    chunks = {
        name: [data[front[name] + i * step : front[name] + (i + 1) * step] for i in range(4)]
        for name, data in whole.items()
    }
    mine = chunks["one"]
    attacks = {
        "swapped": [mine[1], mine[0], *mine[2:]],
        "repeated": [mine[0], mine[0], *mine[2:]],
        "left out": [mine[0], *mine[2:]],
        "cut": mine[:3],
        "longer": [*mine, mine[3]],
        "of another file": [chunks["same site"][0], *mine[1:]],
        "of another site": [chunks["other site"][0], *mine[1:]],
        "all of another file": chunks["same site"],
    }
    head = whole["one"][: front["one"]]
    assert head + b"".join(mine) == whole["one"]
    for parts in attacks.values():
        paths["one"].write_bytes(head + b"".join(parts))
        with pytest.raises(DataError, match="sealed table must be whole"):
            read_sealed(paths["one"], KEY)


@pytest.mark.usefixtures("small")
def test_a_file_cut_at_a_chunk_whose_head_says_so_is_refused(tmp_path: Path) -> None:
    path, step = tmp_path / "a", 64 + 12 + 16
    write_sealed(path, KEY, "mercy", bytes(64 * 4))
    whole = path.read_bytes()
    body, front = whole[-4 * step :], whole[: -4 * step]
    head = msgspec.msgpack.decode(front[20:])
    site, file, chunks, size = head
    told = msgspec.msgpack.encode([site, file, chunks - 1, size - 64])
    path.write_bytes(front[:16] + len(told).to_bytes(4, "big") + told + body[:-step])
    with pytest.raises(DataError, match="sealed table must be whole"):
        read_sealed(path, KEY)


def test_another_key_and_another_sites_file_are_refused(tmp_path: Path) -> None:
    kept(tmp_path)
    make_key(tmp_path / "other")
    with pytest.raises(DataError, match="opened with the key"):
        Site.open(tmp_path / "home", key=tmp_path / "other")
    with pytest.raises(DataError, match="FileNotFoundError"):
        Site.open(tmp_path / "nowhere", key=tmp_path / "key")
    (tmp_path / "b").mkdir()
    Site("other", frame().drop(columns="mrn"), target="died", categories={"sex": ["f", "m"]},
         home=tmp_path / "b" / "home", keep=True, key=tmp_path / "key")  # fmt: skip
    shutil.copy(tmp_path / "b" / "home" / "site.sealed", tmp_path / "home" / "site.sealed")
    with pytest.raises(DataError, match="A home belongs to one site"):
        Site.open(tmp_path / "home", key=tmp_path / "key")


def test_a_key_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(tmp_path / "key")
    monkeypatch.setenv(ENVIRONMENT, (tmp_path / "key").read_text())
    kept(tmp_path, key=None)
    assert Site.open(tmp_path / "home").name == "mercy"
    monkeypatch.delenv(ENVIRONMENT)
    with pytest.raises(DataError, match="make_key"):
        Site.open(tmp_path / "home")


def test_a_key_that_does_not_protect_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    (tmp_path / "home").mkdir()
    make_key(tmp_path / "home" / "key")
    make_key(tmp_path / "open")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "short").touch(0o600)
    (tmp_path / "short").write_text("ab" * 31)
    for name, came in (
        ("home/key", "in the site's home"),
        ("open", "mode 0644"),
        ("short", "something else"),
        ("none", "FileNotFoundError"),
    ):
        with pytest.raises(DataError, match=came) as caught:
            kept(tmp_path, key=tmp_path / name)
        assert "abab" not in str(caught.value)
    with pytest.raises(DataError, match="not there yet"):
        make_key(tmp_path / "key")
    with pytest.raises(DataError, match="kept in a home"):
        kept(tmp_path, home=None)


# R27
def test_a_full_disk_leaves_the_table_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sealed(tmp_path / "a", KEY, "mercy", b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fedlab.site.sealed.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_sealed(tmp_path / "a", KEY, "mercy", b"new")
    assert read_sealed(tmp_path / "a", KEY) == ("mercy", b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
