"""The votes of an item's samples: one name for answers that the verifier takes for the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracemill.evaluate.scores import JudgedSample

RIGHT: Final = "(right)"  # the vote of every correct sample: each equals the reference, and so the others
_MOST_TEXTS: Final = 40  # distinct wrong answers that are compared with each other: 780 comparisons an item


def contested(samples: Iterable[JudgedSample]) -> list[str]:
    """Return the distinct wrong answers of an item, sorted, where together they could outvote the right one.

    Elsewhere nothing depends on which of them are the same: without a right answer no majority is right, and fewer
    wrong ones than right ones are never the majority.
    """
    judged = [sample for sample in samples if not sample.is_missing]
    n_right = sum(sample.is_correct for sample in judged)
    wrong = [sample.extracted for sample in judged if not sample.is_correct and sample.extracted is not None]
    texts = sorted(set(wrong))
    is_open = 0 < n_right <= len(wrong) and len(texts) > 1
    return texts[:_MOST_TEXTS] if is_open else []


def merged(samples: Sequence[JudgedSample], same: Iterable[tuple[str, str]], *, votes: bool) -> list[JudgedSample]:
    """Return the samples of one item with their votes.

    Args:
        samples: of the item.
        same: pairs of wrong answers that are the same.
        votes: whether its answers can be compared at all.
    """
    if not votes:
        return [replace(sample, vote=None) for sample in samples]
    leader: dict[str, str] = {}

    def led_by(text: str) -> str:
        while leader.get(text, text) != text:
            text = leader[text]
        return text

    for one, other in same:
        first, second = sorted((led_by(one), led_by(other)))
        leader[second] = first
    return [
        replace(sample, vote=RIGHT if sample.is_correct else None if sample.vote is None else led_by(sample.vote))
        for sample in samples
    ]
