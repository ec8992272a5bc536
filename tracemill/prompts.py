"""What the teacher is asked, and how what it says is taken apart: prompt templates and the think/answer template.

Both directions are part of the data format. A template carries its version in its name and its text never changes:
its name is in the key of every request (``ledger.request_key``), so another text under the same name would mix two
datasets. Sources: P1 = arXiv 2503.19633 (system prompt), LR = arXiv 2504.09639 (suffixes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tracemill.errors import RecipeError
from tracemill.schema import Category

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.recipe_server import Teacher
    from tracemill.schema import Problem

T = TypeVar("T")

NO_THINK: Final = "no_think"
UNCLOSED_THINK: Final = "unclosed_think"
TEXT_BEFORE_THINK: Final = "text_before_think"
NESTED_THINK: Final = "nested_think"
EMPTY_THINK: Final = "empty_think"
EMPTY_ANSWER: Final = "empty_answer"
UNCLOSED_ANSWER: Final = "unclosed_answer"
UNBALANCED_ANSWER: Final = "unbalanced_answer"
TEXT_OUTSIDE_ANSWER: Final = "text_outside_answer"

FAULTS: Final = (
    NO_THINK,
    UNCLOSED_THINK,
    TEXT_BEFORE_THINK,
    NESTED_THINK,
    EMPTY_THINK,
    EMPTY_ANSWER,
    UNCLOSED_ANSWER,
    UNBALANCED_ANSWER,
    TEXT_OUTSIDE_ANSWER,
)

# P1's training system prompt, verbatim.
_AM_SYSTEM_PROMPT = (
    "You are a helpful assistant. To answer the user's question, you first think about the reasoning process and "
    "then provide the user with the answer. The reasoning process and answer are enclosed within <think> and "
    "<answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>."
)

SYSTEM_PROMPTS: Final[Mapping[str, str | None]] = {"none": None, "am": _AM_SYSTEM_PROMPT}

# LR's suffixes for R1. A choice is boxed too: its letter is then read like any other final answer.
_BOXED = "\n\nLet's think step by step and output the final answer within \\boxed{}."
_FENCED = "\n\nLet's think step by step and output the final answer within ```python your code ```."

TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = {
    "boxed@1": {Category.MATH: _BOXED, Category.CHOICE: _BOXED, Category.CODE: _FENCED},
}


@dataclass(frozen=True, slots=True)
class ThinkSplit:
    """A response taken apart.

    Attributes:
        think: the reasoning, verbatim between its tags (also the newlines next to them, which AM's rows keep), or
            None when there is no think part of one piece.
        answer: what follows; see :func:`split_think`.
        fault: the first rule of the template that is broken, one of ``FAULTS``, or None.
    """

    think: str | None
    answer: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class _Tags:
    think_open: str
    think_close: str
    answer_open: str
    answer_close: str


THINK_OPEN: Final = "<think>"
THINK_CLOSE: Final = "</think>"
_R1 = _Tags(THINK_OPEN, THINK_CLOSE, "<answer>", "</answer>")
# The tags of Bespoke-Stratos-17k and OpenThoughts-114k.
_BESPOKE = _Tags("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>")
_BESPOKE_THINK = re.compile(r"<\|(?:begin|end)_of_thought\|>")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\r?\n)+")


def split_think(content: str, reasoning: str | None = None) -> ThinkSplit:
    r"""Takes ``<think>T</think>A`` apart.

    Understood are also: a missing opening tag (R1's chat template writes it into the prompt, so that the response
    starts inside the reasoning), AM's ``<think>T</think>\n<answer>A</answer>``, the tags of Bespoke and OpenThoughts,
    and reasoning that the server split off itself.

    White space: T, and A between answer tags, are verbatim. Without answer tags, the blank lines between ``</think>``
    and the answer separate the two and belong to neither; the rest of the answer is verbatim.

    Faults, in order of precedence, with what ``think`` and ``answer`` then are:

    - no_think: there is no think tag. None and the whole text.
    - unclosed_think: all text is inside the reasoning. None and "".
    - nested_think: a second ``<think>`` or ``</think>``. None and what follows the last ``</think>``; "" if a
      ``<think>`` comes after it.
    - text_before_think, empty_think: T and A as if all was well.
    - unclosed_answer: A from its opening tag on. unbalanced_answer (a lone closing tag, tags twice or in the wrong
      order): A with its tags. text_outside_answer: A between the tags. empty_answer: A is blank.

    Args:
        content: the message's content.
        reasoning: ``reasoning`` or ``reasoning_content`` of the message; blank counts as absent.
    """
    if reasoning is not None and reasoning.strip():
        return _split_by_server(content, reasoning)
    tags = _BESPOKE if _BESPOKE_THINK.search(content) and _R1.think_close not in content else _R1
    n_open, n_close = content.count(tags.think_open), content.count(tags.think_close)
    if n_open + n_close == 0:
        return ThinkSplit(None, content, NO_THINK)
    if n_close == 0:
        return ThinkSplit(None, "", UNCLOSED_THINK)
    before, opened, inside = content.partition(tags.think_open)
    if n_close > 1 or n_open > 1 or (opened and tags.think_close in before):
        return ThinkSplit(None, _after_last_think(content, tags), NESTED_THINK)
    think, _, rest = (inside if opened else content).partition(tags.think_close)
    fault = TEXT_BEFORE_THINK if opened and before.strip() else None
    return _joined(think, rest, tags, fault)


def _split_by_server(content: str, reasoning: str) -> ThinkSplit:
    for tags in (_R1, _BESPOKE):
        if tags.think_open in content or tags.think_close in content:
            return ThinkSplit(None, _after_last_think(content, tags), NESTED_THINK)
    return _joined(reasoning, content, _BESPOKE if _BESPOKE.answer_open in content else _R1, None)


def _joined(think: str, rest: str, tags: _Tags, fault: str | None) -> ThinkSplit:
    """The split, with the first fault in order of precedence."""
    answer, answer_fault = _split_answer(rest, tags)
    if fault is None and not think.strip():
        fault = EMPTY_THINK
    return ThinkSplit(think, answer, fault or answer_fault)


def _after_last_think(content: str, tags: _Tags) -> str:
    rest = content.rpartition(tags.think_close)[2]
    return "" if tags.think_open in rest else _split_answer(rest, tags)[0]


def _split_answer(rest: str, tags: _Tags) -> tuple[str, str | None]:
    """The answer in what follows the reasoning, and its fault."""
    n_open, n_close = rest.count(tags.answer_open), rest.count(tags.answer_close)
    before, _, inside = rest.partition(tags.answer_open)
    if (n_open, n_close) == (0, 0):
        answer = _BLANK_LINES.sub("", rest)
        return (answer, None) if answer.strip() else ("", EMPTY_ANSWER)
    if (n_open, n_close) == (1, 0):
        return inside, UNCLOSED_ANSWER
    if (n_open, n_close) != (1, 1) or tags.answer_close in before:
        return _BLANK_LINES.sub("", rest), UNBALANCED_ANSWER
    answer, _, after = inside.partition(tags.answer_close)
    if before.strip() or after.strip():
        return answer, TEXT_OUTSIDE_ANSWER
    return answer, None if answer.strip() else EMPTY_ANSWER


def chat_messages(problem: Problem, teacher: Teacher) -> list[dict[str, str]]:
    """The messages that ask ``teacher`` for an answer: system prompt if any, earlier turns as they are, the prompt.

    With ``force_think`` the assistant's turn follows, begun with ``<think>``: the answer then starts inside it.

    Raises:
        RecipeError: the template or the system prompt is not known.
    """
    system = _known("distill.teacher.system_prompt", teacher.system_prompt, SYSTEM_PROMPTS)
    suffixes = _known("distill.teacher.template", teacher.template, TEMPLATES)
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.extend(dict(turn) for turn in problem.history)
    messages.append({"role": "user", "content": problem.prompt + _suffix(problem, suffixes)})
    if teacher.force_think:
        messages.append({"role": "assistant", "content": f"{THINK_OPEN}\n"})
    return messages


def _suffix(problem: Problem, suffixes: Mapping[str, str]) -> str:
    """The template's suffix for this category; a problem that is judged in C++ is not asked for Python."""
    suffix = suffixes.get(problem.category, "")
    language = (problem.tests or {}).get("language", "python")
    return suffix.replace("```python ", f"```{language} ") if language != "python" else suffix


def _known(key: str, name: str, table: Mapping[str, T]) -> T:
    try:
        return table[name]
    except KeyError:
        raise RecipeError(f"{key} is not known", got=name, expected=f"one of {', '.join(sorted(table))}") from None
