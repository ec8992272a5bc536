"""How labels are distributed: counts by label and value, over problems or over published rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.label.labels import labels_of
from tracemill.recipe.sections.label import VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tracemill.core import Problem
    from tracemill.store import Manifest

Counts = dict[str, dict[str, int]]

# Label -> column of the published rows.
COLUMNS: Final = {
    "category": "category_label",
    "difficulty": "difficulty",
    "difficulty_by_pass_rate": "difficulty_by_pass_rate",
    "quality": "quality",
    "language": "language",
    "n_prompt_tokens": "n_prompt_tokens",
}
NONE: Final = "none"
_LENGTHS: Final = (32, 64, 128, 256, 512, 1024, 2048, 4096)
LENGTH_STEPS: Final = (*(f"up to {bound}" for bound in _LENGTHS), f"over {_LENGTHS[-1]}")


def count_labels(problems: Iterable[Problem], labels: Iterable[str]) -> Counts:
    """Return counts of each label's values over problems; lengths by steps, a missing label as ``none``."""
    found = [labels_of(problem) for problem in problems]
    return {label: dict(Counter(_shown(label, row.get(label)) for row in found)) for label in labels}


def count_columns(records: Iterable[Mapping[str, Any]]) -> Counts:
    """Return counts of each label's values over published rows; columns ``COLUMNS``."""
    rows = list(records)
    return {label: dict(Counter(_shown(label, row[column]) for row in rows)) for label, column in COLUMNS.items()}


def summed(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> Counts:
    """Return the sum over shards."""
    total: dict[str, Counter[str]] = {}
    for shard in counts:
        for label, values in shard.items():
            total.setdefault(label, Counter()).update(values)
    return {label: {value: values[value] for value in ordered(label, values)} for label, values in total.items()}


def ordered(label: str, values: Iterable[str]) -> list[str]:
    """The values in the order in which people read them: levels and lengths rising, others by name, ``none`` last."""
    known = [str(value) for value in VALUES.get(label.removesuffix("_by_pass_rate"), ())]
    known += LENGTH_STEPS if label == "n_prompt_tokens" else ()
    return sorted(set(values), key=lambda value: (value == NONE, known.index(value) if value in known else -1, value))


def _shown(label: str, value: Any) -> str:
    if value is None:
        return NONE
    if label == "n_prompt_tokens":
        return LENGTH_STEPS[next((place for place, bound in enumerate(_LENGTHS) if value <= bound), -1)]
    return str(value)


class LabelSummary(NamedTuple):
    """Counts of labels when problems were labelled, before any was dropped for them, and of the published rows."""

    labelled: Counts
    published: Counts


def label_summary(manifests: Iterable[Manifest], published: Counts) -> LabelSummary:
    """Sums what the stages that label have counted over all shards, beside what was published."""
    labelled = [manifest.facts["labels"] for manifest in manifests if "labels" in manifest.facts]
    return LabelSummary(summed(labelled), published)


class LabelRow(NamedTuple):
    """One value of one label.

    Attributes:
        n_labelled: None for what is only known of published rows.
    """

    label: str
    value: str
    n_labelled: int | None
    n_published: int


def label_rows(summary: LabelSummary) -> Iterator[LabelRow]:
    """Yield every value of every label that was asked for."""
    for label in COLUMNS:
        before, after = summary.labelled.get(label, {}), summary.published.get(label, {})
        if before or set(after) - {NONE}:
            for value in ordered(label, [*before, *after]):
                yield LabelRow(label, value, before.get(value, 0) if before else None, after.get(value, 0))
