"""The ledger at 1.4 million problems x 4 responses: python -m benchmarks.storage.ledger [--entries 5600000].

Claims: a shard's 1,000 requests are looked up in well under a second, in about the time that a hundredth of the ledger
takes; opening reads indexes instead of records; putting does not slow down; it fits into memory.

Records are small (about 200 bytes; 1.1 GB on disk) but in as many segments as responses of 10 kB would make, 6,400 a
segment. Look-ups and puts alternate between the whole ledger and one of a hundredth of its size, so that a noisy
machine disturbs both alike. What is looked up is in the page cache; a disk adds its seeks. Scanning and compaction look
at every line, so with such short ones they are slow for their bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracemill.ledger import Completion, Ledger
from tracemill.ledger.compaction import compact
from tracemill.ledger.record import encode, guarded
from tracemill.ledger.segment import new_name
from tracemill.ledger.survey import segment_names

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_RECORDS = 6_400
SHARD = 1_000
ROUNDS = 50


def key_of(number: int) -> str:
    """Return the key of entry ``number``; below 0 are keys that were never written."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def completion(number: int) -> Completion:
    """Return a small response."""
    return Completion(key_of(number), "The answer is \\boxed{4}.", None, "stop", 30, 12, "teacher")


def write(directory: Path, n_entries: int) -> None:
    """Sealed segments without index files; one body for all keys, since making JSON is not what is measured."""
    body = encode(completion(0))[74:-1]
    for start in range(0, n_entries, SEGMENT_RECORDS):
        numbers = range(start, min(start + SEGMENT_RECORDS, n_entries))
        (directory / new_name()).write_bytes(b"".join(guarded(key_of(n).encode(), body) for n in numbers))


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def look_up_s(ledger: Ledger, n_entries: int) -> float:
    """Return the seconds for one shard's keys, which lie anywhere in the ledger; all of them where it has fewer."""
    keys = [key_of(number) for number in random.sample(range(n_entries), min(SHARD, n_entries))]
    began = time.perf_counter()
    found = ledger.get_many(keys)
    elapsed = time.perf_counter() - began
    if len(found) != len(keys):
        sys.exit(f"{len(found)} of {len(keys)} keys found")
    return elapsed


def put_s(ledger: Ledger, round_: int) -> float:
    """Return the seconds to put one shard's new completions."""
    fresh = [completion(-1 - number - round_ * SHARD) for number in range(SHARD)]
    return timed(lambda: [ledger.put(one) for one in fresh])


_OPENER = """
import resource, sys
import psutil
from tracemill.ledger.ledger import Ledger
before = psutil.Process().memory_info().rss
ledger = Ledger(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(psutil.Process().memory_info().rss - before, peak - before)
"""


def resident_mb(directory: Path) -> tuple[float, float]:
    """By how much a fresh process has grown when it has opened the ledger, and at most on the way."""
    done = subprocess.run([sys.executable, "-c", _OPENER, str(directory)], capture_output=True, text=True, check=True)
    resident, peak = (int(figure) / 1e6 for figure in done.stdout.split())
    return resident, peak


def copy_s(directory: Path, target: Path) -> float:
    """Return the seconds to copy all segments into one flushed file: the least that compaction must do."""
    began = time.perf_counter()
    with target.open("wb") as file:
        for name in segment_names(directory):
            file.write((directory / name).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    elapsed = time.perf_counter() - began
    target.unlink()
    return elapsed


def median_columns(rows: list[tuple[float, ...]]) -> list[float]:
    """Return the median of each side."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def measured(root: Path, n_entries: int, n_rounds: int) -> list[str]:
    """Return one clause a claim."""
    whole, part = root / "whole", root / "part"
    sizes = n_entries, n_entries // 100
    for directory, size in zip((whole, part), sizes, strict=True):
        directory.mkdir()
        write(directory, size)
    scanning = timed(lambda: Ledger(whole))  # leaves index files
    opening = timed(lambda: Ledger(whole))
    resident, peak = resident_mb(whole)
    ledgers = Ledger(whole), Ledger(part)
    looks, puts = [], []
    for round_ in range(n_rounds):
        looks.append(tuple(look_up_s(ledger, size) for ledger, size in zip(ledgers, sizes, strict=True)))
        puts.append(tuple(put_s(ledger, round_) for ledger in ledgers))
    for ledger in ledgers:
        ledger.close()
    look, put = median_columns(looks), median_columns(puts)
    return [
        f"{n_entries} entries : a hundredth of them",
        f"look-up of {SHARD} keys {look[0] / look[1]:.2f} x ({1000 * look[0]:.0f} ms : {1000 * look[1]:.0f} ms)",
        f"puts {put[1] / put[0]:.2f} x as fast ({SHARD / put[0]:.0f}/s : {SHARD / put[1]:.0f}/s)",
        f"opening {opening / scanning:.3f} x scanning ({opening:.1f} s : {scanning:.1f} s)",
        f"{resident:.0f} MB resident, {peak:.0f} MB while opening",
        compaction(whole),
    ]


def compaction(directory: Path) -> str:
    """Return how long merging takes beside copying."""
    copying = copy_s(directory, directory.with_suffix(".copy"))
    began = time.perf_counter()
    done = compact(directory)
    compacting = time.perf_counter() - began
    n_bytes = sum((directory / name).stat().st_size for name in segment_names(directory))
    reopening = timed(lambda: Ledger(directory))
    return (
        f"compaction {compacting / copying:.1f} x copying ({compacting:.1f} s : {copying:.1f} s; "
        f"{n_bytes / 1e9:.2f} GB in {done.n_before} segments, then in {done.n_after}, opened in {reopening:.1f} s)"
    )


def main() -> None:
    """Print one line of ratios and figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=5_600_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of looking up and putting")
    given = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as name:
        print("; ".join(measured(Path(name), given.entries, given.rounds)))


if __name__ == "__main__":
    main()
