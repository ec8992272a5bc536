"""What changed between two published datasets: rows added, removed and changed, and where a removed row was lost.

A diff of two runs for a terminal.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import StoreError, digest, normalise_prompt
from tracemill.runs.report import finished_run
from tracemill.runs.rows import GROUPS, NOT_THERE, Rows, batches, chosen_rows, drop_reasons, former_ids, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tracemill.runs.rows import DropReason


_LINE_CHARS: Final = 100
_ID_CHARS: Final = 12


def render(diff: Diff) -> str:
    """Counts, reasons and examples."""
    return "\n".join(
        [
            f"a  {diff.a}: {diff.rows_a:,} rows",
            f"b  {diff.b}: {diff.rows_b:,} rows, {diff.same:,} of them as in a",
            *_changes("removed", diff.removed, "why b lost them"),
            *_changes("added", diff.added, "where a had lost them"),
            *_changes("changed", diff.changed, "what differs"),
        ]
    )


def _changes(name: str, changes: Changes, question: str) -> Iterator[str]:
    if not changes.rows:
        yield f"\n{name}: none"
        return
    yield f"\n{name}: {changes.rows:,}; {question}:"
    yield from (f"  {why:<40}{n_rows:>12,}" for why, n_rows in changes.why.items())
    for example in changes.examples:
        yield f"  {example['id'][:_ID_CHARS]}  {example['source']}: {_short(example['prompt'])}"
        yield from (f"    {line}" for line in _example_lines(example))


def _example_lines(example: dict[str, Any]) -> Iterator[str]:
    if "why" in example:
        evidence = f"  {_short(json.dumps(example['evidence'], ensure_ascii=False))}" if example.get("evidence") else ""
        yield f"{example['why']}{evidence}"
    for column, before in example.get("was", {}).items():
        yield f"{column}: {_short(str(before))} -> {_short(str(example['now'][column]))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"


JUDGED_BY: Final = "reference"  # another reference, other tests: same prompt, another id
_SHOWN_CHARS: Final = 160


@dataclass
class Changes:
    """Rows of one kind.

    Attributes:
        rows: how many.
        why: rows by what happened; a changed row counts once for each thing that differs.
        examples: a few, by rising id.
    """

    rows: int = 0
    why: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Diff:
    """Two published datasets, compared.

    Attributes:
        a, b: the directories.
        rows_a, rows_b: of their datasets; ``rows_b == rows_a - removed + added``.
        same: rows that are the same in both.
        added: rows of B alone, by where A had lost them.
        removed: rows of A alone, by where B lost them.
        changed: rows of both, by what differs; of one prompt, where only what answers are judged by was changed.
    """

    a: str
    b: str
    rows_a: int
    rows_b: int
    same: int
    added: Changes
    removed: Changes
    changed: Changes

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def diff(a: Path, b: Path, n_examples: int = 5) -> Diff:
    """Compare the datasets of two finished runs.

    Args:
        a: the earlier run's directory.
        b: the later one's.
        n_examples: rows of each kind that are shown.

    Raises:
        StoreError: one of them is not the directory of a finished build.
    """
    for run in (a, b):
        if "funnel" not in finished_run(run):
            raise StoreError(
                f"{run} is no dataset that was built",
                expected="a run of build_dataset or refresh_dataset; or two evaluations",
            )
    rows_a, rows_b = read_rows(a / "dataset"), read_rows(b / "dataset")
    _, in_a, in_b = np.intersect1d(rows_a.ids, rows_b.ids, assume_unique=True, return_indices=True)
    differs = rows_a.digests[in_a] != rows_b.digests[in_b]
    gone, new = _alone(rows_a, in_a), _alone(rows_b, in_b)
    pairs = _same_question(a, b, gone, new)
    removed = [problem_id for problem_id in gone if problem_id not in pairs]
    added = sorted(set(new) - set(pairs.values()))
    changed = _changed_ids(rows_a.ids[in_a], differs)
    return Diff(
        a=str(a),
        b=str(b),
        rows_a=len(rows_a.ids),
        rows_b=len(rows_b.ids),
        same=len(in_a) - len(changed),
        added=_alone_in(b, a, added, n_examples),
        removed=_alone_in(a, b, removed, n_examples),
        changed=_changed(a, b, changed, pairs, n_examples),
    )


def _alone(rows: Rows, in_both: NDArray[np.intp]) -> list[str]:
    alone = np.ones(len(rows.ids), dtype=bool)
    alone[in_both] = False
    return [problem_id.decode() for problem_id in rows.ids[alone]]


def _changed_ids(ids: NDArray[np.bytes_], differs: NDArray[np.bool_]) -> dict[str, list[str]]:
    """Id -> the groups of columns that differ."""
    groups = list(GROUPS)
    return {
        ids[row].decode(): [groups[column] for column in np.flatnonzero(differs[row])]
        for row in np.flatnonzero(differs.any(axis=1))
    }


def _same_question(a: Path, b: Path, gone: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Rows of A alone -> the row of B alone that is the same question: one that cleaning rewrote, or of one prompt."""
    left, right = set(gone), set(new)
    if not left or not right:
        return {}
    rewritten = {former: now for former, now in former_ids(b / "dataset", "info", left).items() if now in right}
    prompts_a = _by_prompt(a, left - set(rewritten))
    prompts_b = _by_prompt(b, right - set(rewritten.values()))
    alike = {prompts_a[key]: prompts_b[key] for key in prompts_a.keys() & prompts_b.keys()}
    return rewritten | {was: now for was, now in alike.items() if was and now}


def _by_prompt(run: Path, ids: set[str]) -> dict[bytes, str]:
    """Digest of the prompt -> id; "" where several rows have that prompt, since nobody can say which became which."""
    found: dict[bytes, str] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for table in batches(run / "dataset", ("id", "prompt")):
        chosen = table.filter(pc.is_in(table["id"], value_set=wanted))
        for problem_id, prompt in zip(chosen["id"].to_pylist(), chosen["prompt"].to_pylist(), strict=True):
            key = bytes.fromhex(digest(normalise_prompt(prompt)))[:16]
            found[key] = problem_id if found.get(key, problem_id) == problem_id else ""
    return found


def _alone_in(run: Path, other: Path, ids: list[str], n_examples: int) -> Changes:
    """Return rows of one run alone, by what the other one's ``dropped/`` says of them."""
    known = drop_reasons(other, set(ids))
    why = Counter(known[problem_id].name if problem_id in known else NOT_THERE for problem_id in ids)
    shown = _by_id(run, ids[:n_examples], ("source", "prompt"))
    examples = [_shown(row) | _told(known.get(problem_id)) for problem_id, row in sorted(shown.items())]
    return Changes(len(ids), _by_number(why), examples)


def _by_id(run: Path, ids: Iterable[str], columns: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in chosen_rows(run / "dataset", ids, columns)}


def _told(fate: DropReason | None) -> dict[str, Any]:
    return {"why": NOT_THERE} if fate is None else {"why": fate.name, "evidence": fate.evidence}


def _changed(
    a: Path, b: Path, differing: Mapping[str, list[str]], pairs: Mapping[str, str], n_examples: int
) -> Changes:
    why = Counter(group for groups in differing.values() for group in groups)
    why[JUDGED_BY] += len(pairs)
    became = {problem_id: problem_id for problem_id in differing} | dict(pairs)
    chosen = dict(sorted(became.items())[:n_examples])
    columns = ("prompt", "reference_answer", *(name for names in GROUPS.values() for name in names))
    before, after = _by_id(a, chosen, columns), _by_id(b, chosen.values(), columns)
    examples = [_differences(before[was], after[now]) for was, now in chosen.items()]
    return Changes(len(became), _by_number(+why), examples)


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that differ, as [before, after]."""
    names = [name for name in was.keys() | now.keys() if was.get(name) != now.get(name)]
    return _shown(was) | {"was": {n: was.get(n) for n in sorted(names)}, "now": {n: now.get(n) for n in sorted(names)}}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "source": row["source"], "prompt": row["prompt"][:_SHOWN_CHARS]}


def _by_number(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
