"""Makes the student's problems: for the teacher, and held out (python -m demo.student.make_problems).

Pure: the same bytes each time. Nothing held out is asked of the teacher.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from demo.problems import Problem, draw
from demo.teacher.evaluate import held_out

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parent
ASKED, HELD_OUT = FOLDER / "problems.jsonl", FOLDER / "held_out.jsonl"
N_ASKED = 500
PER_FAMILY = 43  # 301 in all, as in the teacher's own exam
HARD_SHARE = 0.45  # above the teacher's 0.35, so that it is wrong often enough to compare
SEED = 20_261_129


def asked() -> list[Problem]:
    """Return the problems for the teacher: distinct, and none that is held out."""
    rng, kept = Random(SEED), dict[str, Problem]()
    unseen = {problem.prompt for problem in exam()}
    while len(kept) < N_ASKED:
        problem = draw(rng, HARD_SHARE)
        if problem.prompt not in unseen:
            kept.setdefault(problem.prompt, problem)
    return list(kept.values())


def exam() -> list[Problem]:
    """Return the held-out problems, as many of each family; no two of one wording."""
    found = held_out(PER_FAMILY, HARD_SHARE)
    return list({problem.prompt: problem for problem in found}.values())


def lines(problems: Iterable[Problem]) -> str:
    """Return a line a problem."""
    rows = ({"question": p.prompt, "answer": str(p.answer), "family": p.family} for p in problems)
    return "".join(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Write both files."""
    ASKED.write_text(lines(asked()), encoding="utf-8")
    HELD_OUT.write_text(lines(exam()), encoding="utf-8")


if __name__ == "__main__":
    main()
