"""A diff of two runs for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.run_diff import Changes, Diff

_SHOWN_CHARS: Final = 100
_ID_CHARS: Final = 12


def render(diff: Diff) -> str:
    """Counts, reasons and examples."""
    return "\n".join(
        [
            f"a  {diff.a}: {diff.rows_a:,} rows",
            f"b  {diff.b}: {diff.rows_b:,} rows, {diff.same:,} of them as in a",
            *_changes("removed", diff.removed, "why b lost them"),
            *_changes("added", diff.added, "where a had lost them"),
            *_changes("changed", diff.changed, "what differs"),
        ]
    )


def _changes(name: str, changes: Changes, question: str) -> Iterator[str]:
    if not changes.rows:
        yield f"\n{name}: none"
        return
    yield f"\n{name}: {changes.rows:,}; {question}:"
    yield from (f"  {why:<40}{n_rows:>12,}" for why, n_rows in changes.why.items())
    for example in changes.examples:
        yield f"  {example['id'][:_ID_CHARS]}  {example['source']}: {_short(example['prompt'])}"
        yield from (f"    {line}" for line in _told(example))


def _told(example: dict[str, Any]) -> Iterator[str]:
    if "why" in example:
        evidence = f"  {_short(json.dumps(example['evidence'], ensure_ascii=False))}" if example.get("evidence") else ""
        yield f"{example['why']}{evidence}"
    for column, before in example.get("was", {}).items():
        yield f"{column}: {_short(str(before))} -> {_short(str(example['now'][column]))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
