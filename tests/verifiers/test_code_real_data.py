"""Real solutions of real problems in the real sandbox: all right, and wrong once a fault is planted."""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs.mutation import mutant
from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracemill.core import Verdict

CALLED = re.compile(r"(\w+)\s*\(")
pytestmark = [pytest.mark.needs_docker, pytest.mark.needs_real_data]


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    # mbpp/123 takes 2.5 s of processor on an idle machine, and more while others use its caches.
    with VerifierSet(Verify(code=CodeTests(time_limit_s=10), sandbox=Sandbox(containers=2))) as verifier_set:
        yield verifier_set


@pytest.fixture(scope="module")
def strict_bench() -> Iterator[VerifierSet]:
    """One second a test, and no test after a failure: faults are often endless loops."""
    settings = CodeTests(time_limit_s=1, stop_at_first_failure=True)
    with VerifierSet(Verify(code=settings, sandbox=Sandbox(containers=2))) as verifier_set:
        yield verifier_set


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mbpp(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (
            f"mbpp/{row['task_id']}",
            row["code"],
            {"kind": "assert", "setup": row.get("test_setup_code") or "", "asserts": row["test_list"]},
        )
        for row in rows(folder / "sources" / "mbpp.jsonl")
    ]


def humaneval(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (
            row["task_id"],
            row["prompt"] + row["canonical_solution"],
            {"kind": "script", "entry_point": row["entry_point"], "code": row["test"]},
        )
        for row in rows(folder / "benchmarks" / "humaneval.jsonl")
    ]


def prompts(folder: Path) -> dict[str, str]:
    return {row["task_id"]: row["prompt"] for row in rows(folder / "benchmarks" / "humaneval.jsonl")}


def judged(
    verifier_set: VerifierSet, programs: list[tuple[str, str, dict[str, Any]]], asked: dict[str, str] | None = None
) -> dict[str, Verdict]:
    attempts = [
        Attempt(name, "code", (asked or {}).get(name, "?"), f"```python\n{program}\n```", tests=tests)
        for name, program, tests in programs
    ]
    return {verdict.response_id: verdict for verdict in verify(attempts, verifier_set)}


def not_(outcome: str, verdicts: dict[str, Verdict]) -> dict[str, str]:
    return {name: v.detail for name, v in verdicts.items() if v.outcome != outcome}


def test_every_reference_solution_is_correct(verifier_set: VerifierSet, real_data: Path) -> None:
    """All 974 MBPP solutions pass their assertions and all 164 HumanEval solutions their scripts."""
    solutions = mbpp(real_data) + humaneval(real_data)
    assert len(solutions) == 974 + 164
    assert not_("correct", judged(verifier_set, solutions, prompts(real_data))) == {}


# Planted faults that the tests of the data set do not notice, each read: nearly all change a branch or an amount that
# no test reaches or is sensitive to (mbpp/177, 167, 188, 509, …); some are the same for every input (HumanEval/89: 2*2
# for 2+2; HumanEval/131: only truth counts; mbpp/949: a longer sort key of the same order).
SURVIVORS = {
    *(f"HumanEval/{n}" for n in (32, 40, 52, 89, 127, 131, 153)),
    *(
        f"mbpp/{n}"
        for n in (
            9, 20, 39, 72, 101, 167, 177, 188, 192, 289, 315, 351, 364, 404, 438, 501, 509, 520, 532, 550, 658, 698,
            711, 735, 783, 819, 876, 880, 896, 949, 952, 953,
        )
    ),
}  # fmt: skip


def test_a_planted_fault_is_found(strict_bench: VerifierSet, real_data: Path) -> None:
    """Each of those programs with one seeded fault is incorrect, but for the listed ones that their own tests miss."""
    faulty = [(name, mutant(program, name), tests) for name, program, tests in mbpp(real_data) + humaneval(real_data)]
    verdicts = judged(strict_bench, faulty)
    assert set(not_("incorrect", verdicts)) == SURVIVORS
    assert {verdicts[name].outcome for name in SURVIVORS} == {"correct"}


# Equal to everything, of every class, and Python's own names in the program's words.
CHEAT = """
import builtins, sys

class Anything:
    __class__ = property(lambda self: object)
    __eq__ = __le__ = __ge__ = __contains__ = lambda self, other: True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __bool__ = lambda self: True
    __hash__ = lambda self: 0
    __len__ = lambda self: 0
    __iter__ = lambda self: iter(())
    __call__ = __getattr__ = __getitem__ = __add__ = __sub__ = __rsub__ = __round__ = lambda self, *_: self
    __abs__ = lambda self: 0
    __float__ = lambda self: 0.0

def always(*_, **__):
    return Anything()

all = any = isinstance = issubclass = hasattr = callable = lambda *_, **__: True
abs = len = sum = max = min = round = hash = id = lambda *_, **__: 0
range = zip = enumerate = map = filter = sorted = reversed = list = tuple = set = dict = lambda *_, **__: []
str = repr = type = bool = int = float = always
AssertionError = BaseException
for name in ("all", "any", "abs", "len", "range", "zip", "sorted", "isinstance"):
    setattr(builtins, name, globals()[name])
sys.modules["math"] = sys.modules["numpy"] = Anything()
"""


def test_a_fixed_cheat_passes_nothing(strict_bench: VerifierSet, real_data: Path) -> None:
    """A program that solves nothing, and replaces what tests use, passes none of 974 MBPP and 164 HumanEval."""
    cheats = []
    for name, _, tests in mbpp(real_data) + humaneval(real_data):
        called = CALLED.findall(tests.get("asserts", [""])[0])
        asked = tests.get("entry_point") or next((word for word in called if not hasattr(builtins, word)), called[0])
        cheats.append((name, f"{CHEAT}\n{asked} = always\n", tests))
    verdicts = judged(strict_bench, cheats)
    assert [name for name, verdict in verdicts.items() if verdict.outcome == "correct"] == []
    assert sum(verdict.outcome == "incorrect" for verdict in verdicts.values()) > 500


# With a helper of its own making in place of the prompt's, each solves nothing and would pass.
REPLACED_HELPERS = {
    "HumanEval/32": "def poly(xs, x): return 0.0\ndef find_zero(xs): return 0.0\n",
    "HumanEval/38": "def encode_cyclic(s): return s\ndef decode_cyclic(s): return s\n",
    "HumanEval/50": "def encode_shift(s): return s\ndef decode_shift(s): return s\n",
}


def test_helpers_of_the_prompt_are_the_prompts(verifier_set: VerifierSet, real_data: Path) -> None:
    """A program that replaces what the prompt gives and the tests use passes by it in none of the three problems."""
    tests = {name: tests for name, _, tests in humaneval(real_data)}
    cheats = [(name, program, tests[name]) for name, program in REPLACED_HELPERS.items()]
    verdicts = judged(verifier_set, cheats, prompts(real_data))
    assert {name: verdict.outcome for name, verdict in verdicts.items()} == dict.fromkeys(REPLACED_HELPERS, "incorrect")


CONTEST_PROGRAMS = {
    "digjump": ("python", """\
s = input().strip()
n, where = len(s), {}
for i, c in enumerate(s):
    where.setdefault(c, []).append(i)
far, todo = {0: 0}, [0]
for i in todo:
    for j in [i - 1, i + 1, *where.pop(s[i], [])]:
        if 0 <= j < n and j not in far:
            far[j] = far[i] + 1
            todo.append(j)
print(far[n - 1])
"""),
    "1000_A. Codehorses T-shirts": ("python", """\
from collections import Counter
import sys
words = sys.stdin.read().split()
n = int(words[0])
print(sum((Counter(words[1 : n + 1]) - Counter(words[n + 1 : 2 * n + 1])).values()))
"""),
    "12_B. Correct Solution?": ("python", """\
import sys
n, m = [line.strip() for line in open(0)][:2]
digits = sorted(n)
if n != "0":
    first = next(i for i, d in enumerate(digits) if d != "0")
    digits.insert(0, digits.pop(first))
print("OK" if "".join(digits) == m else "WRONG_ANSWER")
"""),
    "1238_B. Kill 'Em All": ("cpp", """\
#include <bits/stdc++.h>
int main() {
    int q; std::scanf("%d", &q);
    while (q--) {
        int n, r; std::scanf("%d %d", &n, &r);
        std::set<int, std::greater<int>> at;
        for (int i = 0, x; i < n; i++) { std::scanf("%d", &x); at.insert(x); }
        long long shots = 0;
        for (int x : at) if (x - shots * r > 0) shots++;
        std::printf("%lld\\n", shots);
    }
}
"""),
    "1139_C. Edgy Trees": ("cpp", """\
#include <bits/stdc++.h>
const long long M = 1000000007;
int up[100005], size_[100005];
int top(int v) { return up[v] == v ? v : up[v] = top(up[v]); }
long long power(long long b, int e) { long long r = 1; while (e--) r = r * b % M; return r; }
int main() {
    int n, k; std::cin >> n >> k;
    for (int i = 1; i <= n; i++) up[i] = i;
    for (int i = 1, u, v, x; i < n; i++) { std::cin >> u >> v >> x; if (!x) up[top(u)] = top(v); }
    for (int i = 1; i <= n; i++) size_[top(i)]++;
    long long all = power(n, k);
    for (int i = 1; i <= n; i++) all = (all - power(size_[i], k) + M) % M;
    std::cout << all << std::endl;
}
"""),
}  # fmt: skip


def test_contest_samples_run_as_stdio(verifier_set: VerifierSet, real_data: Path) -> None:
    """Programs for contest problems, in Python and C++, pass all of the data set's tests; one with a fault does not."""
    problems = {
        json.loads(row["labels"])["name"]: row for row in rows(real_data / "sources/code_contests_sample.jsonl")
    }
    attempts = []
    for name, (language, program) in CONTEST_PROGRAMS.items():
        cases = [
            {"stdin": test["input"]["stdin"], "stdout": test["output"]["stdout"]}
            for test in json.loads(problems[name]["test"])
        ]
        tests = {"kind": "stdio", "language": language, "cases": cases}
        attempts.append(Attempt(name, "code", "?", f"```{language}\n{program}```", tests=tests))
        faulty = (
            program.replace("+ 1", "+ 2").replace("shots++", "shots += 2").replace("WRONG_", "").replace("+ M", "- 1")
        )
        attempts.append(Attempt(f"{name}, faulty", "code", "?", f"```{language}\n{faulty}```", tests=tests))
    found = {verdict.response_id: (verdict.outcome, verdict.detail) for verdict in verify(attempts, verifier_set)}
    assert {
        name: detail for name, (outcome, detail) in found.items() if (outcome == "correct") != ("," not in name)
    } == {}
