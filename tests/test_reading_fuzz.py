"""A few hundred broken sources for each reader; `tests/fuzz/readers.py` runs them by the clock."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import CASES, main, run

SLOW = ["omop_csv", "omop_parquet"]


@pytest.mark.parametrize("name", [name for name in CASES if name not in SLOW])
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_broken_source_gives_an_account_that_adds_up_or_a_data_error(
    name: str, random: Random
) -> None:
    assert run(name, random) in ("Reading", "DataError")


@pytest.mark.parametrize("name", SLOW)
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_broken_tables_give_an_account_that_adds_up_or_a_data_error(
    name: str, random: Random
) -> None:
    assert run(name, random) in ("Reading", "DataError")


def test_the_runner_counts_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.2", "--only", "ndjson"]) == 0
    assert "none with another exception" in capsys.readouterr().out
    assert main(["--replay", "csv:1"]) == 0
    assert capsys.readouterr().out.strip() in ("Reading", "DataError")
