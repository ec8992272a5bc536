"""The benchmarks that are known by name: where they are, and which of their columns are compared with prompts.

Columns as read by public code and on the dataset cards; none of the sets is shipped here. What counts as the text of an
item:

- maths (AIME, MATH-500, GSM8K): the question;
- HumanEval: the whole prompt, and also what its docstring says without signature and examples, since training sets
  restate tasks in prose;
- LiveCodeBench: the whole statement, and also what stands before its input format or examples;
- GPQA: the question, and also the question with its options, which tell questions such as "Which is true?" apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from tracemill.core import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

KnownName = Literal["aime-2024", "aime-2025", "math-500", "gpqa-diamond", "livecodebench", "gsm8k-test", "humaneval"]
Part = Literal["docstring", "statement"]


class Known(Section):
    """Where the texts of a benchmark's items are.

    Attributes:
        hub: id on the Hub.
        config: its configuration.
        split: its split.
        files: names of the files to read where the Hub set is a loading script.
        texts: columns that are joined to one text; of each, the first alias that a row has.
        more: columns that are joined to the others for a second text.
        part: what is cut out of the text for another one.
        ids: columns with an item's own id, first alias first.
        n_items: how many there are, where that is fixed: fewer are an incomplete file.
    """

    hub: str | None = None
    config: str | None = None
    split: str = "test"
    files: str | None = None
    texts: tuple[tuple[str, ...], ...]
    more: tuple[str, ...] = ()
    part: Part | None = None
    ids: tuple[str, ...] = ()
    n_items: int | None = None


_QUESTION: Final = ("problem", "question", "Problem", "Question")
KNOWN: Final[Mapping[KnownName, Known]] = {
    "aime-2024": Known(hub="HuggingFaceH4/aime_2024", split="train", texts=(_QUESTION,), ids=("id", "ID"), n_items=30),
    "aime-2025": Known(hub="math-ai/aime25", texts=(_QUESTION,), ids=("id", "ID"), n_items=30),
    "math-500": Known(hub="HuggingFaceH4/MATH-500", texts=(_QUESTION,), ids=("unique_id",), n_items=500),
    "gpqa-diamond": Known(
        hub="Idavidrein/gpqa",
        config="gpqa_diamond",
        split="train",
        texts=(("Question", "question"),),
        more=("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
        ids=("Record ID",),
        n_items=198,
    ),
    "livecodebench": Known(
        hub="livecodebench/code_generation_lite",
        files="test*.jsonl",
        texts=(("question_content",),),
        part="statement",
        ids=("question_id",),
    ),
    "gsm8k-test": Known(hub="openai/gsm8k", config="main", texts=(_QUESTION,), n_items=1319),
    "humaneval": Known(
        hub="openai/openai_humaneval", texts=(("prompt",),), part="docstring", ids=("task_id",), n_items=164
    ),
}

_DOCSTRING: Final = re.compile(r"(\"\"\"|''')(.*?)\1", re.DOTALL)
_EXAMPLES: Final = re.compile(r"^[ \t]*(?:>>>|(?:for )?examples?\b|e\.g\.)", re.IGNORECASE | re.MULTILINE)
_FORMAT: Final = re.compile(
    r"^[\W_]*(?:(?:sample )?input\b|examples?\b|constraints\b|note:)", re.IGNORECASE | re.MULTILINE
)
_LEAST_WORDS: Final = 12  # a part of fewer words says too little to be looked for by itself


def texts_of(record: object, columns: Known) -> list[str]:
    """The texts by which an item is recognised; none if it is no object, or a column is missing or holds no text."""
    if not isinstance(record, dict):
        return []
    found = [_first(record, aliases) for aliases in columns.texts]
    if not all(found):
        return []
    whole = "\n".join(text for text in found if text)
    options = [text for text in (_first(record, (name,)) for name in columns.more) if text]
    texts = [whole, "\n".join([whole, *options])] if options else [whole]
    if columns.more and options and len(whole.split()) < _LEAST_WORDS:
        texts = texts[1:]
    part = _PARTS[columns.part](whole) if columns.part else ""
    return [*texts, part] if len(part.split()) >= _LEAST_WORDS and part != whole else texts


def item_id(record: Mapping[str, Any], columns: Known, row: int) -> str:
    """Return the item's own id, or its row."""
    found = next((record[name] for name in columns.ids if record.get(name) not in (None, "")), row)
    return str(found)


def _first(record: Mapping[str, Any], aliases: tuple[str, ...]) -> str | None:
    value = next((record[name] for name in aliases if name in record), None)
    return value if isinstance(value, str) and value.strip() else None


def _docstring(prompt: str) -> str:
    """Return what the last docstring says, without its examples; the last function is the one to write."""
    found = _DOCSTRING.findall(prompt)
    return _EXAMPLES.split(found[-1][1], maxsplit=1)[0].strip() if found else ""


def _statement(content: str) -> str:
    """Return what stands before input format, constraints and examples."""
    return _FORMAT.split(content, maxsplit=1)[0].strip()


_PARTS: Final[Mapping[Part, Callable[[str], str]]] = {"docstring": _docstring, "statement": _statement}
