"""What verdicts get wrong, by kind of fault.

``TRACEMILL_REAL_DATA=DIR python -m benchmarks.verification.verdict_faults``

Reads ``DIR/verdicts/*.jsonl``, or the files named: a line is ``{"row", "right", "kind"}``, a row of the contract of
``python -m verifiers``, its right outcome or a list of acceptable ones, and the kind of fault that it tries. The rows
go through that very command, and each verdict is one of

- right: an acceptable outcome;
- false correct: ``correct``, which is not acceptable: the worst;
- false incorrect: ``incorrect`` or ``no_answer``, likewise;
- undecided: anything else where a decision was due.

Programs are judged with ``--sandbox docker`` alone; without it they are undecided.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CLASSES = ("right", "false correct", "false incorrect", "undecided")
_SHOWN_CHARS = 100


class Tried(NamedTuple):
    """A row with its verdict.

    Attributes:
        right: the acceptable outcomes.
        verdict: the output object of ``python -m verifiers``.
    """

    kind: str
    row: dict[str, Any]
    right: list[str]
    verdict: dict[str, Any]

    @property
    def class_(self) -> str:
        """One of CLASSES."""
        outcome = self.verdict["outcome"]
        if outcome in self.right:
            return "right"
        if outcome == "no_answer":  # a stricter word for incorrect
            return "right" if "incorrect" in self.right else "false incorrect"
        return f"false {outcome}" if outcome in {"correct", "incorrect"} else "undecided"


def main(argv: list[str] | None = None) -> None:
    """Print a table for each file, and the rows that are not right where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="instead of TRACEMILL_REAL_DATA/verdicts/*.jsonl")
    parser.add_argument("--kinds", nargs="+", help="only rows of these kinds")
    parser.add_argument("--show", action="store_true", help="also print every row that is not right")
    parser.add_argument("--sandbox", choices=["docker"], help="as of python -m verifiers")
    parser.add_argument("--workers", default=str(os.cpu_count() or 1), help="as of python -m verifiers")
    options = parser.parse_args(argv)
    sys.set_int_max_str_digits(0)  # expected values of programs may be as long as they like
    command = ["--workers", options.workers, *(["--sandbox", options.sandbox] if options.sandbox else [])]
    for path in options.files or sorted(Path(os.environ["TRACEMILL_REAL_DATA"], "verdicts").glob("*.jsonl")):
        cases = [case for case in _cases(path) if not options.kinds or case["kind"] in options.kinds]
        began = time.perf_counter()
        tried = list(judged(cases, command))
        print(*table(path.stem, tried), f"{time.perf_counter() - began:.1f} s", "", sep="\n")
        if options.show:
            print(*map(_shown, (each for each in tried if each.class_ != "right")), "", sep="\n")


def _cases(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def judged(cases: list[dict[str, Any]], options: Iterable[str] = ()) -> Iterator[Tried]:
    """Yield the cases with the verdicts of ``python -m verifiers``, in order.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as rows:
        rows.writelines(json.dumps(case["row"]) + "\n" for case in cases)
        rows.seek(0)
        command = [sys.executable, "-m", "verifiers", *options]
        printed = subprocess.run(command, stdin=rows, stdout=subprocess.PIPE, check=True).stdout
    for case, line in zip(cases, printed.splitlines(), strict=True):
        right = [case["right"]] if isinstance(case["right"], str) else case["right"]
        yield Tried(case["kind"], case["row"], right, json.loads(line))


def table(name: str, tried: Iterable[Tried]) -> Iterator[str]:
    """Lines: one for each kind, and one for all of them with shares."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in tried:
        counts[each.kind][each.class_] += 1
    total = sum(counts.values(), Counter[str]())
    n_rows = max(total.total(), 1)
    width = max(map(len, [name, *counts]))
    yield f"{name:{width}} {'rows':>6} " + " ".join(f"{one:>16}" for one in CLASSES)
    for kind in sorted(counts, key=_by_number):
        yield f"{kind:{width}} {counts[kind].total():6} " + " ".join(f"{counts[kind][one]:16}" for one in CLASSES)
    shares = (f"{total[one]} ({total[one] / n_rows:.1%})" for one in CLASSES)
    yield f"{'all':{width}} {total.total():6} " + " ".join(f"{share:>16}" for share in shares)


def _by_number(kind: str) -> tuple[str, int]:
    """F2 before F10."""
    name = kind.rstrip("0123456789")
    return name, int(kind[len(name) :] or 0)


def _shown(each: Tried) -> str:
    row, verdict = each.row, each.verdict
    reference, answer = (str(row.get(name))[-_SHOWN_CHARS:] for name in ("reference_answer", "response"))
    return (
        f"{each.kind} {row.get('id')}: {each.class_}, right is {' or '.join(each.right)}: {reference!r} <- {answer!r}; "
        f"{verdict['detail'][:_SHOWN_CHARS]!r} ({verdict['verifier']}, {verdict['cause']})"
    )


if __name__ == "__main__":
    main()
