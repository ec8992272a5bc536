"""Sources of which nothing is left: a run without them would succeed, and nobody would know what it is without.

Refused before anything is paid for. ``sources[].allow_empty`` is for those who mean it.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import SourceError
from tracemill.sources.file_looks import described
from tracemill.sources.readers import files_of

if TYPE_CHECKING:
    from tracemill.core import Dropped
    from tracemill.sources.source import Source

EXAMPLES: Final = 3  # rows whose text tells what a file looks like
MALFORMED: Final = "malformed"  # keys of a shard's facts
COLUMNS: Final = "columns"
_MUCH: Final = 0.5  # of a source's rows: more that cannot be read are told
_SHOWN: Final = 20
_SHOWN_CHARS: Final = 80
_NO_JSON: Final = ("malformed_json", "not_an_object")


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of the rows of a source, or of a shard of it.

    Attributes:
        rows: that it has.
        kept: that became problems.
        dropped: by reason.
        malformed: of those dropped, the ones that could not be read.
        columns: that any of its rows has, see :func:`shard_facts`.
    """

    rows: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    columns: frozenset[str] = frozenset()

    def __add__(self, other: Collected) -> Collected:
        return Collected(
            self.rows + other.rows,
            self.kept + other.kept,
            self.dropped + other.dropped,
            self.malformed + other.malformed,
            self.columns | other.columns,
        )


def shard_facts(source: Source, columns: set[str], n_malformed: int) -> dict[str, Any]:
    """What a shard's manifest says beside its counts, so that a source can be judged without reading its rows again.

    Of the columns those that the source names, and some others for people.
    """
    named = columns & set(source.columns.values())
    return {MALFORMED: n_malformed, COLUMNS: sorted(named | set(sorted(columns)[:_SHOWN]))}


def refuse_empty(source: Source, data_dir: str, n_rows: int) -> None:
    """Refuse a source without rows.

    Raises:
        SourceError: naming its files and their sizes.
    """
    if n_rows or source.allow_empty:
        return
    files = [] if source.hub else [(file.path, file.path.stat().st_size) for file in files_of(source, data_dir)]
    shown = ", ".join(f"{path} ({size:,} bytes)" for path, size in files[:_SHOWN])
    raise SourceError(
        f"source {source.name} has no rows",
        got=f"no row in {shown or source.hub}",
        expected="at least one row",
        remedy="restore its files or correct sources[].path; if it is meant to be empty, say allow_empty: true there",
    )


def refuse_lost(source: Source, found: Collected, examples: Sequence[Dropped]) -> None:
    """Refuse a source none of whose rows became a problem, or that names a column which no row has.

    Args:
        source: as the recipe has it.
        found: of all its rows.
        examples: rows that were dropped; looked at where none was kept.

    Raises:
        SourceError: with reasons, what the file looks like, and the remedy.
    """
    if found.rows and not found.kept and not source.allow_empty:
        raise _all_dropped(source, found, examples)
    missing = {name: column for name, column in source.columns.items() if column not in found.columns}
    if not missing or not found.columns:
        return
    near = [difflib.get_close_matches(column, found.columns, n=1) for column in missing.values()]
    meant = ", ".join(match[0] for match in near if match)
    raise SourceError(
        f"source {source.name}: no row has the column of {', '.join(missing)}",
        got=f"columns {', '.join(sorted(found.columns)[:_SHOWN])}",
        expected=", ".join(missing.values()),
        remedy=(f"did you mean {meant}? " if meant else "") + "correct sources[].columns, or leave that column out",
    )


def _all_dropped(source: Source, found: Collected, examples: Sequence[Dropped]) -> SourceError:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.dropped.most_common())
    first = "".join(
        f"; row {row.row} of {row.evidence.get('file')}: {row.evidence.get('error')}" for row in examples[:1]
    )
    begins = "".join(f": {row.raw[:_SHOWN_CHARS]!r}" for row in examples[:1] if row.raw)
    no_json = [row.raw.encode("utf-8", "backslashreplace") for row in examples if row.raw and row.reason in _NO_JSON]
    hint = described(no_json) or "correct its file, or sources[].layout, columns and only"
    return SourceError(
        f"source {source.name}: none of its {found.rows:,} rows can be used",
        got=f"{reasons}{first}{begins}",
        expected=f"rows of layout {source.layout}",
        remedy=f"{hint}; if nothing is to come from it, say allow_empty: true there",
    )


def much_lost(source: Source, found: Collected) -> str | None:
    """Return what to tell of a source most of whose rows could not be read, or None."""
    if not found.rows or found.malformed <= _MUCH * found.rows:
        return None
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.dropped.most_common())
    return f"source {source.name}: {found.malformed:,} of {found.rows:,} rows could not be read ({reasons})"
