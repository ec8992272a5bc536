"""Makes the student's problems: for the teacher, and held out (python -m demo.student.make_problems).

Pure: the same bytes each time. Nothing held out is asked of the teacher.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from demo.problems import FAMILIES, Problem
from demo.teacher.evaluate import HELD_OUT_SEED

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parent
ASKED, HELD_OUT = FOLDER / "problems.jsonl", FOLDER / "held_out.jsonl"
N_ASKED = 800
PER_FAMILY = 43  # 301 in all, as in the teacher's own exam
# Of those that the teacher is asked, more than its own 0.35: it is wrong often enough to compare, and the base has much
# to learn there.
HARD_ASKED, HARD_HELD_OUT = 0.6, 0.45
SEED = 992


class Drawn(NamedTuple):
    """A problem, and whether it is one of the hard ones of its family."""

    problem: Problem
    hard: bool


def asked() -> list[Drawn]:
    """Return the problems for the teacher: distinct, and none that is held out."""
    rng, kept = Random(SEED), dict[str, Drawn]()
    unseen = {one.problem.prompt for one in held_out()}
    while len(kept) < N_ASKED:
        hard = rng.random() < HARD_ASKED
        problem = FAMILIES[rng.choice(list(FAMILIES))](rng, hard)
        if problem.prompt not in unseen:
            kept.setdefault(problem.prompt, Drawn(problem, hard))
    return list(kept.values())


def held_out() -> list[Drawn]:
    """Return the held-out problems of the teacher's own exam, as many of each family; no two of one wording."""
    rng, found = Random(HELD_OUT_SEED), dict[str, Drawn]()
    for make in FAMILIES.values():
        for _ in range(PER_FAMILY):
            hard = rng.random() < HARD_HELD_OUT
            problem = make(rng, hard)
            found[problem.prompt] = Drawn(problem, hard)
    return list(found.values())


def lines(drawn: Iterable[Drawn]) -> str:
    """Return a line a problem."""
    rows = ({"question": p.prompt, "answer": str(p.answer), "family": p.family, "hard": hard} for p, hard in drawn)
    return "".join(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Write both files."""
    ASKED.write_text(lines(asked()), encoding="utf-8")
    HELD_OUT.write_text(lines(held_out()), encoding="utf-8")


if __name__ == "__main__":
    main()
