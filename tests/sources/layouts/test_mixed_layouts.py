"""Layouts of science and mixed sets: rows shaped like theirs, with their traps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1, model_named

OPTIONS = "Which is prime?\nA. 4\nB. 7\nC. 9\nD. 12"


@pytest.mark.parametrize(
    ("question", "reference", "category"),
    [
        ("How fast?", "5.0 m/s", "math"),
        ("How fast?", "\\frac{1}{2}", "math"),
        (OPTIONS, "B", "choice"),
        ("Why?", "The correct answer would involve 3 steps and a diagram.", "other"),
        ("Why?", "Entropy", "other"),
        ("Why?", "1" * 300, "other"),
        ("Why?", "", "other"),
        ("Why?", None, "other"),
    ],
)
def test_natural_reasoning(question: str, reference: str | None, category: str) -> None:
    """Rules judge letters, numbers and formulas; prose is for a judge; Llama's response is no trace."""
    responses = [{"response_model": "Llama-3.3-70B", "response": "It is so."}]
    found = one({"question": question, "reference_answer": reference, "responses": responses}, "natural_reasoning")
    assert (found.category, found.reference_answer, found.traces) == (category, reference or None, [])


GENERAL = {
    "question_id": 7,
    "question_url": "https://example.org/q/7",
    "question": "What is 2 + 2?",
    "reference_answer": "4",
    "prev_messages": None,
    "model_name": "DeepSeek/DeepSeek-R1",
    "model_answer": "Four.",
    "model_reasoning": "Two and two.",
    "task": "Sums",
    "question_license": "MIT",
    "question_source": "a/set",
    "verifier_score": 1.0,
}


def test_general_thought() -> None:
    """A row is a question and one model's answer; what else it says is kept."""
    found = one(GENERAL, "general_thought", licence="Apache-2.0")
    expected = {"model": R1, "think": "Two and two.", "answer": "Four.", "fault": None, "score": 1.0}
    assert (found.traces, found.category, found.licence, found.non_commercial) == ([expected], "math", "MIT", False)
    about = {"task": "Sums", "upstream_id": 7, "upstream_source": "a/set", "question_url": GENERAL["question_url"]}
    assert found.info == about | {"file": "f"}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("DeepSeek/DeepSeek-R1", R1),
        ("deepseek-ai/DeepSeek-R1", R1),
        ("DeepSeek/DeepSeek-R1-Zero", "deepseek-r1-zero"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "deepseek-r1-distill-llama-70b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1-0528"),
        ("DeepSeek R1", R1),
        ("OpenThoughts/OpenThinker-32B", "openthinker-32b"),
        ("gemini-2.0-flash-thinking-exp-01-21", GEMINI_THINKING),
        (None, "unknown"),
    ],
)
def test_only_r1_is_r1(name: object, model: str) -> None:
    """Models are told apart by their whole name: R1's distillations, Zero and successors are others."""
    assert model_named(name) == model
    assert [trace["model"] for trace in one(GENERAL | {"model_name": name}, "general_thought").traces] == [model]


def test_general_thought_without_reasoning() -> None:
    """An answer without reasoning (o3-mini's) is no trace."""
    assert one(GENERAL | {"model_reasoning": None}, "general_thought").traces == []


@pytest.mark.parametrize(
    ("licence", "kept", "non_commercial"),
    [
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", True),
        ("cc by nc sa 4.0", "cc by nc sa 4.0", True),
        ("Non-Commercial", "Non-Commercial", True),
        ("CC-BY-4.0", "CC-BY-4.0", False),
        ("ncsa", "ncsa", False),
        ("", "MIT", False),
        ("Unknown", "MIT", False),
        (None, "MIT", False),
    ],
)
def test_licences_of_rows(licence: object, kept: str, non_commercial: bool) -> None:
    """A row's own licence is kept, and flagged if it is non-commercial; where it names none, the source's counts."""
    found = one(GENERAL | {"question_license": licence}, "general_thought", licence="MIT")
    assert (found.licence, found.non_commercial) == (kept, non_commercial)


def test_general_thought_with_earlier_turns() -> None:
    """Earlier messages are history."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert one(GENERAL | {"prev_messages": turns}, "general_thought").history == turns
    assert one(GENERAL | {"prev_messages": []}, "general_thought").history == []


DOLPHIN = {
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why is the sky blue?"}],
    "reasoning": "It scatters.",
    "answer": "Because it scatters.",
}


@pytest.mark.parametrize(
    ("layout", "columns", "model"),
    [
        ("dolphin_deepseek", {}, R1),
        ("dolphin_flash", {}, GEMINI_THINKING),
        ("dolphin_deepseek", {"model": "gemini-2.0-flash-thinking-exp"}, GEMINI_THINKING),
        ("dolphin_flash", {"model": "deepseek-ai/DeepSeek-R1"}, R1),
    ],
)
def test_dolphin(layout: str, columns: dict[str, Any], model: str) -> None:
    """The configuration says whose reasoning it is, unless the row does; the system turn is history; no reference."""
    found = one(DOLPHIN | columns, layout)
    trace = {"model": model, "think": "It scatters.", "answer": "Because it scatters.", "fault": None}
    assert (found.prompt, found.traces, found.category) == ("Why is the sky blue?", [trace], "other")
    assert found.history == [{"role": "system", "content": "Be kind."}]
    assert found.reference_answer is None


def test_dolphin_nonreasoning() -> None:
    """Replies without reasoning are no traces; marks are kept, nulls are not."""
    messages = [*DOLPHIN["messages"], {"role": "assistant", "content": "It scatters."}]
    found = one({"messages": messages, "score": 4.5, "refusal": None, "overall_quality": 5}, "dolphin_nonreasoning")
    assert (found.prompt, found.traces) == ("Why is the sky blue?", [])
    assert found.info == {"file": "f", "score": 4.5, "overall_quality": 5}


def with_turn(role: str, content: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content}, {"role": "user", "content": "What is the weather?"}]}


@pytest.mark.parametrize(
    "columns",
    [
        with_turn("system", 'You may call <tools>[{"name": "weather"}]</tools>'),
        with_turn("assistant", "<tool_call>{}</tool_call>"),
        {"answer": '<tool_call>{"name": "weather"}</tool_call>'},
        with_turn("tool", "<tool_response>rain</tool_response>"),
    ],
)
def test_dolphin_tool_calls(columns: dict[str, Any]) -> None:
    """Rows that offer or call tools are left out, and say so."""
    assert reason(DOLPHIN | columns, "dolphin_deepseek") == "tool_call"


STDIO = "Generate an executable Python function generated from the given prompt. The function should take stdin as "
STDIO += "input and print the output. Simply call the function after the definition."
TAGGED = "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n4\n\n<|end_of_solution|>"


@pytest.mark.parametrize(
    ("asked", "prompt", "category"),
    [
        ("Return your final response within \\boxed{}. What is 2 + 2?", "What is 2 + 2?", "math"),
        (STDIO + "Read n, print 2n.", "Read n, print 2n.", "code"),
        ("Name a cold-blooded animal.", "Name a cold-blooded animal.", "other"),
    ],
)
def test_thoughts(asked: str, prompt: str, category: str) -> None:
    """Prefix, system prompt and tags come off; the prefix tells the category; the trace is R1's."""
    system = "Your role as an assistant …"  # in a column of its own; copies have it among the turns
    turns = [
        {"from": "system", "value": system},
        {"from": "user", "value": asked},
        {"from": "assistant", "value": TAGGED},
    ]
    found = one({"system": system, "conversations": turns}, "thoughts")
    assert (found.prompt, found.category, found.history) == (prompt, category, [])
    assert found.traces == [{"model": R1, "think": "Hm.", "answer": "4", "fault": None}]


THOUGHT = {
    "problem": "What is 2 + 2?",
    "deepseek_reasoning": "Hm.",
    "deepseek_solution": "It is \\boxed{4}.",
    "ground_truth_solution": "Two and two make $\\boxed{4}$.",
    "domain": "math",
    "source": "numina_math",
    "test_cases": None,
    "starter_code": None,
}


def test_open_thoughts_maths() -> None:
    """The reference is the box of the worked solution; without one there is none."""
    found = one(THOUGHT, "open_thoughts_metadata")
    assert (found.prompt, found.reference_answer, found.category) == ("What is 2 + 2?", "4", "math")
    assert found.traces == [{"model": R1, "think": "Hm.", "answer": "It is \\boxed{4}.", "fault": None}]
    assert (found.info["domain"], found.info["upstream_source"]) == ("math", "numina_math")
    assert one(THOUGHT | {"ground_truth_solution": "Four."}, "open_thoughts_metadata").reference_answer is None


CODE = THOUGHT | {"domain": "code", "source": "taco", "ground_truth_solution": None}


def test_open_thoughts_programs() -> None:
    """Tests of programs are streams."""
    tests = {"inputs": ["1\n"], "outputs": ["2\n"]}
    found = one(CODE | {"problem": STDIO + "Double n.", "test_cases": json.dumps(tests)}, "open_thoughts_metadata")
    assert (found.prompt, found.category, found.reference_answer) == ("Double n.", "code", None)
    assert found.tests is not None
    assert found.tests["cases"] == [{"stdin": "1\n", "stdout": "2\n"}]


@pytest.mark.parametrize(
    ("starter", "prompt"),
    [("def twice(n):\n", "Double n.\ndef twice(n):\n"), (None, "Double n.\n\nCall the function twice.")],
)
def test_open_thoughts_functions(starter: str | None, prompt: str) -> None:
    """Tests that call a function need its name in the prompt: the starter code's, or a sentence of ours."""
    tests = {"inputs": ["1"], "outputs": ["2"], "fn_name": "twice"}
    row = CODE | {"problem": "Double n.", "test_cases": json.dumps(tests), "starter_code": starter}
    found = one(row, "open_thoughts_metadata")
    assert found.prompt == prompt
    assert found.tests is not None
    assert (found.tests["kind"], found.tests["entry_point"]) == ("call", "twice")


@pytest.mark.parametrize(
    ("columns", "category", "reference"),
    [
        ({"domain": "puzzle", "problem": OPTIONS, "ground_truth_solution": "B"}, "choice", "B"),
        ({"domain": "biology", "ground_truth_solution": "It is the cell wall."}, "other", "It is the cell wall."),
        ({"domain": "code", "ground_truth_solution": None}, "code", None),
    ],
)
def test_open_thoughts_of_other_domains(columns: dict[str, Any], category: str, reference: str | None) -> None:
    """Puzzles are choices, science is for a judge, and a program without tests is code that nothing can judge."""
    found = one(THOUGHT | columns, "open_thoughts_metadata")
    assert (found.category, found.reference_answer) == (category, reference)


def test_open_thoughts_without_a_problem() -> None:
    """Starter code alone is no prompt."""
    assert reason(CODE | {"problem": None, "starter_code": "def f():"}, "open_thoughts_metadata") == "missing_prompt"


def gpqa_row(number: int, **changes: Any) -> dict[str, Any]:
    wrong = {f"Incorrect Answer {n}": f"wrong {n}" for n in (1, 2, 3)}
    return {"Question": "Which?", "Correct Answer": "right", "Record ID": f"rec{number}"} | wrong | changes


def test_gpqa_letters_are_part_of_the_item() -> None:
    """The order is by digest of the item: the same whenever it is read, another for another item, each letter used."""
    found = [one(gpqa_row(number), "gpqa") for number in range(40)]
    assert found == [one(gpqa_row(number), "gpqa") for number in range(40)]
    for item in found:
        options = dict(line.split(") ", 1) for line in item.prompt.splitlines()[2:])
        assert list(options) == ["A", "B", "C", "D"]
        assert options[str(item.reference_answer)] == "right"
        assert item.category == "choice"
    assert {item.reference_answer for item in found} == {"A", "B", "C", "D"}
    assert found[0].info["upstream_id"] == "rec0"


def test_gpqa_without_an_option_is_refused() -> None:
    """It would be another question."""
    assert reason(gpqa_row(1, **{"Incorrect Answer 2": " "}), "gpqa") == "missing_option"
