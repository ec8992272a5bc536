"""prompts: the think/answer template read back, and what the teacher is asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Problem, digest
from tracemill.generate import chat_messages, prompts
from tracemill.generate.prompts import SYSTEM_PROMPTS
from tracemill.recipe.sections.server import Teacher
from tracemill.text.think import FAULTS, ThinkSplit, split_think

BESPOKE = ("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>")
TAGS = ("<think>", "</think>", "<answer>", "</answer>", *BESPOKE)

plain = st.text(alphabet=st.characters(exclude_characters="<>|"))
written = plain.filter(lambda text: bool(text.strip()))
soup = st.lists(st.one_of(st.sampled_from(TAGS), plain)).map("".join)

SPLITS = [
    ("<think>T</think>A", "T", "A", None),
    ("<think>\nT\n\nU\n</think>\n\nA\n\nB\n", "\nT\n\nU\n", "A\n\nB\n", None),
    ("\n<think>T</think>\n  def f(): ...", "T", "  def f(): ...", None),
    ("T\n</think>\n\nA", "T\n", "A", None),
    ("<think>T</think>\n<answer>\nA\n</answer>\n", "T", "\nA\n", None),
    ("<think> T </think> <answer> A </answer>", " T ", " A ", None),
    ("{}\n\nT\n\n{}\n\n{}\n\nA\n\n{}".format(*BESPOKE), "\n\nT\n\n", "\n\nA\n\n", None),
    ("<think>a <|begin_of_thought|> b</think>A", "a <|begin_of_thought|> b", "A", None),
    ("<think>write it in <answer> tags</think>A", "write it in <answer> tags", "A", None),
    ("42", None, "42", "no_think"),
    ("", None, "", "no_think"),
    ("<answer>42</answer>", None, "<answer>42</answer>", "no_think"),
    ("<think>T and so on", None, "", "unclosed_think"),
    ("<|begin_of_thought|>T and so on", None, "", "unclosed_think"),
    ("Well. <think>T</think>A", "T", "A", "text_before_think"),
    ("<think>a<think>b</think>A", None, "A", "nested_think"),
    ("<think>a</think>b</think>\n\nA", None, "A", "nested_think"),
    ("<think>a</think>b<think>c", None, "", "nested_think"),
    ("a</think>b<think>c", None, "", "nested_think"),
    ("<think>a</think><think>b</think>\n<answer>A</answer>", None, "A", "nested_think"),
    ("<think>\n\n</think>\n\nA", "\n\n", "A", "empty_think"),
    ("</think>A", "", "A", "empty_think"),
    ("<think>T</think>", "T", "", "empty_answer"),
    ("<think>T</think>\n \n", "T", "", "empty_answer"),
    ("<think>T</think>\n<answer>\n</answer>", "T", "\n", "empty_answer"),
    ("<think>T</think>\n<answer>A", "T", "A", "unclosed_answer"),
    ("<think>T</think>\nA</answer>", "T", "A</answer>", "unbalanced_answer"),
    ("<think>T</think></answer>A<answer>", "T", "</answer>A<answer>", "unbalanced_answer"),
    ("<think>T</think><answer>A</answer><answer>", "T", "<answer>A</answer><answer>", "unbalanced_answer"),
    ("<think>T</think>So: <answer>A</answer>", "T", "A", "text_outside_answer"),
    ("<think>T</think><answer>A</answer> Bye.", "T", "A", "text_outside_answer"),
]


@pytest.mark.parametrize(("content", "think", "answer", "fault"), SPLITS)
def test_a_response_splits_as_tabled(content: str, think: str | None, answer: str, fault: str | None) -> None:
    """A response splits into think, answer and the first fault as the table says."""
    assert split_think(content) == ThinkSplit(think, answer, fault)


@pytest.mark.parametrize(
    ("content", "reasoning", "split"),
    [
        ("\n\nA", "T\n", ThinkSplit("T\n", "A", None)),
        ("<answer>A</answer>", "T", ThinkSplit("T", "A", None)),
        ("", "T", ThinkSplit("T", "", "empty_answer")),
        ("<think>T</think>A", "", ThinkSplit("T", "A", None)),
        ("A", " \n", ThinkSplit(None, "A", "no_think")),
        ("T2</think>A", "T", ThinkSplit(None, "A", "nested_think")),
    ],
)
def test_reasoning_split_off_by_the_server_is_the_think_part(content: str, reasoning: str, split: ThinkSplit) -> None:
    """Reasoning that the server returns apart is the think part; blank reasoning counts as absent."""
    assert split_think(content, reasoning) == split


@given(think=written, answer=written)
def test_am_rows_come_back_verbatim(think: str, answer: str) -> None:
    """What AM's row layout joins comes back character for character."""
    assert split_think(f"<think>{think}</think>\n<answer>{answer}</answer>") == ThinkSplit(think, answer, None)


@given(think=written, answer=written)
def test_the_opening_tag_makes_no_difference(think: str, answer: str) -> None:
    """A response without the opening tag splits as the same response with it."""
    assert split_think(f"{think}</think>{answer}") == split_think(f"<think>{think}</think>{answer}")


@given(think=written, answer=written)
def test_the_server_may_split_instead(think: str, answer: str) -> None:
    """Reasoning split off by the server gives the same as reasoning between tags."""
    assert split_think(answer, think) == split_think(f"<think>{think}</think>{answer}")


@given(content=soup, reasoning=st.none() | soup)
def test_any_text_splits_into_pieces_of_itself(content: str, reasoning: str | None) -> None:
    """Any text at all splits, into parts of the text, with a listed fault or none."""
    split = split_think(content, reasoning)
    assert split.answer in content
    assert split.think is None or split.think in content or split.think == reasoning
    assert split.fault is None or split.fault in FAULTS


@given(content=soup)
def test_without_a_fault_nothing_but_tags_and_blanks_is_lost(content: str) -> None:
    """A response without a fault has a think part and an answer, and nothing else in it but tags and blanks."""
    split = split_think(content)
    if split.fault is not None:
        return
    assert split.think is not None
    assert split.think.strip()
    assert split.answer.strip()
    rest = content.replace(split.think, "", 1).replace(split.answer, "", 1)
    for tag in TAGS:
        rest = rest.replace(tag, "")
    assert not rest.strip()


def _problem(**changes: object) -> Problem:
    values: dict[str, object] = {
        "id": "x", "source": "s", "row": 0, "category": "math", "prompt": "What is 1 + 1?", "history": [],
        "reference_answer": "2", "tests": None, "constraints": None, "traces": [], "licence": "",
        "non_commercial": False, "info": {},
    }  # fmt: skip
    return Problem(**{**values, **changes})  # type: ignore[arg-type]


WITHIN = "\n\nLet's think step by step and output the final answer within "
SUFFIXES = [
    ("math", None, WITHIN + "\\boxed{}."),
    ("choice", None, WITHIN + "\\boxed{}."),
    ("code", None, WITHIN + "```python your code ```."),
    ("code", {"kind": "stdio", "language": "cpp"}, WITHIN + "```cpp your code ```."),
    ("instruction", None, ""),
    ("other", None, ""),
]


@pytest.mark.parametrize(("category", "tests", "suffix"), SUFFIXES)
def test_the_suffix_follows_the_category(category: str, tests: dict[str, str] | None, suffix: str) -> None:
    """The template adds the suffix of the problem's category, in the language it is judged in."""
    messages = chat_messages(_problem(category=category, tests=tests), Teacher(model="m"))
    assert messages == [{"role": "user", "content": "What is 1 + 1?" + suffix}]


def test_history_stands_unchanged_between_system_prompt_and_prompt() -> None:
    """Messages are the system prompt, the earlier turns as they are, and the prompt with its suffix."""
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho\n"}]
    messages = chat_messages(_problem(history=history, category="other"), Teacher(model="m", system_prompt="am"))
    system = {"role": "system", "content": SYSTEM_PROMPTS["am"]}
    assert messages == [system, *history, {"role": "user", "content": "What is 1 + 1?"}]


def test_texts_never_change_under_their_name() -> None:
    """The texts are pinned by digest: templates are in request keys by name, so a new text needs a new name."""
    templates = {"boxed@1": dict(prompts.TEMPLATES["boxed@1"])}
    assert digest(dict(SYSTEM_PROMPTS), templates) == "d95e7f1fc9af84ed9b58097ebd504f62bd8ee80715b2023acff64fd1c86a97c3"


EVALUATING = {
    ("none@1", "math"): "What is 1 + 1?",
    ("am-eval@1", "math"): "What is 1 + 1?" + WITHIN + "\\box{}.",
    ("lcb@1", "math"): "What is 1 + 1?",
    ("mcq@1", "choice"): (
        "Answer the following multiple choice question. The last line of your response should be of the following "
        "format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step before "
        "answering.\n\nWhat is 1 + 1?"
    ),
}


@pytest.mark.parametrize(("template", "category"), EVALUATING)
def test_evaluations_have_prompts_of_their_own(template: Any, category: str) -> None:
    """Those that benchmarks and papers use; a category that one says nothing of is asked as it is."""
    [message] = chat_messages(_problem(category=category), Teacher(model="m", template=template))
    assert message["content"] == EVALUATING[template, category]


def test_livecodebench_is_asked_in_its_own_words() -> None:
    """For programs that read and print, and for functions, whose head stands in the format."""
    teacher = Teacher(model="m", template="lcb@1")
    [plain] = chat_messages(_problem(category="code"), teacher)
    head = "class Solution:\n    def f(self, x: int) -> int:\n        "
    [starter] = chat_messages(_problem(category="code", prompt=f"Write f.\n\n{head}"), teacher)
    assert plain["content"].startswith("### Question:\nWhat is 1 + 1?\n\n### Format: Read the inputs from stdin")
    assert starter["content"].startswith(
        "### Question:\nWrite f.\n\n### Format: You will use the following starter code"
    )
    ends = f"```python\n{head}\n```\n\n### Answer: (use the provided format with backticks)\n\n"
    assert starter["content"].endswith(ends)
    found = digest(plain, starter)
    assert found == "e884f6903652016dc30fa27a3dc870856c5a650c8b8a59dddba9e65e30523013"
