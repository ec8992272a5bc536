"""What a stage is given and makes: :class:`Work` (inputs, read on demand), :class:`Produced` (tables and counts)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import Dropped, Problem, Row, Section, rows_of, table_of
from tracemill.core.traces import TraceText, with_texts
from tracemill.store import Shard, Store

Kind = TypeVar("Kind", bound=Row)


@dataclass(frozen=True)
class PerRow:
    """A stage that treats its rows one by one.

    Attributes:
        rows: the input that holds them: raw rows, or problems.
        drops: whether it writes table ``dropped``.
    """

    rows: str
    drops: bool


@dataclass(frozen=True)
class View:
    """What a task sees of its inputs.

    Attributes:
        rows: the input of which only some rows are seen.
        positions: of those.
        hidden: ids of problems of which nothing is seen.
    """

    rows: str | None
    positions: pa.Array | None
    hidden: pa.Array

    def of(self, name: str, table: pa.Table) -> pa.Table:
        """Return an input as it is seen."""
        if name == self.rows:
            return table.take(self.positions)
        if "problem_id" in table.column_names:
            return table.filter(pc.invert(pc.is_in(table["problem_id"], value_set=self.hidden)))
        return table


@dataclass(frozen=True)
class Work:
    """One task's inputs.

    Attributes:
        section: the recipe section of the stage.
        inputs: handles by name.
        before: outputs of the same work when it was last done provisionally; empty where it was not.
        view: what is seen of the inputs, where rows were set aside.
    """

    store: Store
    section: Any
    inputs: Mapping[str, Shard]
    before: Mapping[str, Shard] = field(default_factory=dict)
    view: View | None = None

    def table(self, name: str) -> pa.Table:
        """Return the table behind an input."""
        table = self.store.read_table(self.inputs[name])
        return table if self.view is None else self.view.of(name, table)

    def rows(self, kind: type[Kind], name: str) -> list[Kind]:
        """Return the rows of an input."""
        return list(rows_of(kind, self.table(name)))

    def problems_with_texts(self, name: str) -> list[Problem]:
        """Return the problems of an input, their traces with the texts that lie in the inputs ``texts-…``."""
        texts = {text.id: text for text in self.all_rows(TraceText, "texts")}
        return [with_texts(problem, texts) for problem in self.rows(Problem, name)]

    def numbered(self, prefix: str) -> list[str]:
        """Return the names of the inputs ``prefix-000``, ``prefix-001``, …, in order."""
        return sorted(name for name in self.inputs if name.startswith(f"{prefix}-"))

    def all_rows(self, kind: type[Kind], prefix: str) -> list[Kind]:
        """Return the rows of all inputs called ``prefix-…``, in order."""
        return [row for name in self.numbered(prefix) for row in self.rows(kind, name)]


@dataclass(frozen=True)
class Produced:
    """What a stage made of its inputs.

    Attributes:
        outputs: tables by name, or handles of tables that were stored on the way.
        rows_in: rows that entered, in the stage's own unit.
        rows_kept: rows that went on.
        dropped: count by "stage/reason".
        facts: figures for people.
        provisional: something outside was missing. The run goes on with this, and the next one does the work again.
    """

    outputs: Mapping[str, pa.Table | Shard]
    rows_in: int
    rows_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    provisional: bool = False


def split(rows_in: int, kept: Iterable[Row], kind: type[Row], dropped: list[Dropped], **facts: object) -> Produced:
    """Return the usual outcome of a filter: tables ``kept`` and ``dropped``."""
    table = table_of(kind, kept)
    return Produced(
        outputs={"kept": table, "dropped": table_of(Dropped, dropped)},
        rows_in=rows_in,
        rows_kept=table.num_rows,
        dropped=dict(Counter(f"{row.stage}/{row.reason}" for row in dropped)),
        facts=facts,
    )


class NoSettings(Section):
    """The section of a stage that nothing in the recipe changes."""
