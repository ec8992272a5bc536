"""What an audit found, counted: by source, by category, by reason; with examples, and what to do about the rest.

What an audit measures of responses beside their verdicts: lengths, pass rates by problem, and repeated rows.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.audit.rows import NO_RESPONSE
from tracemill.core import Cause, ConservationError, Outcome
from tracemill.publish.tally import LENGTHS, N_SHARES, length_bin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_ID_DIGITS: Final = 16  # hex digits of an id: two of 1.4M problems share them once in 10^7 audits
_JUDGED: Final = (str(Outcome.CORRECT), str(Outcome.INCORRECT))
_COLUMNS: Final = ("upstream_source", "outcome", "response_index")


class Figures:
    """Adds up tables of :class:`tracemill.audit.rows.AuditedRow`, in any order; about 60 bytes a row are kept."""

    def __init__(self) -> None:
        self._lengths = {name: [0] * (len(LENGTHS) + 1) for name in (*_JUDGED, "other")}
        self._rows: list[pa.Table] = []

    def add(self, audited: pa.Table) -> None:
        """Count the rows of one shard."""
        for outcome, n_tokens in zip(audited["outcome"].to_pylist(), audited["n_tokens"].to_pylist(), strict=True):
            self._lengths[outcome if outcome in _JUDGED else "other"][length_bin(n_tokens)] += 1
        ids = {name: pc.utf8_slice_codeunits(audited[name], 0, _ID_DIGITS) for name in ("id", "response_id")}
        self._rows.append(pa.table(ids | {name: audited[name] for name in _COLUMNS}))

    def result(self) -> dict[str, Any]:
        """As JSON values: ``tokens`` (rows by length), ``pass_rates`` (problems), ``repeated`` (rows by source)."""
        found = {"tokens": {"up_to": list(LENGTHS), **self._lengths}}
        if not self._rows:
            return found | {"pass_rates": [0] * N_SHARES, "repeated": {}}
        rows = pa.concat_tables(self._rows).unify_dictionaries()
        return found | {"pass_rates": _pass_rates(rows), "repeated": _repeated(rows)}


def _pass_rates(rows: pa.Table) -> list[int]:
    """Return problems by the share of their judged rows that is correct: 0-9 %, …, 90-99 %, 100 %."""
    judged = rows.filter(pc.is_in(rows["outcome"], pa.array(_JUDGED)))
    problems, right = _numbered(judged["id"]), pc.equal(judged["outcome"], _JUDGED[0]).to_numpy()
    n_judged, n_right = np.bincount(problems), np.bincount(problems, weights=right)
    steps = (n_right * (N_SHARES - 1) // np.maximum(n_judged, 1)).astype(np.int64)
    counts: list[int] = np.bincount(steps, minlength=N_SHARES).tolist()
    return counts


def _repeated(rows: pa.Table) -> dict[str, dict[str, int]]:
    """By source: rows whose problem stands in another row too, with the same response there or with others only.

    Of a row with several responses the first one counts.
    """
    rows = rows.filter(pc.equal(rows["response_index"], 0))
    asked, said = _times(rows["id"]) > 1, _times(pc.binary_join_element_wise(rows["id"], rows["response_id"], "")) > 1
    sources = rows["upstream_source"].to_pylist()
    counts: dict[str, Counter[str]] = {}
    for place in np.flatnonzero(asked):
        kind = "same_response" if said[place] else "other_response"
        counts.setdefault(sources[place], Counter())[kind] += 1
    order = sorted(counts, key=lambda name: (-counts[name].total(), name))
    return {name: {kind: counts[name][kind] for kind in ("same_response", "other_response")} for name in order}


def _numbered(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number for each text, equal for equal ones."""
    numbers: NDArray[np.int64] = texts.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


def _times(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return how often each text is there."""
    numbers = _numbered(texts)
    times: NDArray[np.int64] = np.bincount(numbers)[numbers]
    return times


UNREADABLE: Final = "unreadable"
N_EXAMPLES: Final = 10
_MOST_GROUPS: Final = 200  # AM has about 30 sources; a set whose rows each name their own would fill the summary
_MOST_REASONS: Final = 20
_OTHERS: Final = "(others)"
_SHOWN_CHARS: Final = 300
_REMEDY: Final = "name their layout with --layout (docs/auditing.md)"
_SHOWN: Final = (
    "upstream_source",
    "file",
    "row",
    "id",
    "category",
    "prompt",
    "reference_answer",
    "extracted",
    "detail",
)


@dataclass(frozen=True)
class Counted:
    """How the rows of one kind of audit are counted.

    Attributes:
        statuses: what becomes of a row that could be read, in the order in which people read them.
        group: the column that says where a row is from.
        status_of: status of the record of an audited row.
        share: a name, and the statuses p and q of p / (p + q); examples are shown of q.
        measured: whether responses are a model's, so that their lengths and pass rates say something.
    """

    statuses: tuple[str, ...]
    group: str
    status_of: Callable[[Mapping[str, Any]], str]
    share: tuple[str, str, str]
    measured: bool = False


VERDICTS: Final = Counted(
    statuses=(*Outcome, NO_RESPONSE),
    group="upstream_source",
    status_of=lambda row: str(row["outcome"]),
    share=("accuracy", Outcome.CORRECT, Outcome.INCORRECT),
    measured=True,
)


class Key(NamedTuple):
    """What responses, and rows without any, are counted by."""

    source: str
    category: str
    status: str
    reason: str
    cause: str


class Tally:
    """Counts of every row of an input; add the tables of all its shards, in any order.

    Args:
        counted: how.
    """

    def __init__(self, counted: Counted) -> None:
        self._how = counted
        self._counts: Counter[Key] = Counter()
        self._n_input_rows = 0
        self._unjudged: Counter[str] = Counter()
        self._examples: list[dict[str, Any]] = []
        self._figures = Figures()

    def add(self, audited: pa.Table) -> None:
        """Count rows of :class:`tracemill.audit.rows.AuditedRow`."""
        if self._how.measured:
            self._figures.add(audited)
        records = audited.to_pylist()
        statuses = [self._how.status_of(record) for record in records]
        for record, status in zip(records, statuses, strict=True):
            of = Key(record[self._how.group], record["category"], status, record["reason"], record["cause"] or "")
            self._counts[of] += 1
            self._n_input_rows += record["response_index"] == 0
            if record["outcome"] == Outcome.SANDBOX_ERROR:
                self._unjudged[record["detail"]] += 1
        shown = [record for record, status in zip(records, statuses, strict=True) if status == self._how.share[2]]
        # The smallest ids: they are digests, so this is a sample of the whole that no order of rows changes.
        order = heapq.nsmallest(
            N_EXAMPLES, self._examples + shown, key=lambda row: (row["id"], row["file"], row["row"])
        )
        self._examples = order

    def add_dropped(self, dropped: pa.Table) -> None:
        """Count rows of :class:`tracemill.core.Dropped`: they could not be read, or there was nothing to judge."""
        for record in dropped.select(["source", "reason", "evidence"]).to_pylist():
            evidence = json.loads(record["evidence"])
            known = record["reason"] in self._how.statuses
            source = evidence.get(self._how.group) or record["source"]
            status = record["reason"] if known else UNREADABLE
            reason = "" if known else record["reason"]
            self._counts[Key(source, evidence.get("category", "(none)"), status, reason, "")] += 1
            self._n_input_rows += 1

    def summary(self, rows_in: int) -> dict[str, Any]:
        """Everything that was found, as JSON values.

        Args:
            rows_in: rows of the input.

        Raises:
            ConservationError: a row of the input is not counted, or counted twice.
        """
        if rows_in != self._n_input_rows:
            raise ConservationError(
                "the audit does not account for every row",
                got=f"{rows_in} rows in, {self._n_input_rows} counted",
                remedy="this is a bug in tracemill; nothing was published",
            )
        return {
            "input_rows": self._n_input_rows,
            **self._group(self._counts),
            "by_source": self._groups(0),
            "by_category": self._groups(1),
            **(self._figures.result() if self._how.measured else {}),
            "examples": [_example(row) for row in self._examples],
            "advice": self._advice(),
        }

    def _groups(self, position: int) -> dict[str, Any]:
        """Return figures by source or by category, the largest first."""
        rows: Counter[str] = Counter()
        for key, n_rows in self._counts.items():
            rows[key[position]] += n_rows
        names = sorted(rows, key=lambda name: (-rows[name], name))[:_MOST_GROUPS]
        parts: dict[str, Counter[Key]] = {name: Counter() for name in names}
        for key, n_rows in self._counts.items():
            parts.setdefault(key[position] if key[position] in parts else _OTHERS, Counter())[key] += n_rows
        return {name: self._group(part) for name, part in parts.items()}

    def _group(self, counts: Counter[Key]) -> dict[str, Any]:
        """Rows by status, the share, why the rows are in their statuses, and whose fault it is that none was told."""
        statuses: Counter[str] = Counter()
        reasons: dict[str, Counter[str]] = {}
        causes: Counter[str] = Counter()
        for of, n_rows in counts.items():
            statuses[of.status] += n_rows
            causes[of.cause] += n_rows
            if of.reason:
                reasons.setdefault(of.status, Counter())[of.reason] += n_rows
        share, fine, wrong = self._how.share
        n_decided = statuses[fine] + statuses[wrong]
        order = (*self._how.statuses, UNREADABLE)
        return {
            "rows": counts.total(),
            **{str(status): statuses[status] for status in order},
            share: round(statuses[fine] / n_decided, 6) if n_decided else None,
            "causes": {str(cause): causes[cause] for cause in Cause},
            "reasons": {str(s): _most(reasons[s]) for s in order if s in reasons and s != fine},
        }

    def _advice(self) -> list[str]:
        advice = _of_the_references(self._group(self._counts), self._how)
        if not self._unjudged:
            return advice
        detail, _ = min(self._unjudged.items(), key=lambda item: (-item[1], item[0]))
        n_rows = f"{self._unjudged.total():,} rows were not judged because the sandbox failed"
        return [
            *advice,
            f"{n_rows}: {detail}. Fix that and run the same command again: what was judged keeps its verdict",
        ]


def _of_the_references(group: Mapping[str, Any], how: Counted) -> list[str]:
    """Return what to say of a set that mostly, or wholly, could not be judged: it must not pass for one that was."""
    if not how.measured or not group["rows"]:
        return []
    if nothing_judged(group):
        found = ", ".join(f"{group[status]:,} {status}".replace("_", " ") for status in how.statuses if group[status])
        what = f"NOT ONE RESPONSE WAS JUDGED right or wrong ({found or 'no row could be read'})"
        return [f"{what}. If the rows have references or tests in columns of their own, {_REMEDY}"]
    n_unusable = group["causes"][Cause.REFERENCE]
    if 2 * n_unusable <= group["rows"]:
        return []
    what = f"{n_unusable:,} of {group['rows']:,} rows have nothing that answers can be judged by"
    return [f"{what}: see the reasons of unverifiable. If their references stand in a column of their own, {_REMEDY}"]


def nothing_judged(summary: Mapping[str, Any]) -> bool:
    """Tell whether there were rows, and of none it could be told whether its response is right.

    Not so where the sandbox failed: what to do about that is said, and the next run judges.
    """
    decided = summary[Outcome.CORRECT] + summary[Outcome.INCORRECT] + summary[Outcome.SANDBOX_ERROR]
    return bool(summary["rows"]) and not decided


def _most(reasons: Counter[str]) -> dict[str, int]:
    """Return the most frequent reasons; the others as one."""
    order = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    named = {reason: reasons[reason] for reason in order[:_MOST_REASONS]}
    n_others = reasons.total() - sum(named.values())
    return named | ({_OTHERS: n_others} if n_others else {})


def _example(record: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: record[name] for name in _SHOWN}
    return {name: _shortened(value) if isinstance(value, str) else value for name, value in shown.items()}


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]} …"
