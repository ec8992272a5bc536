"""The maths verifier against labels by others: agreement where it decides, and its speed : math-verify's own.

``TRACEMILL_REAL_DATA=DIR python -m benchmarks.verification.maths_agreement [LABELLED.jsonl …] [--pairs 2000]``

Sets: GSM8K's calculator annotations (``<<48/2=24>>``: an expression and its value, by its authors), SVAMP's equations
and answers, MATH-500's answers beside the boxes of the solutions; each also with another row's answer, as wrong pairs,
where exact numbers differ. Further sets are files of ``{"reference", "answer", "label"}``. Both sides run in one
process, pair by pair in turn: the verifier as ``verifiers.maths.verifier.judge``, math-verify as parse and verify on
the same box.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from math_verify import parse
from math_verify import verify as mv_verify

from tracemill.text.boxes import last_boxed
from verifiers.maths.text import read_number, tidy
from verifiers.maths.verifier import judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN = 8


class Pair(NamedTuple):
    """A reference, an answer, and whether they are the same according to somebody else."""

    reference: str
    answer: str
    label: bool


def main() -> None:
    """Print a line for each set and one for all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--pairs", type=int, default=2000, help="at most so many of each set")
    options = parser.parse_args()
    totals: Counter[str] = Counter()
    seconds = {"ours": 0.0, "math-verify": 0.0}
    for name, pairs in _sets(options.files).items():
        chosen = random.Random(0).sample(pairs, min(options.pairs, len(pairs)))  # noqa: S311 - reproducible
        counts = _measured(name, chosen, seconds)
        totals.update(counts)
    decided = totals["agree"] + totals["false correct"] + totals["false incorrect"]
    print(
        f"{totals['agree'] / decided:.4%} agreement over {decided} decided of {sum(totals.values())} pairs; "
        f"{totals['false correct']} false correct, {totals['false incorrect']} false incorrect, "
        f"{totals['open']} unverifiable; {seconds['math-verify'] / seconds['ours']:.2f} x math-verify's speed "
        f"({sum(totals.values()) / seconds['ours']:.0f} pairs/s in one process)"
    )


def _measured(name: str, pairs: list[Pair], seconds: dict[str, float]) -> Counter[str]:
    counts: Counter[str] = Counter()
    examples: list[str] = []
    for pair in pairs:
        box = rf"So it is \boxed{{{pair.answer}}}."
        began = time.perf_counter()
        outcome = judge(box, pair.reference).outcome
        middle = time.perf_counter()
        _plain_math_verify(pair.reference, box)
        seconds["ours"] += middle - began
        seconds["math-verify"] += time.perf_counter() - middle
        kind = _kind(str(outcome), pair.label)
        counts[kind] += 1
        if kind.startswith("false") and len(examples) < SHOWN:
            examples.append(f"    {kind}: reference {pair.reference!r}, answer {pair.answer!r}")
    print(f"{name}: {dict(counts)}", *examples, sep="\n")
    return counts


def _kind(outcome: str, label: bool) -> str:
    if outcome not in ("correct", "incorrect"):
        return "open"
    if (outcome == "correct") == label:
        return "agree"
    return f"false {outcome}"


def _plain_math_verify(reference: str, answer: str) -> bool:
    gold = parse(rf"\boxed{{{reference}}}", parsing_timeout=None)
    return bool(mv_verify(gold, parse(answer, parsing_timeout=None), timeout_seconds=None))


def _sets(files: Iterable[Path]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    place = os.environ.get("TRACEMILL_REAL_DATA")
    if place:
        folder = Path(place)
        found["gsm8k annotations"] = _with_wrong_ones(list(_gsm8k(folder / "sources/gsm8k_train.jsonl")))
        found["svamp equations"] = _with_wrong_ones(list(_svamp(folder / "sources/svamp.jsonl")))
        found["math-500 answers"] = _with_wrong_ones(list(_math500(folder / "benchmarks/math500.jsonl")))
    for path in files:
        found[path.stem] = [Pair(str(r["reference"]), str(r["answer"]), bool(r["label"])) for r in _rows(path)]
    return found


def _rows(path: Path) -> Iterator[dict[str, object]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _gsm8k(path: Path) -> Iterator[Pair]:
    """Annotations whose value is exact; rounded ones (``<<1/3=.33>>``) are no equation."""
    seen = set()
    for row in _rows(path):
        for expression, value in re.findall(r"<<([^=<>]+)=([^=<>]+)>>", str(row["answer"])):
            if (expression, value) not in seen and _value(expression) == _value(value) is not None:
                seen.add((expression, value))
                yield Pair(value, expression, True)


def _value(expression: str) -> float | None:
    """By float arithmetic: to leave out what its authors have rounded, not to judge."""
    if not re.fullmatch(r"[\d.+\-*/() ]+", expression):
        return None
    try:
        return round(float(eval(expression, {"__builtins__": {}})), 9)  # noqa: S307 - digits and operators alone
    except (SyntaxError, ZeroDivisionError, TypeError, OverflowError):
        return None


def _svamp(path: Path) -> Iterator[Pair]:
    for row in _rows(path):
        yield Pair(str(row["Answer"]), str(row["Equation"]), True)


def _math500(path: Path) -> Iterator[Pair]:
    for row in _rows(path):
        box = last_boxed(str(row["solution"]))
        if box is not None:
            yield Pair(str(row["answer"]), box, True)


def _with_wrong_ones(pairs: list[Pair]) -> list[Pair]:
    """Beside each pair one with the reference of a later row, where both are plain numbers and other ones."""
    wrong = []
    for i, pair in enumerate(pairs):
        other = pairs[(i + 7) % len(pairs)].reference
        a, b = read_number(tidy(pair.reference)), read_number(tidy(other))
        if a is not None and b is not None and a.value != b.value:
            wrong.append(Pair(other, pair.answer, False))
    return pairs + wrong


if __name__ == "__main__":
    main()
