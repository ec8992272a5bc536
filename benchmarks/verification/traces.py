"""Filtering traces: the quality stage's work, and counting the strings of a corpus, : reading the rows of its shards.

``python -m benchmarks.verification.traces [--rows 4000] [--shards 4]``

The traces are sentences of random words that begin in English, 4,000 tokens in the middle and 17,000 at most, as in the
reference dataset; one in a hundred ends in a loop, and as many share a sentence. One process, one thread.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from tracemill.core import Response, rows_of, table_of
from tracemill.quality.filters import Examined, fault_of
from tracemill.quality.frequent_strings import frequent_strings, strings_of
from tracemill.quality.measures import kinds_of_characters, longest_run, measure, measure_responses, tokens_of, utf8
from tracemill.recipe.sections.quality import Quality
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.quality.frequent_strings import Strings
    from tracemill.store import Shard

PROMPT = "What comes next, and why? Explain every step of it."
SHARED = (
    " It is well known to everybody here that this sentence of more than twenty words is said again and again by "
    "those who know that it is."
)
RULES = Quality.model_validate({"language": "same", "repetition": {"repeated_share": 0.6}})


def main() -> None:
    """Make the shards, and prints what each step took beside reading them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--sketch-bytes", type=int, default=1 << 30, help="of the counters of frequent strings")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        shards = [_written(store, shard, options.rows // options.shards) for shard in range(options.shards)]
        _warm_up()
        _compare(store, shards, options.rows, options.sketch_bytes)


def _written(store: Store, shard: int, n_rows: int) -> Shard:
    chance = random.Random(shard)  # noqa: S311 - texts, not secrets
    words = vocabulary(chance)
    responses = [random_response(shard * n_rows + row, chance, words) for row in range(n_rows)]
    return store.write_table(table_of(Response, responses))


def vocabulary(chance: random.Random) -> list[str]:
    """Return words of the usual lengths."""
    return ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(5000)]


def random_response(number: int, chance: random.Random, vocabulary: list[str]) -> Response:
    """Return a trace of sentences, as long as the reference dataset's."""
    n_words = min(15_000, int(chance.lognormvariate(8.1, 0.6)))
    words = chance.choices(vocabulary, k=n_words)
    think = _sentences(words)
    if number % 100 == 0:
        think += " So we have to look at it again." * 200
    if number % 100 == 50:
        think += SHARED
    answer = "And so the answer is this. " + _sentences(words[:200])
    return Response(f"r{number}", f"p{number}", "teacher", "m", 0, think, answer, None, "stop", None, None)


def _sentences(words: list[str]) -> str:
    """English enough for the guess of the language to be as cheap as on English traces."""
    starts = range(0, len(words), 18)
    return ". ".join(f"So what we have to find is that the number of {' '.join(words[at : at + 9])}" for at in starts)


def _warm_up() -> None:
    """Compiles, and reads what is read once a process."""
    measure(["a b c"], RULES.repetition)
    frequent_strings(lambda: iter([strings_of(["a b c"], [0], 2)]), 1, 0)


def _compare(store: Store, shards: list[Shard], n_rows: int, sketch_bytes: int) -> None:
    begun = time.perf_counter()
    rows = [list(rows_of(Response, store.read_table(shard))) for shard in shards]
    reading_s = time.perf_counter() - begun
    texts = [text for shard in rows for given in shard for text in (given.think or "", given.answer)]

    begun = time.perf_counter()
    n_faulty = sum(_quality(shard) for shard in rows)
    quality_s = time.perf_counter() - begun

    begun = time.perf_counter()
    n_tokens = _runs_alone(texts)
    loops_s = time.perf_counter() - begun

    begun = time.perf_counter()
    found = frequent_strings(lambda: _strings(rows), 20, sketch_bytes)
    strings_s = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{n_rows} rows of {n_tokens / n_rows:,.0f} tokens; reading {n_rows / reading_s:,.0f} rows/s")
    print(f"quality: {quality_s / reading_s:.2f} x reading ({n_rows / quality_s:,.0f} rows/s; {n_faulty} faulty)")
    print(f"runs of any period, alone: {loops_s / reading_s:.2f} x reading ({n_rows / loops_s:,.0f} rows/s)")
    print(
        f"frequent strings: {strings_s / reading_s:.2f} x reading ({n_rows / strings_s:,.0f} rows/s, both passes; "
        f"{len(found.grams)} found, peak {peak:.1f} GB with the rows)"
    )


def _quality(responses: list[Response]) -> int:
    prompts = {given.problem_id: PROMPT for given in responses}
    measures = measure_responses(responses, prompts, RULES.repetition)
    found = [
        fault_of(Examined(given, PROMPT, measured), RULES) for given, measured in zip(responses, measures, strict=True)
    ]
    return sum(fault is not None for fault in found)


def _runs_alone(texts: list[str]) -> int:
    data, offsets = utf8(texts)
    longest = int(np.diff(offsets).max())
    tokens, places, ends = np.empty(longest, np.uint64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    total = 0
    for begin, end in itertools.pairwise(offsets):
        n_tokens, _ = tokens_of(data, int(begin), int(end), kinds_of_characters(), tokens, places, ends)
        longest_run(tokens, n_tokens, RULES.repetition.copies)
        total += n_tokens
    return total


def _strings(rows: list[list[Response]]) -> Iterator[Strings]:
    for shard in rows:
        texts = [text for given in shard for text in (given.think or "", given.answer)]
        found = strings_of(texts, [number for number in range(len(shard)) for _ in range(2)], 20)
        yield found._replace(texts=found.texts // 2)


if __name__ == "__main__":
    main()
