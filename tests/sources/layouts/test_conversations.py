"""Conversations: one reader for every layout that has turns; what is no text is a reason, never Python's text of it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from tracemill.core import Dropped, Problem
from tracemill.sources import Source
from tracemill.sources.collect import RAW, collect

# How a conversation is written into a row of each layout that reads one: column, and what else the row needs.
TURNS_IN: dict[str, tuple[str, dict[str, Any]]] = {
    "am": ("messages", {}),
    "thoughts": ("conversations", {}),
    "infinity_instruct": ("conversations", {}),
    "evol_instruct": ("conversations", {}),
    "tulu": ("messages", {"source": "x"}),
    "dolphin_deepseek": ("messages", {"reasoning": "hm", "answer": "4"}),
    "nemotron_sft": ("input", {"output": "4"}),
    "nemotron_rl": ("input", {"args": {"instruction_id_list": ["a:b"], "instruction_kwargs": [{}]}}),
    "rlvr_ifeval": ("messages", {"ground_truth": '{"func_name": "f"}'}),
    "eurus": ("prompt", {"ability": "math", "reward_model": {"ground_truth": "4"}}),
    "kodcode": ("conversations", {"question": "Add 2 and 2.", "test": "def test_f(): assert f() == 4"}),
    "openr1_math": ("messages", {"problem": "2+2?", "answer": "4"}),
    "general_thought": ("prev_messages", {"question": "2+2?", "reference_answer": "4", "model_name": "r1"}),
    "plain": ("history", {"prompt": "2+2?"}),
}
PART = {"type": "text", "text": "What is "}
IMAGE = {"type": "image_url", "image_url": {"url": "x.png"}}


def row_of(layout: str, turns: Any) -> dict[str, Any]:
    column, rest = TURNS_IN[layout]
    return {column: turns, **rest}


def read(layout: str, row: Any) -> tuple[list[Problem], list[Dropped]]:
    raw = pa.Table.from_pylist([{"file": "f", "row": 0, "raw": json.dumps(row).encode()}], schema=RAW)
    return collect(raw, Source(name="s", path="f", layout=layout))


def asked(content: object, role: object = "user", keys: tuple[str, str] = ("role", "content")) -> dict[str, Any]:
    return {keys[0]: role, keys[1]: content}


@pytest.mark.parametrize("layout", TURNS_IN)
@pytest.mark.parametrize(
    "bad",
    [
        asked(None),
        {"role": "user"},
        {"content": "What?"},
        asked("What?", None),
        asked("What?", "narrator"),
        asked("What?", 7),
        asked("What?", ["user"]),
        asked("ran", "tool"),
        asked("ran", "function"),
        asked(7),
        asked(0.5),
        asked(True),
        asked({"text": "What?"}),
        asked([]),
        asked([None]),
        asked([PART, None]),
        asked([PART, IMAGE]),
        asked([{"type": "input_audio", "input_audio": {}}]),
        asked([{"type": "text", "text": None}]),
        asked([{"type": "text", "text": 7}]),
        asked([[PART]]),
        asked("", "assistant") | {"tool_calls": [{"function": {"name": "f"}}]},
        asked("What?", "assistant") | {"from": "human"},
        asked("What?") | {"value": "Who?"},
        "user: What?",
        None,
    ],
    ids=str,
)
def test_turns_without_text_are_a_reason(layout: str, bad: Any) -> None:
    """A turn that is not text of a known role drops the row in every layout, wherever it stands, and is shown."""
    turns = [asked("Hi"), asked("Hello", "assistant"), bad, asked("What is 2+2?"), asked("4", "assistant")]
    kept, dropped = read(layout, row_of(layout, turns))
    assert kept == []
    reason = {"am": "malformed_messages", "plain": "malformed_history"}.get(layout, "malformed_conversation")
    assert [row.reason for row in dropped] == [reason]
    assert f"got {bad!r:.200}" in dropped[0].evidence["error"]


@pytest.mark.parametrize("content", [[PART, {"type": "text", "text": "2+2?"}], ["What is ", "2+2?"], "What is 2+2?"])
@pytest.mark.parametrize(
    ("user", "assistant"), [("user", "assistant"), ("human", "gpt"), ("Human", " GPT "), ("user", "model")]
)
@pytest.mark.parametrize("keys", [("role", "content"), ("from", "value")])
def test_text_is_read_alike(content: Any, user: str, assistant: str, keys: tuple[str, str]) -> None:
    """Text parts are joined as they stand, and roles have one name whatever the source calls them."""
    turns = [asked("Hi", user, keys), asked("Hello", assistant, keys), asked(content, user, keys)]
    for layout in ("am", "infinity_instruct", "tulu", "evol_instruct", "nemotron_rl"):
        (problem,), _ = read(layout, row_of(layout, turns))
        assert problem.prompt == "What is 2+2?"
        assert problem.history == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def test_fields_that_parquet_adds_say_nothing() -> None:
    """Where a file mixes both layouts, or kinds of parts, the fields of the other are null, and do not count."""
    part = {"type": "text", "text": "2+2?", "image_url": None}
    turns = [{"role": "user", "content": [part], "from": None, "value": None, "tool_calls": None}]
    assert read("am", {"messages": turns})[0][0].prompt == "2+2?"


def test_am_replies_are_text() -> None:
    """A reply in parts is their text; a reply that is null drops the row, like any other turn."""
    reply = [{"type": "text", "text": "<think>hm</think>"}, {"type": "text", "text": "<answer>4</answer>"}]
    (problem,), _ = read("am", {"messages": [asked("2+2?"), asked(reply, "assistant")]})
    assert (problem.traces[0]["think"], problem.traces[0]["answer"]) == ("hm", "4")
    assert [row.reason for row in read("am", {"messages": [asked("2+2?"), asked(None, "assistant")]})[1]] == [
        "malformed_messages"
    ]


@pytest.mark.parametrize(
    ("layout", "row", "reason"),
    [
        ("open_orca", {"question": "Why?", "system_prompt": ["Be brief."]}, "column_not_text"),
        ("open_orca", {"question": "Why?", "system_prompt": 7}, "column_not_text"),
        ("apps", {"question": ["Add."], "starter_code": "def f():", "input_output": None}, "column_not_text"),
        ("apps", {"question": None, "starter_code": "def f():", "input_output": None}, "missing_prompt"),
        (
            "open_thoughts_metadata",
            {"problem": 7, "deepseek_reasoning": "", "deepseek_solution": ""},
            "column_not_text",
        ),
        ("livecodebench", {"question_content": {"a": 1}, "public_test_cases": None}, "column_not_text"),
        ("livecodebench", {"question_content": None, "public_test_cases": None, "starter_code": "x"}, "missing_prompt"),
        ("math", {"problem": "2+2?", "solution": [r"\boxed{4}"]}, "column_not_text"),
        ("mbpp", {"text": "Add.", "test_list": ["assert f()"], "test_setup_code": ["x"]}, "column_not_text"),
        ("humaneval", {"prompt": "def f():", "test": None, "entry_point": "f"}, "malformed_tests"),
        ("humaneval", {"prompt": "def f():", "test": ["x"], "entry_point": "f"}, "column_not_text"),
        ("kodcode", {"question": "Add.", "test": "x", "test_info": [{"function_name": 7}]}, "malformed_test_info"),
        (
            "apps",
            {"question": "Add.", "input_output": {"inputs": [1], "outputs": [1], "fn_name": 7}},
            "malformed_tests",
        ),
        (
            "nemotron_rl",
            {"input": [asked("Write.")], "args": {"instruction_id_list": [None], "instruction_kwargs": [{}]}},
            "malformed_constraints",
        ),
        ("codeforces_cots", {"description": "Add.", "input_format": ["two"], "examples": None}, "column_not_text"),
        (
            "verifiable_coding",
            {"problem": "Add.", "verification_info": {"test_cases": [{"fn_name": ["f"], "input": "", "output": ""}]}},
            "column_not_text",
        ),
        ("plain", {"prompt": 7}, "prompt_not_text"),
        ("plain", {"prompt": ["What?"]}, "prompt_not_text"),
        ("plain", {"prompt": "What?", "answer": ["4"]}, "reference_answer_not_text"),
        ("plain", {"prompt": "What?", "answer": {"value": 4}}, "reference_answer_not_text"),
        ("plain", {"prompt": "What?", "answer": float("inf")}, "reference_answer_not_text"),
        ("s1", {"question": "What?", "solution": ["4"], "attempt": "", "thinking_trajectories": []},
         "reference_answer_not_text"),
    ],
)  # fmt: skip
def test_columns_of_another_type_are_a_reason(layout: str, row: dict[str, Any], reason: str) -> None:
    """A list, an object or a number where text belongs is dropped, never shown to a teacher as Python writes it."""
    kept, dropped = read(layout, row)
    assert (kept, [each.reason for each in dropped]) == ([], [reason])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-3, "-3"),
        (5.0, "5"),
        (0.5, "0.5"),
        (1e300, "1e+300"),
        (True, "True"),
        (None, None),
        (float("nan"), None),
        ("  ", None),
        (" 5 ", "5"),
    ],
)
def test_answers_that_mean_one_thing(value: object, text: str | None) -> None:
    """Numbers are answers as they are written, null and pandas' NaN are none."""
    for layout, columns in (("plain", {"prompt": "What?"}), ("limo", {"question": "What?", "solution": ""})):
        (problem,), _ = read(layout, columns | {"answer": value})
        assert problem.reference_answer == text
    (problem,), _ = read("s1", {"question": "What?", "solution": value, "thinking_trajectories": []})
    assert problem.reference_answer == text


def test_the_first_alias_with_a_value_counts() -> None:
    """Where two columns may hold a field, and the first is null, it is the other."""
    (problem,), _ = read("plain", {"prompt": None, "question": "What?", "reference_answer": None, "answer": "4"})
    assert (problem.prompt, problem.reference_answer) == ("What?", "4")
