"""Publishing a dataset: Parquet, the reference dataset's own JSONL, every dropped row and every verdict.

Rows are shuffled with a seed, since a file that begins with one source misleads everyone who reads its head: see
``shuffle.py``. They are written as they come, a thousand at a time, in a few threads (``lanes.py``).

Files that a killed publication has finished are kept by the next, once their bytes were compared with what it noted of
them (``directory/versions.py``). The AM file is one stream over all rows, so that every decoder reads it to its end,
and is written anew where it was not finished; zstd compresses it in as many threads as there are cores.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

import zstandard

from tracemill.core import Dropped, Verdict, digest, json_text
from tracemill.decontaminate.decontaminate import GREY
from tracemill.publish.am_rows import am_lines
from tracemill.publish.card import LICENCES, WrittenRows, configurations, with_rows
from tracemill.publish.directory.row_groups import rows_until_cut
from tracemill.publish.directory.run_directory import Amount, Output
from tracemill.publish.lanes import n_cores, side_by_side
from tracemill.publish.shuffle import TakenBytes, shuffled
from tracemill.select import Sample
from tracemill.select.majority import VotedReference
from tracemill.select.records import TRACES, Pair, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from tracemill.publish.directory.run_directory import RunDirectory
    from tracemill.publish.lanes import Lanes
    from tracemill.store import Shard, Store

ROWS_PER_FILE = 100_000  # of dropped rows and verdicts
LINES_AT_ONCE: Final = 100  # 3 MB; between two writes a thread may have to wait for Python's lock
MOST_WAITING: Final = 2  # pieces of at most a thousand rows whose lines are not written yet
AM_FILE = "am.jsonl.zst"
# Bytes of selected shards above which zstd divides its work among threads. How many makes no difference to its bytes
# then, but that it is divided does; below, what would be gained is a second, and files stay as they have always been.
DIVIDED_BYTES: Final = 64_000_000
CARD: Final = "dataset/README.md"
LICENCE_FILE: Final = f"dataset/{LICENCES}"
# Folder -> schema of its rows.
BESIDE: Final = {
    "traces": TRACES,
    "grey": GREY,
    "preferences": Pair.arrow,
    "rejected": Rejected.arrow,
    "references": VotedReference.arrow,
}


REPORT: Final = "report.html"
TEXTS: Final = frozenset({REPORT, "decontamination.json"})  # and the card, in dataset/


def dataset_output(beside: Iterable[str]) -> Output:
    """Return what a dataset's publication writes, with the folders ``beside`` its own."""
    return Output("dataset", frozenset({"dataset", AM_FILE, "dropped", "verdicts", *TEXTS, *beside}))


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        key: of everything below; a directory that was published under it is complete.
        selected, dropped, verdicts: shards of ``kind``, ``Dropped`` and ``Verdict`` rows.
        beside: further shards by folder, one of ``BESIDE``.
        texts: further files by name, such as the card and the report.
        facts: what else the manifest says.
        keep: so many versions stay in the run's directory.
        kind: of the published rows.
    """

    key: str
    selected: Sequence[Shard]
    dropped: Sequence[Shard]
    verdicts: Sequence[Shard]
    shuffle_seed: int
    rows_per_file: int
    texts: dict[str, str]
    beside: Mapping[str, Sequence[Shard]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    keep: int = 3
    kind: type[Sample] = Sample

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Write every file but the manifest."""
        folders = {"dropped": (Dropped.arrow, self.dropped), "verdicts": (Verdict.arrow, self.verdicts)}
        folders |= {name: (_with_features(BESIDE[name]), shards) for name, shards in self.beside.items()}
        directory.expect([*self.selected, *(shard for _, shards in folders.values() for shard in shards)])
        n_rows = Amount.of(self.selected).rows
        # The lanes are closed before the file that one of them writes.
        with self._am_file(directory) as am, side_by_side(n_cores(), directory.stop) as lanes:
            for name, (schema, shards) in folders.items():
                lanes.folders.do(partial(directory.shards, name, schema, store, shards, ROWS_PER_FILE))
            n_bytes = self._write_rows(store, directory, am, lanes)
        rows = _written_rows(directory, n_rows, n_bytes)
        for name, text in self.texts.items():
            directory.text(name, with_rows(text, rows) if name == CARD else text)

    @contextlib.contextmanager
    def _am_file(self, directory: RunDirectory) -> Iterator[IO[bytes] | None]:
        """Give where the AM file's lines are written; None where it stands already."""
        amount = Amount.of(self.selected)
        if directory.keeps(AM_FILE, amount.rows):
            yield None
            return
        threads = n_cores() if amount.size >= DIVIDED_BYTES else 0
        with directory.file(AM_FILE, rows=amount.rows) as compressed:
            compressor = zstandard.ZstdCompressor(level=6, threads=threads, write_checksum=True)
            with compressor.stream_writer(compressed, closefd=False) as lines:
                yield lines

    def _write_rows(self, store: Store, directory: RunDirectory, am: IO[bytes] | None, lanes: Lanes) -> dict[str, int]:
        """Parquet and the AM file in one pass over the shuffled rows; bytes in memory by configuration of the card."""
        taken = TakenBytes()

        def write_lines(table: pa.Table) -> None:
            lines = am_lines(table)
            while am is not None and (some := b"".join(itertools.islice(lines, LINES_AT_ONCE))):
                am.write(some)

        def tables() -> Iterator[pa.Table]:
            until_cut = partial(rows_until_cut, rows_per_file=self.rows_per_file)
            pieces = shuffled(store, self.selected, self.shuffle_seed, until_cut, directory.scratch)
            for piece in lanes.ahead(pieces):
                taken.add(piece)
                lanes.lines.do(partial(write_lines, piece.table), MOST_WAITING)
                lanes.folders.check()
                yield piece.table

        schema = _with_features(self.kind.arrow)
        directory.tables("dataset", schema, tables(), Amount.of(self.selected), self.rows_per_file, "train")
        return {name: taken.of(columns) for name, columns in configurations(self.kind).items()}


def _written_rows(directory: RunDirectory, n_rows: int, n_bytes: Mapping[str, int]) -> WrittenRows:
    """Return what the card tells of the dataset's files."""
    files = {name: entry for name, entry in directory.files.items() if name.startswith("dataset/")}
    return WrittenRows(
        n_rows=n_rows,
        n_bytes=n_bytes,
        digest=digest([entry["sha256"] for _, entry in sorted(files.items())]),
        n_file_bytes=sum(entry["size"] for entry in files.values()),
    )


def _with_features(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the features that ``datasets.load_dataset`` shall give, whatever it would infer."""
    from datasets import Features

    features = Features.from_arrow_schema(schema).to_dict()
    return schema.with_metadata({"huggingface": json_text({"info": {"features": features}})})
