"""What a comparison of students publishes: figures, a page, and every judged answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracemill.publish import Output
from tracemill.publish.export import ROWS_PER_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.publish.directory.run_directory import RunDirectory
    from tracemill.store import Shard, Store

COMPARISON: Final = Output("comparison", frozenset({"comparison.json", "report.html", "answers"}))


@dataclass(frozen=True)
class ComparisonPublication:
    """What ``compare_students`` publishes.

    Attributes:
        key: of everything below.
        answers: shards of judged answers.
        texts: further files by name.
        facts: what else the manifest says.
        keep: a comparison has no versions: the newest one tells all.
    """

    key: str
    answers: Sequence[Shard]
    texts: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    keep: int = 1

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Write every file but the manifest."""
        schema = store.read_table(self.answers[0]).schema
        directory.shards("answers", schema, store, self.answers, ROWS_PER_FILE)
        for name, text in self.texts.items():
            directory.text(name, text)
