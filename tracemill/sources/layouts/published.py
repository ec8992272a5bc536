"""What a build of this project publishes: rows of ``dataset/``, each with the response that was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import ReferenceBy
from tracemill.core.schema import REFERENCE_BY
from tracemill.sources.adapter import Draft, LayoutAdapter
from tracemill.sources.layouts.columns import category_of, constraints_of, history_of, parsed, tests_of
from tracemill.sources.layouts.traces import model_named, parted_trace, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource


def published(row: dict[str, Any], _source: RowSource) -> Draft:
    """Prompt, criteria, think and answer have columns of their own; the turns before the prompt are in messages."""
    turns = parsed(row.get("messages"), "history") or []
    model = model_named(row.get("model"))
    trace = parted_trace(model, row.get("think"), row.get("answer")) or tagged_trace(model, row.get("answer"))
    return Draft(
        prompt=row.get("prompt"),
        reference_answer=row.get("reference_answer"),
        category=category_of(row.get("category"), named=True),
        history=history_of(turns[:-2] if isinstance(turns, list) else turns),
        tests=tests_of(row.get("tests")),
        constraints=constraints_of(row.get("constraints")),
        traces=[trace],
        info={"upstream_source": row.get("source"), "upstream_id": row.get("id"), **_made_by(row)},
        licence=row.get("licence"),
        non_commercial=row.get("non_commercial"),
    )


def _made_by(row: dict[str, Any]) -> dict[str, Any]:
    """Return the mark of a reference that samples made, which must not be taken for one that was given."""
    by = row.get(REFERENCE_BY)
    return {REFERENCE_BY: by} if by == ReferenceBy.MAJORITY else {}


PUBLISHED_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "tracemill": LayoutAdapter(
        required=(("prompt",), ("think",), ("answer",), ("messages",), ("response_id",), ("verifier",)),
        adapt=published,
        responses=("response_id",),
    ),
}
