"""Trains a student with TRL, and has it answer held-out problems: the command line of demo/student/train.py, for a GPU.

In an environment of its own (deployments/train_env.sh). Settings of the recipe, as JSON: ``learning_rate``, ``epochs``,
``batch_size`` (rows of an update), ``device_batch``, ``max_length``, ``packing``; ``max_tokens``, ``samples``,
``temperature``, ``top_p``, ``answer_batch``. The loss is on the completion. Exit status 3: the loss is no number.
"""
# ruff: noqa: INP001 - a program, run in another environment

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

DIVERGED = 3


def trained(
    given: argparse.Namespace, settings: dict[str, Any], rows: list[dict[str, Any]]
) -> tuple[Any, dict[str, Any]]:
    """Return the student and what is told of its training."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, set_seed
    from trl import SFTConfig, SFTTrainer

    set_seed(given.seed)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(given.base, dtype=torch.bfloat16 if on_gpu else torch.float32)
    if not rows:
        return model, {"updates": 0, "tokens": 0, "curve": []}
    device_batch = settings.get("device_batch", 4)
    config = SFTConfig(
        output_dir=str(given.out / "trainer"),
        learning_rate=settings.get("learning_rate", 8e-5),
        lr_scheduler_type="cosine",
        warmup_steps=0.05,  # below 1 a share of the steps
        num_train_epochs=settings.get("epochs", 1),
        per_device_train_batch_size=device_batch,
        gradient_accumulation_steps=max(1, settings.get("batch_size", 64) // device_batch),
        max_length=settings.get("max_length", 4096),
        packing=settings.get("packing", False),
        completion_only_loss=True,
        gradient_checkpointing=on_gpu,
        bf16=on_gpu,
        fp16=False,
        use_cpu=not on_gpu,
        logging_steps=settings.get("logging_steps", 10),
        save_strategy="no",
        report_to="none",
        seed=given.seed,
        data_seed=given.seed,
    )
    trainer = SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows))
    trainer.train()
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = [{"step": entry["step"], "loss": round(float(entry["loss"]), 5)} for entry in history]
    if not all(math.isfinite(entry["loss"]) for entry in curve):
        step = next(entry["step"] for entry in curve if not math.isfinite(entry["loss"]))
        sys.stderr.write(f"the loss is no number at step {step}\n")
        sys.exit(DIVERGED)
    n_tokens = max((int(entry.get("num_tokens", 0)) for entry in history), default=0)
    return trainer.model, {"updates": trainer.state.global_step, "tokens": n_tokens, "curve": curve}


def answers(model: Any, base: str, items: list[dict[str, Any]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the student's answers to all items."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    temperature = settings.get("temperature", 0.0)
    sampling = {"do_sample": True, "temperature": temperature, "top_p": settings.get("top_p", 1.0), "top_k": 0}
    asked = [(item["id"], sample, item["prompt"]) for item in items for sample in range(settings.get("samples", 1))]
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")} - {None, tokenizer.unk_token_id}
    found = []
    model.eval()
    for start in range(0, len(asked), step := settings.get("answer_batch", 64)):
        part = asked[start : start + step]
        chats = [[{"role": "user", "content": prompt}] for _, _, prompt in part]
        texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                max_new_tokens=settings.get("max_tokens", 2048),
                eos_token_id=sorted(ends),
                pad_token_id=tokenizer.pad_token_id,
                **(sampling if temperature else {"do_sample": False}),
            )
        for (name, sample, _), ids in zip(part, output[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            end = next((place for place, token in enumerate(ids) if token in ends), None)
            found.append(
                {
                    "id": name,
                    "sample_index": sample,
                    "response": tokenizer.decode(ids[:end], skip_special_tokens=True),
                    "finish_reason": "length" if end is None else "stop",
                    "completion_tokens": len(ids) if end is None else end + 1,
                }
            )
    return found


def main() -> None:
    """Train, answer, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", required=True, help="the student before training: a folder, or a model on the Hub")
    parser.add_argument("--rows", type=Path, required=True, help="what it is trained on")
    parser.add_argument("--held-out", type=Path, required=True, help="what it answers then")
    parser.add_argument("--settings", type=json.loads, default={}, help="the recipe's trainer.settings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    given = parser.parse_args()
    files = (given.rows.read_text(encoding="utf-8"), given.held_out.read_text(encoding="utf-8"))
    rows, items = ([json.loads(line) for line in text.splitlines()] for text in files)
    model, told = trained(given, given.settings, rows)
    lines = "".join(json.dumps(answer) + "\n" for answer in answers(model, given.base, items, given.settings))
    (given.out / "responses.jsonl").write_text(lines, encoding="utf-8")
    (given.out / "training.json").write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
