"""Recall on planted contamination and false removals, by method.

``python -m benchmarks.curation.decontamination DATA``

DATA is a folder with ``benchmarks/`` (math500, aime24, gsm8k_test, humaneval) and ``sources/`` (gsm8k_train,
math_competition, svamp, mbpp, ifeval_prompts), each ``.jsonl``. Beside our methods run two published rules, as they are
described: Open-R1's shared word 8-gram, and OpenThoughts' similarity of 95, later 75 or a shared 13-gram.

Copies are planted by ``benchmarks/curation/planted_contamination.py``; "by hand" are 20 items of our own with a
paraphrase and a variant with other numbers each (``benchmarks/curation/paraphrases.jsonl``). ``--embeddings FOLDER``
compares by meaning instead, with the sentence-transformers model there; ``--sample N`` plants at most N items of each
benchmark.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from rapidfuzz import process
from rapidfuzz.distance import Indel

from benchmarks.curation.planted_contamination import KINDS, planted
from tracemill.decontaminate.index import ITEMS, BenchmarkIndex
from tracemill.decontaminate.overlap import Prompt, worst
from tracemill.decontaminate.semantic import decontaminate_by_meaning, items_as_problems
from tracemill.embeddings import Embedder, shared_embedder
from tracemill.embeddings.embeddings import embeddings
from tracemill.recipe.known_benchmarks import KNOWN, texts_of
from tracemill.recipe.sections.decontaminate import Decontaminate, Meaning
from tracemill.recipe.sections.deduplicate import Embedding

Flags = Sequence[bool]
Method = Callable[[Sequence[str]], Flags]
BENCHMARKS = {"math500": "math-500", "aime24": "aime-2024", "gsm8k_test": "gsm8k-test", "humaneval": "humaneval"}
SOURCES = {
    "gsm8k_train": ("question",),
    "math_competition": ("problem",),
    "svamp": ("Body", "Question"),
    "mbpp": ("text",),
    "ifeval_prompts": ("prompt",),
}
HAND_WRITTEN = Path(__file__).parent / "paraphrases.jsonl"


def rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ours(items: Sequence[tuple[str, str, str]], **rules: object) -> Method:
    """Our methods, as a recipe sets them."""
    table = [dict(zip(ITEMS.names, item, strict=True)) for item in items]
    index = BenchmarkIndex(pa.Table.from_pylist(table, schema=ITEMS))
    settings = Decontaminate(**rules).overlap()

    def flags(prompts: Sequence[str]) -> Flags:
        found = zip(prompts, index.candidates(prompts), strict=True)
        findings = (worst(Prompt(text), candidates, settings) for text, candidates in found)
        return [finding is not None and finding.is_same for finding in findings]

    return flags


def _embedder(folder: str) -> Embedder:
    return shared_embedder(Embedding(model="benchmark", path=folder))


@functools.lru_cache(maxsize=2)
def _embedded(folder: str, prompts: tuple[str, ...]) -> pa.Table:
    """Return vectors of one list of prompts, for every threshold."""
    rows = [{"id": str(n), "prompt": text} for n, text in enumerate(prompts)]
    return embeddings(pa.Table.from_pylist(rows), _embedder(folder))


def by_meaning(
    items: Sequence[tuple[str, str, str]], folder: str, least: float, *, same_numbers: bool = True
) -> Method:
    """Our comparison of vectors alone."""
    known = pa.Table.from_pylist([dict(zip(ITEMS.names, item, strict=True)) for item in items], schema=ITEMS)
    vectors = embeddings(items_as_problems(known), _embedder(folder))
    rules = Meaning(min_similarity=least, min_grey=least, same_numbers=same_numbers)

    def flags(prompts: Sequence[str]) -> Flags:
        rows = [{"id": str(n), "prompt": text, "source": "", "row": n} for n, text in enumerate(prompts)]
        problems = pa.Table.from_pylist(rows)
        found = _embedded(folder, tuple(prompts))
        dropped = {row.id for row in decontaminate_by_meaning(problems, found, known, vectors, rules=rules).dropped}
        return [str(place) in dropped for place in range(len(prompts))]

    return flags


def shared_ngram(texts: Iterable[str], n: int) -> Method:
    """Any run of n words, lower-cased and split at white space, is shared with any item: Open-R1's rule with n = 8."""

    def runs(text: str) -> set[str]:
        words = text.lower().split()
        return {" ".join(words[start : start + n]) for start in range(len(words) - n + 1)}

    known = set().union(*map(runs, texts))
    return lambda prompts: [not known.isdisjoint(runs(prompt)) for prompt in prompts]


def similar(texts: Sequence[str], least: float) -> Method:
    """Similarity of whole texts by insertions and deletions, in per cent, to any item."""

    def flags(prompts: Sequence[str]) -> Flags:
        found: list[bool] = []
        for start in range(0, len(prompts), 500):
            part = prompts[start : start + 500]
            scores = process.cdist(
                part, texts, scorer=Indel.normalized_similarity, score_cutoff=least / 100, workers=-1
            )
            found += [bool(row.any()) for row in np.asarray(scores) > 0]
        return found

    return flags


def either(*methods: Method) -> Method:
    """Return what any of them flags."""
    return lambda prompts: [any(flags) for flags in zip(*(method(prompts) for method in methods), strict=True)]


def methods_for(items: Sequence[tuple[str, str, str]], texts: Sequence[str]) -> dict[str, Method]:
    """Return every method that is compared, by name.

    Args:
        items: benchmark, item and text, for ours.
        texts: the questions alone, for the rules of others.
    """
    return {
        "ngrams": ours(items, fuzzy=None),
        "fuzzy": ours(items, ngrams=None),
        "both (default)": ours(items),
        "both, any numbers": ours(items, same_numbers=False),
        "8-gram (Open-R1)": shared_ngram(texts, 8),
        "95 % (OpenThoughts)": similar(texts, 95),
        "75 % or 13-gram": either(similar(texts, 75), shared_ngram(texts, 13)),
    }


def methods_by_meaning(items: Sequence[tuple[str, str, str]], folder: str) -> dict[str, Method]:
    """Thresholds of the comparison by meaning, alone and beside the texts."""
    cuts = {f"meaning {least}": by_meaning(items, folder, least) for least in (0.95, 0.9, 0.85, 0.8)}
    loose = by_meaning(items, folder, 0.9, same_numbers=False)
    texts = ours(items)
    return {**cuts, "0.9, any numbers (DD)": loose, "text": texts, "text or 0.9": either(texts, cuts["meaning 0.9"])}


def table(title: str, columns: Sequence[str], lines: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print a table of Markdown."""
    print(f"\n### {title}\n\n| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, cells in lines:
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def share(flags: Flags) -> str:
    """Per cent."""
    return f"{100 * sum(flags) / len(flags):.1f}"


@dataclass(frozen=True)
class Compared:
    """Benchmarks and methods that are compared on them.

    Attributes:
        asked: the first text of each item, by benchmark.
        hand_written: items with a paraphrase and a variant by hand.
        methods: by name; each says of every prompt whether it flags it.
    """

    asked: dict[str, list[str]]
    hand_written: list[dict[str, object]]
    methods: dict[str, Method]


def compared(data: Path, embeddings: str | None) -> Compared:
    """Read the benchmarks and warms the methods up."""
    asked: dict[str, list[str]] = {}
    items: list[tuple[str, str, str]] = []
    for file, name in BENCHMARKS.items():
        found = [texts_of(row, KNOWN[name]) for row in rows(data / "benchmarks" / f"{file}.jsonl")]  # type: ignore[index]
        asked[name] = [texts[0] for texts in found]
        items += [(name, str(number), text) for number, texts in enumerate(found) for text in texts]
    hand_written = rows(HAND_WRITTEN)
    items += [("by-hand", str(number), str(row["item"])) for number, row in enumerate(hand_written)]
    texts = [text for group in asked.values() for text in group] + [str(row["item"]) for row in hand_written]
    methods = methods_by_meaning(items, embeddings) if embeddings else methods_for(items, texts)
    for method in methods.values():
        method(["warm up"])
    return Compared(asked, hand_written, methods)


def tell_found(on: Compared, sample: int | None) -> None:
    """Print what is found of planted items, and of those by hand."""
    for name, everything in on.asked.items():
        chosen = random.Random(name)  # noqa: S311 - seeded on purpose
        group = chosen.sample(everything, min(sample or len(everything), len(everything)))
        lines = ((kind, [share(flag(planted(group, kind))) for flag in on.methods.values()]) for kind in KINDS)
        table(f"{name}: % of {len(group)} items found", list(on.methods), lines)
    by_hand = {key: [str(row[key]) for row in on.hand_written] for key in ("paraphrase", "variant")}
    lines = ((f"{key}s by hand", [share(flag(part)) for flag in on.methods.values()]) for key, part in by_hand.items())
    table(
        f"by hand: % of {len(on.hand_written)} flagged (variants have other numbers: flagging one is an error)",
        list(on.methods),
        lines,
    )


def tell_removed(on: Compared, data: Path, most: int | None, *, timed: bool) -> None:
    """Print how many sound rows each method removes, and its speed."""
    copies = {" ".join(text.split()) for text in on.asked["math-500"]}
    speeds = dict.fromkeys(on.methods, 0.0)
    n_rows, removed = 0, []
    for source, columns in SOURCES.items():
        found = rows(data / "sources" / f"{source}.jsonl")[:most]
        prompts = [" ".join(str(row[column]) for column in columns) for row in found]
        prompts = [prompt for prompt in prompts if " ".join(prompt.split()) not in copies]
        n_rows += len(prompts)
        cells = []
        for name, flag in on.methods.items():
            begun = time.perf_counter()
            cells.append(f"{sum(flag(prompts))}")
            speeds[name] += time.perf_counter() - begun
        removed.append((f"{source} ({len(prompts):,})", cells))
    if timed:
        removed.append(("rows/s", [f"{n_rows / seconds:,.0f}" for seconds in speeds.values()]))
    table("rows removed that are not copies of MATH-500", list(on.methods), removed)


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--embeddings", metavar="FOLDER")
    arguments.add_argument("--sample", type=int, metavar="N")
    arguments.add_argument("--rows", type=int, metavar="N", help="at most N rows of each source (default: all)")
    options = arguments.parse_args()
    on = compared(options.data, options.embeddings)
    tell_found(on, options.sample)
    tell_removed(
        on, options.data, options.rows, timed=not options.embeddings
    )  # vectors are made once, for the first threshold
    print("\n(similarities and vectors on all cores, the others on one)")


if __name__ == "__main__":
    main()
