"""Errors carry their fields wherever they go."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from tracemill.core import FailedTaskRun, LedgerError, TracemillError
from tracemill.core.errors import TeacherUnpaidError

FIELDS = {"got": "a\n  got: b", "expected": "c\n  remedy: d", "remedy": "e"}


def facts(error: TracemillError) -> tuple[object, ...]:
    notes = getattr(error, "__notes__", None)
    return type(error), error.what, error.got, error.expected, error.remedy, error.task, error.cause, str(error), notes


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
@pytest.mark.parametrize("kind", [TracemillError, LedgerError, TeacherUnpaidError])
def test_an_error_is_the_same_in_another_process(kind: type[TracemillError], pickler: object) -> None:
    """Kind, fields, task and notes survive pickling, whatever is written in them."""
    error = kind("what\n  got: no", **FIELDS).in_task(FailedTaskRun("00000-a", "'x'", ("n",), "python -m x", "later"))
    error.add_note("met on the way")
    assert facts(pickle.loads(pickler.dumps(error))) == facts(error)  # noqa: S301 - our own bytes


def test_the_text_of_an_error_tells_every_field_that_is_there() -> None:
    """One line a field, in one order; nothing stands for a field that is empty."""
    assert str(LedgerError("what")) == "what"
    error = LedgerError("what", got="g", remedy="r").in_task(FailedTaskRun(shard="s", notes=("n",), next_step="x"))
    assert str(error).split("\n  ") == ["what", "got: g", "remedy: r", "shard: s", "n", "next: x"]
    assert error.cause == "what\n  got: g\n  remedy: r"
