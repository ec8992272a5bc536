"""Overlap of prompts with benchmark items in meaning: cosines of the vectors that a model gives to both.

For paraphrases and translations, which share no words. A model finds problems alike that differ in their numbers only
(docs/duplicates.md), so the cosine is corrected by the numbers and formulas of both, however they tell them
(``tracemill/decontaminate/likeness.py``), unless the recipe says otherwise. Only the prompt has a vector, not the turns
before it; a prompt that the model cannot take whole has none.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.decontaminate.decontaminate import Decontaminated, grey_table, without
from tracemill.decontaminate.index import ItemText
from tracemill.decontaminate.likeness import MOST_GAINED, Question, likeness
from tracemill.decontaminate.overlap import Finding, Overlap, Prompt, shortened
from tracemill.embeddings import stored_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.decontaminate import Meaning

    Vectors = NDArray[np.float32]

METHOD: Final = "embeddings"
_LIKEST: Final = 5  # items a prompt, by cosine: the first may have other numbers, the next not


def items_as_problems(items: pa.Table) -> pa.Table:
    """Benchmark texts as what ``embedding.embeddings`` takes; ids are places."""
    ids = pa.array(map(str, range(items.num_rows)), pa.string())
    return pa.table({"id": ids, "prompt": items["text"]})


def decontaminate_by_meaning(
    problems: pa.Table, vectors: pa.Table, items: pa.Table, item_vectors: pa.Table, *, rules: Meaning
) -> Decontaminated:
    """Split a table of problems by the likest benchmark items.

    Args:
        problems: rows that are left.
        vectors: ``embedding.embeddings`` of at least these rows.
        items: benchmark texts, columns of ``contamination_index.ITEMS``.
        item_vectors: ``embedding.embeddings`` of :func:`items_as_problems`.
        rules: thresholds, and whether numbers count.
    """
    texts = [ItemText(**record) for record in items.to_pylist()]
    prompts: list[str] = problems["prompt"].to_pylist()
    places = pc.index_in(problems["id"].cast(pa.string()), value_set=vectors["id"].combine_chunks())
    of_prompts = stored_vectors(vectors.take(places)).astype(np.float32)
    least = min(rules.min_grey, rules.min_similarity) - (MOST_GAINED if rules.same_numbers else 0)
    likest = _likest(of_prompts, stored_vectors(item_vectors).astype(np.float32), least)
    findings = [
        _finding(Prompt(prompt), [(texts[item], cosine) for item, cosine in near], rules) if near else None
        for prompt, near in zip(prompts, likest, strict=True)
    ]
    same = [finding.overlap if finding and finding.is_same else None for finding in findings]
    grey = [finding if finding and not finding.is_same else None for finding in findings]
    kept, dropped = without(problems, same)
    return Decontaminated(kept, dropped, grey_table(problems, grey))


def _likest(prompts: Vectors, items: Vectors, least: float) -> list[list[tuple[int, float]]]:
    """For each prompt its likest items and their cosines, from ``least`` on, likest first."""
    if not len(prompts) or not len(items):
        return [[] for _ in prompts]
    return [_above(row, least) for row in prompts @ items.T]


def _above(cosines: NDArray[np.float32], least: float) -> list[tuple[int, float]]:
    if cosines.max() < least:
        return []
    likest = np.argsort(-cosines, kind="stable")[:_LIKEST].tolist()
    return [(item, float(cosines[item])) for item in likest if cosines[item] >= least]


def _finding(prompt: Prompt, near: Sequence[tuple[ItemText, float]], rules: Meaning) -> Finding | None:
    """The item that the prompt is most like, if it is grey at least; of equals the one with the higher cosine."""
    if rules.same_numbers:
        question = Question(prompt.text)
        near = [(item, likeness(cosine, _question_of_item(item.text), question)) for item, cosine in near]
    item, score = max(near, key=lambda pair: pair[1])
    if score < min(rules.min_grey, rules.min_similarity):
        return None
    overlap = Overlap(item.benchmark, item.item, METHOD, score, shortened(prompt.words))
    return Finding(overlap, score >= rules.min_similarity, item.text)


@functools.lru_cache(maxsize=1 << 15)
def _question_of_item(text: str) -> Question:
    """Read once a process, not once a shard."""
    return Question(text)
