"""From a row as its data set has it to a verdict in the real sandbox: right programs pass, wrong ones do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs.adapted_rows import one
from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.core import Problem, Verdict

pytestmark = pytest.mark.needs_docker

ADD = "a, b = map(int, input().split())\nprint(a + b)"
SUBTRACT = "a, b = map(int, input().split())\nprint(a - b)"
STREAMS = {"inputs": ["1 2\n", "5 7\n"], "outputs": ["3\n", "12\n"]}
METHOD = "class Solution:\n    def total(self, values, more):\n        return sum(values) {} more"
CALLS = {"fn_name": "total", "inputs": ["[1, 2]\n5"], "outputs": ["8"]}
SHIFT = "def shift(d):\n    return {{k {} 1: v for k, v in d.items()}}"
SHIFTS = {"fn_name": "shift", "inputs": ['{"1": "a"}'], "outputs": ['{"2": "a"}']}
MODULE = "import pytest\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n):\n    assert twice(n) == 2 * n\n"
LCB = json.dumps([{"input": "[1, 2]\n5", "output": "8", "testtype": "functional"}])
COTS = {"description": "Add.", "examples": [{"input": "1 2\n", "output": "3\n"}]}
CPP = "#include <iostream>\nint main() {{ int a, b; std::cin >> a >> b; std::cout << a {} b; }}"

CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "kodcode": (
        "kodcode",
        {"question": "Double n.", "test": MODULE, "test_info": [{"function_name": "twice"}]},
        "def twice(n):\n    return n + n",
        "def twice(n):\n    return n * n",
    ),
    "kodcode online_judge": (
        "kodcode",
        {"question": "Add.", "style": "online_judge", "test": json.dumps({"stdin": ["1 2"], "stdout": ["3"]})},
        ADD,
        SUBTRACT,
    ),
    "opencoder": (
        "opencoder",
        {"instruction": "Double.", "output": "", "testcase": ["assert twice(2) == 4"], "entry_point": "twice"},
        "def twice(n):\n    return n + n\n\nif __name__ == '__main__':\n    print(twice(1))\n    assert twice(1) == 2",
        "def twice(n):\n    return n",
    ),
    "apps": ("apps", {"question": "Add.", "input_output": json.dumps(STREAMS)}, ADD, SUBTRACT),
    "taco function": (
        "apps",
        {"question": "Total.", "input_output": json.dumps(CALLS)},
        METHOD.format("+"),
        METHOD.format("-"),
    ),
    "eurus": (
        "eurus",
        {
            "prompt": [{"role": "user", "content": "Shift."}],
            "ability": "code",
            "reward_model": {"ground_truth": json.dumps(SHIFTS)},
        },
        SHIFT.format("+"),
        SHIFT.format("-"),
    ),
    "verifiable_coding": (
        "verifiable_coding",
        {
            "problem_statement": "Add.",
            "verification_info": {"test_cases": [{"input": "1 2\n", "output": "3\n", "type": "stdin_stdout"}]},
        },
        ADD,
        SUBTRACT,
    ),
    "codeforces_cots in C++": ("codeforces_cots", COTS, CPP.format("+"), CPP.format("-")),
    "codeforces_cots in Python": ("codeforces_cots", COTS | {"generation": "```python\n```"}, ADD, SUBTRACT),
    "livecodebench": (
        "livecodebench",
        {"question_content": "Total.", "public_test_cases": LCB, "metadata": '{"func_name": "total"}'},
        METHOD.format("+"),
        METHOD.format("-"),
    ),
}


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1, code=CodeTests(time_limit_s=5), sandbox=Sandbox(containers=1))) as verifier_set:
        yield verifier_set


def judged(verifier_set: VerifierSet, problem: Problem, program: str) -> Verdict:
    language = (problem.tests or {}).get("language", "python")
    answer = f"```{language}\n{program}\n```"
    [verdict] = verify([Attempt("r", problem.category, problem.prompt, answer, tests=problem.tests)], verifier_set)
    return verdict


@pytest.mark.parametrize("case", CASES)
def test_rows_judge_programs(case: str, verifier_set: VerifierSet) -> None:
    """The tests that a layout reads are passed by a right program, and by no wrong one."""
    layout, row, right, wrong = CASES[case]
    problem = one(row, layout)
    found = judged(verifier_set, problem, right)
    assert found.outcome == "correct", found.detail
    assert judged(verifier_set, problem, wrong).outcome == "incorrect"
