"""How long a bulk export takes to read and how much memory; it is made here and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from carebundle import generate_cohort, to_ndjson

ROOT = Path(__file__).parents[2]
Benchmark = Any
SIZE = int(os.environ.get("FEDLAB_BENCH_BYTES", 1 << 30))

READ = """
import json, resource, sys, time
import fedlab.site.reading as reading

loinc = "http://loinc.org"
view = {
    "views": [
        {"resource": "Patient", "name": "patients", "select": [{"column": [
            {"name": "sex", "path": "gender"}, {"name": "born", "path": "birthDate"}]}]},
        {"resource": "Observation", "name": "sodium",
         "where": [{"path": f"code.coding.exists(system='{loinc}' and code='2951-2')"}],
         "select": [{"column": [
            {"name": "value", "path": "value.ofType(Quantity).value"},
            {"name": "unit", "path": "value.ofType(Quantity).unit"},
            {"name": "at", "path": "effective.ofType(dateTime)"}]}]},
    ],
    "columns": [
        {"name": "sex", "view": "patients", "column": "sex"},
        {"name": "born", "view": "patients", "column": "born"},
        {"name": "sodium", "view": "sodium", "column": "value", "take": "last", "date": "at",
         "unit": "unit"},
        {"name": "tests", "view": "sodium", "take": "count"},
    ],
}
begun = time.perf_counter()
found = reading.read_fhir(sys.argv[1], view)
seconds = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, peak, len(found.frame), found.report.n_seen, found.report.n_malformed]))
"""


def export(folder: Path, size: int) -> int:
    """Write a bulk export of so many bytes: the same cohort again and again, with ids of their own.

    Returns
    -------
    int
        Number of resources.
    """
    texts = to_ndjson(generate_cohort(count=100, seed=5))
    files = {kind: (folder / f"{kind}.ndjson").open("w", encoding="utf-8") for kind in texts}
    written = resources = turn = 0
    while written < size:
        for kind, text in texts.items():
            for line in text.splitlines():
                files[kind].write(_numbered(line, turn) + "\n")
                resources += 1
            written += len(text)
        turn += 1
    for file in files.values():
        file.close()
    return resources


def _numbered(line: str, turn: int) -> str:
    resource = json.loads(line)

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: f"{inner}-{turn}" if key in ("id", "reference") else walk(inner)
                for key, inner in value.items()
            }
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(walk(resource), separators=(",", ":"))


def test_a_bulk_export_is_read_in_bounded_memory(benchmark: Benchmark, tmp_path: Path) -> None:
    resources = export(tmp_path, SIZE)
    size = sum(file.stat().st_size for file in tmp_path.iterdir())

    def read() -> list[float]:
        command = [sys.executable, "-c", READ, str(tmp_path)]
        run = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
        found: list[float] = json.loads(run.stdout)
        return found

    seconds, peak, patients, seen, malformed = benchmark.pedantic(read, rounds=1)
    benchmark.extra_info.update(read_seconds=seconds, peak_bytes=peak, bytes=size)
    print(
        f"\n{benchmark.name}: {size / 2**20:,.0f} MiB, {resources:,} resources, "
        f"{patients:,.0f} patients in {seconds:.0f} s, peak {peak / 2**20:,.0f} MiB"
    )
    assert (seen, malformed) == (resources, 0)
    for file in tmp_path.iterdir():
        file.unlink()
