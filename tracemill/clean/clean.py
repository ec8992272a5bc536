"""Cleaning of one shard: rewrites, then rules, then equal ids; every row is kept or dropped with reason and evidence.

Works on columns: what the rules look at is three of them, and a row is read as a whole only where it is rewritten or
dropped.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from tracemill.clean.question import JUDGED_BY_REFERENCE, Question, question
from tracemill.clean.rewrites import Rewriting, filled_in, without_labels
from tracemill.clean.rules import Fault, ReferenceReader, Rules
from tracemill.core import Dropped, Problem, dropped_problem, problem_id, rows_of, table_of
from tracemill.sources.layouts.traces import worth
from tracemill.text.options import is_multiple_choice, lettered_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.recipe.sections.clean import Clean

STAGE = "clean"


class Cleaned(NamedTuple):
    """What becomes of one question.

    Attributes:
        asked: as it is, or as it was rewritten.
        told: what was rewritten; empty where nothing was.
        fault: why it is dropped, or None.
    """

    asked: Question
    told: dict[str, object]
    fault: Fault | None


def clean(problems: pa.Table, settings: Clean, reader: ReferenceReader) -> tuple[pa.Table, list[Dropped]]:
    """Split one shard into kept and dropped; equal ids within it are merged here, across shards later.

    The copy that brings the most traces of R1's is kept, since one can save a generation; ties keep the first.

    Args:
        problems: ``Problem`` rows.
        settings: section ``clean`` of the recipe.
        reader: reads references as the verifiers do.
    """
    cleaner = Cleaner(settings, reader)
    columns = (problems[name].to_pylist() for name in ("prompt", "category", "reference_answer"))
    found = [cleaner.cleaned(question(*row)) for row in zip(*columns, strict=True)]
    touched = [index for index, each in enumerate(found) if each.fault or each.told]
    read = _rows(problems, touched)
    rewritten = {index: _rewritten(read[index], found[index]) for index in touched if found[index].told}
    read |= rewritten
    faults = {index: fault for index in touched if (fault := found[index].fault) is not None}
    faults |= _repeated(problems, rewritten, faults)
    read |= _rows(problems, [index for index in faults if index not in read])
    dropped = [dropped_problem(read[index], STAGE, *fault) for index, fault in sorted(faults.items())]
    return _kept(problems, rewritten, faults), dropped


class Cleaner:
    """The rewrites and rules that a recipe switches on, ready for many questions."""

    def __init__(self, settings: Clean, reader: ReferenceReader) -> None:
        self._settings, self._reader, self._rules = settings, reader, Rules(settings, reader)

    def cleaned(self, asked: Question) -> Cleaned:
        """Labels first, since rules are about the question; then choices, since what is left must pass the rules."""
        told: dict[str, object] = {}
        if asked.category in self._settings.strip_labels:
            prompt, labels = without_labels(asked.prompt)
            if labels:
                asked, told = question(prompt, asked.category, asked.reference), {"labels": labels}
        if asked.category in self._settings.multiple_choice and is_multiple_choice(asked.prompt):
            opened = self._opened(asked)
            if isinstance(opened, Fault):
                return Cleaned(asked, told, opened)
            asked, told = question(opened.prompt, asked.category, opened.reference), told | {"fill_in": opened.told}
        return Cleaned(asked, told, self._rules.fault_of(asked))

    def _opened(self, asked: Question) -> Rewriting | Fault:
        options = {option.letter: option.text for option in lettered_options(asked.prompt)}
        if not self._settings.fill_in or asked.category not in JUDGED_BY_REFERENCE:
            return Fault("multiple_choice", {"options": options})
        opened = filled_in(asked.prompt, asked.reference, self._reader.letter)
        if isinstance(opened, str):
            return Fault("multiple_choice", {"options": options, "why_not_rewritten": opened})
        return opened


def _rewritten(problem: Problem, cleaned: Cleaned) -> Problem:
    """The problem with its new prompt, under the id of what it is now; the old one stays in ``info["former_id"]``.

    The id is the digest of what a problem asks and is judged by: under the old id, two rows that ask the same would
    stay two, and a verdict would be joined to a question that nobody was asked.
    """
    opened = "fill_in" in cleaned.told
    prompt, reference = cleaned.asked.prompt, cleaned.asked.reference
    told = cleaned.told | ({"n_traces_left_out": len(problem.traces)} if opened and problem.traces else {})
    return dataclasses.replace(
        problem,
        id=problem_id(prompt, problem.history, reference, problem.tests, problem.constraints),
        prompt=prompt,
        reference_answer=reference,
        traces=[] if opened else problem.traces,
        info=problem.info | {"former_id": problem.id, "rewritten": told},
    )


def _repeated(problems: pa.Table, rewritten: Mapping[int, Problem], faults: Mapping[int, object]) -> dict[int, Fault]:
    """Return rows whose id another row has, by index; not those that are dropped anyway."""
    ids = problems["id"].to_pylist()
    by_id: dict[str, list[int]] = {}
    for index, old_id in enumerate(ids):
        if index not in faults:
            by_id.setdefault(rewritten[index].id if index in rewritten else old_id, []).append(index)
    found: dict[int, Fault] = {}
    for same in by_id.values():
        if len(same) > 1:
            found |= _losers(_rows(problems, same) | {index: rewritten[index] for index in same if index in rewritten})
    return found


def _losers(rivals: dict[int, Problem]) -> dict[int, Fault]:
    best = max(sorted(rivals), key=lambda index: worth(rivals[index].traces))
    winner = rivals.pop(best)
    evidence = {"kept": winner.id, "kept_source": winner.source, "kept_row": winner.row, "method": "same id"}
    return {index: Fault("exact_duplicate", evidence) for index in rivals}


def _rows(problems: pa.Table, indices: list[int]) -> dict[int, Problem]:
    return dict(zip(indices, rows_of(Problem, problems.take(pa.array(indices, pa.int64()))), strict=True))


def _kept(problems: pa.Table, rewritten: Mapping[int, Problem], faults: Mapping[int, object]) -> pa.Table:
    """Return the rows without a fault, in order, rewritten ones as they are now."""
    indices = [index for index in range(problems.num_rows) if index not in faults]
    if len(indices) == problems.num_rows and not rewritten:
        return problems
    places = {index: problems.num_rows + place for place, index in enumerate(rewritten)}
    whole = pa.concat_tables([problems, table_of(Problem, rewritten.values())]) if rewritten else problems
    return whole.take(pa.array([places.get(index, index) for index in indices], pa.int64()))
