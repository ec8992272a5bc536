"""Traces, conversations and prompts as sources write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracemill.sources.adapter import MalformedRowError
from tracemill.sources.layouts.columns import PREFIXES, without_prefix
from tracemill.sources.layouts.conversations import exchange_of
from tracemill.sources.layouts.traces import R1, parted_trace, tagged_trace

PADDED = "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nFour.\n\n<|end_of_solution|>"


@pytest.mark.parametrize(
    ("text", "think", "answer", "fault"),
    [
        ("<think>\nHm.\n</think>\n\nFour.", "\nHm.\n", "Four.", None),
        (PADDED, "Hm.", "Four.", None),
        ("Four.", None, "Four.", "no_think"),
        ("<think>Hm.", None, "", "unclosed_think"),
        (None, None, "", "no_think"),
    ],
)
def test_tagged_traces(text: object, think: str | None, answer: str, fault: str | None) -> None:
    """R1's own tags are kept to the letter, padding is taken off Bespoke's, and what is no trace says so."""
    expected = {"model": R1, "think": think, "answer": answer, "fault": fault}
    assert tagged_trace(R1, text) == expected
    assert tagged_trace(R1, text, flag=True, absent=None) == expected | {"flag": True}


def test_parted_traces() -> None:
    """Reasoning and answer from two columns make one trace; without reasoning there is none."""
    expected = {"model": "m", "think": "Hm.\n", "answer": "Four.", "fault": None, "source": "x"}
    assert parted_trace("m", "Hm.\n", "Four.", source="x") == expected
    assert [parted_trace("m", blank, "Four.") for blank in (None, "", " \n", 7)] == [None] * 4
    incomplete = parted_trace("m", "Hm.", None)
    assert incomplete is not None
    assert incomplete["fault"] == "empty_answer"


TURNS = [("system", "Be brief."), ("human", "Hi"), ("gpt", "Hello"), ("user", "Two and two?"), ("assistant", "Four.")]


@pytest.mark.parametrize("encode", [lambda turns: turns, json.dumps])
@pytest.mark.parametrize("keys", [("from", "value"), ("role", "content")])
def test_conversations(keys: tuple[str, str], encode: Any) -> None:
    """The last question is the prompt; roles are named in one way; what came before is history."""
    found = exchange_of(encode([dict(zip(keys, turn, strict=True)) for turn in TURNS]))
    assert (found.prompt, found.reply) == ("Two and two?", "Four.")
    roles = [(turn["role"], turn["content"]) for turn in found.history]
    assert roles == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello")]
    assert [turn["role"] for turn in found.without_system().history] == ["user", "assistant"]


def test_a_question_without_a_reply() -> None:
    """A conversation may end with the question."""
    assert exchange_of([{"from": "human", "value": "Hi"}]).reply is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "malformed_conversation"),
        ([], "malformed_conversation"),
        ("Hi", "malformed_conversation"),
        (["Hi"], "malformed_conversation"),
        ([{"from": "tool", "value": "x"}], "malformed_conversation"),
        ([{"from": "human", "value": None}], "malformed_conversation"),
        ([{"from": "gpt", "value": "x"}], "missing_prompt"),
    ],
)
def test_what_is_no_conversation(value: object, reason: str) -> None:
    """Turns of an unknown role or without text are malformed; without a question there is no prompt."""
    with pytest.raises(MalformedRowError) as caught:
        exchange_of(value)
    assert caught.value.reason == reason


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("joint", ["", " ", "\n"])
def test_prefixes_come_off(prefix: str, joint: str) -> None:
    """The prefix goes, glued or not, and tells the category."""
    found = without_prefix(f"{prefix}{joint}Find x.")
    assert found == ("Find x.", PREFIXES[prefix])


def test_other_prompts_stay() -> None:
    """A prompt without a prefix is as it was, also where it mentions one later."""
    prompt = r"  Find x. Return your final response within \boxed{}."
    assert without_prefix(prompt) == (prompt, None)
