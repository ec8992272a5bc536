"""The funnel: where every source row went, summed from the manifests of the per-shard stages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracemill.core import ConservationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.store import Manifest

# Stages whose rows are problems, in order; the others count responses, requests or signatures.
STATIONS = (
    "collect",
    "clean",
    "set_aside",
    "drop_duplicates",
    "decontaminate",
    "decontaminate_by_meaning",
    "judge_contamination",
    "label",
    "downsample",
    "apply_limit",
    "select",
)
# In the order in which a row meets them; the name before the slash of a drop reason.
DROP_STAGES = ("collect", "clean", "deduplicate", "decontaminate", "label", "distill", "verify", "quality")
FUNNEL = pa.schema([("source", pa.string()), ("stage", pa.string()), ("reason", pa.string()), ("rows", pa.int64())])


class Funnel:
    """Counts of source rows by source and by where they went; add each shard's manifests once."""

    def __init__(self) -> None:
        self._rows_in: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._dropped: Counter[tuple[str, str, str]] = Counter()

    def add(self, source: str, manifests: Iterable[Manifest]) -> None:
        """Add the chain of one shard, from collect to select."""
        chain = [manifest for manifest in manifests if manifest.stage in STATIONS]
        for manifest in chain:
            for where, n_rows in manifest.dropped.items():
                stage, _, reason = where.partition("/")
                self._dropped[source, stage, reason] += n_rows
        self._rows_in[source] += chain[0].rows_in
        self._kept[source] += chain[-1].rows_kept

    def table(self) -> pa.Table:
        """Return one row for what entered, what was published, and every reason, by source.

        Raises:
            ConservationError: a source row is not accounted for.
        """
        self.check()
        rows: list[dict[str, Any]] = []
        for source in sorted(self._rows_in):
            rows.append({"source": source, "stage": "source", "reason": "rows", "rows": self._rows_in[source]})
            dropped = [(key, count) for key, count in self._dropped.items() if key[0] == source]
            for (_, stage, reason), count in sorted(dropped, key=lambda item: (_order(item[0][1]), item[0][2])):
                rows.append({"source": source, "stage": stage, "reason": reason, "rows": count})
            rows.append({"source": source, "stage": "published", "reason": "rows", "rows": self._kept[source]})
        return pa.Table.from_pylist(rows, schema=FUNNEL)

    def check(self) -> None:
        """Every source row is published or dropped.

        Raises:
            ConservationError: naming the source.
        """
        for source, n_in in self._rows_in.items():
            n_dropped = sum(count for key, count in self._dropped.items() if key[0] == source)
            if n_in != self._kept[source] + n_dropped:
                raise ConservationError(
                    f"the funnel of source {source} does not add up",
                    got=f"{n_in} rows in, {self._kept[source]} published, {n_dropped} dropped",
                    expected="in == published + dropped",
                    remedy="this is a bug in tracemill; nothing was published",
                )


def _order(stage: str) -> int:
    return DROP_STAGES.index(stage) if stage in DROP_STAGES else len(DROP_STAGES)


def totals(table: pa.Table) -> list[tuple[str, str, int]]:
    """(stage, reason, rows) over all sources, in the order of the pipeline."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in table.to_pylist():
        counts[row["stage"], row["reason"]] += row["rows"]
    stages = ("source", *DROP_STAGES, "published")
    return [
        (stage, reason, n_rows)
        for stage in stages
        for (found, reason), n_rows in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if found == stage
    ]


def stages(table: pa.Table) -> dict[str, int]:
    """Return rows left after each stage that drops some, in order: what came first, what is published last."""
    left, found = 0, {}
    for stage, _, n_rows in totals(table):
        left = n_rows if stage == "published" else left + (n_rows if stage == "source" else -n_rows)
        found["source rows" if stage == "source" else stage] = left
    return found


def source_yields(table: pa.Table) -> dict[str, tuple[int, int]]:
    """(rows in, rows published) by source."""
    rows = table.to_pylist()
    entered = {row["source"]: row["rows"] for row in rows if row["stage"] == "source"}
    left = {row["source"]: row["rows"] for row in rows if row["stage"] == "published"}
    return {name: (n_rows, left.get(name, 0)) for name, n_rows in entered.items()}


def render(table: pa.Table) -> str:
    """Return the funnel for a terminal: what entered, what each stage dropped and why, what is left after it."""
    lines, left, last = [], 0, ""
    for stage, reason, n_rows in totals(table):
        if stage == "source":
            left = n_rows
            lines.append(f"{'source rows':<42}{n_rows:>12,}")
        elif stage == "published":
            lines.append(f"{'published':<42}{n_rows:>12,}")
        else:
            left -= n_rows
            name = stage if stage != last else ""
            lines.append(f"  {name:<15}{reason:<25}{-n_rows:>12,}{left:>12,} left")
        last = stage
    return "\n".join(lines)
