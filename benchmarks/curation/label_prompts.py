"""Labels without a model on real prompts: languages that are found, and what estimated lengths are off by.

``python -m benchmarks.curation.label_prompts FOLDER [--tokenizer tokenizer.json]…``: FOLDER holds English question sets
as JSONL (columns question, problem, text, prompt or content). Prints the languages found with the share of prompts that
langdetect alone takes for English, then one line per tokenizer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path

from tracemill.text.languages import language
from tracemill.text.tokens import count_tokens, estimated_tokens

COLUMNS = ("question", "problem", "text", "prompt", "content")
LANGDETECT_SAMPLE = 1_500


def prompts_of(folder: Path) -> list[str]:
    """The questions of all files, in order."""
    found: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            prompt = next((row[name] for name in COLUMNS if row.get(name)), None)
            found.append(prompt or f"{row['Body']} {row['Question']}")
    return found


def langdetect_share(prompts: list[str]) -> float:
    """Share of a sample that langdetect alone, seeded, calls English."""
    from langdetect import DetectorFactory, LangDetectException, detect

    DetectorFactory.seed = 0
    n_english = 0
    sample = random.Random(1).sample(prompts, min(LANGDETECT_SAMPLE, len(prompts)))  # noqa: S311 - a fixed sample
    for prompt in sample:
        try:
            n_english += detect(prompt) == "en"
        except LangDetectException:
            continue
    return n_english / len(sample)


def told(prompts: list[str], tokenizer: str) -> str:
    """Relative error of the estimate against one tokenizer."""
    counted = count_tokens(prompts, tokenizer)
    estimated = [estimated_tokens(prompt) for prompt in prompts]
    errors = sorted(abs(e - n) / n for e, n in zip(estimated, counted, strict=True) if n)
    half, most = (errors[int(share * (len(errors) - 1))] for share in (0.5, 0.95))
    off = sum(estimated) / sum(counted) - 1
    return f"{tokenizer}: half within {half:.1%}, 95% within {most:.1%}, the sum {off:+.1%}"


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", action="append", default=[])
    options = parser.parse_args()
    prompts = prompts_of(options.folder)
    language("Bonjour tout le monde, comment allez-vous aujourd'hui ?")  # loads langdetect
    start = time.perf_counter()
    found = Counter(map(language, prompts))
    took = 1e3 * (time.perf_counter() - start) / len(prompts)
    shares = ", ".join(f"{code} {n / len(prompts):.2%}" for code, n in found.most_common())
    print(f"{len(prompts)} prompts, {took:.2f} ms each: {shares}; langdetect alone: en {langdetect_share(prompts):.2%}")
    for tokenizer in options.tokenizer:
        print(told(prompts, tokenizer))


if __name__ == "__main__":
    main()
