"""Traces, and finished runs with responses that were not chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.runs.published_runs import FUNNEL, sample
from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Dropped, Outcome, Verdict, table_of
from tracemill.publish import Publication, publish
from tracemill.quality.filters import Fault
from tracemill.select import Sample, rejected_traces
from tracemill.select.records import Judged, Rejected
from tracemill.store import Store
from tracemill.training.traces import Trace


def trace(asked: str = "What is 1 + 1?", **changes: Any) -> Trace:
    """A published trace."""
    fields: dict[str, Any] = {
        "id": "i",
        "response_id": "r",
        "source": "a",
        "category": "math",
        "asked": [{"role": "user", "content": asked}],
        "think": "t",
        "answer": "a",
        "outcome": "correct",
        "licence": "MIT",
        "non_commercial": False,
        "published": True,
    }
    return Trace(**(fields | changes))


def run_with_rejected(folder: Path, rejected: bool = True, rows: list[Sample] | None = None) -> Path:
    """Two published rows; beside them a right one with a fault, a wrong one and one without think part."""
    asked = problem("question 3", "3")
    answers = [
        response(asked, "faulty", answer="\\boxed{3} again"),
        response(asked, "wrong", answer="\\boxed{4}"),
        response(asked, "bare", think=None, answer="3", fault="no_think"),
    ]
    outcomes = [Outcome.CORRECT, Outcome.INCORRECT, Outcome.NO_ANSWER]
    verdicts = {given.id: verdict(given, outcome) for given, outcome in zip(answers, outcomes, strict=True)}
    judged = Judged(answers, verdicts, {"faulty": Fault("repeated_phrases", {})}, frozenset())
    store = Store(str(folder.parent / "store"))
    published = rows if rows is not None else [sample("question 1"), sample("question 2", licence="CC-BY-NC-4.0")]
    beside = {"rejected": [store.write_table(table_of(Rejected, rejected_traces([asked], judged)))]}
    publication = Publication(
        key=folder.name,
        selected=[store.write_table(table_of(Sample, published))],
        dropped=[store.write_table(table_of(Dropped, []))],
        verdicts=[store.write_table(table_of(Verdict, []))],
        shuffle_seed=1,
        rows_per_file=3,
        texts={"report.html": "page"},
        beside=beside if rejected else {},
        facts={"funnel": FUNNEL, "recipe": "small"},
    )
    publish(store, Store(str(folder)), publication)
    return folder
