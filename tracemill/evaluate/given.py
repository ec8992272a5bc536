"""Somebody's responses in a file: ``{benchmark, item, sample, content, reasoning?, finish_reason?}``, one a line.

Read whole or not at all: a sample that is not there would otherwise be one that is wrong, or change what it is divided
by.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Origin, Response, SourceError, digest
from tracemill.text.think import fault_evidence, split_think

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_TOLD: Final = 5
_REQUIRED: Final = ("benchmark", "item", "sample", "content")
_TEXTS: Final = ("benchmark", "content")


def responses_in(
    path: Path, model: str, items: Mapping[tuple[str, str], str], samples: Mapping[str, int]
) -> dict[str, list[Response]]:
    """Return the responses to each problem, by its id, in the order of their samples.

    Args:
        path: of the file.
        model: who wrote them.
        items: problem ids by benchmark and item.
        samples: how many each item of a benchmark has.

    Raises:
        SourceError: the file cannot be read; or it has an unknown item, a sample twice, or not the declared samples.
    """
    found: dict[str, dict[int, Response]] = defaultdict(dict)
    for number, record in _records(path):
        key = record["benchmark"], str(record["item"])
        if key not in items:
            raise _unknown(path, number, key, items)
        sample = record["sample"]
        if not 0 <= sample < samples[key[0]]:
            raise _refused(
                path,
                f"line {number} is sample {sample} of item {key[1]} of {key[0]}",
                expected=f"samples 0 to {samples[key[0]] - 1}",
                remedy="set the benchmark's samples to how many the file has",
            )
        problem_id = items[key]
        if sample in found[problem_id]:
            raise _refused(path, f"line {number} is sample {sample} of item {key[1]} of {key[0]}, which is there twice")
        found[problem_id][sample] = _response(problem_id, sample, model, record)
    _require_all(path, found, items, samples)
    return {problem_id: [each[sample] for sample in sorted(each)] for problem_id, each in found.items()}


def _records(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _record(path, number, line)
    except OSError as error:
        raise SourceError(
            f"the responses in {path} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a JSONL file",
            remedy="correct student.responses",
        ) from error


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"line {number} is no JSON: {error}") from error
    missing = [name for name in _REQUIRED if name not in record] if isinstance(record, dict) else [*_REQUIRED]
    if missing:
        raise _refused(path, f"line {number} lacks {', '.join(missing)}")
    sample, item = record["sample"], record["item"]
    texts = [record[name] for name in _TEXTS] + [record.get("reasoning") or "", record.get("finish_reason") or ""]
    is_whole = isinstance(sample, int) and not isinstance(sample, bool) and isinstance(item, str | int)
    if not is_whole or not all(isinstance(text, str) for text in texts):
        raise _refused(
            path,
            f"line {number} has a value of another type",
            expected="benchmark, item, content, reasoning and finish_reason as text, sample as a number from 0",
        )
    return record


def _response(problem_id: str, sample: int, model: str, record: Mapping[str, Any]) -> Response:
    content, reasoning = record["content"], record.get("reasoning")
    parts = split_think(content, reasoning)
    return Response(
        id=digest("given", problem_id, sample, content, reasoning, record.get("finish_reason")),
        problem_id=problem_id,
        origin=Origin.SOURCE,
        model=model,
        sample_index=sample,
        think=parts.think,
        answer=parts.answer,
        fault=parts.fault,
        finish_reason=record.get("finish_reason"),
        prompt_tokens=None,
        completion_tokens=None,
        fault_evidence=fault_evidence(content, reasoning, parts.fault),
    )


def _require_all(
    path: Path,
    found: Mapping[str, Mapping[int, Response]],
    items: Mapping[tuple[str, str], str],
    samples: Mapping[str, int],
) -> None:
    fewer = [
        (benchmark, item, len(found.get(problem_id, ())))
        for (benchmark, item), problem_id in items.items()
        if len(found.get(problem_id, ())) < samples[benchmark]
    ]
    if fewer:
        told = ", ".join(
            f"item {item} of {benchmark}: {n} of {samples[benchmark]}" for benchmark, item, n in fewer[:_TOLD]
        )
        raise _refused(
            path,
            f"{len(fewer)} items have fewer samples than declared: {told}",
            expected="every sample of every item; what is missing is not wrong, and is not divided by",
            remedy="add them, or set the benchmark's samples, dates and only to what the file has",
        )


def _unknown(path: Path, number: int, key: tuple[str, str], items: Mapping[tuple[str, str], str]) -> SourceError:
    of_benchmark = [item for benchmark, item in items if benchmark == key[0]]
    names: Sequence[str] = of_benchmark or sorted({benchmark for benchmark, _ in items})
    what = f"item {key[1]} of {key[0]}" if of_benchmark else f"benchmark {key[0]}"
    return _refused(
        path,
        f"line {number} is of {what}, which is not evaluated",
        expected=f"one of {', '.join(names[:_TOLD])}{' …' if len(names) > _TOLD else ''}",
    )


def _refused(path: Path, what: str, expected: str | None = None, remedy: str | None = None) -> SourceError:
    return SourceError(
        f"the responses in {path.name} are not judged",
        got=what,
        expected=expected or "a JSON object a line: {benchmark, item, sample, content, reasoning?, finish_reason?}",
        remedy=remedy or "correct the file",
    )
