"""What the demo teacher reads: chats of procedural problems, as token ids with the reply marked.

Standard library only; the tokenizer is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from demo.problems import FAMILIES, Problem, draw

# The instruction that tracemill appends to a problem, after a blank line.
INSTRUCTION = "Let's think step by step and output the final answer within \\boxed{}."
# Share of lessons asked in another way, so that the teacher does not hang on one phrasing.
OTHER_INSTRUCTIONS = (
    "",
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "Think first. Give the answer in \\boxed{}.",
    "Return your final response within \\boxed{}.",
)
SHARE_OF_OTHER_INSTRUCTIONS = 0.4
SHARE_WITH_SYSTEM_MESSAGE = 0.05
# The easy lessons die out over this share of training.
EASY_UNTIL = 0.35
BARE = ("addition", "subtraction", "multiplication")
# The demo's own share is 0.15; more here, because the long sums are learnt last.
HARD_SHARE = 0.35
SYSTEM_MESSAGE = "You are a helpful assistant."


@dataclass(frozen=True)
class Lesson:
    """One training example: `ids` of the whole chat; the reply, the only part with a loss, starts at `reply_start`."""

    ids: list[int]
    reply_start: int


def ask(problem: str, rng: Random | None = None) -> list[dict[str, str]]:
    """The chat that asks for a problem's solution: tracemill's own wording, or at times another when `rng` is given."""
    instruction, system = INSTRUCTION, False
    if rng is not None and rng.random() < SHARE_OF_OTHER_INSTRUCTIONS:
        instruction = rng.choice(OTHER_INSTRUCTIONS)
    if rng is not None and rng.random() < SHARE_WITH_SYSTEM_MESSAGE:
        system = True
    content = f"{problem}\n\n{instruction}" if instruction else problem
    messages = [{"role": "user", "content": content}]
    return [{"role": "system", "content": SYSTEM_MESSAGE}, *messages] if system else messages


def encode(tokenizer: Any, problem: Problem, chat: list[dict[str, str]]) -> Lesson:
    """Render one lesson with the tokenizer's own chat template, so that serving sees what training saw."""
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(prompt)["input_ids"]
    reply_ids = tokenizer(problem.response)["input_ids"]
    return Lesson(ids=[*prompt_ids, *reply_ids, tokenizer.eos_token_id], reply_start=len(prompt_ids))


def draw_lesson(tokenizer: Any, rng: Random, done: float) -> Lesson:
    """A lesson for the given share of training done: short and bare at first, the real thing from `EASY_UNTIL` on.

    Bare sums cost half the tokens of a story, so that the arithmetic is learnt on them.
    """
    if rng.random() > done / EASY_UNTIL:
        problem = FAMILIES[rng.choice(BARE)](rng, False)
        return encode(tokenizer, problem, [{"role": "user", "content": problem.prompt}])
    problem = draw(rng, hard_share=HARD_SHARE * min(1.0, done / EASY_UNTIL / 2))
    return encode(tokenizer, problem, ask(problem.prompt, rng))


def draw_batches(tokenizer: Any, rng: Random, done: float, batch_tokens: int) -> list[list[Lesson]]:
    """Batches of lessons of like length, in random order, at most `batch_tokens` each with padding."""
    lessons = sorted((draw_lesson(tokenizer, rng, done) for _ in range(512)), key=lambda lesson: len(lesson.ids))
    batches: list[list[Lesson]] = [[]]
    for lesson in lessons:
        if (len(batches[-1]) + 1) * len(lesson.ids) > batch_tokens:
            batches.append([])
        batches[-1].append(lesson)
    rng.shuffle(batches)
    return batches
