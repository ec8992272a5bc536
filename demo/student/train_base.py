"""Makes the student's base: the teacher's shape, from scratch, on easy problems (python -m demo.student.train_base).

Never from the teacher's weights. It has the teacher's tokenizer, and stops while much is left to learn, so that what an
arm teaches can be seen both ways.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from random import Random

import torch
from transformers import AutoTokenizer

from demo.problems import FAMILIES, draw
from demo.student.make_problems import held_out
from demo.teacher.evaluate import exact_match
from demo.teacher.lessons import BARE, Lesson, ask, encode
from demo.teacher.train import (
    BATCH_TOKENS,
    MODEL_DIR,
    collate,
    new_model,
    optimizers_for,
    rate_factor,
    save,
    train_step,
)

log = logging.getLogger("demo.student.train_base")
BASE_DIR = Path(__file__).parent / "base"
SEED = 77
EASY_UNTIL = 0.3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.student.train_base", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=BASE_DIR)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    model = new_model(tokenizer)
    optimizers = optimizers_for(model)
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    rng, batches, losses = Random(SEED), list[list[Lesson]](), list[float]()
    problems = [one.problem for one in held_out()]
    unseen = {problem.prompt for problem in problems}
    for step in range(1, given.steps + 1):
        done = step / given.steps
        if not batches:
            lessons = [_lesson(tokenizer, rng, done, unseen) for _ in range(512)]
            lessons.sort(key=lambda lesson: len(lesson.ids))
            batches = _packed(lessons)
            rng.shuffle(batches)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate_factor(done)
        losses.append(train_step(model, optimizers, collate(batches.pop(), tokenizer.pad_token_id)))
        if step % 100 == 0:
            log.info("step %d  loss %.4f", step, sum(losses[-100:]) / 100)
    model.eval()
    began = time.monotonic()
    with torch.inference_mode():
        shares = exact_match(model, tokenizer, problems)
    log.info(
        "%s  (%.0f s)", "  ".join(f"{name} {share:.2f}" for name, share in shares.items()), time.monotonic() - began
    )
    given.out.mkdir(parents=True, exist_ok=True)
    tokenizer.backend_tokenizer.no_padding()  # the exam has set it, and it would be saved
    save(model, tokenizer, given.out)


def _lesson(tokenizer: object, rng: Random, done: float, unseen: set[str]) -> Lesson:
    """Bare sums first, then easy problems of all families; none that is held out."""
    while True:
        if rng.random() > done / EASY_UNTIL:
            problem = FAMILIES[rng.choice(BARE)](rng, False)
            chat = [{"role": "user", "content": problem.prompt}]
        else:
            problem = draw(rng, hard_share=0.1)
            chat = ask(problem.prompt, rng)
        if problem.prompt not in unseen:
            return encode(tokenizer, problem, chat)


def _packed(lessons: list[Lesson]) -> list[list[Lesson]]:
    batches: list[list[Lesson]] = [[]]
    for lesson in lessons:
        if (len(batches[-1]) + 1) * len(lesson.ids) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(lesson)
    return batches


if __name__ == "__main__":
    main()
