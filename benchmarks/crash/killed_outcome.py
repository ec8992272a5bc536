"""What a killed distillation came to: rows, solved problems, requests, speed, and whether the bytes are the same."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.ledger import Ledger
from tracemill.publish.funnel import FUNNEL, render


@dataclass
class Speeds:
    """Tokens/s of the server, one figure a stretch without an interruption."""

    found: list[float] = field(default_factory=list)

    def add(self, stretches: list[tuple[int, float]]) -> None:
        """Add stretches of (tokens, seconds) as one figure."""
        seconds = sum(each for _, each in stretches)
        if seconds > 0:
            self.found.append(sum(n_tokens for n_tokens, _ in stretches) / seconds)

    def __str__(self) -> str:
        return ", ".join(f"{rate:,.0f}" for rate in self.found)


def outcome(folder: Path, n_at_server: int, in_flight: list[int], n_new: int, build: Speeds, bench: Speeds) -> str:
    """Return all lines.

    Args:
        folder: with the outputs of both builds.
        n_at_server: requests that the servers have answered for the killed build.
        in_flight: requests at the server when the build was killed.
        n_new: requests that the uninterrupted build has sent.
        build: tokens/s while the build used the server.
        bench: tokens/s while the bench did.
    """
    killed, whole = folder / "killed-out", folder / "whole-out"
    manifest = json.loads((killed / "manifest.json").read_text())
    verdicts = pa.concat_tables([pq.read_table(path) for path in sorted((whole / "verdicts").glob("*.parquet"))])
    with_ledger = len(Ledger(folder / "killed" / "ledger"))
    n_needed = len(set(verdicts["response_id"].to_pylist()))
    return "\n".join(
        [
            render(pa.Table.from_pylist(manifest["funnel"], schema=FUNNEL)),
            "",
            *histogram(verdicts),
            requests(n_at_server, with_ledger, n_needed, in_flight),
            again(n_new, digests(killed), digests(whole)),
            speed(build, bench),
        ]
    )


def histogram(verdicts: pa.Table) -> list[str]:
    """Return how many problems had so many of their samples correct."""
    samples: Counter[str] = Counter(verdicts["problem_id"].to_pylist())
    correct = Counter(row["problem_id"] for row in verdicts.to_pylist() if row["outcome"] == "correct")
    found = Counter((n_samples, correct[problem]) for problem, n_samples in samples.items())
    return [
        f"{n_problems:6,} problems passed {n_correct} of {n_samples} samples"
        for (n_samples, n_correct), n_problems in sorted(found.items())
    ]


def requests(n_at_server: int, n_recorded: int, n_needed: int, in_flight: list[int]) -> str:
    """Return what was paid for, and what would have had to be."""
    return (
        f"requests: {n_at_server:,} answered by the servers, {n_recorded:,} in the ledger, {n_needed:,} needed; "
        f"{n_at_server - n_recorded} paid twice; in flight when the build was killed: {', '.join(map(str, in_flight))}"
    )


def again(n_new: int, killed: dict[str, str], whole: dict[str, str]) -> str:
    """Tell whether the uninterrupted build came to the same."""
    same = f"{len(whole)} files with the same SHA-256" if killed == whole else "FILES THAT DIFFER"
    return f"uninterrupted build in a fresh store, from a copy of the ledger: {n_new} new requests, {same}"


def speed(build: Speeds, bench: Speeds) -> str:
    """Both sides and their ratio."""
    if not (build.found and bench.found):
        return "tokens/s: not measured, for no side kept the server full for a second"
    ratio = statistics.median(build.found) / statistics.median(bench.found)
    return (
        f"build/bench {ratio:.3f} (tokens/s of the build by leg {build}; of vllm bench serve by round {bench}; medians)"
    )


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every published table."""
    paths = [
        path for path in sorted(out.rglob("*")) if path.suffix in {".parquet", ".zst"} and ".tmp" not in path.parts
    ]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
