"""Which rows there are: of each a few small columns in memory, so that a filter is a comparison of arrays.

A row is about 40 bytes here, whatever its texts; those are read when somebody looks (``parquet_rows.py``). An id is
its first 16 hex digits as a number: two rows with equal ones are told apart when they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.browse.parquet_rows import ParquetRows
from tracemill.core import Outcome, StoreError
from tracemill.publish.manifest import MANIFEST
from tracemill.runs.why import record_of, unknown_id
from tracemill.store import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.runs.why import Record

PUBLISHED: Final = "published"  # the stage of rows that no stage dropped
AUDITED: Final = "audited"
OUTCOMES: Final = tuple(Outcome)
FACETS: Final = ("stage", "reason", "source", "category")
_DIGITS: Final = 16
_FOLDERS: Final = ("dataset", "dropped", "verdicts", "traces", "grey", "rejected", "references")
# The column that names a folder's problem.
_ID: Final = dict.fromkeys(("verdicts", "traces", "responses"), "problem_id")
# Stages that judge: what was dropped before has no outcome, though a copy of it may.
_JUDGING: Final = ("distill", "verify", "quality")
_KEPT: Final = r'"kept":"(?P<kept>[0-9a-f]{16})'
_FORMER: Final = r'"former_id":"(?P<former>[0-9a-f]{16})'
_FORMER_IN: Final = {"dataset": "info", "dropped": "evidence"}
# Output of a stage in a store -> folder that it is published in.
_OUTPUTS: Final = {
    ("verify", "verdicts"): "verdicts",
    ("select", "kept"): "dataset",
    ("select", "traces"): "traces",
    ("distill", "responses"): "responses",
    ("reuse", "responses"): "responses",
}


@dataclass(frozen=True)
class Facet:
    """One column of all rows.

    Attributes:
        values: that occur, each once.
        codes: of every row, which of them it has.
    """

    values: Sequence[str]
    codes: NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """Rows of one folder, which are rows of the index from ``start`` on."""

    folder: str
    rows: ParquetRows
    start: int

    @property
    def end(self) -> int:
        """After its last row."""
        return self.start + self.rows.n_rows


class Index:
    """The rows of a run, and of what else tells of them.

    Attributes:
        place: the run's directory, or the store.
        name: what the page calls it.
        is_running: it is a store, which a run may be filling.
        parts: whose rows are rows of the index.
        facets: small columns of all rows, by name.
        outcomes: of every row, bit by bit which of ``OUTCOMES`` any of its responses has.
        rates: share of each row's judged responses that is correct; NaN where none is.
    """

    def __init__(self, place: Path, folders: Mapping[str, Sequence[Path]], name: str, *, is_running: bool) -> None:
        self.place, self.name, self.is_running = place, name, is_running
        self.folders = {folder: ParquetRows(paths) for folder, paths in folders.items() if paths}
        first = AUDITED if "upstream_source" in self._names("verdicts") else PUBLISHED
        self.parts = self._parts("verdicts" if first == AUDITED else "dataset")
        self.facets = _facets(self.parts, first)
        self._keys = {folder: _keys(rows, _id_column(folder, rows)) for folder, rows in self.folders.items()}
        self._dropped_for = _extracted(self.folders.get("dropped"), "evidence", _KEPT)
        self._former = {
            folder: _extracted(self.folders.get(folder), column, _FORMER) for folder, column in _FORMER_IN.items()
        }
        self.outcomes, self.rates = self._judged()

    @property
    def n_rows(self) -> int:
        """Of all parts."""
        return self.parts[-1].end if self.parts else 0

    def rows(self, places: NDArray[np.int64], columns: Sequence[str] | None = None) -> list[Record]:
        """Return rows of the index, in order, each with ``place`` and, in ``where``, its folder."""
        found: list[Record] = []
        for part, inside in self.by_part(places):
            records = part.rows.records(inside, columns)
            found += [
                {"place": int(place) + part.start, **record_of(part.folder, record)}
                for place, record in zip(np.sort(inside), records, strict=True)
            ]
        return found

    def by_part(self, places: NDArray[np.int64]) -> Iterator[tuple[Part, NDArray[np.int64]]]:
        """Yield the parts that hold some of the rows, with their places in the part."""
        for part in self.parts:
            inside = places[(places >= part.start) & (places < part.end)] - part.start
            if len(inside):
                yield part, inside

    # Records, by which why's story is told.

    def named(self, asked: str) -> list[Record]:
        """See :class:`tracemill.runs.why.Records`."""
        found = []
        for folder in _FORMER_IN:
            if folder in self.folders:
                places = self._beginning(self._keys[folder], asked)
                places = np.union1d(places, self._beginning(self._former[folder], asked))
                found += [record for record in self._read(folder, places) if _is_called(record, asked)]
        return found

    def of(self, folder: str, ids: Sequence[str], asked: str = "") -> list[Record]:
        """See :class:`tracemill.runs.why.Records`."""
        if folder not in self.folders:
            return []
        keys, column = self._keys[folder], _id_column(folder, self.folders[folder])
        places = np.flatnonzero(np.isin(keys, key_numbers(pa.array(ids, pa.string()))))
        if asked:
            places = np.union1d(places, self._beginning(keys, asked))
        wanted = set(ids)
        return [
            record
            for record in self._read(folder, places)
            if record.get(column) in wanted or (asked and str(record.get(column)).startswith(asked))
        ]

    def dropped_for(self, problem_id: str) -> list[Record]:
        """See :class:`tracemill.runs.why.Records`."""
        places = self._beginning(self._dropped_for, problem_id)
        return [
            record for record in self._read("dropped", places) if record.get("evidence", {}).get("kept") == problem_id
        ]

    def unknown(self, asked: str) -> StoreError:
        """See :class:`tracemill.runs.why.Records`."""
        return unknown_id(self.place, asked, f"{self.n_rows:,} rows, none of that id")

    def _read(self, folder: str, places: NDArray[np.int64]) -> list[Record]:
        return [record_of(folder, record) for record in self.folders[folder].records(places[:_MOST])]

    @staticmethod
    def _beginning(keys: NDArray[np.uint64], asked: str) -> NDArray[np.int64]:
        """Return the places of keys that begin with hex digits; of none where they are something else."""
        digits = asked[:_DIGITS].lower()
        if not digits or not set(digits) <= set("0123456789abcdef"):
            return np.empty(0, np.int64)
        width = 4 * (_DIGITS - len(digits))
        low = np.uint64(int(digits, 16) << width)
        high = np.uint64((int(digits, 16) << width) | ((1 << width) - 1))
        return np.flatnonzero((keys >= max(low, np.uint64(1))) & (keys <= high)).astype(np.int64)

    def _names(self, folder: str) -> frozenset[str]:
        return self.folders[folder].names if folder in self.folders else frozenset()

    def _parts(self, first: str) -> list[Part]:
        parts: list[Part] = []
        for folder in (first, "dropped"):
            if folder in self.folders:
                parts.append(Part(folder, self.folders[folder], parts[-1].end if parts else 0))
        return parts

    def _judged(self) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Return outcomes and pass rates: a row's own where it has them, else those of its problem's responses."""
        keys = np.concatenate([self._keys[part.folder] for part in self.parts] or [np.empty(0, np.uint64)])
        # In a store there may be traces of another run than that which the verdicts are of.
        told = "traces" if "traces" in self.folders and not self.is_running else "verdicts"
        outcomes = np.zeros(self.n_rows, np.uint16)
        counts = np.zeros((2, self.n_rows), np.int32)
        if told in self.folders:
            outcomes, counts = _by_problem(keys, self._keys[told], _outcome_codes(self.folders[told]))
            stage = self.facets["stage"]
            judging = [number for number, name in enumerate(stage.values) if name in {*_JUDGING, PUBLISHED, AUDITED}]
            early = ~np.isin(stage.codes, judging)
            outcomes[early], counts[:, early] = 0, 0
        for part in self.parts:
            own = slice(part.start, part.end)
            if part.folder != "dropped":
                outcomes[own] |= _outcome_codes(part.rows)
            if {"n_correct", "n_judged"} <= part.rows.names:
                counts[:, own] = _columns(part.rows, ("n_correct", "n_judged"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return outcomes, (counts[0] / counts[1]).astype(np.float32)


_MOST: Final = 1_000  # records of one folder about one row


def opened(place: Path) -> Index:
    """Return the rows of a finished run's directory; or of a store: what the tasks of all its runs have finished.

    Raises:
        StoreError: it is neither, or it cannot be read.
    """
    is_store = not (place / MANIFEST).exists() and (place / "manifests").is_dir()
    if not is_store and not (place / MANIFEST).exists():
        raise StoreError(
            f"nothing to browse in {place}",
            got="no such folder" if not place.is_dir() else f"neither {MANIFEST} nor manifests/",
            expected="the directory of a finished run, or the store of one that is under way",
            remedy="name one: runs/NAME, or the recipe's run.store (.tracemill/store)",
        )
    try:
        folders = (
            _of_store(place) if is_store else {name: sorted((place / name).glob("*.parquet")) for name in _FOLDERS}
        )
        return Index(place, folders, place.name or str(place), is_running=is_store)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"the rows in {place} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="Parquet files as a run of this project writes them",
            remedy="run again: what is finished is kept, and the directory is written anew",
        ) from error


def _of_store(store: Path) -> dict[str, list[Path]]:
    """Return the tables of all finished tasks of a store, by the folder that they are published in."""
    found: dict[str, dict[Path, None]] = {}
    for path in sorted(store.glob("manifests/*/*.json")):
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except ValueError:  # a file that somebody else put there
            continue
        for output, shard in manifest.outputs.items():
            folder = "dropped" if output == "dropped" else _OUTPUTS.get((manifest.stage, output))
            table = store / shard.path
            if folder is not None and shard.rows and table.exists():
                found.setdefault(folder, {})[table] = None
    return {folder: list(paths) for folder, paths in found.items()}


def key_numbers(ids: pa.Array) -> NDArray[np.uint64]:
    """Return the first 16 hex digits of ids as numbers, 0 for what has none."""
    if not len(ids):
        return np.empty(0, np.uint64)
    heads = pc.ascii_rpad(pc.utf8_slice_codeunits(pc.fill_null(ids.cast(pa.string()), ""), 0, _DIGITS), _DIGITS, "0")
    is_hex = pc.match_substring_regex(heads, "^[0-9a-f]{16}$")
    heads = pc.if_else(is_hex, heads, "0" * _DIGITS).cast(pa.binary()).cast(pa.binary(_DIGITS))
    data = np.frombuffer(heads.buffers()[1], np.uint8, len(heads) * _DIGITS, heads.offset * _DIGITS)
    nibbles = (data & 0xF) + 9 * (data >> 6)  # "0" is 0x30, "a" is 0x61
    pairs = (nibbles[0::2] << 4 | nibbles[1::2]).reshape(len(heads), _DIGITS // 2)
    return np.ascontiguousarray(pairs).view(">u8").ravel().astype(np.uint64)


def _id_column(folder: str, rows: ParquetRows) -> str:
    column = _ID.get(folder, "id")
    return column if column in rows.names else "id"


def _keys(rows: ParquetRows, column: str) -> NDArray[np.uint64]:
    return _gathered(key_numbers(chunk) for table in rows.tables([column]) for chunk in table[column].chunks)


def _extracted(rows: ParquetRows | None, column: str, pattern: str) -> NDArray[np.uint64]:
    """Return the ids that JSON texts name, 0 where they name none."""
    if rows is None or column not in rows.names:
        return np.empty(0, np.uint64)
    return _gathered(
        key_numbers(pc.extract_regex(chunk.cast(pa.large_string()), pattern).field(0).cast(pa.string()))
        for table in rows.tables([column])
        for chunk in table[column].chunks
    )


def _gathered(pieces: Iterator[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.concatenate([np.empty(0, np.uint64), *pieces])


def _columns(rows: ParquetRows, names: Sequence[str]) -> NDArray[np.int32]:
    tables = list(rows.tables(names))
    return np.array(
        [np.concatenate([pc.fill_null(table[name], 0).to_numpy() for table in tables]) for name in names], np.int32
    )


def _outcome_codes(rows: ParquetRows) -> NDArray[np.uint16]:
    """Return one bit a row: which outcome it has."""
    known = pa.array([str(outcome) for outcome in OUTCOMES])
    pieces = [
        pc.fill_null(pc.index_in(table["outcome"].cast(pa.string()), value_set=known), len(OUTCOMES)).to_numpy()
        for table in rows.tables(["outcome"])
        if "outcome" in table.column_names
    ]
    bits = np.array([*(1 << number for number in range(len(OUTCOMES))), 0], np.uint16)
    return np.asarray(bits[np.concatenate([np.empty(0, np.int32), *pieces])])


def _by_problem(
    keys: NDArray[np.uint64], told: NDArray[np.uint64], bits: NDArray[np.uint16]
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return, of each row, the outcomes of its problem's responses; (correct, judged) among them."""
    known, which = np.unique(told, return_inverse=True)
    known_outcomes = np.zeros(len(known) + 1, np.uint16)
    np.bitwise_or.at(known_outcomes, which, bits)
    known_counts = np.zeros((2, len(known) + 1), np.int32)
    correct, incorrect = (np.uint16(1 << OUTCOMES.index(each)) for each in (Outcome.CORRECT, Outcome.INCORRECT))
    for number, mask in enumerate((correct, correct | incorrect)):
        judged = np.bincount(which[(bits & mask) > 0], minlength=len(known))
        known_counts[number, : len(known)] = judged
    place = np.searchsorted(known, keys)
    is_known = (place < len(known)) & (keys > 0)
    is_known[is_known] = known[place[is_known]] == keys[is_known]
    place = np.where(is_known, place, len(known))
    return known_outcomes[place], known_counts[:, place]


def _facets(parts: Sequence[Part], first: str) -> dict[str, Facet]:
    """Return small columns; a part that lacks one has "" there, and ``first`` is the stage of a row that is left."""
    found = {}
    for name in FACETS:
        values: dict[str, int] = {"": 0}
        codes = [np.empty(0, np.int32)]
        for part in parts:
            if part.folder != "dropped" and name in {"stage", "reason"} and not (name == "reason" and first == AUDITED):
                codes.append(
                    np.full(part.rows.n_rows, values.setdefault(first if name == "stage" else "", len(values)))
                )
            elif name not in part.rows.names:
                codes.append(np.zeros(part.rows.n_rows, np.int32))
            else:
                codes.extend(_coded(table[name], values) for table in part.rows.tables([name]))
        found[name] = Facet(list(values), np.concatenate(codes).astype(np.int32))
    return found


def _coded(column: pa.ChunkedArray, values: dict[str, int]) -> NDArray[np.int32]:
    """Return each text's number; new ones are added to ``values``."""
    pieces = [np.empty(0, np.int32)]
    for chunk in pc.fill_null(column.cast(pa.string()), "").chunks:
        encoded = chunk.dictionary_encode()
        numbers = [values.setdefault(value, len(values)) for value in encoded.dictionary.to_pylist()]
        pieces.append(np.array(numbers, np.int32)[encoded.indices.to_numpy()])
    return np.concatenate(pieces)


def _is_called(record: Record, asked: str) -> bool:
    former: Any = record.get("info") if record["where"] == "dataset" else record.get("evidence")
    former_id = former.get("former_id", "") if isinstance(former, dict) else ""
    return record.get("id", "").startswith(asked) or str(former_id).startswith(asked)
