"""What an audit measures of responses beside their verdicts: lengths, pass rates by problem, and repeated rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.published_tally import LENGTHS, N_SHARES, length_bin
from tracemill.schema import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN: Final = 16  # hex digits of an id: two of 1.4M problems share them once in 10^7 audits
_JUDGED: Final = (str(Outcome.CORRECT), str(Outcome.INCORRECT))
_COLUMNS: Final = ("upstream_source", "outcome", "response_index")


class Figures:
    """Adds up tables of :class:`tracemill.audit.AuditedRow`, in any order; about 60 bytes a row are kept."""

    def __init__(self) -> None:
        self._lengths = {name: [0] * (len(LENGTHS) + 1) for name in (*_JUDGED, "other")}
        self._rows: list[pa.Table] = []

    def add(self, audited: pa.Table) -> None:
        """Counts the rows of one shard."""
        for outcome, n_tokens in zip(audited["outcome"].to_pylist(), audited["n_tokens"].to_pylist(), strict=True):
            self._lengths[outcome if outcome in _JUDGED else "other"][length_bin(n_tokens)] += 1
        ids = {name: pc.utf8_slice_codeunits(audited[name], 0, _SHOWN) for name in ("id", "response_id")}
        self._rows.append(pa.table(ids | {name: audited[name] for name in _COLUMNS}))

    def result(self) -> dict[str, Any]:
        """As JSON values: ``tokens`` (rows by length), ``pass_rates`` (problems), ``repeated`` (rows by source)."""
        found = {"tokens": {"up_to": list(LENGTHS), **self._lengths}}
        if not self._rows:
            return found | {"pass_rates": [0] * N_SHARES, "repeated": {}}
        rows = pa.concat_tables(self._rows).unify_dictionaries()
        return found | {"pass_rates": _pass_rates(rows), "repeated": _repeated(rows)}


def _pass_rates(rows: pa.Table) -> list[int]:
    """Problems by the share of their judged rows that is correct: 0-9 %, …, 90-99 %, 100 %."""
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
    """A number for each text, equal for equal ones."""
    numbers: NDArray[np.int64] = texts.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


def _times(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """How often each text is there."""
    numbers = _numbered(texts)
    times: NDArray[np.int64] = np.bincount(numbers)[numbers]
    return times
