"""Shingle, sign and cluster 1.4M questions: our rows/s : a plain datasketch loop's, and : rensa's batch LSH.

``TRACEMILL_REAL_DATA=DIR python -m benchmarks.curation.near_duplicates [--rows 1400000] [--sample 100000]
[--rounds 3]``; rensa is measured where it is installed: ``pip install rensa==0.5.0``.

The questions and their known clusters: ``benchmarks/curation/questions.py``. Every contender runs in a process of its
own over the same texts, read before its clock starts: ours over all rows and over a tenth of them; and all contenders
over a sample, in interleaved rounds of which the median counts (datasketch's memory grows by 0.5 GB per 100k rows). The
plain loop of datasketch has one thread; rensa's batch calls and ours use every core. rensa flags rows instead of
clustering.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.curation.questions import SHARD_ROWS, questions, real_questions
from tracemill.dedup.clusters import cluster
from tracemill.dedup.minhash import SCHEME, deduplicate, sign
from tracemill.recipe.sections.deduplicate import Deduplicate
from tracemill.text.words import ngrams, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

SETTINGS = Deduplicate()
N_PERM, NGRAM, THRESHOLD = SETTINGS.signature.num_perm, SETTINGS.signature.ngram, SETTINGS.threshold
COMPARED_ROWS = 20_000


def main() -> None:
    """Make the questions, runs every contender in turn, prints what each did and one line of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_400_000)
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", choices=sorted(CONTENDERS), help="run one, over the questions in --folder")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(_measured(CONTENDERS[options.contender], _tables(options.folder, options.rows))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clusters, kinds = _write(folder, options.rows)
        whole, tenth = _run("ours", folder, options.rows), _run("ours", folder, options.rows // 10)
        there = [who for who in CONTENDERS if not who.startswith("rensa") or find_spec("rensa")]
        rounds = [{who: _run(who, folder, options.sample) for who in there} for _ in range(options.rounds)]
        rates = {who: options.sample / statistics.median(one[who]["seconds"] for one in rounds) for who in there}
        _print_quality(_tables(folder, options.rows), clusters, kinds)
    ratios = ", ".join(f"{rates['ours'] / rate:.1f} x {who}" for who, rate in rates.items() if who != "ours")
    growth = whole["seconds"] / tenth["seconds"]
    print(
        f"{options.rows:,} rows in {whole['seconds']:.1f} s and {whole['gb']:.2f} GB, {growth:.1f} x the time of a "
        f"tenth; {options.sample:,} rows: {ratios}"
    )


def _write(folder: Path, n_rows: int) -> tuple[NDArray[np.int64], list[str]]:
    made = questions(real_questions(Path(os.environ["TRACEMILL_REAL_DATA"])), n_rows)
    for number, shard in enumerate(made.shards):
        pq.write_table(shard, folder / f"{number:05d}.parquet")
    return made.clusters, made.kinds


def _tables(folder: Path, n_rows: int) -> list[pa.Table]:
    """Shards of the first rows; the last shard may be a part of one."""
    files = sorted(folder.glob("*.parquet"))[: -(-n_rows // SHARD_ROWS)]
    return [pq.read_table(path).slice(0, n_rows - number * SHARD_ROWS) for number, path in enumerate(files)]


def _run(contender: str, folder: Path, n_rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.curation.near_duplicates", "--contender", contender]
    command += ["--folder", str(folder), "--rows", str(n_rows)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"{contender:22} {n_rows:9,} rows {found['seconds']:6.1f} s {n_rows / found['seconds']:9,.0f}/s "
        f"{found['gb']:5.2f} GB resident, {found['gb_before']:.2f} before  {found['facts']}",
        flush=True,
    )
    return found


def _measured(contender: Callable[[list[pa.Table]], Callable[[], str]], tables: list[pa.Table]) -> dict[str, Any]:
    work = contender(tables)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    facts = work()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "gb": after / 1e6, "gb_before": before / 1e6, "facts": facts}


def _ours(tables: list[pa.Table]) -> Callable[[], str]:
    deduplicate([sign(tables[0], SETTINGS.signature)], [], SETTINGS, [])  # loads the compiled loops

    def work() -> str:
        began = time.perf_counter()
        with ThreadPoolExecutor() as pool:
            signatures = list(pool.map(lambda table: sign(table, SETTINGS.signature), tables))
        signed = time.perf_counter()
        n_gone = sum(table.num_rows for table in deduplicate(signatures, [], SETTINGS, []))
        return f"sign {signed - began:.1f} s, cluster {time.perf_counter() - signed:.1f} s, {n_gone:,} rows go"

    return work


def _texts(tables: Iterable[pa.Table]) -> list[str]:
    return [text for table in tables for text in table["prompt"].to_pylist()]


def _datasketch(tables: list[pa.Table]) -> Callable[[], str]:
    """Return the loop of datasketch's own documentation: bulk signatures, then query and insert one after the other."""
    from datasketch import MinHash, MinHashLSH

    texts = _texts(tables)

    def work() -> str:
        shingles = ([gram.encode() for gram in ngrams(words(text), NGRAM)] for text in texts)
        index = MinHashLSH(threshold=THRESHOLD, num_perm=N_PERM)
        n_flagged = 0
        for row, signature in enumerate(MinHash.bulk(shingles, num_perm=N_PERM)):
            n_flagged += bool(index.query(signature))
            index.insert(row, signature, check_duplication=False)
        return f"{n_flagged:,} rows have a candidate before them"

    return work


def _rensa(shingled: Callable[[str], list[str]]) -> Callable[[list[pa.Table]], Callable[[], str]]:
    """Rensa's batch calls: a matrix of signatures, then flags of the rows that have a candidate."""

    def contender(tables: list[pa.Table]) -> Callable[[], str]:
        from rensa import RMinHash, RMinHashLSH

        texts = _texts(tables)

        def work() -> str:
            matrix = RMinHash.digest_matrix_from_token_sets([shingled(text) for text in texts], N_PERM, 42)
            flags = RMinHashLSH(THRESHOLD, N_PERM, 8).insert_matrix_and_query_duplicate_flags(matrix)
            return f"{sum(flags):,} rows have a candidate"

        return work

    return contender


CONTENDERS = {
    "ours": _ours,
    "datasketch": _datasketch,
    "rensa": _rensa(lambda text: ngrams(words(text), NGRAM)),
    "rensa on single words": _rensa(str.split),
}


def _print_quality(tables: list[pa.Table], clusters: NDArray[np.int64], kinds: list[str]) -> None:
    """Precision and recall against the planted clusters, and whether datasketch clusters the same way."""
    signatures = [sign(table, SETTINGS.signature) for table in tables]
    place = {row_id: row for row, row_id in enumerate(pa.concat_tables(tables)["id"].to_pylist())}
    for guarded in (True, False):
        settings = SETTINGS.model_copy(update={"same_numbers": guarded})
        gone = pa.concat_tables(deduplicate(signatures, [], settings, []))
        ends = (map(place.__getitem__, gone[name].to_pylist()) for name in ("id", "kept"))
        pairs = list(zip(*ends, strict=True))
        right = {one for one, other in pairs if clusters[one] == clusters[other]}
        print(f"guard {'on' if guarded else 'off'}: {len(pairs):,} rows go, precision {len(right) / len(pairs):.4f}")
        print(f"  recall of clusters of two, by kind: {_recall(right, clusters, kinds)}")
    print(f"first {COMPARED_ROWS:,} rows: {_compared_with_datasketch(pa.concat_tables(signatures))}")


def _recall(gone: set[int], clusters: NDArray[np.int64], kinds: list[str]) -> str:
    """Return how often a base and its only copy are found to be one; which of the two goes does not matter."""
    sizes = np.bincount(clusters)
    copied = {
        int(cluster_): kind for cluster_, kind in zip(clusters, kinds, strict=True) if kind not in ("base", "twin")
    }
    planted = Counter(kind for cluster_, kind in copied.items() if sizes[cluster_] == 2)
    found = Counter(copied[int(clusters[row])] for row in gone if sizes[clusters[row]] == 2)
    return ", ".join(f"{kind} {found[kind] / planted[kind]:.3f}" for kind in sorted(planted))


def _compared_with_datasketch(signatures: pa.Table) -> str:
    """Clusters by ``MinHashLSH`` over the same values, and how many rows fall into the same one."""
    from datasketch import MinHash, MinHashLSH

    values = np.stack([np.frombuffer(value, "<u4") for value in signatures["minhash"][:COMPARED_ROWS].to_pylist()])
    ours = cluster(values, np.arange(len(values)), THRESHOLD).roots.tolist()
    seed = SETTINGS.signature.seed
    shared = MinHash(N_PERM, seed, scheme=SCHEME).permutations
    index = MinHashLSH(threshold=THRESHOLD, num_perm=N_PERM)
    signed = [MinHash(N_PERM, seed, hashvalues=value, permutations=shared, scheme=SCHEME) for value in values]
    groups = {row: {row} for row in range(len(signed))}
    for row, signature in enumerate(signed):
        for other in index.query(signature):
            if signed[other].jaccard(signature) >= THRESHOLD:
                merged = groups[row] | groups[other]
                groups |= dict.fromkeys(merged, merged)
        index.insert(row, signature, check_duplication=False)
    same = sum(min(groups[row]) == root for row, root in enumerate(ours))
    return f"{same:,} are in the same cluster as by datasketch's index, of {len(set(ours)):,} clusters"


if __name__ == "__main__":
    main()
