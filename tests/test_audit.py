"""Whatever is done to a site's records is found, and where; an honest site's always verify."""

# Names of tables and columns are the package's own.
# ruff: noqa: S608

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab import audit
from fedlab.errors import DataError, MessageError, PrivacyError, SaveFileError
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import AuditHead, ReadAuditHead
from fedlab.queries.audit_head import head_text, labelled
from fedlab.site.records import GUARDED, GUARDS, NAMES, RECORDS, entry_hash, guards_of
from fedlab.site.store import INTERVAL
from tests.builders import OPEN, RANGES, answer_of, ask, deal, fit, histogram, make, request, table

N_ENTRIES = 300
FORGER = Identity.fresh()


class Home:
    """The records of one honest site, its head as kept elsewhere, and earlier states of both."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.sqlite"
        owner = fl.site.Actor("lee")
        policy = fl.Policy(epsilon=2.0, minimum_rows=1, owners={"lee": owner.public})
        frame = table(64, seed=31).assign(mrn=range(64))
        site = fl.Site(
            "mercy",
            frame,
            target="died",
            policy=policy,
            patient="mrn",
            test_size=0.0,
            ranges=RANGES,
        )
        site.approve(owner.approve("mercy", expires=datetime.now(UTC).date()))
        site.withdraw(7)
        for kind in range(5):
            request(site, kind, run=f"run\n{kind}")
        self.early = site.audit.head
        self.early_path = self._copy(site, folder / "early.sqlite")
        while site.audit.head.sequence < N_ENTRIES:
            site.audit.note("Visit", "noted", actor="kim", purpose=f"{site.audit.head.sequence}")
        self._copy(site, self.path)
        self.head = site.audit.head
        self.identity = self.head.identity

    @staticmethod
    def _copy(site: fl.Site, path: Path) -> Path:
        with closing(sqlite3.connect(path)) as file:
            site._store._connection.backup(file)
        return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


class Forged:
    """A copy of the records that someone with the file, and not the key, may do anything to."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.path = folder / "forged.sqlite"
        shutil.copy(home.path, self.path)
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")
        for guarded in GUARDED:
            for guard in GUARDS:
                self._connection.execute(f"DROP TRIGGER {guarded}_{guard}")

    def do(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def rebuild(self) -> None:
        """Hash every entry anew, and sign the heads with another key."""
        previous = None
        for sequence, record, row in self.do(
            "SELECT sequence, record, row FROM chain ORDER BY sequence"
        ):
            fields = ", ".join(NAMES[record])
            (found,) = self.do(f"SELECT {fields} FROM {record} WHERE sequence = ?", row)
            previous = entry_hash(previous, record, row, *found)
            self.do("UPDATE chain SET hash = ? WHERE sequence = ?", previous, sequence)
        for (sequence,) in self.do("SELECT sequence FROM heads"):
            ((digest,),) = self.do("SELECT hash FROM chain WHERE sequence = ?", sequence)
            signature = FORGER.sign(head_text("mercy", sequence, digest))
            self.do(
                "UPDATE heads SET hash = ?, identity = ?, signature = ? WHERE sequence = ?",
                *(digest, FORGER.public, signature, sequence),
            )

    def cut(self, last: int) -> None:
        """Remove every trace of entries after `last`."""
        for record, row in self.do("SELECT record, row FROM chain WHERE sequence > ?", last):
            self.do(f"DELETE FROM {record} WHERE sequence = ?", row)
        self.do("DELETE FROM chain WHERE sequence > ?", last)
        self.do("DELETE FROM heads WHERE sequence > ?", last)
        for name in (*RECORDS, "chain"):
            ((end,),) = self.do(f"SELECT coalesce(max(sequence), 0) FROM {name}")
            self.do("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", end, name)

    def close(self) -> Path:
        self._connection.executescript("".join(map(guards_of, GUARDED)))
        self._connection.close()
        return self.path


@pytest.fixture
def forge(home: Home, tmp_path: Path) -> Iterator[Forged]:
    forged = Forged(home, tmp_path)
    yield forged
    forged._connection.close()


def test_records_verify_at_every_length_and_by_whichever_holder(tmp_path: Path) -> None:
    one, two = make(tmp_path), make(tmp_path)
    for site in (one, two):
        site._store._connection.execute("PRAGMA synchronous = OFF")
    for place in range(INTERVAL - 5):
        (one, two)[place % 2].audit.note("Visit", "noted")
    for place in range(12):
        (one, two)[place % 3 == 0].audit.note("Visit", "noted")
        assert audit.verify(tmp_path, one.audit.head)
    assert two.audit.head.sequence > INTERVAL


def entries_of(found: audit.Verification) -> set[int | None]:
    return {fault.entry for fault in found.faults}


def test_honest_records_verify_alone_and_against_every_head(home: Home) -> None:
    assert audit.verify(home.path)
    found = audit.verify(home.path, [home.early, home.head], identity=home.identity)
    assert found, found
    assert (found.site, found.entries, found.kept) == ("mercy", N_ENTRIES, 2)
    assert "No head was kept elsewhere" in repr(audit.verify(home.path))
    used = {"owner", "spend", "audit", "approvals", "withdrawals", "cohorts", "participation"}
    with closing(sqlite3.connect(home.path)) as file:
        assert {row[0] for row in file.execute("SELECT record FROM chain")} == used


# R42
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_edit_of_any_field_is_found_at_its_entry(
    data: st.DataObject, home: Home, tmp_path: Path
) -> None:
    forged = Forged(home, tmp_path)
    entry = data.draw(st.integers(1, N_ENTRIES))
    ((record, row),) = forged.do("SELECT record, row FROM chain WHERE sequence = ?", entry)
    column = data.draw(st.sampled_from(NAMES[record]))
    ((was,),) = forged.do(f"SELECT {column} FROM {record} WHERE sequence = ?", row)
    values = st.one_of(
        st.text(max_size=5), st.integers(-9, 9), st.binary(max_size=5), st.floats(allow_nan=False)
    )
    forged.do(f"UPDATE {record} SET {column} = ? WHERE sequence = ?", data.draw(values), row)
    ((now,),) = forged.do(f"SELECT {column} FROM {record} WHERE sequence = ?", row)
    found = audit.verify(forged.close())
    if (type(now), repr(now)) == (type(was), repr(was)):
        assert found
    else:
        assert entry in entries_of(found), found


# R42
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_removal_reordering_and_addition_are_found_at_their_entry(
    data: st.DataObject, home: Home, tmp_path: Path
) -> None:
    forged = Forged(home, tmp_path)
    entry = data.draw(st.integers(1, N_ENTRIES - 1))
    ((record, row),) = forged.do("SELECT record, row FROM chain WHERE sequence = ?", entry)
    attack = data.draw(st.sampled_from(["row", "link", "both", "swap", "swap links", "add"]))
    expected: set[int | None] = {entry}
    if attack in ("row", "both"):
        forged.do(f"DELETE FROM {record} WHERE sequence = ?", row)
    if attack in ("link", "both"):
        forged.do("DELETE FROM chain WHERE sequence = ?", entry)
    if attack == "swap":
        names = ", ".join(NAMES["audit"])
        a, b = data.draw(st.sets(st.integers(1, 100), min_size=2, max_size=2))
        forged.do(f"CREATE TEMP TABLE t AS SELECT sequence, {names} FROM audit")
        for source, target in ((a, b), (b, a)):
            for name in NAMES["audit"]:
                forged.do(
                    f"UPDATE audit SET {name} = (SELECT {name} FROM t WHERE sequence = ?)"
                    " WHERE sequence = ?",
                    *(source, target),
                )
        rows = dict(forged.do("SELECT row, sequence FROM chain WHERE record = 'audit'"))
        same = forged.do(f"SELECT DISTINCT {names} FROM t WHERE sequence IN (?, ?)", a, b)
        expected = {rows[a], rows[b]} if len(same) > 1 else set()
    if attack == "swap links":
        forged.do("UPDATE chain SET sequence = 0 WHERE sequence = ?", entry)
        forged.do("UPDATE chain SET sequence = ? WHERE sequence = ?", entry, entry + 1)
        forged.do("UPDATE chain SET sequence = ? WHERE sequence = 0", entry + 1)
        expected = {entry, entry + 1}
    if attack == "add":
        names = ", ".join(NAMES["audit"])
        forged.do(f"INSERT INTO audit ({names}) SELECT {names} FROM audit WHERE sequence = 1")
        expected = {None}
    found = audit.verify(forged.close())
    assert bool(found) == (not expected), (attack, found)
    assert expected & entries_of(found) or not expected, (attack, found)


# R42
def test_an_entry_that_was_renumbered_is_found(forge: Forged) -> None:
    ((row, entry),) = forge.do(
        "SELECT row, sequence FROM chain WHERE record = 'audit' ORDER BY sequence DESC LIMIT 1"
    )
    forge.do("UPDATE audit SET sequence = ? WHERE sequence = ?", row + 7, row)
    forge.do("UPDATE chain SET row = ? WHERE sequence = ?", row + 7, entry)
    forge.do("UPDATE sqlite_sequence SET seq = ? WHERE name = 'audit'", row + 7)
    assert entries_of(audit.verify(forge.close())) == {entry}


# R42
def test_an_entry_that_is_appended_a_second_time_is_found(forge: Forged) -> None:
    names = ", ".join(NAMES["audit"])
    (fields,) = forge.do(f"SELECT {names} FROM audit WHERE sequence = 3")
    ((previous,),) = forge.do("SELECT hash FROM chain WHERE sequence = ?", N_ENTRIES)
    again = entry_hash(previous, "audit", 3, *fields)
    forge.do("INSERT INTO chain (record, row, hash) VALUES ('audit', 3, ?)", again)
    assert entries_of(audit.verify(forge.close())) == {N_ENTRIES + 1}


# R42, R19
@pytest.mark.parametrize("last", [1, 9, INTERVAL - 1, INTERVAL, N_ENTRIES - 1])
def test_a_cut_off_tail_is_found_against_a_kept_head(home: Home, forge: Forged, last: int) -> None:
    forge.cut(last)
    path = forge.close()
    # Without a head a shorter chain is whole; that is why heads are kept elsewhere.
    assert audit.verify(path)
    found = audit.verify(path, home.head)
    assert entries_of(found) == {last + 1}
    assert f"entries {last + 1} to {N_ENTRIES}" in repr(found)


def test_a_tail_cut_off_in_haste_is_found_without_a_head(forge: Forged) -> None:
    forge.do("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    forge.do("DELETE FROM chain WHERE sequence = ?", N_ENTRIES)
    assert N_ENTRIES in entries_of(audit.verify(forge.close()))


# R42
@pytest.mark.parametrize("known", ["head", "early head", "identity"])
def test_a_rebuilt_chain_is_found(home: Home, forge: Forged, known: str) -> None:
    forge.do("UPDATE audit SET outcome = 'answered' WHERE outcome = 'exact'")
    forge.do("UPDATE spend SET noise_multiplier = 99 WHERE sequence = 1")
    forge.rebuild()
    path = forge.close()
    assert audit.verify(path)
    if known == "identity":
        assert 1 in entries_of(audit.verify(path, identity=home.identity))
        return
    head = home.head if known == "head" else home.early
    assert head.sequence in entries_of(audit.verify(path, head))


# R42
def test_a_chain_rebuilt_without_the_key_does_not_fit_the_heads_in_the_file(forge: Forged) -> None:
    forge.do("CREATE TABLE kept AS SELECT * FROM heads")
    forge.do("UPDATE audit SET outcome = 'changed' WHERE sequence = 3")
    forge.rebuild()
    for column in ("hash", "identity", "signature"):
        forge.do(
            f"UPDATE heads SET {column} = (SELECT {column} FROM kept WHERE kept.sequence ="
            " heads.sequence)"
        )
    forge.do("DROP TABLE kept")
    assert INTERVAL in entries_of(audit.verify(forge.close()))


# R19
def test_a_file_that_was_rolled_back_is_found_against_a_later_head(home: Home) -> None:
    assert audit.verify(home.early_path, home.early)
    found = audit.verify(home.early_path, home.head)
    assert entries_of(found) == {home.early.sequence + 1}


# R19
def test_a_rolled_back_ledger_that_went_on_is_found(tmp_path: Path) -> None:
    site = make(tmp_path)
    request(site, 2, run="one")
    shutil.copy(tmp_path / "records.sqlite", tmp_path / "before.sqlite")
    request(site, 2, run="two")
    head = site.audit.head
    del site
    shutil.copy(tmp_path / "before.sqlite", tmp_path / "records.sqlite")
    again = make(tmp_path)
    for run in ("three", "four", "five"):
        request(again, 2, run=run)
    assert again.audit.head.sequence > head.sequence
    assert audit.verify(tmp_path)
    assert entries_of(audit.verify(tmp_path, head)) == {head.sequence}


def contents(path: Path) -> list[tuple[Any, ...]]:
    """Every row of every table, with its types."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
        file.text_factory = bytes
        return [
            (name, *((type(value), value) for value in row))
            for name in (*GUARDED,)
            for row in file.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid")
        ]


# R42
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_anywhere_is_found_or_changed_no_record(
    data: st.DataObject, home: Home, tmp_path: Path
) -> None:
    whole = home.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.sqlite"
    path.write_bytes(changed)
    try:
        found = audit.verify(path, home.head)
    except DataError:
        return
    if found:
        assert contents(path) == contents(home.path)


# R42
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file_is_found(data: st.DataObject, home: Home, tmp_path: Path) -> None:
    whole = home.path.read_bytes()
    path = tmp_path / "short.sqlite"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert not audit.verify(path, home.head)


NUMBERS = st.floats(allow_nan=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FIELDS = st.lists(
    st.one_of(st.text(max_size=4), st.binary(max_size=4), INTEGERS, NUMBERS, st.none()),
    max_size=3,
).map(tuple)


# R42
@given(FIELDS, FIELDS)
def test_no_two_entries_have_one_hash(a: tuple[object, ...], b: tuple[object, ...]) -> None:
    same = [(type(x), repr(x)) for x in a] == [(type(x), repr(x)) for x in b]
    assert (entry_hash(None, "audit", 1, *a) == entry_hash(None, "audit", 1, *b)) == same


# R42
def test_a_newline_in_a_field_forges_no_entry(tmp_path: Path) -> None:
    site = make(tmp_path)
    lines = len(site.audit.frame)
    ask(site, histogram(site), run="x\n2|now|unsigned|answered\nspend", site="else\nwhere")
    assert len(site.audit.frame) == lines + 1
    assert audit.verify(tmp_path, site.audit.head)
    assert labelled("a", "b\nc") != labelled("a\nb", "c")


# R26
def test_killed_at_any_statement_the_records_are_whole(tmp_path: Path) -> None:
    home, images = tmp_path / "home", tmp_path / "images"
    site = make(home)
    request(site, 2, run="warm")
    before, taken = site.audit.head, 0

    def image(statement: str) -> None:
        nonlocal taken
        # What a killed process leaves on the disk: file and journal as they are right now.
        taken += 1
        shutil.copytree(home, images / str(taken))

    site._store._connection.set_trace_callback(image)
    request(site, 2, run="next")
    site._store._connection.set_trace_callback(None)
    assert taken > 8
    seen = set()
    for folder in sorted(images.iterdir(), key=lambda each: int(each.name)):
        again = make(folder)
        found = audit.verify(folder, before)
        assert found, found
        spent, told = len(again.ledger.frame), len(again.audit.frame)
        assert spent in (told, told + 1), "debited before it is answered, audited after"
        seen.add((spent, told))
        request(again, 2, run="again")
        assert audit.verify(folder, before)
    assert len(seen) == 2


def test_verifying_while_a_journal_waits_says_to_open_the_site(tmp_path: Path) -> None:
    home, image = tmp_path / "home", tmp_path / "image"
    site = make(home)
    with contextlib.suppress(KeyError), site._store.transaction() as connection:
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("PRAGMA cache_size = 1")
        for _ in range(2000):
            connection.execute("INSERT INTO sums (run, round, question, survivors) VALUES (?, 1,"
                               " '', '')", ("x" * 500,))  # fmt: skip
        shutil.copytree(home, image)
        raise KeyError
    assert (image / "records.sqlite-journal").stat().st_size > 0
    with pytest.raises(DataError, match="Open the site once"):
        audit.verify(image)
    make(image)
    assert audit.verify(image)
    assert audit.verify(home, site.audit.head)


@pytest.mark.parametrize("name", sorted(GUARDED))
def test_guards_let_every_table_only_grow(name: str, tmp_path: Path, home: Home) -> None:
    shutil.copy(home.path, tmp_path / "copy.sqlite")
    column = "hash" if name in ("chain", "heads") else NAMES[name][0]
    with closing(sqlite3.connect(tmp_path / "copy.sqlite", isolation_level=None)) as file:
        if not file.execute(f"SELECT count(*) FROM {name}").fetchone()[0]:
            return
        for attack in (f"UPDATE {name} SET {column} = x'00'", f"DELETE FROM {name}"):
            with pytest.raises(sqlite3.IntegrityError, match="only grow"):
                file.execute(attack)
        file.execute(f"DROP TRIGGER {name}_no_delete")
    assert not audit.verify(tmp_path / "copy.sqlite")


def test_heads_are_asked_for_kept_and_compared(tmp_path: Path) -> None:
    sites = deal(table(60, seed=5), [30, 30])
    for site in sites:
        site._rows = {}  # a head reads no row
    fed = fl.Federation(sites)
    heads = audit.heads(fed)
    assert sorted(heads) == ["s00", "s01"]
    audit.save_heads(tmp_path / "heads", heads)
    assert audit.read_heads(tmp_path / "heads") == heads
    later = audit.heads(fed, since=heads)
    assert later["s00"].sequence == heads["s00"].sequence + 2
    # A site that began anew, or went on from an older copy, shows without its file.
    sites[1]._store = deal(table(60, seed=5), [30, 30])[1]._store
    with pytest.raises(MessageError, match=r"Site 's01': .*records only grow"):
        audit.heads(fed, since=heads)
    assert sorted(audit.heads(fed)) == ["s00", "s01"]
    data = (tmp_path / "heads").read_bytes()
    for place in range(0, len(data), 7):
        (tmp_path / "heads").write_bytes(
            data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        )
        try:
            assert audit.read_heads(tmp_path / "heads") == heads
        except SaveFileError:
            continue


@pytest.mark.parametrize(
    "change",
    [
        lambda head: msgspec.structs.replace(head, sequence=head.sequence + 1),
        lambda head: msgspec.structs.replace(head, hash=bytes(32)),
        lambda head: msgspec.structs.replace(head, site="other"),
        lambda head: msgspec.structs.replace(head, signature=bytes(64)),
        lambda head: msgspec.structs.replace(head, identity=FORGER.public),
        lambda head: msgspec.structs.replace(head, hash=b""),
    ],
)
def test_a_head_that_is_not_signed_is_no_answer(
    change: Callable[[AuditHead], AuditHead], home: Home
) -> None:
    forged = change(home.head)
    assert ReadAuditHead().accepts(home.head)
    assert not ReadAuditHead().accepts(forged)
    assert not audit.verify(home.path, forged)


# R38
def test_pruned_lines_leave_a_signed_stub_and_the_rest_verifies(tmp_path: Path) -> None:
    site = make(tmp_path)
    for kind in (2, 4, 4):
        request(site, kind)
    heads = [site.audit.head]
    ledger = site.ledger.frame
    assert site.audit.prune() == 0
    with pytest.raises(PrivacyError, match="at least 6 years"):
        site.audit.prune(5.9)
    lines = len(site.audit.frame)
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 7, day=1)
    assert site.audit.prune(today=later) == lines
    request(site, 2, run="next")
    heads.append(site.audit.head)
    assert audit.verify(tmp_path, heads)
    assert len(site.audit.frame) == 1
    assert site.ledger.frame.iloc[: len(ledger)].equals(ledger)
    with closing(sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)) as file:
        with pytest.raises(sqlite3.IntegrityError, match="only grow"):
            file.execute("DELETE FROM audit")
        # The stub covers the hashes before it, and no line after it.
        for table_, guard, attack in (
            ("spend", "no_update", "UPDATE spend SET count = 7 WHERE sequence = 1"),
            ("chain", "no_update", "UPDATE chain SET hash = zeroblob(32) WHERE sequence = 2"),
            ("stubs", "no_update", "UPDATE stubs SET entries = 1"),
            ("audit", "no_delete", "DELETE FROM audit"),
        ):
            shutil.copy(tmp_path / "records.sqlite", tmp_path / "copy.sqlite")
            with closing(sqlite3.connect(tmp_path / "copy.sqlite", isolation_level=None)) as copy:
                copy.execute(f"DROP TRIGGER {table_}_{guard}")
                copy.execute(attack)
                copy.execute(guards_of(table_, guard))
            assert not audit.verify(tmp_path / "copy.sqlite"), attack


# R38, R19
def test_a_debit_between_pruned_lines_cannot_be_changed_with_its_hash(tmp_path: Path) -> None:
    site = make(tmp_path)
    for kind in (2, 2):
        request(site, kind)
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 7, day=1)
    assert site.audit.prune(today=later)
    assert audit.verify(tmp_path)
    path = tmp_path / "records.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for name in ("spend", "chain"):
            file.execute(f"DROP TRIGGER {name}_no_update")
        file.execute("UPDATE spend SET noise_multiplier = 99 WHERE sequence = 1")
        find = "SELECT sequence FROM chain WHERE record = 'spend' AND row = 1"
        ((entry,),) = file.execute(find).fetchall()
        hashes = dict(file.execute("SELECT sequence, hash FROM chain"))
        fields = ", ".join(NAMES["spend"])
        (found,) = file.execute(f"SELECT {fields} FROM spend WHERE sequence = 1").fetchall()
        forged = entry_hash(hashes[entry - 1], "spend", 1, *found)
        # The entry after it is a pruned line, whose own hash nobody can compute any more.
        file.execute("UPDATE chain SET hash = ? WHERE sequence = ?", (forged, entry))
        file.executescript(guards_of("spend") + guards_of("chain"))
    assert "before the stub" in repr(audit.verify(path))


def test_records_of_another_layout_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    with closing(sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)) as file:
        file.execute("PRAGMA user_version = 1")
    with pytest.raises(DataError, match="layout 1"):
        make(tmp_path)
    assert not audit.verify(tmp_path)


def test_what_is_no_file_of_records_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a file"):
        audit.verify(tmp_path / "nothing")
    (tmp_path / "text").write_text("no records " * 99)
    assert not audit.verify(tmp_path / "text")
    (tmp_path / "empty").write_bytes(b"")
    assert not audit.verify(tmp_path / "empty")


# R37
def test_every_request_is_a_line_with_its_actor() -> None:
    (site,) = deal(table(60, seed=5), [60], policy=OPEN)
    answer_of(ask(site, fit(site)))
    assert set(site.audit.frame["actor"]) == {"unsigned"}
    head = answer_of(ask(site, ReadAuditHead()))
    assert isinstance(head, AuditHead)
    assert head.sound
    assert len(site.audit.frame) == 2
