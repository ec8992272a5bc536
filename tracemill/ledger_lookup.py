"""What the ledger knows of some responses: the request's key, when it was answered, tokens, in which segment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracemill.ledger_record import decode
from tracemill.ledger_segment import listing
from tracemill.schema import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_KEY_CHARS = 64


def recorded(directory: Path, wanted: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The record of each response that the ledger holds, the first where it holds several.

    A response's id is the digest of its problem's and its request's key, so that every line is tried: reads the whole
    ledger once (1 GB in about 4 s). A record is as old as its segment: its name says since when, its file until when;
    a segment that was merged is as old as the merging.

    Args:
        directory: of the ledger.
        wanted: (problem id, response id).

    Raises:
        LedgerError: the directory cannot be read.
    """
    left = set(wanted)
    problems = {problem_id for problem_id, _ in left}
    for name, _ in listing(directory) if left else ():
        path = directory / name
        with path.open("rb") as lines:
            for line in lines:
                key = line[:_KEY_CHARS].decode("ascii", "replace")
                for problem_id in problems:
                    pair = (problem_id, digest("response", problem_id, key))
                    if pair in left and (record := _record(path, line)) is not None:
                        left.discard(pair)
                        yield {"response_id": pair[1], "problem_id": problem_id, **record}


def _record(path: Path, line: bytes) -> dict[str, Any] | None:
    found = decode(line)
    if found is None:
        return None
    return {
        "key": found.key,
        "model": found.model,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "finish_reason": found.finish_reason,
        "not_before": _when(int(path.name.partition("-")[0]) / 1e9),
        "not_after": _when(path.stat().st_mtime),
        "segment": path.name,
    }


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
