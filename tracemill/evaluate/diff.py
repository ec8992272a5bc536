"""``tracemill diff`` of two evaluations: paired by item, benchmark by benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracemill.core import StoreError
from tracemill.evaluate.baseline import FACT, read_evaluation
from tracemill.evaluate.paired import compared, overall_difference
from tracemill.evaluate.report import differences_told
from tracemill.evaluate.summary import asked_otherwise
from tracemill.publish import published
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_evaluation(run: Path) -> bool:
    """Tell whether a directory holds a finished evaluation."""
    manifest = published(Store(str(run)))
    return manifest is not None and FACT in manifest


def diff_evaluations(a: Path, b: Path) -> dict[str, Any]:
    """Return how the second evaluation differs from the first, on the items that both have.

    Raises:
        StoreError: one of them is no finished evaluation, or they have no benchmark in common.
    """
    first, second = read_evaluation(a), read_evaluation(b)
    names = [name for name in second.items if name in first.items]
    if not names:
        raise StoreError(
            f"{a} and {b} have no benchmark in common",
            got=f"{', '.join(first.items)}; {', '.join(second.items)}",
            expected="benchmarks of the same name",
        )
    differences = {name: compared(first.items[name], second.items[name]) for name in names}
    mean = overall_difference({name: (first.items[name], second.items[name]) for name in names})
    return {
        "a": {"run": str(a), "evaluation": first.name, "student": first.student},
        "b": {"run": str(b), "evaluation": second.name, "student": second.student},
        "asked_otherwise": asked_otherwise(first.student, second.student),
        "benchmarks": {name: one.as_json() for name, one in differences.items() if one is not None},
        "overall": None if mean is None else mean.as_json(),
    }


def render(found: Mapping[str, Any]) -> str:
    """Return the differences for a terminal."""
    scores = {
        "benchmarks": {name: {"difference": one} for name, one in found["benchmarks"].items()},
        "baseline": found["a"] | {"overall": found["overall"]},
    }
    lines = [f"{side}  {found[side]['run']}: {found[side]['student']['model']}" for side in ("a", "b")]
    otherwise = [
        f"asked with another {name.replace('_', ' ')}: {before}, then {now}"
        for name, (before, now) in found["asked_otherwise"].items()
    ]
    return "\n".join([*lines, *otherwise, *differences_told(scores)])
