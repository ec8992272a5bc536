"""``python -m tracemill sft``: traces of a run as Parquet in a trainer's shape; ``sft.json`` tells of them."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.core import RecipeError, StoreError, pretty_json
from tracemill.runs.report import finished_run
from tracemill.text.tokens import ESTIMATE, count_tokens, estimated_tokens
from tracemill.training.shapes import SHAPES, VERL, record_of, verl_record, verl_schema
from tracemill.training.traces import PUBLISHED, criteria_of, is_voted, traces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FACTS: Final = "sft.json"
AS: Final = (*SHAPES, VERL)
_ROWS_PER_FILE: Final = 50_000
_ROWS_AT_ONCE: Final = 500
_LOSS: Final = {
    "messages": "loss on every turn unless the trainer is told otherwise (TRL: assistant_only_loss, which needs "
    "{% generation %} in the chat template)",
    "prompt-completion": "loss on the completion alone, which is TRL's default for these columns",
    VERL: "no trace to imitate: rewards are verdicts",
}


class Wanted(NamedTuple):
    """What is exported.

    Attributes:
        shape: one of ``AS``.
        system: ``none`` or ``am`` (P1's, which the paper trains with).
        traces: one of ``QUERIES``.
        max_tokens: rows of more are left out whole, and counted; None: all stay.
        tokenizer: a tokenizer.json to count by; None: estimated.
    """

    shape: str = "messages"
    system: str = "none"
    traces: str = PUBLISHED
    max_tokens: int | None = None
    tokenizer: Path | None = None


class _Row(NamedTuple):
    record: dict[str, Any]
    problem_id: str
    licence: str
    non_commercial: bool
    texts: list[str]
    has_reasoning: bool


def export_sft(run: Path, wanted: Wanted, out: Path) -> dict[str, Any]:
    """Write the files and return what ``sft.json`` says; the folder appears whole, in the place of an earlier export.

    Raises:
        RecipeError: the shape cannot hold what is wanted.
        StoreError: there is no finished build, nothing is left of it, or ``out`` is not an export's.
    """
    _refuse(wanted)
    if out.exists() and not (out / FACTS).is_file():
        raise StoreError(f"{out} is there, and is no export; nothing was touched", remedy="name another place: --out")
    manifest = finished_run(run)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    schema = _schema(wanted, run)
    writing = _Writing(wanted, schema.names)
    files = _write(partial, schema, writing.kept(_rows(run, wanted)))
    if not writing.n_rows:
        shutil.rmtree(partial)
        raise StoreError(
            f"nothing of {run} is left to train on",
            got=f"traces: {wanted.traces}, {writing.n_over} of them over {wanted.max_tokens} tokens",
            expected="at least one row",
            remedy="look at python -m tracemill report, or take other traces or more tokens",
        )
    facts = {"run": str(run), "key": manifest["key"], **writing.facts(), "files": files}
    (partial / FACTS).write_text(pretty_json(facts), encoding="utf-8")
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)
    return facts


def _refuse(wanted: Wanted) -> None:
    if wanted.shape == VERL and wanted.traces != PUBLISHED:
        raise RecipeError(
            "verl takes problems, not traces",
            got=f"--traces {wanted.traces}",
            remedy="leave --traces out: a row a published problem, with what its answers are judged by",
        )
    if wanted.system != "none" and wanted.shape in SHAPES and not SHAPES[wanted.shape].says_tags:
        raise RecipeError(
            f"--system {wanted.system} speaks of <think> and <answer> tags, which --as {wanted.shape} does not write",
            expected="--as messages or prompt-completion with it",
            remedy="leave --system out: the chat template of the model says how it thinks",
        )


def _schema(wanted: Wanted, run: Path) -> pa.Schema:
    return verl_schema(is_voted=is_voted(run)) if wanted.shape == VERL else SHAPES[wanted.shape].schema


def _rows(run: Path, wanted: Wanted) -> Iterator[_Row]:
    if wanted.shape == VERL:
        for index, problem in enumerate(criteria_of(run)):
            record = verl_record(problem, index, wanted.system)
            texts = [turn["content"] for turn in record["prompt"]]
            yield _Row(record, problem["id"], problem["licence"], problem["non_commercial"], texts, has_reasoning=True)
        return
    for trace in traces_of(run, wanted.traces):
        record = record_of(trace, SHAPES[wanted.shape], wanted.system)
        turns = [*record.get("messages", ()), *record.get("prompt", ()), *record.get("completion", ())]
        texts = [text for turn in turns for name, text in turn.items() if name != "role"]
        has_reasoning = trace.think is not None
        yield _Row(record, trace.id, trace.licence, trace.non_commercial, texts, has_reasoning)


class _Writing:
    """Counts rows as they go by, and leaves out those that are too long."""

    def __init__(self, wanted: Wanted, columns: list[str]) -> None:
        self._wanted, self._columns = wanted, columns
        self._problems: set[str] = set()
        self._licences: Counter[str] = Counter()
        self._tokens: list[int] = []
        self._n_limited = self._n_bare = 0
        self.n_over = 0

    @property
    def n_rows(self) -> int:
        """Rows that were written."""
        return len(self._tokens)

    def kept(self, rows: Iterable[_Row]) -> Iterator[list[dict[str, Any]]]:
        """Yield the records of those that are short enough, some at a time."""
        waiting: list[_Row] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == _ROWS_AT_ONCE:
                yield self._short(waiting)
                waiting = []
        yield self._short(waiting)

    def _short(self, rows: list[_Row]) -> list[dict[str, Any]]:
        most, found = self._wanted.max_tokens, []
        for row, n_tokens in zip(rows, self._counted(["\n".join(row.texts) for row in rows]), strict=True):
            if most is not None and n_tokens > most:
                self.n_over += 1
                continue
            self._tokens.append(n_tokens)
            self._problems.add(row.problem_id)
            self._licences[row.licence] += 1
            self._n_limited += row.non_commercial
            self._n_bare += not row.has_reasoning
            found.append(row.record)
        return found

    def _counted(self, texts: list[str]) -> list[int]:
        if self._wanted.tokenizer is None:
            return [estimated_tokens(text) for text in texts]
        return count_tokens(texts, str(self._wanted.tokenizer)) if texts else []

    def facts(self) -> dict[str, Any]:
        """Return what is told of the rows."""
        wanted = self._wanted
        return {
            "shape": wanted.shape,
            "system": wanted.system,
            "traces": wanted.traces,
            "columns": self._columns,
            "loss": _LOSS.get(wanted.shape, _LOSS["messages"]),
            "rows": self.n_rows,
            "problems": len(self._problems),
            "rows_without_reasoning": self._n_bare,
            "tokens": {
                "by": str(wanted.tokenizer) if wanted.tokenizer else ESTIMATE,
                "total": sum(self._tokens),
                "longest": max(self._tokens, default=0),
            },
            "max_tokens": wanted.max_tokens,
            "rows_over_max_tokens": self.n_over,
            "licences": dict(sorted(self._licences.items())),
            "rows_non_commercial": self._n_limited,
        }


def _write(folder: Path, schema: pa.Schema, batches: Iterator[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Write files of at most ``_ROWS_PER_FILE`` rows; rows, size and SHA-256 by name."""
    n_rows, paths = [0], [folder / "part-0.parquet"]
    writer = pq.ParquetWriter(paths[-1], schema, compression="zstd")
    try:
        for records in batches:
            if n_rows[-1] + len(records) > _ROWS_PER_FILE:
                writer.close()
                n_rows.append(0)
                paths.append(folder / f"part-{len(paths)}.parquet")
                writer = pq.ParquetWriter(paths[-1], schema, compression="zstd")
            if records:
                writer.write_table(pa.Table.from_pylist(records, schema=schema))
                n_rows[-1] += len(records)
    finally:
        writer.close()
    files = {}
    for number, (path, rows) in enumerate(zip(paths, n_rows, strict=True)):
        named = path.rename(folder / f"train-{number:05d}-of-{len(paths):05d}.parquet")
        with named.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        files[named.name] = {"rows": rows, "size": named.stat().st_size, "sha256": sha256}
    return files


def render(facts: dict[str, Any], out: Path) -> str:
    """Return what was exported, for a terminal."""
    tokens = facts["tokens"]
    chosen = f"as {facts['shape']}, traces: {facts['traces']}, system prompt: {facts['system']}"
    counted = f"{tokens['total']:,} in all, {tokens['longest']:,} at most a row, by {tokens['by']}"
    lines = [
        f"{facts['rows']:,} rows of {facts['problems']:,} problems {chosen}",
        f"tokens    {counted}; chat templates add some",
    ]
    if facts["max_tokens"] is not None:
        lines.append(f"left out  {facts['rows_over_max_tokens']:,} rows of more than {facts['max_tokens']:,} tokens")
    if facts["rows_without_reasoning"]:
        lines.append(f"no think  {facts['rows_without_reasoning']:,} rows have no well-formed think part")
    if facts["rows_non_commercial"]:
        lines.append(f"licence   {facts['rows_non_commercial']:,} rows are for non-commercial use only")
    lines += [f"loss      {facts['loss']}", f"written   {out}", f"          load_dataset('parquet', data_dir='{out}')"]
    return "\n".join(lines)
