"""Which responses are not fit to be published, and what is shown for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tasks.engine.stage import perform
from tasks.label import measure_plan
from tasks.quality import QualityPlan, quality_shard
from tests.support.needs import ROOT
from tests.support.runs.samples import problem, response
from tracemill.core import Problem, Response, table_of
from tracemill.quality.filters import Examined, fault_of, published_turn
from tracemill.quality.measures import measure_responses
from tracemill.quality.phrases import leak_in, refusal_in
from tracemill.quality.safety import rule_fault
from tracemill.recipe.sections.label import Label
from tracemill.recipe.sections.quality import Quality
from tracemill.store import Store
from tracemill.text.think import FAULTS, split_think
from tracemill.text.tokens import count_tokens

ZH = "小明有三个苹果，又买了五个，现在一共有多少个苹果？请说明理由。"
EN = "Tom has three apples and buys five more. How many apples does he have now?"


def fault(rules: dict[str, Any], prompt: str = EN, **changes: Any) -> tuple[str, dict[str, Any]] | None:
    asked, settings = problem(prompt), Quality.model_validate(rules)
    given = response(asked, "r", **changes)
    measures = measure_responses([given], {asked.id: prompt}, settings.repetition)[0]
    found = fault_of(Examined(given, prompt, measures), settings)
    assert found is None or json.dumps(found.evidence)
    return found


LOOP = "We have to check this case once more. " * 50
TALK = "First we add the three apples and the five apples, and so there must be eight of them in the end. "


@pytest.mark.parametrize(
    ("rules", "changes", "reason"),
    [
        ({}, {}, None),
        ({}, {"finish_reason": "length"}, "truncated"),
        ({"allow_truncated": True}, {"finish_reason": "length"}, None),
        ({}, {"fault": "unclosed_think", "think": None}, "unclosed_think"),
        ({"require_think": False}, {"fault": "unclosed_think", "think": None}, None),
        ({}, {"answer": " "}, "empty_answer"),
        ({"require_think": False}, {"answer": " "}, "empty_answer"),
        ({}, {"think": "\n"}, "empty_think"),
        ({}, {"think": "a <think> b"}, "nested_think"),
        ({}, {"answer": "8 </think> or 9"}, "nested_think"),
        ({}, {"answer": "8</answer>"}, "unbalanced_answer"),
        ({}, {"answer": "<answer>8</answer>"}, "unbalanced_answer"),
        ({}, {"think": LOOP}, "consecutive_repetition"),
        ({}, {"answer": LOOP}, "consecutive_repetition"),
        ({"repetition": {"run_tokens": None}}, {"think": LOOP}, None),
        ({"repetition": {"run_tokens": 1000}}, {"think": LOOP}, None),
        ({}, {"think": "0, " * 90}, None),
        ({}, {"think": TALK * 2, "answer": TALK}, None),
        ({"repetition": {"repeated_share": 0.4}}, {"think": TALK * 2}, "repeated_phrases"),
        ({"repetition": {"repeated_share": 0.4}}, {"think": TALK, "answer": TALK}, None),
        ({"language": "same"}, {"think": "先把三个苹果和五个苹果加起来，一共是八个苹果。"}, "other_language"),
        ({}, {"think": "先把三个苹果和五个苹果加起来，一共是八个苹果。"}, None),
        ({"language": "same"}, {"think": "3 + 5 = 8"}, None),
        ({"language": "same"}, {"think": TALK, "answer": "一共有八个苹果，因为三加五等于八。"}, None),
        ({"min_language_share": 0.9}, {"think": TALK + "所以一共有八个苹果，这就是答案。"}, "mixed_languages"),
        ({"min_language_share": 0.5}, {"think": TALK + "所以一共有八个苹果，这就是答案。"}, None),
        ({"min_language_share": 0.9}, {"think": "3 + 5 = 8"}, None),
        ({}, {"think": TALK + "所以一共有八个苹果，这就是答案。"}, None),
        ({"length": {"think_words": {"min": 5}}}, {"think": "too short"}, "think_words_too_few"),
        ({"length": {"answer_words": {"max": 3}}}, {"answer": "one two three four"}, "answer_words_too_many"),
        ({"length": {"think_tokens": {"max": 10}}}, {"think": TALK}, "think_tokens_too_many"),
        ({"length": {"answer_tokens": {"min": 10}}}, {"answer": "8"}, "answer_tokens_too_few"),
        ({"length": {"think_words": {"min": 2, "max": 2}}}, {"think": "just right"}, None),
        ({}, {"think": "The reference answer is 8, so I aim for it."}, "leaked_reference"),
        ({"leaks": False}, {"think": "The reference answer is 8, so I aim for it."}, None),
        ({}, {"answer": "I'm sorry, but I can't help with that."}, "refusal"),
        ({"refusals": False}, {"answer": "I'm sorry, but I can't help with that."}, None),
    ],
)
def test_faults(rules: dict[str, Any], changes: dict[str, Any], reason: str | None) -> None:
    """Each rule drops what it is for, with evidence, and what is sound stays."""
    found = fault(rules, **changes)
    assert (found[0] if found else None) == reason
    assert found is None or found[1]


def test_evidence_is_what_was_found() -> None:
    """The evidence holds the loop, the words that leak with their part, or the length beside its limit."""
    assert fault({}, think=LOOP)[1]["text"].startswith("We have to check this case once more. We have")  # type: ignore[index]
    leak = fault({}, answer="It is 8, as given in the reference solution.")
    assert leak is not None
    assert (leak[1]["part"], leak[1]["text"]) == ("answer", "as given in the reference solution")
    long = fault({"length": {"answer_words": {"max": 1}}}, answer="two words")
    assert long == ("answer_words_too_many", {"answer_words": 2, "max": 1})


def test_a_chinese_trace_suits_a_chinese_prompt() -> None:
    """Consistency is about prompt and thoughts, whatever the language."""
    assert fault({"language": "same"}, prompt=ZH, think="三加五等于八，所以小明一共有八个苹果。") is None
    assert fault({"language": "same"}, prompt=ZH, think=TALK)[0] == "other_language"  # type: ignore[index]


@pytest.mark.parametrize(
    ("prompt", "think", "share"),
    [
        (EN, "one two three 猫", 0.75),
        (ZH, "设 x 为苹果数", 5 / 6),
        (EN, "1 + 2 = 3", None),
        ("Сколько яблок осталось у мальчика после обеда в школе?", "one two", None),
        ("7 * 8?", "one two", None),
    ],
)
def test_the_share_of_the_prompts_language(prompt: str, think: str, share: float | None) -> None:
    """Words in the script of the prompt's language, of all words; numbers and marks are in none."""
    asked = problem(prompt)
    found = measure_responses([response(asked, "r", think=think)], {asked.id: prompt}, Quality().repetition)[0]
    assert found.language_share == (None if share is None else pytest.approx(share, abs=1e-6))


def test_tokens_are_counted_by_the_recipes_tokenizer(tmp_path: Path) -> None:
    """With label.tokenizer, lengths in tokens are its own, not estimates."""
    file = str(ROOT / "demo/teacher/model/tokenizer.json")
    store, asked = Store(str(tmp_path)), problem(EN)
    given = response(asked, "r", think="Add 3+5\nso 8\n", answer="The answer is \\boxed{8}.")
    inputs = {
        "problems": store.write_table(table_of(Problem, [asked])),
        "responses-000": store.write_table(table_of(Response, [given])),
    }
    counting = measure_plan(Label(tokenizer=file), "")
    made = perform(quality_shard, store, QualityPlan(counting=counting), inputs)
    row = store.read_table(made.outputs["measures"]).to_pylist()[0]
    assert [row["think_tokens"], row["answer_tokens"]] == count_tokens([given.think or "", given.answer], file)
    other = perform(quality_shard, store, QualityPlan(), inputs)
    assert other.key != made.key


def test_every_template_fault_is_a_reason() -> None:
    """Whatever the template calls a fault is one, whichever part it was read from."""
    assert {fault({}, fault=name)[0] for name in FAULTS} == set(FAULTS)  # type: ignore[index]
    assert published_turn("a", "b") == "<think>a</think>\n<answer>b</answer>"


LEAKS = [
    "The reference answer is 42, so let me see how to get there.",
    "But the reference answer says 12. Hmm.",
    "According to the official solution we should use induction.",
    "This matches the ground truth answer.",
    "So x = 4, as given in the solution.",
    "as shown in the answer key, it is (B)",
    "Since we are told the correct answer, we work backwards.",
    "The correct answer is given as 7.",
    "the model answer states that",
    "The golden answer is C",
    "参考答案是 42，所以我要往这个方向推。",
    "根据标准答案，应当选 B。",
    "这与参考答案一致。",
    "已知正确答案为 5，倒推即可。",
    "题目提供的答案是12",
]
SOUND = [
    "The answer is 42.",
    "I think the expected answer is probably a fraction.",
    "The salt as given in the solution of sodium chloride dissolves.",
    "The final answer is \\boxed{7}.",
    "Let me check the answer again, the solution x = 3 is right.",
    "We look at the reference frame of the train. The answer: 5 m/s.",
    "the given answers sum to 10",
    "So the official rate was 3, and the answer is 9.",
    "I will provide the answer in the form a/b.",
    "According to the problem, the solution set is empty.",
    "答案是 42。",
    "这个方程的解答如下：x = 3。",
    "参考系中的速度是 5。",
    "根据题意，答案应为正数。",
    "我们来验证答案是否正确。",
]


@pytest.mark.parametrize("text", LEAKS)
def test_leaks_are_found(text: str) -> None:
    """Reasoning that speaks of an answer it was shown is found in the middle of a long text."""
    found = leak_in(f"{TALK * 30}{text} {TALK * 30}", EN)
    assert found is not None
    assert found.text in text
    assert found.text in found.context


@pytest.mark.parametrize("text", SOUND)
def test_honest_reasoning_is_no_leak(text: str) -> None:
    """Answers and solutions of one's own are no leak."""
    assert leak_in(f"{TALK}{text} {TALK}", EN) is None


def test_what_the_prompt_hands_over_is_no_leak() -> None:
    """A user may show an answer or a solution and ask about it."""
    text = "The reference answer is 42, which I doubt."
    assert leak_in(text, "My book says: the  Reference answer is 42. Is it right?") is None
    assert leak_in("According to the provided solution, x = 3.", "Here is a solution: … Find its error.") is None
    assert leak_in("According to the provided solution, x = 3.", EN) is not None


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m really sorry, but as an AI language model, I cannot do this.", True),
        ("I cannot assist with requests like this.", True),
        ("As an AI assistant, I don't have access to the picture.", True),
        ("I must respectfully decline.", True),
        ("抱歉，我无法回答这个问题。", True),
        ("很抱歉，作为一个AI语言模型，我不能提供此类信息。", True),
        ("作为一个人工智能助手，我无法访问该图片。", True),
        ("I'm sorry to hear that. Here is what you can do.", False),
        ("I can't find any integer solution, so there is none: \\boxed{0}.", False),
        ("She said: 'I will not go.' The answer is 3.", False),
        ("We cannot help but notice that 7 is prime.", False),
        ("抱歉刚才算错了，答案是 8。", False),
        ("无法整除，所以余数是 1。", False),
        ("The answer is 8. " * 30 + "I'm sorry, but I can't help with that.", False),
    ],
)
def test_refusals(answer: str, refuses: bool) -> None:
    """An answer refuses if it says so at its beginning."""
    assert (refusal_in(answer) is not None) == refuses


@pytest.mark.parametrize("limits", [{"min": 3, "max": 2}, {"min": -1}])
def test_limits_that_nothing_can_pass_are_refused(limits: dict[str, int]) -> None:
    """A recipe whose limits exclude everything is wrong."""
    with pytest.raises(ValueError, match=r"min"):
        Quality.model_validate({"length": {"think_words": limits}})


def test_the_demos_traces_are_sound() -> None:
    """No rule on what a text says fires on any of the demo's traced rows."""
    raw = zstandard.ZstdDecompressor().stream_reader((ROOT / "demo/sources/traced.jsonl.zst").read_bytes()).read()
    lines = [line for line in raw.splitlines() if line.endswith(b"}")]  # some are broken on purpose
    rows = [row["messages"] for row in map(json.loads, lines) if len(row.get("messages") or []) > 1]
    assert len(rows) > 20
    for user, *_, assistant in rows:
        text = assistant["content"]
        assert leak_in(text, user["content"]) is None
        assert refusal_in(split_think(text).answer) is None
        assert rule_fault(response(problem(user["content"]), "r", think=text)) is None
