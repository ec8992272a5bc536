"""What an audit publishes: every row's verdict, or the bad references; the rows without one; figures and a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.audit.references import BAD, status_of
from tracemill.audit.rows import AuditedRow
from tracemill.core import Dropped
from tracemill.dedup.conflict_report import ROWS
from tracemill.publish import Output
from tracemill.publish.export import ROWS_PER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracemill.publish.directory.run_directory import RunDirectory
    from tracemill.store import Shard, Store

CONFLICTS_FILE = "conflicting_references.parquet"
BAD_REFERENCES = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("category", pa.string()),
        ("reference", pa.large_string()),
        ("outcome", pa.string()),
        ("detail", pa.large_string()),
        ("prompt", pa.large_string()),
    ]
)


AUDIT: Final = Output("audit", frozenset({"verdicts", "dropped", "summary.json", "report.html"}))
REFERENCES: Final = Output(
    "checked references",
    frozenset({"bad_references.parquet", CONFLICTS_FILE, "dropped", "summary.json", "report.html"}),
)


@dataclass(frozen=True)
class AuditPublication:
    """What ``verify_dataset`` publishes.

    Attributes:
        key: of everything below.
        audited, dropped: shards of ``AuditedRow`` and ``Dropped`` rows.
        texts: further files by name.
        facts: what else the manifest says.
        keep: an audit has no versions: the newest one tells all.
    """

    key: str
    audited: Sequence[Shard]
    dropped: Sequence[Shard]
    texts: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    keep: int = 1

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Write every file but the manifest."""
        self._write_audited(store, directory)
        directory.shards("dropped", Dropped.arrow, store, self.dropped, ROWS_PER_FILE)
        for name, text in self.texts.items():
            directory.text(name, text)

    def _write_audited(self, store: Store, directory: RunDirectory) -> None:
        directory.shards("verdicts", AuditedRow.arrow, store, self.audited, ROWS_PER_FILE)


@dataclass(frozen=True)
class ReferencePublication(AuditPublication):
    """What ``check_references`` publishes: of the verdicts, only those on bad references.

    Attributes:
        conflicts: rows of ``conflict_report.ROWS``.
    """

    conflicts: pa.Table = field(default_factory=ROWS.empty_table)

    def _write_audited(self, store: Store, directory: RunDirectory) -> None:
        bad = [row for shard in self.audited for row in _bad_references(store, shard)]
        directory.table("bad_references.parquet", pa.Table.from_pylist(bad, schema=BAD_REFERENCES))
        directory.table(CONFLICTS_FILE, self.conflicts)


def _bad_references(store: Store, shard: Shard) -> Iterator[dict[str, Any]]:
    """For code the reference is the solution, which its verifier extracts."""
    for row in store.read_table(shard).to_pylist():
        if status_of(row) == BAD:
            reference = row["reference_answer"] if row["reference_answer"] is not None else row["extracted"]
            yield {name: row.get(name) for name in BAD_REFERENCES.names} | {"reference": reference}
