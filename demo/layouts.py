"""The row layouts of the demo's source files: one function a layout, after the datasets they are named for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from demo.problems import Problem

Row = dict[str, Any]
SUBJECTS = ("Prealgebra", "Algebra", "Counting & Probability")
# Which key of a row holds the prompt; in the traced file it is the user's message.
PROMPT_KEYS = {
    "word_problems.jsonl": "question",
    "contest.jsonl": "problem",
    "drill.csv": "prompt",
    "extra.parquet": "question",
}


@dataclass(frozen=True)
class Trace:
    """A reply that a row arrives with; a truncated one stopped while thinking and has no answer."""

    think: str
    answer: str | None


def question_row(file: str, prompt: str, problem: Problem, reference: str | None, rng: Random) -> Row:
    """Return a row of one of the files that carry no trace. `reference` is the answer the row claims, right or not."""
    if file == "word_problems.jsonl":
        return gsm8k_row(prompt, problem, reference)
    if file == "contest.jsonl":
        return math_row(prompt, problem, reference, rng)
    if file == "drill.csv":
        return {"prompt": prompt, "reference_answer": reference}
    if file == "extra.parquet":
        return {"question": prompt, "answer": reference}
    raise KeyError(f"no layout for {file!r}; expected one of {sorted(PROMPT_KEYS)}")


def gsm8k_row(prompt: str, problem: Problem, reference: str | None) -> Row:
    """GSM8K: the reference follows `####` at the end of the worked answer; None leaves that line out."""
    working = problem.think if reference is None else f"{problem.think}\n#### {reference}"
    return {"question": prompt, "answer": working}


def math_row(prompt: str, problem: Problem, reference: str | None, rng: Random) -> Row:
    """MATH: the reference is the last box of the solution; None writes a solution without one."""
    ending = "" if reference is None else f" The answer is $\\boxed{{{reference}}}$."
    level = min(5, 1 + len(problem.think) // 70)
    return {
        "problem": prompt,
        "level": f"Level {level}",
        "type": rng.choice(SUBJECTS),
        "solution": f"We work column by column. {'; '.join(problem.think.splitlines())}.{ending}",
    }


def am_row(prompt: str, reference: str | None, trace: Trace, rng: Random) -> Row:
    """AM-DeepSeek-R1-Distilled: two messages, each with an info record from which unused keys are at times absent."""
    user: Row = {"source": "demo", "reference_answer": reference, "test_case": None}
    assistant: Row = {"source": "R1", "think_content": f"\n{trace.think}\n"}
    unused: tuple[Row, Row] = ({"think_content": None, "answer_content": None}, {})
    if trace.answer is None:
        content = f"<think>\n{trace.think}"
        assistant["answer_content"] = rng.choice((None, ""))
    else:
        content = f"<think>\n{trace.think}\n</think>\n<answer>\n{trace.answer}\n</answer>"
        assistant["answer_content"] = f"\n{trace.answer}\n"
    unused = (unused[0], {"reference_answer": None, "test_case": None})
    if rng.random() < 0.7:
        user |= unused[0]
        assistant |= unused[1]
    return {
        "messages": [
            {"role": "user", "content": prompt, "info": user},
            {"role": "assistant", "content": content, "info": assistant},
        ]
    }
