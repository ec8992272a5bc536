"""What a row is at every station of the pipeline, with the Arrow schema it is stored under.

Nested values (tests, constraints, traces, …) are JSON text columns, so that no file's schema depends on its rows:
``load_dataset`` breaks on mixed types otherwise, which is what users of the reference dataset suffered most.
"""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa

from tracemill.core.json_values import parsed, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Category(StrEnum):
    """What kind of task a problem is; it decides which verifier judges it."""

    MATH = "math"
    CODE = "code"
    CHOICE = "choice"
    INSTRUCTION = "instruction"
    OTHER = "other"


class Outcome(StrEnum):
    """What a verifier found. Only CORRECT and INCORRECT say something about the answer.

    Of NO_ANSWER, REFUSED and UNFINISHED there is no answer to judge; see ``missing_answer``.
    """

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    UNFINISHED = "unfinished"
    UNVERIFIABLE = "unverifiable"
    TIMEOUT = "timeout"
    SANDBOX_ERROR = "sandbox_error"


class Cause(StrEnum):
    """Whose fault it is that nothing is said about an answer. Only REFERENCE closes a problem: see ``unsolved``.

    REFERENCE: what the problem is judged by (reference answer, tests, constraints) cannot be used; nor could it for any
    other response. RESPONSE: this one cannot be read, or compared for certain; another may. VERIFIER: a limit of ours.
    """

    REFERENCE = "reference"
    RESPONSE = "response"
    VERIFIER = "verifier"


class Origin(StrEnum):
    """Who wrote a response."""

    SOURCE = "source"
    TEACHER = "teacher"
    REFERENCE = "reference"  # nobody: it is made of the reference, to see whether that can be judged by


class ReferenceBy(StrEnum):
    """Who says what the answer is, where votes may: column ``reference_by``, and the same key of ``info``."""

    SOURCE = "source"
    MAJORITY = "majority"  # of the samples, see select/majority.py


REFERENCE_BY: Final = "reference_by"
CUT_OFF = "length"  # the finish_reason of a response that ended at max_tokens


def digest(*parts: object) -> str:
    """SHA-256 hex of the parts, unambiguous for any JSON-able values (they are encoded as one JSON list)."""
    return hashlib.sha256(json_text(list(parts)).encode()).hexdigest()


def json_text(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, real Unicode. Lone surrogates are escaped, so that it always encodes."""
    text = written(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


def pretty_json(value: object) -> str:
    """Return JSON for people, in the order of its keys; lone surrogates are escaped, so that it always encodes."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


def normalise_prompt(prompt: str) -> str:
    """Return the prompt as identity sees it: NFC, runs of white space folded. Not NFKC, which turns x² into x2."""
    return " ".join(unicodedata.normalize("NFC", prompt).split())


# What a column's annotation says of how it is stored, where Python's type does not: texts without a bound, beyond the
# 2 GB that a column of ``str`` holds; small counts; turns as chat trainers read them.
Text = Annotated[str, pa.large_string()]
Int32 = Annotated[int, pa.int32()]
Messages = Annotated[list[dict[str, str]], pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))]
_PLAIN: Final = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class _Arrow:
    """The attribute ``arrow`` of every kind of row: its schema."""

    def __get__(self, row: object, kind: type[Any]) -> pa.Schema:
        if not is_dataclass(kind):
            raise AttributeError(f"{kind.__name__} has no columns, and so no schema")
        return schema_of(kind)


class Row:
    """A frozen dataclass that is stored as one Arrow row; ``json_fields`` are written as JSON text.

    Attributes:
        arrow: the schema, see :func:`schema_of`.
    """

    arrow: ClassVar = _Arrow()
    json_fields: ClassVar[frozenset[str]] = frozenset()

    def as_record(self) -> dict[str, Any]:
        """Return the row as column values."""
        record = {column.name: getattr(self, column.name) for column in fields(self)}  # type: ignore[arg-type]
        for name in self.json_fields:
            record[name] = None if record[name] is None else json_text(record[name])
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the inverse of :meth:`as_record`; columns that have a default may be missing."""
        values = dict(record)
        for name in cls.json_fields & values.keys():
            values[name] = None if values[name] is None else parsed(values[name].encode())
        return cls(**values)


R = TypeVar("R", bound=Row)


@functools.cache
def schema_of(kind: type[Row]) -> pa.Schema:
    """Return the Arrow schema of a kind of row, by its annotations and in their order; every column may hold nulls.

    ``str`` is string, ``int`` int64, ``float`` float64, ``bool`` bool, what is in ``json_fields`` large_string; an
    annotation such as ``Annotated[int, pa.int32()]`` names its type. ``| None`` changes nothing.

    Raises:
        TypeError: an annotation says no type.
    """
    hints = get_type_hints(kind, include_extras=True)
    columns = [column.name for column in fields(kind)]  # type: ignore[arg-type]
    stored = {name: pa.large_string() if name in kind.json_fields else _stored(hints[name]) for name in columns}
    untyped = [f"{name}: {hints[name]}" for name in columns if stored[name] is None]
    if untyped:
        raise TypeError(
            f"{kind.__name__} has columns without an Arrow type; got: {', '.join(untyped)}; expected: str, int, float "
            "or bool, anything Annotated with an Arrow type, or a name among json_fields"
        )
    return pa.schema(list(stored.items()))


def _stored(hint: Any) -> pa.DataType | None:
    """Return the Arrow type that an annotation says; None where it says none."""
    if get_origin(hint) is Annotated:
        named = [mark for mark in hint.__metadata__ if isinstance(mark, pa.DataType)]
        return named[0] if named else _stored(hint.__origin__)
    others = [part for part in get_args(hint) if part is not NoneType]
    is_optional = len(others) == 1 and NoneType in get_args(hint)
    return _stored(others[0]) if is_optional else _PLAIN.get(hint)


def table_of(kind: type[R], rows: Iterable[R]) -> pa.Table:
    """Arrow table of ``rows`` under ``kind.arrow``, also when there are none."""
    return pa.Table.from_pylist([row.as_record() for row in rows], schema=kind.arrow)


def rows_of(kind: type[R], table: pa.Table) -> Iterator[R]:
    """Yield the rows of ``table``, in order; a table from before a column was added has that column's default."""
    later = {column.name for column in fields(kind) if column.default is not MISSING}  # type: ignore[arg-type]
    names = [name for name in kind.arrow.names if name in table.column_names or name not in later]
    for record in table.select(names).to_pylist():
        yield kind.from_record(record)


@dataclass(frozen=True, slots=True)
class Problem(Row):
    """One question with what its answers are judged by.

    Attributes:
        id: see :func:`problem_id`; the only thing rows are joined by.
        source: name of the source in the recipe.
        row: where it stood in that source, for people; never joined on.
        prompt: the last user turn.
        history: the turns before the prompt, oldest first, as ``{"role", "content"}``.
        reference_answer: the known answer, or None.
        tests: one of the test objects of the verification contract, or None.
        constraints: ``[{"id", "kwargs"}]``, or None.
        traces: responses that came with the row: ``[{"model", "think", "answer", "fault", …}]``: who wrote it
            (``deepseek-r1`` is R1 alone), and what else the source says of it. ``think`` is None where the trace has no
            well-formed think part, ``answer`` then is the whole text. In the store think and answer lie apart:
            see :mod:`tracemill.core.traces`.
        info: what else the source said (upstream id, level, …), and labels.
    """

    id: str
    source: str
    row: int
    category: str
    prompt: Text
    history: list[dict[str, str]]
    reference_answer: Text | None
    tests: dict[str, Any] | None
    constraints: list[dict[str, Any]] | None
    traces: list[dict[str, Any]]
    licence: str
    non_commercial: bool
    info: dict[str, Any]

    json_fields: ClassVar[frozenset[str]] = frozenset({"history", "tests", "constraints", "traces", "info"})


def problem_id(
    prompt: str,
    history: list[dict[str, str]],
    reference_answer: str | None,
    tests: dict[str, Any] | None,
    constraints: list[dict[str, Any]] | None,
) -> str:
    """Return content id: the normalised prompt and everything it is judged by."""
    turns = [[turn["role"], normalise_prompt(turn["content"])] for turn in history]
    return digest("problem", normalise_prompt(prompt), turns, reference_answer, tests, constraints)


@dataclass(frozen=True, slots=True)
class Response(Row):
    """One answer to one problem, by a source or by the teacher.

    Attributes:
        id: content key: of the request for teacher responses, of problem and text for source traces.
        sample_index: which sample of this problem; source traces are numbered on their own.
        think: reasoning without its tags, or None when the response has no well-formed think part.
        answer: everything after the think part.
        fault: why the response does not follow the think template, or None (see ``think.split_think``).
        finish_reason: as the server said ("stop", "length", …); None for source traces, and where it did not say.
        refusal: the model's words where the server says that it refused, else None.
        fault_evidence: what shows the fault, see ``template_faults.fault_evidence``; None of responses without one, and
            of those from before it was noted.
        served: what the server said of how it answered, see ``ledger.record.served_by``; None where nothing.
    """

    id: str
    problem_id: str
    origin: str
    model: str
    sample_index: Int32
    think: Text | None
    answer: Text
    fault: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    refusal: Text | None = None
    fault_evidence: dict[str, Any] | None = None
    served: dict[str, Any] | None = None

    json_fields: ClassVar[frozenset[str]] = frozenset({"fault_evidence", "served"})


@dataclass(frozen=True, slots=True)
class Verdict(Row):
    """What one verifier found about one response.

    Attributes:
        score: 0.0 to 1.0 (by a reward model: on the model's own scale), or None when nothing was scored.
        verifier: name and version, as in "math@3".
        extracted: the answer that was read from the response, as text.
        detail: why, for people.
        provenance: what judged beside the verifier's own code (a sandbox image's digest, a judge model), or None.
        cause: of an ``unverifiable`` or a ``timeout``, one of :class:`Cause`; None of other outcomes, and of verdicts
            from before causes were told apart.
    """

    response_id: str
    problem_id: str
    outcome: str
    score: float | None
    verifier: str
    extracted: Text | None
    detail: Text
    provenance: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Dropped(Row):
    """A row that left the pipeline, with the stage, the reason and the evidence.

    Attributes:
        id: the problem's id, or "" where the row never became a problem.
        raw: the source's own text where the row could not be read, else None.
    """

    id: str
    source: str
    row: int
    stage: str
    reason: str
    evidence: dict[str, Any]
    prompt: Text | None = None
    raw: Text | None = field(default=None)

    json_fields: ClassVar[frozenset[str]] = frozenset({"evidence"})


def dropped_problem(problem: Problem, stage: str, reason: str, evidence: dict[str, Any]) -> Dropped:
    """Return the record of a problem that leaves at ``stage``; a rewritten one also says which id it had before."""
    if "former_id" in problem.info:
        evidence = evidence | {"former_id": problem.info["former_id"]}
    return Dropped(problem.id, problem.source, problem.row, stage, reason, evidence, prompt=problem.prompt)
