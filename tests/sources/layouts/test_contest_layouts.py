"""Contest problems and CodeIO: rows shaped like the real ones, with their traps."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason
from tracemill.sources.adapter import MalformedRowError
from tracemill.sources.layouts.contests import limits_of, unpacked

STREAMS = {"inputs": ["3\n1 2 3\n"], "outputs": ["6\n"]}
CALLS = {"fn_name": "total", "inputs": ["[1, 2]\n5"], "outputs": ["8"]}
STDIO = {"kind": "stdio", "language": "python", "cases": [{"stdin": "3\n1 2 3\n", "stdout": "6\n"}]}
CALL = {"kind": "call", "entry_point": "total", "cases": [{"args": [[1, 2], 5], "kwargs": {}, "expected": 8}]}

APPS = {
    "problem_id": 4,
    "question": "Add what is given.",
    "solutions": json.dumps(["print(sum(map(int, input().split())))", "x"]),
    "input_output": json.dumps(STREAMS),
    "difficulty": "interview",
    "url": "https://judge.example/4",
    "starter_code": "",
}


def test_apps_programs() -> None:
    """APPS: tests and solutions are JSON text; the first solution is the reference."""
    found = one(APPS, "apps")
    assert (found.prompt, found.category, found.tests) == ("Add what is given.", "code", STDIO)
    assert found.info["reference_solution"].startswith("print(")
    assert (found.info["upstream_id"], found.info["difficulty"]) == (4, "interview")


def test_apps_functions() -> None:
    """With a function's name the tests are calls, and the head of the function belongs to the prompt."""
    found = one(APPS | {"input_output": json.dumps(CALLS), "starter_code": "def total(a, b):\n"}, "apps")
    assert found.prompt == "Add what is given.\n\ndef total(a, b):\n"
    assert found.tests == CALL
    unnamed = one(APPS | {"input_output": json.dumps(CALLS), "starter_code": None}, "apps")
    assert "total" in unnamed.prompt


@pytest.mark.parametrize("empty", ["", "{}", None])
def test_apps_without_tests(empty: object) -> None:
    """A row without tests is a problem without tests; solutions may be missing, too."""
    found = one(APPS | {"input_output": empty, "solutions": ""}, "apps")
    assert (found.category, found.tests, "reference_solution" in found.info) == ("code", None, False)


def test_taco_limits() -> None:
    """TACO says its limits in words."""
    limits = {"time_limit": "2.0 seconds", "memory_limit": "256.0 megabytes"}
    assert one(APPS | limits, "apps").tests == STDIO | {"time_limit_s": 2.0, "memory_limit_mb": 256}


@pytest.mark.parametrize(
    ("time", "memory", "expected"),
    [
        ({"seconds": 1, "nanos": 500_000_000}, 256 << 20, {"time_limit_s": 1.5, "memory_limit_mb": 256}),
        (2, 64.0, {"time_limit_s": 2.0, "memory_limit_mb": 64}),
        (None, None, {}),
        ("soon", "much", {}),
        (0, 0, {}),
        (True, -1, {}),
    ],
)
def test_limits(time: object, memory: object, expected: dict[str, Any]) -> None:
    """Limits in any unit; those that are not known are left to the recipe."""
    assert limits_of(time, memory) == expected


SYSTEM = {"role": "system", "content": "When tackling complex tasks, use [ASSESS] and [ADVANCE]."}


def eurus(text: str, truth: object, ability: str = "math") -> dict[str, Any]:
    return {
        "data_source": "numina_olympiads" if ability == "math" else "apps",
        "prompt": [SYSTEM, {"role": "user", "content": text}],
        "ability": ability,
        "reward_model": {"ground_truth": truth, "style": "rule"},
        "extra_info": {"index": 0, "split": "dummy"},
    }


IN_LATEX = "\n\nPresent the answer in LaTex format: \\boxed{Your answer}"
IN_PYTHON = "\n\nWrite Python code to solve the problem. Present the code in \n```python\nYour code\n```\nat the end."


def test_eurus_mathematics() -> None:
    """The action system prompt and the sentence on the form of the answer are taken off; the truth is the reference."""
    found = one(eurus("Find the matrix." + IN_LATEX, r"\frac{1}{2}"), "eurus")
    assert (found.prompt, found.history, found.reference_answer) == ("Find the matrix.", [], r"\frac{1}{2}")
    assert (found.category, found.tests, found.info["upstream_source"]) == ("math", None, "numina_olympiads")


@pytest.mark.parametrize(("truth", "tests"), [(STREAMS, STDIO), (CALLS, CALL)])
def test_eurus_programs(truth: dict[str, Any], tests: dict[str, Any]) -> None:
    """The truth of a program is JSON text of tests: streams, or calls with an argument a line."""
    found = one(eurus("Compute the total." + IN_PYTHON, json.dumps(truth), "code"), "eurus")
    assert (found.prompt, found.category, found.tests) == ("Compute the total.", "code", tests)
    assert found.reference_answer is None


def test_eurus_of_the_first_revision() -> None:
    """The first revision's columns give the same problem."""
    row = {
        "id": 9,
        "task": "Math",
        "source": "numina_olympiads",
        "instruction": "Find it." + IN_LATEX,
        "reference": "7",
    }
    found = one(row, "eurus")
    assert found.id == one(eurus("Find it." + IN_LATEX, "7"), "eurus").id
    assert found.info["upstream_id"] == 9


def test_eurus_structs_as_text() -> None:
    """Structs that were kept as JSON text are read, too."""
    row = eurus("Find it.", "7")
    assert one(row | {"reward_model": json.dumps(row["reward_model"])}, "eurus").reference_answer == "7"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (eurus("Find it.", "7", "poetry"), "unknown_ability"),
        (eurus("Find it.", "{broken", "code"), "malformed_tests"),
        (eurus("Find it.", "7") | {"prompt": [SYSTEM]}, "missing_prompt"),
    ],
)
def test_eurus_rows_that_cannot_be_read(row: dict[str, Any], expected: str) -> None:
    """An ability that is not known is never taken for one that is."""
    assert reason(row, "eurus") == expected


def case(given: object, said: object, kind: str = "stdin_stdout", name: str | None = None) -> dict[str, Any]:
    return {"fn_name": name, "input": given, "output": said, "type": kind}


CODING = {
    "source": "apps",
    "task_type": "verifiable_code",
    "problem_statement": "Add what is given.",
    "gold_standard_solution": "```python\nprint(6)\n```",
    "problem_id": "vfc_7",
    "metadata": {
        "difficulty": "easy",
        "memory_limit_bytes": 256 << 20,
        "problem_url": "https://judge.example/7",
        "time_limit": "2 seconds",
    },
    "verification_info": {"language": "python", "test_cases": [case("3\n1 2 3\n", "6\n")]},
}


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_verifiable_coding(encode: Any) -> None:
    """Both structs are read as objects and as JSON text; the gold solution loses its fence."""
    structs = {name: encode(CODING[name]) for name in ("metadata", "verification_info")}
    found = one(CODING | structs, "verifiable_coding")
    assert found.tests == STDIO | {"time_limit_s": 2.0, "memory_limit_mb": 256}
    assert found.info["reference_solution"] == "print(6)"
    assert (found.info["upstream_id"], found.info["url"]) == ("vfc_7", "https://judge.example/7")


def verified(cases: list[Any], **changes: Any) -> dict[str, Any]:
    row = CODING | {"metadata": None, "verification_info": {"language": "python", "test_cases": cases} | changes}
    return {("problem" if name == "problem_statement" else name): value for name, value in row.items()}


def test_verifiable_coding_functions() -> None:
    """Calls of a function, in a derived set that renamed the statement."""
    calls = [case([[1, 2], 5], [8], "function_call", "total"), case("[1]\n5", "6", "function_call", "total")]
    found = one(verified(calls[1:]), "verifiable_coding")
    assert found.tests == CALL | {"cases": [{"args": [[1], 5], "kwargs": {}, "expected": 6}]}
    assert one(verified(calls[:1]), "verifiable_coding").tests == CALL


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (verified([case("1", "1"), case([1], [1], "function_call", "f")]), "mixed_tests"),
        (verified([case([1], [1], "function_call", "f"), case([1], [1], "function_call", "g")]), "mixed_tests"),
        (verified([case("1", "1")], language="rust"), "not_python"),
        (verified(["x"]), "malformed_tests"),
        (CODING | {"verification_info": "{broken"}, "malformed_verification_info"),
        (CODING | {"verification_info": None}, "malformed_tests"),
        (CODING | {"metadata": {"problem_url": "https://www.geeksforgeeks.org/x"}}, "function_with_text_tests"),
    ],
)
def test_verifiable_coding_rows_without_use(row: dict[str, Any], expected: str) -> None:
    """Tests of two kinds, of another language, or scraped from a page are dropped with their reason."""
    assert reason(row, "verifiable_coding") == expected


def test_text_on_a_page_is_no_test_in_taco_either() -> None:
    """GeeksforGeeks' functions with tests of displayed text are dropped; with calls they are sound."""
    url = {"url": "https://practice.geeksforgeeks.org/x"}
    assert reason(APPS | url, "apps") == "function_with_text_tests"
    assert one(APPS | url | {"input_output": json.dumps(CALLS)}, "apps").tests == CALL


COTS = {
    "id": "852/A",
    "title": "Digits",
    "description": "Split a number.",
    "input_format": "A number.",
    "output_format": "Its digits.",
    "interaction_format": None,
    "note": "No leading zeros.",
    "time_limit": 1.0,
    "memory_limit": 256.0,
    "examples": [{"input": "12\n", "output": "1 2\n"}],
    "prompt": "You will be given a competitive programming problem. …",
    "generation": "<think>\nLoop.\n</think>\nSo:\n```cpp\nint main() {}\n```",
    "finish_reason": "stop",
}


def test_codeforces_cots() -> None:
    """The statement comes from its columns, the examples are the tests and said to be samples, the trace is R1's."""
    found = one(COTS, "codeforces_cots")
    assert found.prompt == (
        "# Digits\n\nSplit a number.\n\n## Input\nA number.\n\n## Output\nIts digits.\n\n"
        "## Example\nInput:\n12\nOutput:\n1 2\n\n## Note\nNo leading zeros.\n\nWrite the program in C++."
    )
    cases = [{"stdin": "12\n", "stdout": "1 2\n"}]
    limits = {"time_limit_s": 1.0, "memory_limit_mb": 256}
    assert found.tests == {"kind": "stdio", "language": "cpp", "cases": cases} | limits
    assert (found.info["tests_are_samples"], found.info["upstream_id"]) == (True, "852/A")
    trace = found.traces[0]
    assert (trace["model"], trace["think"], trace["finish_reason"]) == ("deepseek-r1", "\nLoop.\n", "stop")


@pytest.mark.parametrize(
    ("config", "fence", "language"),
    [
        ("solutions", "python", "cpp"),
        ("solutions_w_editorials", "python", "cpp"),
        ("solutions_py_decontaminated", "cpp", "python"),
        (None, "python", "python"),
        (None, "c++", "cpp"),
    ],
)
def test_codeforces_languages(config: str | None, fence: str, language: str) -> None:
    """The configuration says the language; of local files the last program does."""
    row = COTS | {"generation": f"<think>t</think>```{fence}\nx\n```"}
    found = one(row, "codeforces_cots", config=config)
    assert found.tests is not None
    assert (found.tests["language"], "C++" in found.prompt) == (language, language == "cpp")


def test_codeforces_rows_are_one_problem() -> None:
    """Several rows of a problem are one problem with other traces; without examples there are no tests."""
    again = COTS | {"generation": "<think>u</think>v"}
    assert one(again, "codeforces_cots", config="solutions").id == one(COTS, "codeforces_cots", config="solutions").id
    assert one(COTS | {"examples": None}, "codeforces_cots").tests is None
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>w</think>x"}]
    assert one(COTS | {"generation": None, "messages": messages}, "codeforces_cots").traces[0]["think"] == "w"


@pytest.mark.parametrize(
    ("changes", "config", "expected"),
    [
        ({"interaction_format": "Ask, and read."}, None, "interactive"),
        ({}, "checker_interactor", "no_solution"),
        ({"examples": ["x"]}, None, "malformed_tests"),
        ({"examples": [{"input": "1"}]}, None, "malformed_tests"),
        ({"description": None}, None, "missing_prompt"),
    ],
)
def test_codeforces_rows_without_use(changes: dict[str, Any], config: str | None, expected: str) -> None:
    """Interactive problems and rows that ask for checkers are dropped with their reason."""
    assert reason(COTS | changes, "codeforces_cots", config=config) == expected


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


LCB = {
    "question_title": "Sum",
    "question_content": "Sum the list.",
    "platform": "atcoder",
    "question_id": "abc1",
    "contest_date": "2024-09-01T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "3\n1 2 3\n", "output": "6\n", "testtype": "stdin"}]),
    "private_test_cases": packed(json.dumps([{"input": "0\n", "output": "0\n", "testtype": "stdin"}])),
    "metadata": "{}",
}


def test_livecodebench() -> None:
    """Public and private tests, of either encoding, are one task's."""
    found = one(LCB, "livecodebench")
    assert found.tests == STDIO | {"cases": [*STDIO["cases"], {"stdin": "0\n", "stdout": "0\n"}]}
    assert (found.prompt, found.info["contest_date"][:7]) == ("Sum the list.", "2024-09")
    plain = LCB | {"private_test_cases": json.dumps([{"input": "0\n", "output": "0\n", "testtype": "stdin"}])}
    assert one(plain, "livecodebench").tests == found.tests


def test_livecodebench_functions() -> None:
    """Functional tests call what metadata names, with an argument a line."""
    tests = json.dumps([{"input": "[1, 2]\n5", "output": "8", "testtype": "functional"}])
    row = {"public_test_cases": tests, "private_test_cases": "", "metadata": '{"func_name": "total"}'}
    found = one(LCB | row | {"starter_code": "class Solution:\n    def total(self, a, b):"}, "livecodebench")
    assert found.tests == CALL
    assert found.prompt == "Sum the list.\n\nclass Solution:\n    def total(self, a, b):"


class Harmful:
    """What a pickle may do when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.putenv, ("TRACEMILL_WAS_HERE", "1")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_text_is_read(protocol: int) -> None:
    """A text comes out of a pickle of any protocol, also a long one."""
    text = json.dumps(["é\n\u2028", "x" * 100_000])
    assert unpacked(base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()) == text


@pytest.mark.parametrize("value", [Harmful(), ["a", "b"], {"a": "b"}, 7, None, b"x", os.getcwd])
def test_nothing_is_unpickled(value: object) -> None:
    """A pickle of anything but one text is refused, and nothing in it is run."""
    with pytest.raises(MalformedRowError, match="pickle"):
        unpacked(packed(value))


@pytest.mark.parametrize("changes", [
    {"private_test_cases": "no base64!"},
    {"private_test_cases": base64.b64encode(b"no zlib").decode()},
    {"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps("[]" * 999))[:-9]).decode()},
    {"private_test_cases": "[broken"},
    {"public_test_cases": '[{"input": "1", "output": "1", "testtype": "functional"}]', "private_test_cases": ""},
])  # fmt: skip
def test_livecodebench_rows_that_cannot_be_read(changes: dict[str, Any]) -> None:
    """Tests that cannot be read drop the row."""
    assert reason(LCB | changes, "livecodebench") == "malformed_tests"


def test_livecodebench_mixed() -> None:
    """A task has tests of one kind."""
    functional = json.dumps([{"input": "1", "output": "1", "testtype": "functional"}])
    assert reason(LCB | {"public_test_cases": functional}, "livecodebench") == "mixed_tests"


RAW = {
    "problem_description": "How many steps?",
    "io_requirements": "Input: n. Output: steps.",
    "refcode": "def main(n): ...",
    "funcname": "main",
    "ios": [{"input": {"n": 5}, "output": 3}, {"input": {"n": 7}, "output": [1, "x"]}],
    "source": "pyedu",
    "category": None,
    "meta": {},
}


def test_codeio_raw() -> None:
    """Description, requirements and one input make the prompt; a whole number can be judged by the maths verifier."""
    found = one(RAW, "codeio_raw")
    for part in ("How many steps?", "Input: n. Output: steps.", '{"n": 5}'):
        assert part in found.prompt
    assert (found.category, found.reference_answer) == ("math", "3")
    assert (found.info["refcode"], "unverifiable" in found.info) == ("def main(n): ...", False)


@pytest.mark.parametrize("output", [[1, 2], "x", {"a": None}, 0.5, True, None])
def test_codeio_raw_values(output: object) -> None:
    """No rule compares other JSON values: the reference is kept for a judge, and the row says so."""
    found = one(RAW | {"ios": json.dumps([{"input": {}, "output": output}])}, "codeio_raw")
    assert (found.category, json.loads(str(found.reference_answer))) == ("other", output)
    assert found.info["unverifiable"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ios": []}, "no_examples"),
        ({"ios": None}, "no_examples"),
        ({"ios": [{"input": {}}]}, "malformed_examples"),
        ({"problem_description": None}, "missing_prompt"),
    ],
)
def test_codeio_raw_rows_without_use(changes: dict[str, Any], expected: str) -> None:
    """A row without an example asks for nothing."""
    assert reason(RAW | changes, "codeio_raw") == expected


@pytest.mark.parametrize(
    ("turns", "reference"),
    [
        (('So {"output": 3}', "Correct output!", "", ""), "3"),
        (('```json\n{"output": {"a": [1]}}\n```', "Correct output!", "", ""), '{"a":[1]}'),
        (('{"output": 4}', "Wrong.", 'No: {"output": 3}', "Correct output!"), "3"),
        (('{"output": 4}', "Wrong.", '{"output": 5}', "Wrong."), None),
        (("no object", "Correct output!", "", ""), None),
    ],
)
def test_codeio(turns: tuple[str, ...], reference: str | None) -> None:
    """What was found right is the reference; where nothing was, there is none. Replies are no traces."""
    row = dict(zip(("turn_1", "feedback_1", "turn_2", "feedback_2"), turns, strict=True))
    found = one({"prompt": "What is the output?"} | row, "codeio")
    assert (found.category, found.reference_answer, found.traces) == ("other", reference, [])
    assert found.info["unverifiable"]


def test_codeio_inputs() -> None:
    """A predicted input is no reference: others give the same output."""
    row = {"prompt": "Which input?", "turn_1": '{"input": {"n": 5}}', "feedback_1": "Success!"}
    found = one(row, "codeio")
    assert found.reference_answer is None
    assert "inputs" in found.info["unverifiable"]
