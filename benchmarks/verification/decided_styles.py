"""How many tests in the ways of KodCode, BigCodeBench and LeetCodeDataset are decided, and how many rightly.

``python -m benchmarks.verification.decided_styles``

The tests are ours, written by the sets' public descriptions (``test_styles/*.txt``): pytest modules that import from
``solution``; unittest classes with mocks, files, tables and seeds; ``check(candidate)`` over ``Solution().f`` with
linked lists and trees. Each has a right program and wrong ones. Of a right program ``correct`` is right, of a wrong one
``incorrect``; anything else is undecided, or false. Also printed: how long wrong programs take : right ones.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracemill.core.machine import cores
from tracemill.recipe.sections.verify import Sandbox, Verify
from verifiers import Attempt, VerifierSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.core import Verdict

FOLDER = Path(__file__).with_name("test_styles")
CLASSES = ("right", "false correct", "false incorrect", "undecided")
_ENTRY_POINTS = {"bigcodebench": "task_func"}


class Styled(NamedTuple):
    """A program and its tests.

    Attributes:
        style: name of the data set in whose way the tests are.
        is_right: whether the program should pass.
    """

    style: str
    name: str
    is_right: bool
    attempt: Attempt


def main() -> None:
    """Print a line for each style, and what is not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", nargs="+", help="only these")
    parser.add_argument("--tests", type=int, help="only so many tests of each style")
    parser.add_argument("--workers", type=int, default=cores(), help="containers")
    options = parser.parse_args()
    styles = options.styles or sorted(path.stem for path in FOLDER.glob("*.txt"))
    programs = [each for style in styles for each in programs_of(style, options.tests)]
    settings = Verify(workers=options.workers, sandbox=Sandbox(containers=options.workers))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[bool, list[float]] = defaultdict(list)
    with VerifierSet(settings) as verifier_set:
        verifier_set.begin(programs[0].attempt).verdict()  # the containers start
        for each in programs:
            began = time.perf_counter()
            verdict = verifier_set.begin(each.attempt).verdict()
            seconds[each.is_right].append(time.perf_counter() - began)
            found = class_of(each, verdict)
            counts[each.style][found] += 1
            if found != "right":
                print(f"  {each.style}, {each.name}, {'right' if each.is_right else 'wrong'}: {verdict.outcome}")
                print(f"    {verdict.detail[:200]}")
    print(*table(counts), sep="\n")
    mean = {is_right: sum(taken) / len(taken) for is_right, taken in seconds.items()}
    print(f"wrong programs take {mean[False] / mean[True]:.2f} x right ones")


def table(counts: dict[str, Counter[str]]) -> Iterator[str]:
    """Yield lines: one for each style, and one for all."""
    yield f"{'style':14} {'programs':>8} {'decided':>8} " + " ".join(f"{one:>16}" for one in CLASSES)
    for style, found in [*counts.items(), ("all", sum(counts.values(), Counter[str]()))]:
        decided = 1 - found["undecided"] / found.total()
        yield f"{style:14} {found.total():8} {decided:8.1%} " + " ".join(f"{found[one]:16}" for one in CLASSES)


def class_of(each: Styled, verdict: Verdict) -> str:
    """Return one of CLASSES."""
    if verdict.outcome == ("correct" if each.is_right else "incorrect"):
        return "right"
    return f"false {verdict.outcome}" if verdict.outcome in ("correct", "incorrect") else "undecided"


def programs_of(style: str, n_tests: int | None = None) -> Iterator[Styled]:
    """Yield the programs of a style, with their tests."""
    cases = (FOLDER / f"{style}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    for case in cases[:n_tests]:
        name, *parts = re.split(r"^--- (\w+)\n", case, flags=re.MULTILINE)
        sections = list(zip(parts[::2], parts[1::2], strict=True))
        given = dict(sections)
        entry_point = given.get("entry_point", _ENTRY_POINTS.get(style, "")).strip() or None
        tests = {"kind": "script", "code": given["tests"], "entry_point": entry_point}
        for kind, text in sections:
            if kind in ("right", "wrong"):
                answer = f"```python\n{text}```"
                yield Styled(style, name.strip(), kind == "right", Attempt("r", "code", "", answer, tests=tests))


if __name__ == "__main__":
    main()
