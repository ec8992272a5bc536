"""A look through a whole ledger, every line of it, also where it is damaged: for figures, export and compaction.

Covered: processes that write meanwhile (what is whole by then is seen), torn tails, damaged lines, which are stepped
over and reported. Memory: 24 bytes an entry, and one segment at a time.

What the ledger knows of some responses: the request's key, when it was answered, tokens, in which segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tracemill.core import LedgerError, digest
from tracemill.ledger.record import decode, served_by, sound_key
from tracemill.ledger.segment import ENTRY, corrupt, halves, listing, read_line, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tracemill.ledger.record import Completion
    from tracemill.ledger.segment import Entries

_KEY_CHARS = 64


def recorded(directory: Path, wanted: Iterable[tuple[str, str]], *, texts: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the record of each response that the ledger holds, the first where it holds several.

    A response's id is the digest of its problem's and its request's key, so that every line is tried: reads the whole
    ledger once (1 GB in about 4 s). A record is as old as its segment: its name says since when, its file until when;
    a segment that was merged is as old as the merging.

    Args:
        directory: of the ledger.
        wanted: (problem id, response id).
        texts: also what the server said, in ``content`` and ``reasoning``.

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
                    if pair in left and (record := _record(path, line, texts=texts)) is not None:
                        left.discard(pair)
                        yield {"response_id": pair[1], "problem_id": problem_id, **record}


def _record(path: Path, line: bytes, *, texts: bool) -> dict[str, Any] | None:
    found = decode(line)
    if found is None:
        return None
    return {
        "key": found.key,
        "model": found.model,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "finish_reason": found.finish_reason,
        **served_by(found),
        "not_before": _when(int(path.name.partition("-")[0]) / 1e9),
        "not_after": _when(path.stat().st_mtime),
        "segment": path.name,
        **({"content": found.content, "reasoning": found.reasoning} if texts else {}),
    }


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One segment as it was found.

    Attributes:
        entries: its whole records, in order.
        n_bytes: its size.
        damaged: offsets in bytes of lines that are not as they were written, with something after them.
        torn_bytes: of an unfinished line at its end: a writer died, or is at it.
    """

    path: Path
    entries: Entries
    n_bytes: int
    damaged: tuple[int, ...]
    torn_bytes: int


def survey(directory: Path) -> list[Surveyed]:
    """Return every segment under ``directory``, in winning order.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    return [look_through(directory / name) for name in segment_names(directory)]


def segment_names(directory: Path) -> list[str]:
    """Return the segments under ``directory``, of which there is at least one.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    names = [name for name, _ in listing(directory)] if directory.is_dir() else []
    if not names:
        raise LedgerError(
            f"no ledger in {directory}",
            expected="a folder with segments, *.ledger",
            remedy="name the folder: run.ledger of the recipe, or ledger/ in its store",
        )
    return names


def look_through(path: Path) -> Surveyed:
    """Return what one segment holds.

    Raises:
        LedgerError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    places: list[tuple[int, int, int, int]] = []
    damaged: list[int] = []
    at = 0
    while (end := data.find(b"\n", at) + 1) > 0:
        key = sound_key(data[at:end])
        if key is not None:
            places.append((*halves(key), at, end - at))
        elif end < len(data):
            damaged.append(at)
        else:
            break  # nothing after it: torn, as in ledger_segment.scan
        at = end
    return Surveyed(path, np.array(places, dtype=ENTRY), len(data), tuple(damaged), len(data) - at)


def winners(found: Sequence[Surveyed]) -> list[NDArray[np.bool_]]:
    """For each segment, in winning order, which of its records answer their keys.

    That is the first with its key that can be read as a completion; where none can, the first.
    """
    batches = [segment.entries for segment in found]
    hi = np.concatenate([entries["hi"] for entries in batches])
    lo = np.concatenate([entries["lo"] for entries in batches])
    order = np.lexsort((lo, hi))  # stable: of equal keys the first stays first
    hi, lo = hi[order], lo[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
    ends = np.cumsum([len(entries) for entries in batches])
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(order)))
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        members = order[start : start + size].tolist()
        chosen = next((place for place, record in enumerate(members) if _is_readable(found, ends, record)), 0)
        first[start], first[start + chosen] = False, True
    wins = np.empty(len(order), dtype=bool)
    wins[order] = first
    return np.split(wins, ends[:-1])


def _is_readable(found: Sequence[Surveyed], ends: NDArray[np.intp], record: int) -> bool:
    """Tell whether a record, by its number over all segments, holds a completion."""
    number = int(np.searchsorted(ends, record, side="right"))
    segment = found[number]
    entry = segment.entries[record - int(ends[number])]  # counted from the segment's end, which is all the same
    try:
        return decode(read_line(segment.path, int(entry["offset"]), int(entry["length"]))) is not None
    except OSError as error:
        raise unreadable(segment.path, error) from error


def completions(found: Sequence[Surveyed], skip: Callable[[Path, int], None]) -> Iterator[Completion]:
    """Yield the completion of every key: the record that answers each, in the order in which they stand.

    Args:
        found: every segment of a ledger.
        skip: told of every key whose records hold no completion any more: the first one's file and offset.

    Raises:
        LedgerError: a segment cannot be read any more.
    """
    for segment, wins in zip(found, winners(found), strict=True):
        if not wins.any():
            continue
        with _opened(segment.path) as file:
            for _, _, offset, length in segment.entries[wins].tolist():
                file.seek(offset)
                line = file.read(length)
                completion = decode(line)
                if completion is not None:
                    yield completion
                elif sound_key(line) is None:
                    raise corrupt(segment.path, offset)
                else:
                    skip(segment.path, offset)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=1 << 20)
    except OSError as error:
        raise unreadable(path, error) from error
