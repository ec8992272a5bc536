"""Exact match of the demo teacher, per family, on problems it was not trained on."""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random
from typing import Any

from demo.problems import FAMILIES, Problem
from demo.teacher.lessons import ask

# Training seeds are small numbers; problems drawn from this one are new up to chance (the space is some 10^9 texts).
HELD_OUT_SEED = 987_654_321
BOXED = re.compile(r"</think>.*\\boxed\{(-?\d+)\}", re.DOTALL)


def held_out(per_family: int, hard_share: float) -> list[Problem]:
    """Return the same held-out problems every time, `per_family` of each family."""
    rng = Random(HELD_OUT_SEED)
    return [make(rng, rng.random() < hard_share) for make in FAMILIES.values() for _ in range(per_family)]


def is_right(problem: Problem, reply: str) -> bool:
    """Tell whether the reply closes its thinking and boxes the right number."""
    found = BOXED.search(reply)
    return found is not None and int(found.group(1)) == problem.answer


def reply_to(model: Any, tokenizer: Any, problems: list[Problem], temperature: float) -> list[str]:
    """Return the model's replies, generated in one left-padded batch; temperature 0 is greedy."""
    prompts = [
        tokenizer.apply_chat_template(ask(p.prompt), tokenize=False, add_generation_prompt=True) for p in problems
    ]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    output = model.generate(**inputs, max_new_tokens=220, pad_token_id=tokenizer.pad_token_id, **sampling)
    replies: list[str] = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return replies


def exact_match(model: Any, tokenizer: Any, problems: list[Problem], temperature: float = 0.0) -> dict[str, float]:
    """Return the share of right replies per family and, under "all", overall."""
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for problem, reply in zip(problems, reply_to(model, tokenizer, problems, temperature), strict=True):
        right = is_right(problem, reply)
        verdicts[problem.family].append(right)
        verdicts["all"].append(right)
    return {family: sum(marks) / len(marks) for family, marks in verdicts.items()}
