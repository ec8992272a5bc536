"""Trains the demo teacher from scratch on one CPU core (python -m demo.teacher.train).

Needs torch, transformers and tokenizers, which the environment that serves it has (deployments/vllm_cpu_env.sh).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from demo.problems import Problem, draw
from demo.teacher.evaluate import exact_match, held_out
from demo.teacher.lessons import HARD_SHARE, INSTRUCTION, Lesson, draw_batches
from demo.teacher.tokenizer import check_reload_as_qwen2, save_tokenizer, train_tokenizer
from demo.teacher.train_muon import Muon

log = logging.getLogger("demo.teacher.train")
MODEL_DIR = Path(__file__).parent / "model"
MAX_POSITIONS = 2048
MUON_RATE = 0.02
ADAM_RATE = 4e-3
WARM_UP = 0.02
COOL_DOWN = 0.7
BATCH_TOKENS = 2048
# A tenth of the usual base: at 200 tokens, more of a head's 16 frequencies tell positions apart.
ROPE_BASE = 1000.0
FIRST_EXAM = 0.4
EXAM_EVERY = 0.2
IGNORED = -100
# Problems and replies, in turn, on which the tokenizer is checked before anything is trained.
CHECKED_TEXTS = 600


def new_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Return a Qwen2 of about a million parameters; 32 is the least head size that vLLM's CPU attention takes."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def tokenizer_texts(rng: Random) -> Iterator[str]:
    """Yield the texts that the vocabulary is learnt from."""
    for _ in range(8000):
        problem = draw(rng, HARD_SHARE)
        yield f"{problem.prompt}\n\n{INSTRUCTION}"
        yield problem.response
    for role in ("system", "user", "assistant"):
        yield from [f"{role}\nYou are a helpful assistant. Please reason step by step, and put"] * 200


def collate(batch: list[Lesson], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels, right-padded: shape (lessons, longest). Causal attention never looks at the padding."""
    longest = max(len(lesson.ids) for lesson in batch)
    ids = torch.full((len(batch), longest), padding)
    labels = torch.full((len(batch), longest), IGNORED)
    for row, lesson in enumerate(batch):
        ids[row, : len(lesson.ids)] = torch.tensor(lesson.ids)
        labels[row, lesson.reply_start : len(lesson.ids)] = torch.tensor(lesson.ids[lesson.reply_start :])
    return ids, labels


def reply_loss(model: Qwen2ForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the reply tokens; logits are computed for those alone."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    wanted = targets != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]), targets[wanted])


def rate_factor(done: float) -> float:
    """Return the share of the peak learning rate: a short linear rise, flat, then linearly to nothing."""
    return max(0.01, min(1.0, done / WARM_UP, (1 - done) / COOL_DOWN))


def optimizers_for(model: Qwen2ForCausalLM) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, norms and biases."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or "embed" in name]
    return Muon(matrices, lr=MUON_RATE), torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)


@dataclass(frozen=True)
class Budget:
    """How long to train: `steps` when given, else `minutes`. Easy lessons come first unless the model knows them."""

    minutes: float
    steps: int | None
    easy_lessons: bool

    def spent(self, step: int, seconds: float) -> float:
        """Return the share that is spent."""
        return step / self.steps if self.steps else seconds / (60 * self.minutes)


def train(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, budget: Budget) -> None:
    """Train until the budget is spent; logs the loss, and now and then exact match (outside the budget)."""
    optimizers = optimizers_for(model)
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    exam = held_out(per_family=4, hard_share=HARD_SHARE)
    rng, batches = Random(seed), list[list[Lesson]]()
    began, losses, step, next_exam, done = time.monotonic(), list[float](), 0, FIRST_EXAM, 0.0
    while done < 1:
        if not batches:
            batches = draw_batches(tokenizer, rng, done if budget.easy_lessons else 1.0, BATCH_TOKENS)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate_factor(done)
        losses.append(train_step(model, optimizers, collate(batches.pop(), tokenizer.pad_token_id)))
        step += 1
        if step % 100 == 0:
            log.info("step %d  %.0f %%  loss %.4f", step, 100 * done, sum(losses[-100:]) / 100)
        if done >= next_exam:
            next_exam += EXAM_EVERY
            paused = time.monotonic()
            report(model, tokenizer, exam)
            began += time.monotonic() - paused
        done = budget.spent(step, time.monotonic() - began)


def train_step(
    model: Qwen2ForCausalLM, optimizers: tuple[torch.optim.Optimizer, ...], batch: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """Return one update; returns the loss before it."""
    loss = reply_loss(model, *batch)
    model.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return loss.item()


def report(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, exam: list[Problem]) -> None:
    """Logs exact match per family, greedy."""
    model.eval()
    with torch.inference_mode():
        shares = exact_match(model, tokenizer, exam)
    model.train()
    log.info("%s", "  ".join(f"{family} {share:.2f}" for family, share in shares.items()))


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder that vLLM serves, weights in bfloat16."""
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    save_tokenizer(tokenizer, out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.teacher.train", description=__doc__)
    parser.add_argument("--minutes", type=float, default=16.0, help="training time when --steps is not given")
    parser.add_argument("--steps", type=int, help="train this many steps, however long that takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start-from", type=Path, help="train this model on, without the easy lessons")
    parser.add_argument("--out", type=Path, default=MODEL_DIR)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    if given.start_from:
        tokenizer = AutoTokenizer.from_pretrained(given.start_from)
        model = Qwen2ForCausalLM.from_pretrained(given.start_from, dtype=torch.float32)
    else:
        tokenizer = train_tokenizer(tokenizer_texts(Random(given.seed + 1)), MAX_POSITIONS)
        model = new_model(tokenizer)
    check_reload_as_qwen2(tokenizer, islice(tokenizer_texts(Random(given.seed + 3)), CHECKED_TEXTS))
    log.info("%d parameters, %d tokens", sum(p.numel() for p in model.parameters()), len(tokenizer))
    budget = Budget(given.minutes, given.steps, easy_lessons=not given.start_from)
    train(model, tokenizer, given.seed + 2, budget)
    save(model, tokenizer, given.out)


if __name__ == "__main__":
    main()
