"""The lesson runs the real protocol and tells what it hides."""

from __future__ import annotations

import numpy as np
import pytest

from fedlab.errors import SecureSumError
from fedlab.mask_lesson import STEPS, mask_lesson

VALUES = {"mercy": 3.0, "hope": 4.5, "grace": 1.0, "faith": -2.25}


def test_pads_cancel_and_masks_do_not_show_in_the_sum() -> None:
    lesson = mask_lesson(VALUES)
    assert lesson.total == sum(VALUES.values())
    assert np.array_equal(lesson.pads.to_numpy(), -lesson.pads.to_numpy().T)
    sent = lesson.frame["value"] * 2.0**16 / 2.0**64 + lesson.frame[["own_mask", "pads"]].sum(
        axis=1
    )
    off = (sent - lesson.frame["sent"]).to_numpy()
    assert np.abs(off - np.rint(off)).max() < 1e-12
    assert lesson.plot().data
    assert "no more" in lesson._repr_html_()


@pytest.mark.parametrize("step", STEPS)
def test_a_site_that_is_gone_is_left_out_or_recovered(step: str) -> None:
    lesson = mask_lesson(VALUES, gone={"hope": step})
    in_sum = step in ("signature", "opening")
    assert lesson.total == sum(VALUES.values()) - (0 if in_sum else VALUES["hope"])
    assert f"hope was gone before its {step}." in lesson.notes
    taken = list(STEPS[: STEPS.index(step)])
    assert [step for step, size in lesson.bytes.T["hope"].items() if size] == taken


def test_with_too_few_left_the_lesson_says_that_nothing_was_opened() -> None:
    lesson = mask_lesson(VALUES, gone={"hope": "opening", "mercy": "opening"})
    assert np.isnan(lesson.total)
    assert "Nothing was opened" in repr(lesson)


def test_a_lesson_repeats() -> None:
    assert mask_lesson(VALUES).frame.equals(mask_lesson(VALUES).frame)
    assert not mask_lesson(VALUES, seed=1).frame["sent"].equals(mask_lesson(VALUES).frame["sent"])


@pytest.mark.parametrize("gone", [{"stranger": "keys"}, {"hope": "lunch"}])
def test_other_names_and_steps_are_refused(gone: dict[str, str]) -> None:
    with pytest.raises(SecureSumError, match="may be gone at one of"):
        mask_lesson(VALUES, gone=gone)


def test_two_sites_are_too_few() -> None:
    with pytest.raises(SecureSumError, match="at least 3"):
        mask_lesson({"a": 1.0, "b": 2.0})
