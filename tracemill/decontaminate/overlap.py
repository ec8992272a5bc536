"""Overlap of prompts with benchmark items by the text alone: which prompts are the same question, and by what evidence.

What is compared are the prompt and the user's turns before it, in normal words (``tracemill/text/normal_form.py``).
Answers and traces are not. Two methods, each with its score:

- **ngrams**: the share of the item's runs of three words that the prompt contains. Text around a copied item does not
  hide it, the order of its sentences does not matter, and one shared phrase does not condemn a prompt (of 114 sources
  that single n-grams flagged in a public check, 88 were clean). In an item of fewer than 16 words every word must be
  there; one of fewer than 8 must stand in the prompt as a sentence of its own, or be most of it.
- **fuzzy**: similarity of whole texts by edits (rapidfuzz), for changed names, synonyms and typing errors.

Either way a prompt that lacks a number of the item is another problem, not a copy (docs/decontamination.md has the
measurements).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from rapidfuzz import fuzz

from tracemill.decontaminate.index import RUN, runs
from tracemill.text.normal_form import normal_words, numbers, vocabulary
from tracemill.text.option_labels import without_option_labels

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from tracemill.decontaminate.index import ItemText
    from tracemill.recipe.sections.decontaminate import Overlap as Rules

SHORT: Final = 8  # words; a shorter item may be a phrase of a longer problem
AROUND_SHORT: Final = 4  # times its length: a longer prompt is not "mostly" a short item
FEW: Final = 16  # words; in a shorter item one word makes another question ("the letters of the word NINE")
# Digits that paraphrases say otherwise ("a pair", "no", "square") and that most problems have: they tell nothing apart.
TELL_NOTHING: Final = frozenset("012")
SHOWN_WORDS: Final = 40
_SENTENCE_END: Final = re.compile(r"[.?!:][*_\"')\]$]*(?=\s|$|[A-Z\\]|[^\x00-\x7f])|[。！？؟।۔።]|\n")


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a prompt shares with a benchmark item.

    Attributes:
        item: the item's own id, or its row.
        method: ngrams, fuzzy, embeddings or judge.
        score: 0 to 1, on the method's own scale.
        text: the overlapping words.
        said_by: whose word it is, where a model said so.
    """

    benchmark: str
    item: str
    method: str
    score: float
    text: str
    said_by: str | None = None

    def evidence(self) -> dict[str, Any]:
        """For the dropped row."""
        return {
            "benchmark": self.benchmark,
            "item": self.item,
            "method": self.method,
            "score": round(self.score, 4),
            "overlap": self.text,
            **({"said_by": self.said_by} if self.said_by else {}),
        }


@dataclass(frozen=True)
class Prompt:
    """What a row asks, in normal words, as far as they are needed; labels of lists are none."""

    text: str

    @cached_property
    def _unlabelled(self) -> str:
        return without_option_labels(self.text)

    @cached_property
    def words(self) -> list[str]:
        """All of them."""
        return normal_words(self._unlabelled)

    @cached_property
    def runs(self) -> list[tuple[str, ...]]:
        """Runs of :data:`RUN` words, in order."""
        return runs(self.words, RUN)

    @cached_property
    def numbers(self) -> Counter[str]:
        """Numbers."""
        return numbers(self.words)

    @cached_property
    def bag(self) -> Counter[str]:
        """Words, however ordered."""
        return vocabulary(self.words)

    @cached_property
    def sentences(self) -> list[list[str]]:
        """Words of each sentence and line."""
        return [normal_words(part) for part in _SENTENCE_END.split(self._unlabelled)]


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst overlap of a prompt.

    Attributes:
        overlap: with which item, and how much.
        is_same: whether it is the same question by the rules; else it is for the judge to say.
        item_text: the item as published.
    """

    overlap: Overlap
    is_same: bool
    item_text: str


def worst(prompt: Prompt, candidates: Iterable[ItemText], rules: Rules) -> Finding | None:
    """The finding that counts: the same question before a grey one, then the higher score, then the first candidate."""
    found = [finding for item in candidates for finding in _findings(prompt, item, rules)]
    return max(found, key=lambda finding: (finding.is_same, finding.overlap.score), default=None)


def _findings(prompt: Prompt, item: ItemText, rules: Rules) -> list[Finding]:
    """Return what each method says; the second is not asked once the first has decided."""
    by_ngrams = _by_ngrams(prompt, item, rules) if rules.ngrams else None
    decided = by_ngrams is not None and by_ngrams.is_same
    found = [by_ngrams, _by_fuzzy(prompt, item, rules) if rules.fuzzy and not decided else None]
    return [finding for finding in found if finding is not None]


def _by_ngrams(prompt: Prompt, item: ItemText, rules: Rules) -> Finding | None:
    length = min(RUN, len(item.words))
    of_prompt = prompt.runs if length == RUN else runs(prompt.words, length)
    shared = item.runs.intersection(of_prompt)
    containment = len(shared) / len(item.runs)
    if len(item.words) < SHORT:
        is_same = _holds_short(prompt, item, containment)
    else:
        enough = rules.ngrams is not None and containment >= rules.ngrams.min_containment
        is_same = enough and _holds_what_tells(prompt, item, rules)
    if not is_same and (containment < rules.grey.min_containment or not _is_grey(prompt, item, rules)):
        return None
    text = _joined(of_prompt, shared)
    return Finding(Overlap(item.benchmark, item.item, "ngrams", containment, text), is_same, item.text)


def _holds_short(prompt: Prompt, item: ItemText, containment: float) -> bool:
    """Tell whether a short item is a sentence of the prompt, or most of the prompt with no number added."""
    if containment < 1:
        return False
    mostly = len(prompt.words) <= AROUND_SHORT * len(item.words) and prompt.numbers == item.numbers
    return mostly or _stands_in(prompt.sentences, item.words)


def _stands_in(sentences: Sequence[list[str]], words: list[str]) -> bool:
    """Tell whether the words are some sentences in a row."""
    for start in range(len(sentences)):
        joined: list[str] = []
        for sentence in sentences[start:]:
            joined += sentence
            if len(joined) >= len(words):
                break
        if joined == words:
            return True
    return False


def _holds_what_tells(prompt: Prompt, item: ItemText, rules: Rules) -> bool:
    """Tell whether the item's numbers are there, and of an item of few words every word: one makes another question."""
    if len(item.words) < FEW and not item.bag <= prompt.bag:
        return False
    return not rules.same_numbers or item.numbers <= prompt.numbers


def _by_fuzzy(prompt: Prompt, item: ItemText, rules: Rules) -> Finding | None:
    limit = _least_similarity(prompt, item, rules)
    if limit is None:
        return None
    least = min(limit, rules.grey.min_similarity)
    of_item, of_prompt = " ".join(item.words), " ".join(prompt.words)
    similarity = fuzz.token_sort_ratio(of_item, of_prompt, score_cutoff=least)
    text = shortened(prompt.words)
    if len(of_prompt) > len(of_item):
        within = fuzz.partial_ratio_alignment(of_item, of_prompt, score_cutoff=max(least, similarity))
        if within is not None and within.score > similarity:
            similarity = within.score
            text = shortened(of_prompt[within.dest_start : within.dest_end].split())
    if similarity < least:
        return None
    overlap = Overlap(item.benchmark, item.item, "fuzzy", similarity / 100, text)
    return Finding(overlap, similarity >= limit, item.text)


def _least_similarity(prompt: Prompt, item: ItemText, rules: Rules) -> float | None:
    """Similarity from which it is the same question; None if it is another one whatever it is."""
    if rules.fuzzy is None or len(item.words) < FEW:
        return None
    of_item, of_prompt = telling(item.numbers), telling(prompt.numbers)
    if of_item == of_prompt and len(of_item) >= 2:
        return rules.fuzzy.min_similarity_numbers
    return rules.fuzzy.min_similarity if of_item == of_prompt or not rules.same_numbers else None


def telling(found: Counter[str]) -> dict[str, int]:
    """Return the numbers that tell problems apart."""
    return {number: count for number, count in found.items() if number not in TELL_NOTHING}


def _is_grey(prompt: Prompt, item: ItemText, rules: Rules) -> bool:
    """Tell whether a judge should be asked: a number in four may be said otherwise."""
    n_missing = (item.numbers - prompt.numbers).total()
    return not rules.same_numbers or n_missing <= item.numbers.total() / 4


def _joined(of_prompt: Sequence[tuple[str, ...]], shared: frozenset[tuple[str, ...]]) -> str:
    """Return the shared runs as they follow each other in the prompt, gaps marked."""
    words: list[str] = []
    last = -2
    for place, run in enumerate(of_prompt):
        if run not in shared:
            continue
        if place == last + 1:
            words.append(run[-1])
        else:
            words += ["…", *run] if words else run
        last = place
    return shortened(words)


def shortened(words: Sequence[str]) -> str:
    """As many words as evidence shows."""
    return " ".join(words if len(words) <= SHOWN_WORDS else [*words[:SHOWN_WORDS], "…"])
