"""KodCode and OpenCoder: rows of every revision, shaped like the real ones, with their traps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason

MODULE = "from solution import weave\n\ndef test_weave():\n    assert weave('AB', 'XY') == 'AXBY'\n"
DECLARED = {
    "function_name": "weave",
    "parameter_list": "(a, b)",
    "function_declaration": "def weave(a, b):",
    "docstring": "",
}
V1 = {
    "version": "v1.0",
    "style": "instruct",
    "subset": "Algorithm",
    "question_id": "Algorithm_00000003_I",
    "question": "Interleave two texts.",
    "solution": "def weave(a, b):\n    return ''.join(x + y for x, y in zip(a, b))",
    "test": MODULE,
    "test_info": [DECLARED],
    "gpt_difficulty": "easy",
    "gpt_pass_percentage": 0.9,
}
REPLY = "<think>\nPair them.\n</think>\n\n```python\ndef weave(a, b):\n    return 1\n```"


def sft(reply: str = REPLY, **changes: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": V1["question"]}, {"from": "gpt", "value": reply}]
    return V1 | {"conversations": turns, "r1_correctness": "True", "r1_pass_sequence": [0, 1, 1]} | changes


def test_kodcode() -> None:
    """A question with its pytest module; the declaration is added to a question that does not name the function."""
    found = one(V1, "kodcode")
    assert found.prompt == "Interleave two texts.\n\nNote that the function declaration is `def weave(a, b):`."
    script = {"kind": "script", "entry_point": "weave", "code": "from solution import *\n" + MODULE}
    assert (found.category, found.tests) == ("code", script)
    assert (found.info["upstream_id"], found.info["reference_solution"]) == ("Algorithm_00000003_I", V1["solution"])
    assert (found.info["style"], found.info["gpt_pass_percentage"]) == ("instruct", 0.9)
    assert found.traces == []


def test_kodcode_of_the_first_revision() -> None:
    """The names of the first revision are understood: it is the same problem but for the declaration."""
    now = {"style", "question_id", "test", "test_info"}
    first = {name: value for name, value in V1.items() if name not in now}
    first |= {"split": "instruct", "conversation_id": "c7", "test_code": MODULE, "test_entry_point": "weave"}
    found = one(first, "kodcode")
    assert found.prompt.endswith("declaration is `weave`.")
    assert found.tests == one(V1, "kodcode").tests
    assert (found.info["upstream_id"], found.info["style"]) == ("c7", "instruct")


@pytest.mark.parametrize(
    ("test_info", "entry_point", "prompt"),
    [
        (None, None, "Interleave two texts."),
        ([], None, "Interleave two texts."),
        (json.dumps([DECLARED]), "weave", "`def weave(a, b):`."),
        ([DECLARED, DECLARED | {"function_name": "unweave", "function_declaration": "def unweave(c):"}], None,
         "declarations are `def weave(a, b):`, `def unweave(c):`."),
    ],
)  # fmt: skip
def test_kodcode_functions(test_info: object, entry_point: str | None, prompt: str) -> None:
    """Tests of classes name no function, and some name several: then there is no entry point."""
    found = one(V1 | {"test_info": test_info}, "kodcode")
    assert found.prompt.endswith(prompt)
    assert found.tests is not None
    assert found.tests["entry_point"] == entry_point


def test_kodcode_imports_are_not_doubled() -> None:
    """A module that imports everything is left as it is, and a question that names its function, too."""
    code = "from solution import *\n\ndef test_it(): assert weave('', '') == ''"
    found = one(V1 | {"test": code, "question": "Write weave(a, b)."}, "kodcode")
    assert found.tests is not None
    assert (found.tests["code"], found.prompt) == (code, "Write weave(a, b).")
    other = "from math import *\n" + MODULE
    assert one(V1 | {"test": other}, "kodcode").tests == found.tests | {"code": "from solution import *\n" + other}


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
@pytest.mark.parametrize(
    "streams",
    [{"stdin": ["1\n", "2\n"], "stdout": ["2\n", "4\n"]}, {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}],
)
def test_kodcode_online_judge(streams: dict[str, Any], encode: Any) -> None:
    """Rows of style online_judge hold what a program reads and writes."""
    found = one(V1 | {"style": "online_judge", "test": encode(streams), "test_info": None}, "kodcode")
    cases = [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "2\n", "stdout": "4\n"}]
    assert found.tests == {"kind": "stdio", "language": "python", "cases": cases}


def test_kodcode_r1() -> None:
    """R1's reply is a trace of R1; its flag, which is text, is a truth value there."""
    trace = one(sft(), "kodcode").traces[0]
    assert (trace["model"], trace["think"], trace["correct"]) == ("deepseek-r1", "\nPair them.\n", True)
    assert trace["answer"].startswith("```python")
    assert one(sft(r1_correctness="False"), "kodcode").traces[0]["correct"] is False
    assert one(V1 | {"conversations": [{"from": "human", "value": "x"}]}, "kodcode").traces == []


def test_kodcode_renamed_solutions() -> None:
    """Where upstream renamed the function in its copy of the solution, the reply's program is renamed likewise."""
    written = "def mix(a, b):\n    return mix2(a) + b"
    reply = f"<think>t</think>Call mix.\n```python\n{written}\n```"
    trace = one(sft(reply, r1_solution=written.replace("mix(", "weave(")), "kodcode").traces[0]
    assert "def weave(a, b):\n    return mix2(a) + b" in trace["answer"]
    assert trace["renamed"] == "mix -> weave"
    other = one(sft(reply, r1_solution="def weave(a, b): pass"), "kodcode").traces[0]
    assert ("renamed" in other, "def mix" in other["answer"]) == (False, True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test": ["x"]}, "malformed_tests"),
        ({"style": "online_judge", "test": "assert f(1)"}, "malformed_tests"),
        ({"test_info": "[broken"}, "malformed_test_info"),
        ({"test_info": ["weave"]}, "malformed_test_info"),
        ({"question": None}, "missing_prompt"),
        ({"conversations": [{"from": "narrator", "value": "x"}]}, "malformed_conversation"),
    ],
)
def test_kodcode_rows_that_cannot_be_read(changes: dict[str, Any], expected: str) -> None:
    """What cannot be read is dropped with its reason."""
    assert reason(V1 | changes, "kodcode") == expected


OPC = {
    "seq_id": 7,
    "instruction": "Write a function that adds.",
    "output": "Sure: …",
    "code": "def add(a, b):\n    return a + b\n\nif __name__ == '__main__':\n    print(add(1, 2))",
    "entry_point": "add",
    "testcase": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
}


def test_opencoder_with_assertions() -> None:
    """educational_instruct: assertions judge; the first is shown where the instruction does not name the function."""
    found = one(OPC, "opencoder")
    assert found.prompt == "Write a function that adds.\n\nYour code should pass this test:\n\nassert add(1, 2) == 3"
    assert (found.category, found.tests) == ("code", {"kind": "assert", "setup": "", "asserts": OPC["testcase"]})
    assert (found.info["upstream_id"], found.info["reference_solution"]) == (7, OPC["code"])
    assert found.traces == []
    named = one(OPC | {"instruction": "Write add(a, b)."}, "opencoder")
    assert named.prompt == "Write add(a, b)."
    assert one(OPC | {"testcase": json.dumps(OPC["testcase"])}, "opencoder").tests == found.tests


@pytest.mark.parametrize("changes", [{}, {"testcase": []}, {"testcase": None}, {"tag": "Infinity"}, {"source": "evol"}])
def test_opencoder_without(changes: dict[str, Any]) -> None:
    """The other configurations, stage 1 and the old default have nothing to judge by: they are of category other."""
    found = one({"instruction": "Explain merge sort.", "output": "…"} | changes, "opencoder")
    assert (found.prompt, found.category, found.tests) == ("Explain merge sort.", "other", None)


@pytest.mark.parametrize("testcase", ["[broken", [1], {"a": 1}])
def test_opencoder_rows_that_cannot_be_read(testcase: object) -> None:
    """Assertions that are no list of text drop the row."""
    assert reason(OPC | {"testcase": testcase}, "opencoder") == "malformed_tests"
