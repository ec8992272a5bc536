"""Trains a student on rows, and has it answer held-out problems: the trainer's command line, on one CPU core.

``PYTHON -m demo.student.train --base DIR --rows ROWS.jsonl --held-out ITEMS.jsonl --settings JSON --seed N --out DIR``.
In the environment that serves the teacher (torch, transformers). ``deployments/trl_student.py`` takes the same line.

Rows have ``prompt`` and ``completion`` as turns; items have ``id`` and ``prompt`` as text. Written are
``responses.jsonl`` (``id``, ``sample_index``, ``response``, ``finish_reason``, ``completion_tokens``) and
``training.json`` (``updates``, ``tokens``, ``curve``: step, loss). Exit status 3: the loss is no number.

What cuts the noise of a seed: a base that knows the notation, a peak rate below the one it was made with, and weights
averaged over the last half of the steps.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import AutoTokenizer, DynamicCache, PreTrainedTokenizerFast, Qwen2ForCausalLM

from demo.teacher.lessons import Lesson
from demo.teacher.train import collate, optimizers_for, train_step

log = logging.getLogger("demo.student.train")
AVERAGED_FROM = 0.5  # of the steps
WARM_UP = 0.05  # DD section 4.1
LOGGED_EVERY = 10
DIVERGED = 3
ANSWERED_AT_ONCE = 128


@dataclass(frozen=True)
class Settings:
    """How to train, and how to answer.

    Attributes:
        epochs: times that every row is seen.
        batch_tokens: tokens of an update, with padding.
        rate_share: of the peak rates that the teacher was trained with.
        max_tokens: of an answer.
        samples: answers to each item.
        temperature: 0 is greedy.
    """

    epochs: int = 2
    batch_tokens: int = 2048
    rate_share: float = 0.25
    max_tokens: int = 240
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0


def lessons_of(tokenizer: PreTrainedTokenizerFast, rows: list[dict[str, Any]]) -> list[Lesson]:
    """Return rows as token ids; the loss is on the completion."""
    lessons = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        prompt_ids = tokenizer(prompt)["input_ids"]
        reply_ids = tokenizer(row["completion"][0]["content"])["input_ids"]
        lessons.append(Lesson(ids=[*prompt_ids, *reply_ids, tokenizer.eos_token_id], reply_start=len(prompt_ids)))
    return lessons


def batches_of(lessons: list[Lesson], rng: Random, batch_tokens: int) -> list[list[Lesson]]:
    """Return one epoch: batches of like length, at most ``batch_tokens`` each with padding, in random order."""
    ordered = sorted(lessons, key=lambda lesson: (len(lesson.ids), rng.random()))
    batches: list[list[Lesson]] = [[]]
    for lesson in ordered:
        if batches[-1] and (len(batches[-1]) + 1) * len(lesson.ids) > batch_tokens:
            batches.append([])
        batches[-1].append(lesson)
    rng.shuffle(batches)
    return batches


def train(
    model: Qwen2ForCausalLM, padding: int, lessons: list[Lesson], seed: int, settings: Settings
) -> tuple[Qwen2ForCausalLM, dict[str, Any]]:
    """Return the averaged model, and what is told of its training."""
    rng = Random(seed)
    batches = [batch for _ in range(settings.epochs) for batch in batches_of(lessons, rng, settings.batch_tokens)]
    optimizers = optimizers_for(model)
    peaks = [optimizer.param_groups[0]["lr"] * settings.rate_share for optimizer in optimizers]
    averaged, n_averaged, losses, curve = copy.deepcopy(model), 0, list[float](), []
    for step, batch in enumerate(batches, 1):
        done = step / len(batches)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate_at(done)
        losses.append(train_step(model, optimizers, collate(batch, padding)))
        if not math.isfinite(losses[-1]):
            sys.stderr.write(f"the loss is {losses[-1]} at step {step} of {len(batches)}\n")
            sys.exit(DIVERGED)
        if done > AVERAGED_FROM:
            n_averaged += 1
            with torch.no_grad():
                for mean, weight in zip(averaged.parameters(), model.parameters(), strict=True):
                    mean.lerp_(weight, 1 / n_averaged)
        if step % LOGGED_EVERY == 0 or step == len(batches):
            recent = losses[-LOGGED_EVERY:]
            curve.append({"step": step, "loss": round(sum(recent) / len(recent), 5)})
    tokens = sum(len(lesson.ids) for lesson in lessons) * settings.epochs
    return averaged, {"updates": len(batches), "tokens": tokens, "curve": curve}


def rate_at(done: float) -> float:
    """Return the share of the peak rate: a linear rise, then a cosine to nothing (DD section 4.1)."""
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def answers(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, items: list[dict[str, Any]], settings: Settings
) -> list[dict[str, Any]]:
    """Return the answers to all items, generated in batches of like length."""
    keys = [(item["id"], sample) for item in items for sample in range(settings.samples)]
    texts = [_asked(tokenizer, item) for item in items for _ in range(settings.samples)]
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    replies: dict[int, list[int]] = {}
    for start in range(0, len(order), ANSWERED_AT_ONCE):
        places = order[start : start + ANSWERED_AT_ONCE]
        made = generated(model, tokenizer, [texts[place] for place in places], settings)
        replies |= zip(places, made, strict=True)
    found = []
    for place, (name, sample) in enumerate(keys):
        ended = replies[place][-1] == tokenizer.eos_token_id
        found.append(
            {
                "id": name,
                "sample_index": sample,
                "response": tokenizer.decode(replies[place][: -1 if ended else None], skip_special_tokens=True),
                "finish_reason": "stop" if ended else "length",
                "completion_tokens": len(replies[place]),
            }
        )
    return found


@torch.inference_mode()
def generated(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: list[str], settings: Settings
) -> list[list[int]]:
    """Return the replies as token ids; one that has ended leaves the batch, which ``generate`` carries to the end."""
    given = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
    ids, mask, cache = given["input_ids"], given["attention_mask"], DynamicCache()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    replies, going = [list[int]() for _ in texts], torch.arange(len(texts))
    for _ in range(settings.max_tokens):
        step = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
        chosen = picked(model(input_ids=ids, logits_to_keep=1, **step).logits[:, -1], settings)
        for row, token in zip(going.tolist(), chosen.tolist(), strict=True):
            replies[row].append(token)
        left = torch.nonzero(chosen != tokenizer.eos_token_id)[:, 0]
        if len(left) == 0:
            break
        ids, positions = chosen[left, None], positions[left, -1:] + 1
        if len(left) < len(going):
            cache.batch_select_indices(left)
            going, mask = going[left], mask[left]
        mask = torch.cat([mask, mask.new_ones(len(left), 1)], dim=1)
    return replies


def picked(logits: torch.Tensor, settings: Settings) -> torch.Tensor:
    """Return a token of each row; (rows, vocabulary) -> (rows,). The likeliest, or one drawn as vLLM draws it."""
    if not settings.temperature:
        return logits.argmax(-1)
    shares, tokens = (logits / settings.temperature).softmax(-1).sort(-1, descending=True)
    shares[shares.cumsum(-1) - shares >= settings.top_p] = 0.0  # what is beyond the smallest set of that mass
    return tokens.gather(1, torch.multinomial(shares, 1))[:, 0]


def _asked(tokenizer: PreTrainedTokenizerFast, item: dict[str, Any]) -> str:
    chat = [{"role": "user", "content": item["prompt"]}]
    text: str = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return text


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def options() -> argparse.Namespace:
    """Return the trainer's command line, which every trainer takes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the student before training")
    parser.add_argument("--rows", type=Path, required=True, help="what it is trained on")
    parser.add_argument("--held-out", type=Path, required=True, help="what it answers then")
    parser.add_argument("--settings", type=json.loads, default={}, help="the recipe's trainer.settings")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the rows")
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    return parser.parse_args()


def main() -> None:
    """Train, answer, write."""
    given = options()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    settings = Settings(**given.settings)
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    tokenizer = AutoTokenizer.from_pretrained(given.base)
    model = Qwen2ForCausalLM.from_pretrained(given.base, dtype=torch.float32)
    told: dict[str, Any] = {"updates": 0, "tokens": 0, "curve": []}
    if rows := read_lines(given.rows):
        model, told = train(model, tokenizer.pad_token_id, lessons_of(tokenizer, rows), given.seed, settings)
    model.eval()
    replies = answers(model, tokenizer, read_lines(given.held_out), settings)
    lines = "".join(json.dumps(reply) + "\n" for reply in replies)
    (given.out / "responses.jsonl").write_text(lines, encoding="utf-8")
    (given.out / "training.json").write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
