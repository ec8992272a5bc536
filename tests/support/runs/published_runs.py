"""Published runs of made-up rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Dropped, Outcome, Verdict, table_of
from tracemill.publish import Publication, publish
from tracemill.recipe.sections.select import Select
from tracemill.select import Sample, select
from tracemill.store import Store

FUNNEL: list[dict[str, Any]] = [
    {"source": "a", "stage": "source", "reason": "rows", "rows": 8},
    {"source": "a", "stage": "verify", "reason": "incorrect", "rows": 3},
    {"source": "a", "stage": "published", "reason": "rows", "rows": 5},
    {"source": "b", "stage": "source", "reason": "rows", "rows": 1},
    {"source": "b", "stage": "published", "reason": "rows", "rows": 1},
]


def sample(prompt: str, reference: str = "1", said: str = "r", **changes: Any) -> Sample:
    asked = problem(prompt, reference)
    answered = response(asked, f"{said} to {prompt}")
    ((row,), _) = select([asked], [answered], {answered.id: verdict(answered, Outcome.CORRECT)}, {}, {}, Select())
    return dataclasses.replace(row, **changes)


def run(
    folder: Path,
    rows: list[Sample],
    dropped: list[Dropped] | None = None,
    texts: dict[str, str] | None = None,
    beside: dict[str, pa.Table] | None = None,
) -> Path:
    """A published run of these rows; with tables beside them, by folder."""
    store = Store(str(folder.parent / "store"))
    publication = Publication(
        key=folder.name,
        selected=[store.write_table(table_of(Sample, rows))],
        dropped=[store.write_table(table_of(Dropped, dropped or []))],
        verdicts=[store.write_table(table_of(Verdict, []))],
        shuffle_seed=1,
        rows_per_file=3,
        texts={"report.html": "page"} | (texts or {}),
        beside={name: [store.write_table(table)] for name, table in (beside or {}).items()},
        facts={"funnel": FUNNEL, "recipe": "small"},
    )
    publish(store, Store(str(folder)), publication)
    return folder
