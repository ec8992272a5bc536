"""Published folders as ``datasets`` loads them, in a process of its own with one cache for all."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from datasets.load import LocalDatasetModuleFactory

from tests.support.needs import ROOT
from tests.support.runs.cards import text
from tests.support.runs.publications import publication
from tests.support.runs.published_runs import sample
from tracemill.core import Dropped, Verdict
from tracemill.publish import dataset_output, publish
from tracemill.publish.card import WrittenRows, configurations, with_rows
from tracemill.publish.export import BESIDE, CARD
from tracemill.select import Sample
from tracemill.store import Store

CONFIGS = configurations(Sample)

# Loads folders, as [arguments, keywords] of load_dataset; tells features, rows and bytes of each.
LOADS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import datasets
datasets.disable_progress_bars()
for arguments, keywords in json.loads(sys.argv[1]):
    rows = datasets.load_dataset(*arguments, split="train", **keywords)
    n_bytes = rows.info.splits["train"].num_bytes if rows.info.splits else None
    print(json.dumps([list(rows.features), list(rows), n_bytes]))
"""


def loaded(cache: Path, *loads: tuple[list[str], dict[str, Any]]) -> list[list[Any]]:
    """Features, rows and bytes of each, loaded one after the other through one cache."""
    settings = os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOADS, json.dumps(loads)],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def published(folder: Path, rows: list[Sample], key: str) -> Path:
    """A run's directory with these rows, and a card that says nothing of them."""
    store = Store(str(folder.parent / "store"))
    made = publication(store, [rows], key=key)
    publish(store, Store(str(folder)), dataclasses.replace(made, texts={CARD: text()}))
    return folder


def named(said: str, n_rows: int = 4) -> list[Sample]:
    """Rows whose prompts say so; equally many, and equally long, whatever they say."""
    return [sample(f"{said} {n}") for n in range(n_rows)]


@pytest.fixture(scope="module")
def versions_of_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Any]]]:
    """By configuration: of two runs, of the next version of the first, and of what that has replaced.

    In two processes: what is loaded before that version is there, and after.
    """
    folder = tmp_path_factory.mktemp("runs")
    one = published(folder / "one", named("aaa"), "a")
    other = published(folder / "other", named("bbb"), "b")

    def each(*places: str) -> list[list[Any]]:
        return loaded(folder / "cache", *(([place, config], {}) for place in places for config in CONFIGS))

    before = each(f"{one}/dataset", f"{other}/dataset")
    published(one, named("ccc"), "c")
    found = before + each(f"{one}/dataset", f"{one}/versions/0001/dataset")
    return {config: found[place :: len(CONFIGS)] for place, config in enumerate(CONFIGS)}


@pytest.mark.parametrize("config", CONFIGS)
def test_no_run_is_taken_for_another(versions_of_runs: dict[str, list[list[Any]]], config: str) -> None:
    """Two runs and two versions of as many rows, of as many bytes, under one folder's name and one cache: each its own.

    Of every configuration of the card.
    """
    *found, first = versions_of_runs[config]
    for said, (features, rows, _) in zip("abc", found, strict=True):
        assert features == CONFIGS[config]
        assert {row["messages"][0]["content"] for row in rows} == {f"{said * 3} {n}" for n in range(4)}
    assert first == found[0]


def test_the_card_counts_rows_and_bytes(tmp_path: Path) -> None:
    """Splits say as many rows and bytes as ``datasets`` finds, of each configuration; features are as they were."""
    run = published(tmp_path / "run", named("r", 7), "k")
    card = (run / CARD).read_text()
    matter = yaml.safe_load(card.split("---\n")[1])
    infos = {info["config_name"]: info for info in matter["dataset_info"]}
    found = loaded(tmp_path / "cache", *(([f"{run}/dataset", config], {}) for config in CONFIGS))
    for (config, columns), (features, rows, n_bytes) in zip(CONFIGS.items(), found, strict=True):
        (split,) = infos[config]["splits"]
        assert (split["name"], split["num_examples"], len(rows), features) == ("train", 7, 7, columns)
        assert split["num_bytes"] == pytest.approx(n_bytes, rel=0.05)  # masks and offsets depend on the batches
    assert infos["sft"]["dataset_size"] < infos["default"]["dataset_size"]
    assert "&id" not in card
    assert card.split("---\n", 2)[2] == text().split("---\n", 2)[2]


def test_every_folder_loads(tmp_path: Path) -> None:
    """Every folder of a run loads by its data files, whatever is in it: rows through a table, none as a stream.

    ``datasets`` itself makes no table of a split without rows, of whatever kind (its ``ArrowReader.read``).
    """
    store = Store(str(tmp_path / "store"))
    beside: dict[str, list[Any]] = {name: [] for name in BESIDE}
    none = dataclasses.replace(publication(store, [[]]), dropped=[], verdicts=[], beside=beside)
    folders = ["dataset", "dropped", "verdicts", *BESIDE]
    publish(store, Store(str(tmp_path / "empty")), dataclasses.replace(none, texts={CARD: text()}))
    published(tmp_path / "full", named("r"), "k")
    streamed = loaded(
        tmp_path / "cache",
        *((["parquet"], {"data_dir": f"{tmp_path}/empty/{name}", "streaming": True}) for name in folders),
        *(([f"{tmp_path}/empty/dataset", config], {"streaming": True}) for config in CONFIGS),
        *((["parquet"], {"data_dir": f"{tmp_path}/full/{name}"}) for name in folders[:3]),
    )
    assert [len(rows) for _, rows, _ in streamed] == [0] * (len(folders) + 2) + [4, 1, 1]
    assert streamed[0][0] == streamed[-3][0] == Sample.arrow.names
    assert streamed[1][0] == streamed[-2][0] == Dropped.arrow.names
    assert streamed[2][0] == streamed[-1][0] == Verdict.arrow.names
    assert streamed[len(folders) + 1][0] == ["messages"]
    for name in folders:
        (path,) = (tmp_path / "empty" / name).glob("*.parquet")
        assert (pq.ParquetFile(path).num_row_groups, pq.read_table(path).num_rows) == (0, 0)
    assert set(folders) <= dataset_output(BESIDE).names


def test_the_digest_alone_tells_cards_apart(tmp_path: Path) -> None:
    """Of two datasets of the same sizes in every respect ``datasets`` makes two, by the digest of the data."""
    keys = set()
    for name in ("a", "b"):
        folder = tmp_path / name / "dataset"
        folder.mkdir(parents=True)
        pq.write_table(Sample.arrow.empty_table(), folder / "train-00000-of-00001.parquet")
        rows = WrittenRows(n_rows=1, n_bytes=dict.fromkeys(CONFIGS, 2), digest=name * 64, n_file_bytes=3)
        (folder / "README.md").write_text(with_rows(text(), rows))
        keys.add(LocalDatasetModuleFactory(str(folder)).get_module().hash)
    assert len(keys) == 2
