"""What the teacher is asked: prompt templates, system prompts, and the request for one sample.

The prompts are part of the data format. A template carries its version in its name and its text never changes:
its name is in the key of every request (``ledger.request_key``), so another text under the same name would mix two
datasets. A recipe's own template is there by a digest of its text. Sources: P1 = arXiv 2503.19633 (system prompt),
LR = arXiv 2504.09639 (suffixes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracemill.core import Category, RecipeError
from tracemill.inference import Request
from tracemill.inference.protocol import CONTINUE
from tracemill.ledger import request_key
from tracemill.recipe.prompt_template import is_file, rendered
from tracemill.text.think import THINK_OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.core import Problem
    from tracemill.recipe.sections.server import Teacher

T = TypeVar("T")

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
# As NA (arXiv 2505.14464) and AT (2505.08311) have it in their evaluations: no \boxed.
_BOX = "\n\nLet's think step by step and output the final answer within \\box{}."

# What follows the prompt, by category.
TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = {
    "boxed@1": {Category.MATH: _BOXED, Category.CHOICE: _BOXED, Category.CODE: _FENCED},
    "none@1": {},
    "am-eval@1": {Category.MATH: _BOX},
    "lcb@1": {},
    "mcq@1": {},
}

# LiveCodeBench's own prompt (its repository, lcb_runner/prompts/code_generation.py), for either kind of task.
_LCB_STDIN = (
    "### Format: Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on "
    "the sample inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, it "
    "reads the inputs, runs the algorithm and writes output to STDOUT.\n```python\n# YOUR CODE HERE\n```\n\n"
)
_LCB_STARTER = (
    "### Format: You will use the following starter code to write the solution to the problem and enclose your code "
    "within delimiters.\n```python\n{starter}\n```\n\n"
)
_LCB_END = "### Answer: (use the provided format with backticks)\n\n"
_LCB_CLASS = "\n\nclass Solution"  # with this begins what the benchmark's functions are to be written into
# The prompt of OpenAI's simple-evals for multiple choice, before the question.
_CHOOSE = (
    "Answer the following multiple choice question. The last line of your response should be of the following format: "
    "'Answer: $LETTER' (without quotes) where LETTER is one of {letters}. Think step by step before answering.\n\n"
)


def chat_messages(problem: Problem, teacher: Teacher) -> list[dict[str, str]]:
    """The messages that ask ``teacher`` for an answer: system prompt if any, earlier turns as they are, the prompt.

    With ``force_think`` the assistant's turn follows, begun with ``<think>``: the answer then starts inside it.

    Raises:
        RecipeError: the template or the system prompt is not known.
    """
    suffix = _suffix(problem, _known(f"{teacher.place}.template", teacher.template, TEMPLATES))
    system = _system_prompt(problem, teacher, suffix)
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.extend(dict(turn) for turn in problem.history)
    asked = _framed(problem, teacher.template) + suffix
    if teacher.prompt_template:
        asked = _filled(f"{teacher.place}.prompt_template", teacher.prompt_template, problem, suffix)
    messages.append({"role": "user", "content": asked})
    if teacher.force_think:
        messages.append({"role": "assistant", "content": f"{THINK_OPEN}\n"})
    return messages


def _system_prompt(problem: Problem, teacher: Teacher, suffix: str) -> str | None:
    """Return the recipe's; None where there is none, or an own one is blank for this problem."""
    if teacher.system_prompt in SYSTEM_PROMPTS:
        return SYSTEM_PROMPTS[teacher.system_prompt]
    text = _filled(f"{teacher.place}.system_prompt", teacher.system_prompt, problem, suffix)
    return text if text.strip() else None


def _filled(key: str, source: str, problem: Problem, suffix: str) -> str:
    if is_file(source):
        raise RecipeError(f"{key} names a file that was not read", got=source, remedy="load the recipe from its file")
    try:
        return rendered(source, variables_of(problem, suffix))
    except Exception as error:
        raise RecipeError(
            f"{key} cannot be filled for problem {problem.id}",
            got=f"{type(error).__name__}: {error}",
            remedy="mend the template; what was answered is kept, and another template asks anew",
        ) from error


def variables_of(problem: Problem, suffix: str) -> dict[str, Any]:
    """Return what an own template may say of a problem; nothing that it is judged by.

    ``prompt``; ``suffix`` of the built-in template for its category; ``category``; ``language`` and ``entry_point`` of
    the program that is asked for, or ""; ``n_turns``, the turns before the prompt.
    """
    tests = problem.tests or {}
    is_code = problem.category == Category.CODE
    return {
        "prompt": problem.prompt,
        "suffix": suffix,
        "category": str(problem.category),
        "language": tests.get("language") or "python" if is_code else "",
        "entry_point": tests.get("entry_point") or "",
        "n_turns": len(problem.history),
    }


def _suffix(problem: Problem, suffixes: Mapping[str, str]) -> str:
    """Return the template's suffix for this category; a problem that is judged in C++ is not asked for Python."""
    suffix = suffixes.get(problem.category, "")
    language = (problem.tests or {}).get("language", "python")
    return suffix.replace("```python ", f"```{language} ") if language != "python" else suffix


def _framed(problem: Problem, template: str) -> str:
    """Return the prompt in the words that a template puts around it; the prompt itself where it has none."""
    if template == "lcb@1" and problem.category == Category.CODE:
        place = problem.prompt.rfind(_LCB_CLASS)
        question, starter = (problem.prompt, "") if place < 0 else (problem.prompt[:place], problem.prompt[place:])
        form = _LCB_STARTER.format(starter=starter.removeprefix("\n\n")) if starter else _LCB_STDIN
        return f"### Question:\n{question}\n\n{form}{_LCB_END}"
    if template == "mcq@1" and problem.category == Category.CHOICE:
        return _CHOOSE.format(letters="ABCD") + problem.prompt
    return problem.prompt


def _known(key: str, name: str, table: Mapping[str, T]) -> T:
    try:
        return table[name]
    except KeyError:
        raise RecipeError(f"{key} is not known", got=name, expected=f"one of {', '.join(sorted(table))}") from None


def build_request(problem: Problem, settings: Teacher, sample_index: int) -> Request:
    """Return the request for one sample of an answer to ``problem``; the index is in its key only, never sent."""
    messages = chat_messages(problem, settings)
    sampling: dict[str, Any] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
    }
    sampling = {name: value for name, value in sampling.items() if value is not None} | settings.extra_body
    if settings.force_think:
        sampling |= CONTINUE
    key = request_key(messages, settings.model, settings.revision, settings.template_version, sampling, sample_index)
    return Request(key, messages, sampling)
