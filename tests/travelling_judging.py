"""Values of every class that travels for judging models."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from fedlab.core.foreign import Feed, Part, Plan
from fedlab.queries.judge_confusion import Confusion, JudgeConfusion
from fedlab.queries.judge_scores import JudgeScores, ScoreTable
from fedlab.queries.judge_sums import ErrorSums, JudgeSums
from tests.travelling import ARRAYS, ASKED, FACTORS, SCHEMAS, TEXT

PARTS = st.builds(Part, column=TEXT, category=st.none() | TEXT)
FEEDS = st.builds(Feed, name=TEXT, parts=st.lists(PARTS, max_size=3).map(tuple), text=st.booleans())
PLANS = st.builds(
    Plan,
    feeds=st.lists(FEEDS, max_size=3).map(tuple),
    output=TEXT,
    reads=st.sampled_from(["probabilities", "probability", "logit", "margin", "label", "number"]),
    order=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    labels=st.lists(st.booleans() | st.integers(-9, 9) | TEXT, max_size=3).map(tuple),
    width=st.integers(1, 9),
)
JUDGED: dict[str, Any] = {**ASKED, "file": st.binary(max_size=9), "plan": PLANS, "factors": FACTORS}
OF_TWO = SCHEMAS.map(lambda schema: msgspec.structs.replace(schema, classes=(0, 1)))
JUDGING: dict[type, st.SearchStrategy[Any]] = {
    JudgeScores: st.builds(
        JudgeScores,
        **{**JUDGED, "schema": OF_TWO},
        threshold=st.floats(0.01, 0.99),
        bins=st.integers(2, 100),
    ),
    ScoreTable: st.builds(ScoreTable, ARRAYS, ARRAYS, ARRAYS, ARRAYS, ARRAYS),
    JudgeConfusion: st.builds(JudgeConfusion, **JUDGED),
    Confusion: st.builds(Confusion, ARRAYS, ARRAYS, ARRAYS, ARRAYS),
    JudgeSums: st.builds(JudgeSums, **JUDGED, center=st.floats(allow_nan=False)),
    ErrorSums: st.builds(ErrorSums, ARRAYS, ARRAYS),
}
