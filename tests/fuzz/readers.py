"""Readers against broken files, for as long as you like: ``python tests/fuzz/readers.py``.

Each case breaks a sound source by what its random numbers say, reads it, and holds the account
against a count made by other means: a table whose records add up, or a DataError; never another
exception, never a record that is in no count. ``tests/test_reading_fuzz.py`` runs a few cases of
each; this runs them by the clock and prints how many.

    python tests/fuzz/readers.py --seconds 600 --seed 1
    python tests/fuzz/readers.py --replay bundle:123
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sqlite3
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from fedlab.errors import DataError
from fedlab.site.readers import read_table
from fedlab.site.reading import LEFT_OUT, Reading, read_fhir, read_omop, read_sql

LABS: dict[str, Any] = {
    "views": [
        {
            "resource": "Patient",
            "name": "p",
            "select": [
                {"column": [{"name": "sex", "path": "gender"}]},
                {"forEachOrNull": "name", "column": [{"name": "given", "path": "given.first()"}]},
            ],
        },
        {
            "resource": "Observation",
            "name": "o",
            "where": [{"path": "code.coding.exists(code = 'a')"}],
            "select": [
                {
                    "column": [
                        {"name": "value", "path": "value.ofType(Quantity).value"},
                        {"name": "unit", "path": "value.ofType(Quantity).unit"},
                        {"name": "at", "path": "effective.ofType(dateTime)"},
                    ]
                }
            ],
        },
    ],
    "columns": [
        {"name": "sex", "view": "p", "column": "sex"},
        {"name": "given", "view": "p", "column": "given"},
        {"name": "last", "view": "o", "column": "value", "take": "last", "date": "at"},
        {"name": "mean", "view": "o", "column": "value", "take": "mean", "unit": "unit"},
    ],
}
COHORT: dict[str, Any] = {
    "cohort": {"table": "visit_occurrence", "concepts": [1]},
    "columns": [
        {"kind": "age", "name": "age"},
        {"kind": "measurement", "name": "last", "concepts": [7]},
        {"kind": "measurement", "name": "mean", "concepts": [7], "take": "mean"},
        {"kind": "died", "name": "died", "days": 30},
    ],
}
# What has broken readers before.
TOKENS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b"NaN", b"Infinity",
    b"-0", b"1e999", b"9" * 400, b"null", b"true", b"{", b"}", b"[", b"]", b'"', b"'", b",", b":",
    b"\n", b"\r\n", b"\r", b"\t", b" ", b"#", b"Patient", b"resourceType", b"reference", b"id",
    b"0001-01-01", b"9999-12-31T24:00:00Z", b"2020-02-30", b"[" * 200, b'{"a":' * 200, b"%", b"\\",
    b'"entry"', b'"id":"p1",', b"inf", b"1.5", b"-1", b"",
)  # fmt: skip


def broken(random: Random, raw: bytes) -> bytes:
    """The bytes with a few changes; sometimes none."""
    data = bytearray(raw)
    for _ in range(random.choice((0, 1, 1, 2, 3, 8, 30))):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 1, 2, 5, 40)))
        way = random.randrange(6)
        if way == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif way == 1:
            del data[at:end]
        elif way == 2:
            data[at:at] = random.choice(TOKENS)
        elif way == 3:
            data[at:end] = random.choice(TOKENS)
        elif way == 4:
            piece = bytes(data[at:end])
            place = random.randrange(len(data) + 1)
            data[place:place] = piece
        elif way == 5 and random.random() < 0.3:
            del data[at:]
    return bytes(data)


def resources(random: Random) -> list[dict[str, Any]]:
    """A few sound resources."""
    found: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": f"p{i}", "gender": "female", "name": [{"given": ["Ä"]}]}
        for i in range(random.randrange(4))
    ]
    for i in range(random.randrange(5)):
        found.append(
            {
                "resourceType": random.choice(("Observation", "Observation", "Device")),
                "id": f"o{i}",
                "code": {"coding": [{"code": random.choice("aab")}]},
                "subject": {"reference": f"Patient/p{random.randrange(4)}"},
                "effectiveDateTime": "2020-01-02T03:04:05+01:00",
                "valueQuantity": {"value": 1.5 * i, "unit": random.choice(("g", "g", "mg"))},
            }
        )
    return found


def account(reading: Reading) -> None:
    """What holds of every reading."""
    report = reading.report
    listed = Counter(fault.code for fault in report.faults)
    if report.n_malformed <= 100:
        assert listed == Counter(report.malformed), (listed, report.malformed)
    assert all(fault.line is None or fault.line > 0 for fault in report.faults)
    assert set(report.left_out) <= set(LEFT_OUT)
    assert all(count > 0 for count in [*report.malformed.values(), *report.left_out.values()])
    assert all(count >= 0 for count in report.read.values())
    assert repr(reading)
    assert reading._repr_html_()


def lines_of(raw: bytes) -> int:
    """Number of lines, an unfinished last one among them."""
    return raw.count(b"\n") + (raw != b"" and not raw.endswith(b"\n"))


def ndjson(random: Random, folder: Path) -> None:
    """Lines of resources; each line is in one count."""
    raw = broken(random, b"".join(json.dumps(each).encode() + b"\n" for each in resources(random)))
    (folder / "a.ndjson").write_bytes(raw)
    reading = read_fhir(folder, LABS)
    account(reading)
    assert reading.report.n_seen == lines_of(raw)
    assert all((fault.line or 0) <= lines_of(raw) for fault in reading.report.faults)


def compressed(random: Random, folder: Path) -> None:
    """Compressed lines, broken after compression or before."""
    text = b"".join(json.dumps(each).encode() + b"\n" for each in resources(random))
    raw = gzip.compress(broken(random, text)) if random.random() < 0.3 else gzip.compress(text)
    raw = broken(random, raw)
    (folder / "a.ndjson.gz").write_bytes(raw)
    reading = read_fhir(folder, LABS)
    account(reading)
    try:
        whole: bytes | None = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        whole = None
    if whole is None:
        assert reading.report.malformed.get("broken_gzip", 0) == 1
    else:
        assert reading.report.n_seen == lines_of(whole)


def bundle(random: Random, folder: Path) -> None:
    """A bundle; each entry is in one count, or the break is."""
    entries = [{"fullUrl": f"urn:uuid:{i}", "resource": r} for i, r in enumerate(resources(random))]
    made = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    raw = broken(random, json.dumps(made, indent=random.choice((None, 1))).encode())
    (folder / "a.json").write_bytes(raw)
    reading = read_fhir(folder, LABS)
    account(reading)
    try:
        found = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        assert reading.report.n_malformed >= 1
        return
    if isinstance(found, dict) and found.get("resourceType") == "Bundle":
        listed = found.get("entry")
        if isinstance(listed, list) and raw.count(b'"entry"') == 1:
            whole = reading.report.n_seen == len(listed)
            assert whole or reading.report.n_malformed >= 1
    else:
        assert reading.report.n_seen >= 1


def frame(random: Random) -> pd.DataFrame:
    rng = np.random.default_rng(random.randrange(2**32))
    n = random.randrange(1, 8)
    columns: dict[str, Any] = {
        "age": rng.normal(60, 9, n),
        "sex": rng.choice(["F", "M"], n),
        "n": rng.integers(0, 9, n),
        "note": rng.choice(["a,b", 'c"d', "e\nf", ""], n),
    }
    return pd.DataFrame(columns)


def csv(random: Random, folder: Path) -> None:
    """A CSV file of a site."""
    path = folder / "a.csv"
    path.write_bytes(broken(random, frame(random).to_csv(index=False).encode()))
    assert isinstance(read_table(path, "mercy"), pd.DataFrame)


def parquet(random: Random, folder: Path) -> None:
    """A Parquet file of a site."""
    buffer = io.BytesIO()
    frame(random).to_parquet(buffer)
    path = folder / "a.parquet"
    path.write_bytes(broken(random, buffer.getvalue()))
    assert isinstance(read_table(path, "mercy"), pd.DataFrame)


def sql(random: Random, folder: Path) -> None:
    """SQLite, whose columns hold any type."""
    kinds: list[Any] = [None, 1, 2**62, -1.5, float("inf"), "x", "é\x00", b"\xff", "2020-01-01", ""]
    allowed = random.sample(kinds, random.randrange(1, 4))
    rows = [(random.choice(allowed), i) for i in range(random.randrange(6))]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x, y)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        query = random.choice(("SELECT x, y FROM t", "SELECT CAST(x AS TEXT) AS x FROM t"))
        reading = read_sql(connection, query)
    account(reading)
    assert len(reading.frame) == reading.report.n_seen == len(rows)


TABLES = {
    "person": "person_id,gender_concept_id,year_of_birth,birth_datetime\n1,8507,1950,\n"
    "2,8532,1960,\n",
    "visit_occurrence": "person_id,visit_concept_id,visit_start_date\n1,1,2020-01-01\n"
    "2,1,2020-01-02\n2,2,2020-01-03\n",
    "measurement": "measurement_id,person_id,measurement_concept_id,measurement_date,"
    "value_as_number,value_as_concept_id,unit_concept_id\n1,1,7,2019-12-01,1.5,,8840\n"
    "2,2,7,2019-12-02,2.5,,8840\n3,2,8,2019-12-02,2.5,,8840\n",
    "death": "person_id,death_date\n2,2020-01-09\n",
}  # fmt: skip


def omop_csv(random: Random, folder: Path) -> None:
    """A folder of CSV tables, one of them broken."""
    name = random.choice(list(TABLES))
    rows = 0
    exact = True
    for each, text in TABLES.items():
        raw = text.encode()
        if each == name:
            raw = broken(random, raw)
            exact = not set(b'"\r') & set(raw)
        (folder / f"{each}.csv").write_bytes(raw)
        rows += sum(line != b"" for line in raw.split(b"\n")) - 1
    reading = read_omop(folder, COHORT)
    account(reading)
    if exact:
        assert reading.report.n_seen == rows, (reading.report, rows)


def omop_parquet(random: Random, folder: Path) -> None:
    """A folder of Parquet tables, one of them broken in its bytes or its types."""
    name = random.choice(list(TABLES))
    total = 0
    for each, text in TABLES.items():
        table = pd.read_csv(io.StringIO(text))
        if each == name and random.random() < 0.5:
            column = random.choice(list(table.columns))
            kinds: list[Any] = [None, 1.5, "x", float("nan"), "2020-01-01", True, pd.Timestamp(0)]
            table[column] = random.choice(kinds)
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        raw = buffer.getvalue()
        whole = raw
        if each == name and random.random() < 0.5:
            raw = broken(random, raw)
        total += len(table) if raw == whole else -10_000
        (folder / f"{each}.parquet").write_bytes(raw)
    reading = read_omop(folder, COHORT)
    account(reading)
    if total > 0:
        assert reading.report.n_seen == total


Case = Callable[[Random, Path], None]
CASES: dict[str, Case] = {
    case.__name__: case
    for case in (ndjson, compressed, bundle, csv, parquet, sql, omop_csv, omop_parquet)
}


def run(name: str, random: Random) -> str:
    """One case; what it ended in."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            CASES[name](random, Path(folder))
        except DataError:
            return "DataError"
    return "Reading"


def _random(name: str, number: object) -> Random:
    return Random(f"{name}:{number}")  # noqa: S311 - nothing is kept secret by it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run by the clock, each kind of source in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(CASES))
    parser.add_argument("--replay", help="source:number of a case that failed")
    given = parser.parse_args(arguments)
    if given.replay:
        name, number = given.replay.split(":")
        print(run(name, _random(name, number)))
        return 0
    names = [given.only] if given.only else list(CASES)
    ended: Counter[tuple[str, str]] = Counter()
    until = time.monotonic() + given.seconds
    number = given.seed * 10**9
    while time.monotonic() < until:
        number += 1
        for name in names:
            try:
                ended[name, run(name, _random(name, number))] += 1
            except BaseException:
                # A crash of the process itself leaves this as the last line, for a replay.
                print(f"FAILED --replay {name}:{number}", flush=True)
                raise
    for (name, end), count in sorted(ended.items()):
        print(f"{name:14} {end:10} {count:10,}")
    print(f"{sum(ended.values()):,} cases, none with another exception or a lost record")
    return 0


if __name__ == "__main__":
    sys.exit(main())
