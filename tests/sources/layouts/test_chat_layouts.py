"""Chat and instructions: rows shaped like the real ones, with their traps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.runs.adapted_rows import adapted, one, reason
from verifiers.instructions.constraints import CONSTRAINTS
from verifiers.instructions.dialects import canonical

HI = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
ASK = [{"from": "human", "value": "Why is the sky blue?"}, {"from": "gpt", "value": "…"}]
HISTORY = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    ("row", "abilities"),
    [
        ({"id": "a_1", "label": {"ability_en": ["physics"], "ability_zh": ["物理"]}, "langdetect": "en", "source": "x"},
         ["physics"]),
        ({"id": 17, "label": "physics"}, "physics"),
        ({"id": 17, "label": None}, None),
    ],
)  # fmt: skip
def test_infinity_instruct(row: dict[str, Any], abilities: object) -> None:
    """Ids are numbers or text, labels text or structs; earlier turns are history, GPT's reply is left out."""
    found = one(row | {"conversations": [*HI, *ASK]}, "infinity_instruct")
    assert (found.prompt, found.history, found.category) == ("Why is the sky blue?", HISTORY, "other")
    assert (found.info["upstream_id"], found.info.get("abilities"), found.traces) == (row["id"], abilities, [])


def test_infinity_instruct_with_a_system_turn() -> None:
    """A system turn stays, for the question may depend on it."""
    system = {"from": "system", "value": "Be brief."}
    found = one({"conversations": [system, *ASK]}, "infinity_instruct")
    assert found.history == [{"role": "system", "content": "Be brief."}]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([HI[1], *ASK], "turns_out_of_order"),
        ([HI[0], *ASK], "turns_out_of_order"),
        ([*HI, HI[1], *ASK], "turns_out_of_order"),
        ([HI[1]], "missing_prompt"),
        ([{"from": "tool", "value": "x"}], "malformed_conversation"),
        ([], "malformed_conversation"),
        ("{broken", "malformed_conversation"),
    ],
)
@pytest.mark.parametrize("layout", ["infinity_instruct", "evol_instruct"])
def test_conversations_in_disorder(layout: str, turns: object, expected: str) -> None:
    """Where turns do not alternate, tags or order are wrong: the row is dropped with its reason."""
    assert reason({"conversations": turns}, layout) == expected


def test_open_orca() -> None:
    """The system prompt is kept as such, an empty one is none; the id says which part of FLAN it is."""
    row = {"id": "niv.242684", "system_prompt": "", "question": "Why is the sky blue?", "response": "…"}
    plain = one(row, "open_orca")
    assert (plain.prompt, plain.history, plain.category) == ("Why is the sky blue?", [], "other")
    assert (plain.info["flan_part"], plain.info["upstream_id"]) == ("niv", "niv.242684")
    styled = one(row | {"system_prompt": "As if to a child."}, "open_orca")
    assert styled.history == [{"role": "system", "content": "As if to a child."}]
    assert styled.id != plain.id


def test_evol_instruct() -> None:
    """Both repositories: conversations with an idx, and instructions."""
    found = one({"idx": "m1", "conversations": ASK}, "evol_instruct")
    assert (found.prompt, found.info["upstream_id"]) == ("Why is the sky blue?", "m1")
    assert one({"instruction": "Why is the sky blue?", "output": "…"}, "evol_instruct").id == found.id


TURNS = [{"role": "user", "content": "Why is the sky blue?"}, {"role": "assistant", "content": "…"}]


@pytest.mark.parametrize(
    ("origin", "licence", "non_commercial"),
    [
        ("ai2-adapt-dev/no_robots_converted", "CC-BY-NC-4.0", True),
        ("ai2-adapt-dev/oasst1_converted", "Apache-2.0", False),
        ("ai2-adapt-dev/tulu_v3.9_wildchat_100k", "ODC-By-1.0", False),
        ("org/added-later", "ODC-By-1.0", True),
        (None, "ODC-By-1.0", True),
    ],
)
def test_tulu_licences(origin: str | None, licence: str, non_commercial: bool) -> None:
    """A row has the licence of the set that it is from; where that is not known, it counts as non-commercial."""
    row = {"id": "t1", "messages": TURNS} | ({"source": origin} if origin else {})
    found = one(row, "tulu", licence="ODC-By-1.0", non_commercial=True)
    assert (found.licence, found.non_commercial, found.info.get("upstream_source")) == (licence, non_commercial, origin)


R1_ROW = {
    "input": [{"role": "user", "content": "Why is the sky blue?"}],
    "output": "<think>\nLight.\n</think>\n\nScattering.",
    "category": "science",
    "license": "cc-by-4.0",
    "reasoning": "on",
    "generator": "DeepSeek-R1",
    "used_in_training": "yes",
    "version": "v1.1",
    "system_prompt": "detailed thinking on",
}


def test_nemotron_sft() -> None:
    """A row with reasoning brings a trace of its generator, and its own licence."""
    found = one(R1_ROW, "nemotron_sft", licence="CC-BY-4.0")
    trace = found.traces[0]
    assert (trace["model"], trace["think"], trace["answer"]) == ("deepseek-r1", "\nLight.\n", "Scattering.")
    assert (found.licence, found.non_commercial, found.category) == ("cc-by-4.0", False, "other")
    assert (found.info["upstream_category"], found.info["generator"]) == ("science", "DeepSeek-R1")
    other = one(R1_ROW | {"license": "cc-by-nc-4.0"}, "nemotron_sft")
    assert other.non_commercial


@pytest.mark.parametrize(
    ("changes", "models"),
    [
        ({"generator": "DeepSeek-R1, Qwen-2.5-72B-Instruct"}, ["deepseek-r1 + qwen-2.5-72b-instruct"]),
        ({"generator": "DeepSeek-R1-Distill-Llama-70B"}, ["deepseek-r1-distill-llama-70b"]),
        ({"generator": "Qwen-QwQ-32B"}, ["qwen-qwq-32b"]),
        ({"generator": None}, ["unknown"]),
        ({"reasoning": "off"}, []),
    ],
)
def test_nemotron_generators(changes: dict[str, Any], models: list[str]) -> None:
    """Only R1 alone is R1; replies without reasoning are no traces."""
    assert [trace["model"] for trace in one(R1_ROW | changes, "nemotron_sft").traces] == models


HEAD = "<|start_header_id|>{}<|end_header_id|>\n\n{}"
TEMPLATED = (
    "<|begin_of_text|>" + HEAD.format("system", "detailed thinking on<|eot_id|>")
    + HEAD.format("user", "Hi<|eot_id|>") + HEAD.format("assistant", "Hello<|eot_id|>")
    + HEAD.format("user", "Why is the\n sky blue?<|eot_id|>") + HEAD.format("assistant", "")
)  # fmt: skip


def test_nemotron_of_the_first_release() -> None:
    """Input in Llama 3's template is taken apart; the system turn that switches reasoning is left out."""
    found = one(R1_ROW | {"input": TEMPLATED}, "nemotron_sft")
    assert (found.prompt, found.history) == ("Why is the\n sky blue?", HISTORY)
    system = [{"role": "system", "content": "detailed thinking off"}, *R1_ROW["input"]]  # type: ignore[misc]
    assert one(R1_ROW | {"input": system}, "nemotron_sft").history == []


RL = {
    "input": [{"role": "user", "content": "Write about the sea."}],
    "args": {
        "instruction_id_list": ["detectable_format:quotation", "keywords:frequency"],
        "instruction_kwargs": [
            {"relation": None},
            {"keywords": "sea", "relation": "at least", "frequency": 2, "num_words": None},
        ],
    },
}


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_nemotron_rl(encode: Any) -> None:
    """Constraints keep their dialect, which their verifier knows; nulls are no arguments."""
    found = one(RL | {"args": encode(RL["args"])}, "nemotron_rl")
    assert found.category == "instruction"
    assert found.constraints == [
        {"id": "detectable_format:quotation", "kwargs": {}},
        {"id": "keywords:frequency", "kwargs": {"keywords": "sea", "relation": "at least", "frequency": 2}},
    ]
    known = [canonical(each) for each in found.constraints]
    assert [name for name, _ in known] == ["startend:quotation", "keywords:frequency"]
    assert {name for name, _ in known} <= set(CONSTRAINTS)
    assert known[1][1]["keyword"] == "sea"


@pytest.mark.parametrize(
    "args",
    [None, "{broken", {"instruction_id_list": ["a"]}, {"instruction_id_list": ["a"], "instruction_kwargs": []},
     {"instruction_id_list": [], "instruction_kwargs": []}, {"instruction_id_list": ["a"], "instruction_kwargs": [1]}],
)  # fmt: skip
def test_nemotron_rl_rows_that_cannot_be_read(args: object) -> None:
    """Names without their arguments drop the row."""
    assert reason(RL | {"args": args}, "nemotron_rl") == "malformed_constraints"


NULLS = {"N": None, "quantifier": None, "keyword_list": None, "word": None, "end_phrase": None}


@pytest.mark.parametrize(
    ("truth", "name", "arguments"),
    [
        ({"func_name": "verify_paragraph_count", "N": 3},
         "verify_paragraph_count", {"N": 3}),
        ({"func_name": "validate_word_constraint", "N": 9, "quantifier": "at most"},
         "validate_word_constraint", {"N": 9, "quantifier": "at most"}),
        ({"func_name": "validate_lowercase"}, "validate_lowercase", {}),
    ],
)  # fmt: skip
def test_rlvr_ifeval(truth: dict[str, Any], name: str, arguments: dict[str, Any]) -> None:
    """The one constraint in the truth, without the nulls around it, is one that the verifier knows."""
    row = {
        "messages": TURNS[:1],
        "ground_truth": json.dumps(NULLS | truth),
        "dataset": "ifeval",
        "constraint_type": "x",
    }
    found = one(row, "rlvr_ifeval")
    assert found.category == "instruction"
    assert found.constraints is not None
    assert [canonical(each) for each in found.constraints] == [(name, arguments)]
    assert name in CONSTRAINTS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ground_truth": "72", "dataset": "gsm8k"}, "no_constraint"),
        ({"ground_truth": "72"}, "malformed_constraints"),
        ({"ground_truth": "{}"}, "malformed_constraints"),
        ({"ground_truth": None}, "malformed_constraints"),
    ],
)
def test_rlvr_rows_without_use(changes: dict[str, Any], expected: str) -> None:
    """Rows of the mixture that hold an answer in place of a constraint are dropped."""
    row = {"messages": TURNS[:1], "ground_truth": '{"func_name": "validate_lowercase"}'}
    assert reason(row | changes, "rlvr_ifeval") == expected


def test_nothing_disappears() -> None:
    """Of good and bad rows together, every one is a problem or dropped."""
    rows = [{"conversations": ASK}, {"conversations": []}, {"other": 1}, {"conversations": [HI[1]]}]
    kept, dropped = adapted(rows, "infinity_instruct")
    assert (len(kept), [row.reason for row in dropped]) == (
        1,
        ["malformed_conversation", "missing_column", "missing_prompt"],
    )
