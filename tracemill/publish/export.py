"""Publishing a dataset: Parquet, the reference dataset's own JSONL, every dropped row and every verdict.

Rows are shuffled with a seed, since a file that begins with one source misleads everyone who reads its head. The
shuffle has two levels so that memory stays bounded: shards in random order, rows at random within groups of shards.
Both orders come from digests, so the result does not depend on how the run went.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import zstandard

from tracemill.core import Dropped, Verdict, digest, json_text
from tracemill.decontaminate.decontaminate import GREY
from tracemill.publish.card import CONFIGS, WrittenRows, with_rows
from tracemill.publish.run_directory import Output
from tracemill.select import Sample
from tracemill.select.records import TRACES, Pair, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.publish.run_directory import RunDirectory
    from tracemill.store import Shard, Store

GROUP_ROWS = 50_000  # Rows shuffled together: about 1.2 GB of reference-sized rows.
ROWS_PER_FILE = 100_000  # of dropped rows and verdicts
AM_FILE = "am.jsonl.zst"
CARD: Final = "dataset/README.md"
# Folder -> schema of its rows.
BESIDE: Final = {"traces": TRACES, "grey": GREY, "preferences": Pair.arrow, "rejected": Rejected.arrow}


TEXTS: Final = frozenset({"report.html", "decontamination.json"})  # and the card, in dataset/


def dataset_output(beside: Iterable[str]) -> Output:
    """What a dataset's publication writes, with the folders ``beside`` its own."""
    return Output("dataset", frozenset({"dataset", AM_FILE, "dropped", "verdicts", *TEXTS, *beside}))


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        key: of everything below; a directory that was published under it is complete.
        selected, dropped, verdicts: shards of ``Sample``, ``Dropped`` and ``Verdict`` rows.
        beside: further shards by folder, one of ``BESIDE``.
        texts: further files by name, such as the card and the report.
        facts: what else the manifest says.
        keep: so many versions stay in the run's directory.
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

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Writes every file but the manifest."""
        rows = _write_dataset(store, directory, self)
        directory.shards("dropped", Dropped.arrow, store, self.dropped, ROWS_PER_FILE)
        directory.shards("verdicts", Verdict.arrow, store, self.verdicts, ROWS_PER_FILE)
        for folder, shards in self.beside.items():
            directory.shards(folder, _with_features(BESIDE[folder]), store, shards, ROWS_PER_FILE)
        for name, text in self.texts.items():
            directory.text(name, with_rows(text, rows) if name == CARD else text)


def _write_dataset(store: Store, directory: RunDirectory, publication: Publication) -> WrittenRows:
    """Parquet and the AM file in one pass over the shuffled rows."""
    n_rows = sum(shard.rows for shard in publication.selected)
    n_bytes = dict.fromkeys(CONFIGS, 0)
    with directory.file(AM_FILE, rows=n_rows) as compressed:
        compressor = zstandard.ZstdCompressor(level=6, threads=0, write_checksum=True)
        with compressor.stream_writer(compressed, closefd=False) as am:

            def tables() -> Iterator[pa.Table]:
                for table in _shuffled(store, publication.selected, publication.shuffle_seed):
                    for name, columns in CONFIGS.items():
                        n_bytes[name] += table.select(columns).nbytes
                    for record in table.to_pylist():
                        am.write(am_line(record))
                    yield table

            schema = _with_features(Sample.arrow)
            directory.tables("dataset", schema, tables(), n_rows, publication.rows_per_file, "train")
    files = {name: entry for name, entry in directory.files.items() if name.startswith("dataset/")}
    return WrittenRows(
        n_rows=n_rows,
        n_bytes=n_bytes,
        digest=digest([entry["sha256"] for _, entry in sorted(files.items())]),
        n_file_bytes=sum(entry["size"] for entry in files.values()),
    )


def _shuffled(store: Store, shards: Sequence[Shard], seed: int) -> Iterator[pa.Table]:
    group: list[pa.Table] = []
    for shard in sorted(shards, key=lambda shard: digest(seed, shard.sha256)):
        group.append(store.read_table(shard))
        if sum(table.num_rows for table in group) >= GROUP_ROWS:
            yield _permuted(group, seed)
            group = []
    if group:
        yield _permuted(group, seed)


def _permuted(tables: list[pa.Table], seed: int) -> pa.Table:
    table = pa.concat_tables(tables)
    keys = [digest(seed, problem_id) for problem_id in table["id"].to_pylist()]
    return table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__), pa.int64()))


def am_line(sample: dict[str, Any]) -> bytes:
    """One row in the reference dataset's own layout (its card; reference-pipeline §7), with the line's LF."""
    unset = {"think_content": None, "answer_content": None}
    *history, user, assistant = sample["messages"]
    case = am_test_case(json.loads(sample["tests"])) if sample["tests"] else None
    asked = {"source": sample["source"], "reference_answer": sample["reference_answer"], "test_case": case, **unset}
    answered = {
        "source": sample["model"],
        "think_content": sample["think"],
        "answer_content": sample["answer"],
        "reference_answer": None,
        "test_case": None,
    }
    turns = [
        {**turn, "info": {"source": sample["source"], "reference_answer": None, "test_case": None, **unset}}
        for turn in history
    ]
    turns += [{**user, "info": asked}, {**assistant, "info": answered}]
    return json.dumps({"messages": turns}, ensure_ascii=False).encode("utf-8", errors="backslashreplace") + b"\n"


def am_test_case(tests: dict[str, Any]) -> dict[str, Any]:
    """Tests in the shapes that the reference dataset uses by source."""
    if tests["kind"] == "script":
        return {"test_code": tests["code"], "test_entry_point": tests.get("entry_point")}
    if tests["kind"] == "assert":
        return {"testcase": tests["asserts"]}
    return tests


def _with_features(schema: pa.Schema) -> pa.Schema:
    """The schema with the features that ``datasets.load_dataset`` shall give, whatever it would infer."""
    from datasets import Features

    features = Features.from_arrow_schema(schema).to_dict()
    return schema.with_metadata({"huggingface": json_text({"info": {"features": features}})})
