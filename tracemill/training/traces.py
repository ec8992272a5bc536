"""Traces of a finished run by query, with their texts: of those that were chosen, and of those that were not.

``dataset/`` has the texts of published responses; those of the others are in ``rejected/``, if the recipe wanted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc

from tracemill.core import Outcome, StoreError
from tracemill.core.schema import REFERENCE_BY
from tracemill.quality.filters import published_turn
from tracemill.runs.report import finished_run
from tracemill.runs.rows import parquet_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLISHED: Final = "published"
# Query -> outcomes of the responses beside the published ones; None: of any outcome.
QUERIES: Final[dict[str, tuple[Outcome, ...] | None]] = {
    PUBLISHED: (),
    "correct": (Outcome.CORRECT,),
    "wrong": (Outcome.INCORRECT,),
    "all": None,
}
_ROWS_AT_ONCE: Final = 500
_OF_BOTH: Final = ("id", "response_id", "source", "category", "think", "answer", "outcome", "licence", "non_commercial")


@dataclass(frozen=True, slots=True)
class Trace:
    """One response to one problem.

    Attributes:
        id: of the problem.
        asked: the turns before the response.
        think: None where the response has no well-formed think part; ``answer`` is the whole text then.
        published: whether it is in the dataset.
    """

    id: str
    response_id: str
    source: str
    category: str
    asked: list[dict[str, str]]
    think: str | None
    answer: str
    outcome: str
    licence: str
    non_commercial: bool
    published: bool

    @property
    def turn(self) -> str:
        """The assistant's turn in P1's template; as it was where it does not follow that."""
        return self.answer if self.think is None else published_turn(self.think, self.answer)


def traces_of(run: Path, query: str) -> Iterator[Trace]:
    """Yield the traces of a finished build that a query names: the published ones first, in their order.

    Raises:
        StoreError: it is no finished build, or it does not keep the texts that the query needs.
    """
    outcomes = QUERIES[query]
    manifest = finished_run(run)
    if "funnel" not in manifest:
        raise StoreError(f"{run} is no dataset that was built", expected="a run of build_dataset or refresh_dataset")
    names = {name.split("/")[0] for name in manifest["files"]}
    if outcomes != () and "rejected" not in names:
        raise StoreError(
            f"{run} keeps no texts of responses that were not chosen",
            got=f"traces: {query}",
            expected="a folder rejected/ beside dataset/",
            remedy="build it again with --set select.rejected=true: nobody is asked, and nothing is judged again",
        )
    if query != "wrong":
        yield from _rows(run / "dataset", None)
    if outcomes != ():
        yield from _rows(run / "rejected", outcomes)


def _rows(folder: Path, outcomes: tuple[Outcome, ...] | None) -> Iterator[Trace]:
    is_published = folder.name == "dataset"
    turns = "messages" if is_published else "prompt"
    wanted = pc.field("outcome").isin(list(map(str, outcomes))) if outcomes else None
    scanner = parquet_in(folder).scanner(
        columns=[*_OF_BOTH, turns], filter=wanted, batch_size=_ROWS_AT_ONCE, batch_readahead=1, fragment_readahead=1
    )
    for batch in scanner.to_batches():
        for row in batch.to_pylist():
            asked: list[dict[str, Any]] = row.pop(turns)
            yield Trace(**row, asked=asked[:-1] if is_published else asked, published=is_published)


def criteria_of(run: Path) -> Iterator[dict[str, Any]]:
    """Yield what the answers to each published problem are judged by, one row a problem.

    Columns: ``id``, ``source``, ``category``, ``asked``, ``reference_answer``, ``tests``, ``constraints`` (JSON text);
    of a run with votes also ``reference_by``.
    """
    columns = ["id", "source", "category", "messages", "reference_answer", "tests", "constraints", "non_commercial"]
    columns += [REFERENCE_BY] if is_voted(run) else []
    seen: set[str] = set()
    scanner = parquet_in(run / "dataset").scanner(
        columns=[*columns, "licence"], batch_size=_ROWS_AT_ONCE, batch_readahead=1, fragment_readahead=1
    )
    for batch in scanner.to_batches():
        for row in batch.to_pylist():
            if row["id"] not in seen:
                seen.add(row["id"])
                yield {**row, "asked": row.pop("messages")[:-1]}


def is_voted(run: Path) -> bool:
    """Tell whether rows of a run say how their references came about."""
    return REFERENCE_BY in parquet_in(run / "dataset").schema.names
