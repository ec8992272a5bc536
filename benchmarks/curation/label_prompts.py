"""Labels without a model on real prompts: languages that are found, and what estimated lengths are off by.

``python -m benchmarks.curation.label_prompts FOLDER [--tokenizer tokenizer.json]…``: FOLDER holds English question sets
as JSONL (columns question, problem, text, prompt or content). Prints the languages found with the share of prompts that
langdetect alone takes for English; then how many texts of ``languages.jsonl`` (54 languages, nonsense, formulas and
code, which are in none) are told right, beside langdetect where it is sure by 0.8, and how fast either guesses; then
one line per tokenizer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tracemill.text.language.guess import UNDETERMINED, language
from tracemill.text.language.model import likeliest
from tracemill.text.tokens import count_tokens, estimated_tokens

COLUMNS = ("question", "problem", "text", "prompt", "content")
LANGDETECT_SAMPLE = 1_500
TEXTS = Path(__file__).with_name("languages.jsonl")
SURE = 0.8  # langdetect's probability, below which a language is not told


def prompts_of(folder: Path) -> list[str]:
    """Return the questions of all files, in order."""
    found: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            prompt = next((row[name] for name in COLUMNS if row.get(name)), None)
            found.append(prompt or f"{row['Body']} {row['Question']}")
    return found


def langdetect_share(prompts: list[str]) -> float:
    """Return the share of a sample that langdetect alone, seeded, calls English."""
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


class Judged(NamedTuple):
    """How texts of known languages are told, and what a guess takes.

    Attributes:
        right: of texts in a language, those of which it is found; wrong: those of which another one is.
        n_texts: texts in a language.
        none: of texts in no language, those of which none is found.
        n_none: texts in no language.
    """

    right: int
    wrong: int
    n_texts: int
    none: int
    n_none: int

    def __str__(self) -> str:
        return f"{self.right} of {self.n_texts} right, {self.wrong} wrong; none found in {self.none} of {self.n_none}"


def texts_of(most: int | None = None) -> list[dict[str, str]]:
    """Texts with their languages: all, or every so many-th one."""
    rows = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    return rows[:: -(-len(rows) // (most or len(rows)))]


def judged(guess: Callable[[str], str], rows: Sequence[dict[str, str]]) -> Judged:
    """Compare guesses with the languages that the texts are in."""
    pairs = [(row["language"], guess(row["text"])) for row in rows]
    told = [found for wanted, found in pairs if wanted == UNDETERMINED]
    right = sum(wanted == found != UNDETERMINED for wanted, found in pairs)
    wrong = sum(found not in {wanted, UNDETERMINED} for wanted, found in pairs if wanted != UNDETERMINED)
    return Judged(right, wrong, len(pairs) - len(told), told.count(UNDETERMINED), len(told))


def sure_langdetect(text: str) -> str:
    """Return the language that langdetect is sure of; Chinese is one."""
    from langdetect import LangDetectException, detect_langs

    try:
        best = detect_langs(text)[0]
    except LangDetectException:
        return UNDETERMINED
    return str(best.lang).partition("-")[0] if best.prob >= SURE else UNDETERMINED


def microseconds(guess: Callable[[str], object], texts: Sequence[str]) -> float:
    """Processor time of one guess."""
    start = time.thread_time()
    for text in texts:
        guess(text)
    return 1e6 * (time.thread_time() - start) / len(texts)


def summary(prompts: list[str], tokenizer: str) -> str:
    """Relative error of the estimate against one tokenizer."""
    counted = count_tokens(prompts, tokenizer)
    estimated = [estimated_tokens(prompt) for prompt in prompts]
    errors = sorted(abs(e - n) / n for e, n in zip(estimated, counted, strict=True) if n)
    half, most = (errors[int(share * (len(errors) - 1))] for share in (0.5, 0.95))
    off = sum(estimated) / sum(counted) - 1
    return f"{tokenizer}: half within {half:.1%}, 95% within {most:.1%}, the sum {off:+.1%}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", action="append", default=[])
    parser.add_argument("--texts", type=int, metavar="N", help=f"at most N of {TEXTS.name} (default: all)")
    options = parser.parse_args()
    prompts = prompts_of(options.folder)
    language("Bonjour tout le monde, comment allez-vous aujourd'hui ?")  # loads the model
    start = time.perf_counter()
    found = Counter(map(language, prompts))
    took = 1e3 * (time.perf_counter() - start) / len(prompts)
    shares = ", ".join(f"{code} {n / len(prompts):.2%}" for code, n in found.most_common())
    print(f"{len(prompts)} prompts, {took:.2f} ms each: {shares}; langdetect alone: en {langdetect_share(prompts):.2%}")
    rows = texts_of(options.texts)
    texts = [row["text"] for row in rows]
    ours, theirs = microseconds(likeliest, texts), microseconds(sure_langdetect, texts)
    print(f"{TEXTS.name}: {judged(language, rows)}; langdetect alone: {judged(sure_langdetect, rows)}")
    print(f"a guess of the model {theirs / ours:.0f} x as fast as langdetect's ({ours:.0f} us : {theirs:.0f} us)")
    for tokenizer in options.tokenizer:
        print(summary(prompts, tokenizer))


if __name__ == "__main__":
    main()
