"""A few dropped rows of every reason, for the report: the first ones, with the beginnings of their texts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.store import Shard, Store

EXAMPLES: Final = 3  # of each reason
MOST_SHARDS: Final = 50  # are looked at: what is rarer than in one of them is found by the browser
_TEXT_CHARS: Final = 200
_EVIDENCE_CHARS: Final = 300
_COLUMNS: Final = ["source", "row", "stage", "reason", "evidence", "prompt", "raw"]


class Example(NamedTuple):
    """A dropped row.

    Attributes:
        text: beginning of its prompt, or of the raw row where it has none.
        evidence: beginning of it, as JSON.
    """

    source: str
    row: int
    text: str
    evidence: str


def examples_of(store: Store, dropped: Iterable[Shard]) -> dict[tuple[str, str], list[Example]]:
    """Return the first rows of every (stage, reason); from shards that are chosen by their content.

    Raises:
        CorruptShardError: a shard is not what its handle says.
    """
    found: dict[tuple[str, str], list[Example]] = defaultdict(list)
    chosen: Sequence[Shard] = sorted(dropped, key=lambda shard: digest(shard.sha256))[:MOST_SHARDS]
    for shard in chosen:
        for row in store.read_table(shard, _COLUMNS).to_pylist() if shard.rows else ():
            here = found[row["stage"], row["reason"]]
            if len(here) < EXAMPLES:
                here.append(_example(row))
    return dict(found)


def _example(row: Mapping[str, Any]) -> Example:
    text = row["prompt"] or row["raw"] or ""
    return Example(row["source"], row["row"], _short(text, _TEXT_CHARS), _short(row["evidence"], _EVIDENCE_CHARS))


def _short(text: str, most: int) -> str:
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
