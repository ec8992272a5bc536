"""Many realistic questions with known clusters of duplicates, made from real ones by perturbation.

A *base* is a real question in which a quarter of the longer words, and at least three, are exchanged for words of the
same question sets and every number for another one of as many digits, so that two bases of one question are no
near-duplicates. Around a base:

- copies, which are the same question: exact, in other case and spacing, framed by a sentence, with one or two words
  exchanged, in LaTeX's or Markdown's dress;
- a twin, which is another question: the same words with other numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_FRAMES = (
    "Solve the following problem. {}",
    "{} Explain your reasoning step by step.",
    "Question: {}",
    "{} Give the final answer only.",
)
COPY_SHARE, TWIN_SHARE = 0.25, 0.05
EXCHANGED, LEAST_EXCHANGED = 0.25, 3
SHARD_ROWS = 1000


@dataclass(frozen=True)
class Questions:
    """Questions in shards.

    Attributes:
        shards: tables with the columns that signatures are made from.
        clusters: of each row, the number of its base; twins have a number of their own.
        kinds: of each row, "base", "twin" or how it was copied.
    """

    shards: list[pa.Table]
    clusters: NDArray[np.int64]
    kinds: list[str]


def real_questions(folder: Path) -> list[tuple[str, str]]:
    """Category and text of every question below ``folder/sources``."""
    texts: dict[str, tuple[str, Callable[[dict[str, str]], str]]] = {
        "gsm8k_train.jsonl": ("math", lambda row: row["question"]),
        "math_competition.jsonl": ("math", lambda row: row["problem"]),
        "svamp.jsonl": ("math", lambda row: f"{row['Body']} {row['Question']}"),
        "mbpp.jsonl": ("code", lambda row: row["text"]),
        "ifeval_prompts.jsonl": ("instruction", lambda row: row["prompt"]),
    }
    return [
        (category, text(json.loads(line)))
        for name, (category, text) in texts.items()
        for line in (folder / "sources" / name).read_text(encoding="utf-8").splitlines()
    ]


def questions(real: list[tuple[str, str]], n_rows: int, seed: int = 0) -> Questions:
    """``n_rows`` questions in an order drawn by ``seed``, about a quarter of them copies."""
    draw = Random(seed)  # noqa: S311 - reproducible texts
    real = [row for row in real if len(re.findall(r"[A-Za-z]{4,}", row[1])) > LEAST_EXCHANGED]
    pool = sorted({word for _, text in real for word in re.findall(r"[a-z]{4,}", text)})
    rows = [row for row, _ in zip(_rows(real, pool, draw), range(n_rows), strict=False)]
    draw.shuffle(rows)
    shards = [_table(rows[start : start + SHARD_ROWS], start) for start in range(0, n_rows, SHARD_ROWS)]
    return Questions(shards, np.array([row[0] for row in rows]), [row[1] for row in rows])


def _rows(real: list[tuple[str, str]], pool: list[str], draw: Random) -> Iterator[tuple[int, str, str, str]]:
    """Cluster, kind, category and text, without end."""
    cluster = 0
    while True:
        category, text = draw.choice(real)
        base = _exchanged(text, pool, draw)
        yield cluster, "base", category, base
        copies = COPY_SHARE / (1 - COPY_SHARE) * (1 + TWIN_SHARE)
        while draw.random() < copies:
            kind = draw.choice(list(_COPIES))
            yield cluster, kind, category, _COPIES[kind](base, pool, draw)
            copies /= 2
        cluster += 1
        twin = _other_numbers(base, draw)
        if twin != base and draw.random() < TWIN_SHARE:
            yield cluster, "twin", category, twin
            cluster += 1


def _exchanged(text: str, pool: list[str], draw: Random) -> str:
    """Return the text with a quarter of its longer words, at least three, and all its numbers exchanged."""
    places = [match.span() for match in re.finditer(r"[A-Za-z]{4,}", text)]
    count = min(len(places), max(LEAST_EXCHANGED, round(EXCHANGED * len(places))))
    for start, end in sorted(draw.sample(places, count), reverse=True):
        text = f"{text[:start]}{draw.choice(pool)}{text[end:]}"
    return _other_numbers(text, draw)


def _other_numbers(text: str, draw: Random) -> str:
    return re.sub(r"\d+", lambda match: _number(match[0], draw), text)


def _number(digits: str, draw: Random) -> str:
    lowest = 10 ** (len(digits) - 1)
    return str(lowest + int(draw.random() * 9 * lowest)) if len(digits) < 10 else digits


def _some_words(text: str, pool: list[str], draw: Random, count: int) -> str:
    places = [match.span() for match in re.finditer(r"\b[a-z]{4,}\b", text)]
    for start, end in sorted(draw.sample(places, min(count, len(places))), reverse=True):
        text = f"{text[:start]}{draw.choice(pool)}{text[end:]}"
    return text


_COPIES: dict[str, Callable[[str, list[str], Random], str]] = {
    "exact": lambda text, *_: text,
    "case and spacing": lambda text, *_: "  ".join(text.upper().split(" ")),
    "framed": lambda text, _, draw: draw.choice(_FRAMES).format(text),
    "dressed": lambda text, *_: re.sub(r"(\d+)", r"$\1$", text.replace(". ", ".\n\n**")).replace(",", " ,"),
    "one word": lambda text, pool, draw: _some_words(text, pool, draw, 1),
    "two words": lambda text, pool, draw: _some_words(text, pool, draw, 2),
}


def _table(rows: list[tuple[int, str, str, str]], start: int) -> pa.Table:
    ids = [hashlib.sha256(f"{start + place} {row[3]}".encode()).hexdigest() for place, row in enumerate(rows)]
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "source": pa.array(["questions"] * len(rows), pa.string()),
            "category": pa.array([row[2] for row in rows], pa.string()),
            "prompt": pa.array([row[3] for row in rows], pa.large_string()),
            "reference_answer": pa.array(["1"] * len(rows), pa.large_string()),
            "tests": pa.nulls(len(rows), pa.large_string()),
            "traces": pa.array(["[]"] * len(rows), pa.large_string()),
        }
    )
