"""``push``: what is shown before anything is sent, what is refused, and what a Hub on loopback gets."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import datasets
import pytest
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard

from tests.support.runs.browsed_run import rejected
from tests.support.runs.cards import LIMITED, OPEN, TALLY, text
from tests.support.runs.published_runs import run, sample
from tests.support.servers.hub_commits import Hub
from tests.support.warm import start as programs
from tracemill.core import CorruptShardError, StoreError, table_of
from tracemill.publish.tally import LicensedRows
from tracemill.runs import shipment
from tracemill.runs.push import hub_card, render, staged
from tracemill.select.records import Rejected


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    with Hub(refuses=getattr(request, "param", False)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_branch_is_made_and_gets_the_files(tmp_path: Path, hub: Hub) -> None:
    """With --branch nothing goes to main."""
    done = push(finished(tmp_path / "a", [OPEN]), "--really", "--branch", "next", hub=hub)
    assert done.returncode == 0, done.stderr
    paths = [path for path, _ in hub.asked]
    assert "/api/datasets/org/name/branch/next" in paths
    assert [path for path in paths if "/commit/" in path] == ["/api/datasets/org/name/commit/next"]


def finished(
    folder: Path, rows: list[LicensedRows], card: list[LicensedRows] | None = None, *, rejects: bool = False
) -> Path:
    """A run with such rows, whose card was written for those of ``card``; if asked, with a rejected response."""
    samples = [
        sample(f"question {place} {n}", source=each.source, licence=each.licence, non_commercial=each.non_commercial)
        for place, each in enumerate(rows)
        for n in range(each.rows)
    ]
    written = text(TALLY.model_copy(update={"licences": rows if card is None else card}))
    beside = {"rejected": table_of(Rejected, [rejected(samples[0])])} if rejects else None
    return run(folder, samples, texts={"dataset/README.md": written}, beside=beside)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # datasets leaves its Parquet files open
def test_what_lies_beside_is_a_configuration_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected responses go with the dataset, and the card that is sent names them, with how many there are."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = finished(tmp_path / "a", [OPEN], rejects=True)
    planned = shipment(folder, "org/name")
    assert "rejected/part-00000-of-00001.parquet" in planned.files
    assert "rejected" not in (folder / "dataset" / "README.md").read_text().split("---")[1]
    with staged(planned) as repository:
        assert {str(path.relative_to(repository)) for path in repository.rglob("*.*")} == set(planned.files)
        assert (repository / "README.md").stat().st_size == planned.files["README.md"]
        infos = DatasetInfosDict.from_dataset_card_data(DatasetCard((repository / "README.md").read_text()).data)
        assert infos["rejected"].splits["train"].num_examples == 1
        cache = str(tmp_path / "cache")
        rows = datasets.load_dataset(str(repository), "rejected", split="train", cache_dir=cache)
        assert rows["answer"] == ["```python\nprint(1)\n```"]
        assert len(datasets.load_dataset(str(repository), "sft", split="train", cache_dir=cache)) == OPEN.rows


def test_rows_that_the_viewer_does_not_show_are_told(tmp_path: Path) -> None:
    """Those with more than 2 MB of text, turns included."""
    written = text(TALLY.model_copy(update={"licences": [OPEN]}))
    samples = [sample("small", licence=OPEN.licence), sample("large", licence=OPEN.licence, think="x" * 2_100_000)]
    planned = shipment(run(tmp_path / "a", samples, texts={"dataset/README.md": written}), "org/name")
    assert planned.n_large_rows == 1
    assert "1 rows are larger than 2 MB" in render(planned)


def test_the_shipment_is_the_dataset_folder(tmp_path: Path) -> None:
    """Names, sizes, rows, licence and how many rows are limited; nothing beside ``dataset/``."""
    planned = shipment(finished(tmp_path / "a", [OPEN, LIMITED]), "org/name")
    assert set(planned.files) == {"README.md", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}
    assert planned.files["README.md"] == (tmp_path / "a" / "dataset" / "README.md").stat().st_size
    assert (planned.rows, planned.n_non_commercial) == (5, 1)
    told = render(planned)
    assert "1 rows are for non-commercial use only" in told
    assert f"{sum(planned.files.values()):,} bytes" in told


def test_nothing_is_sent_as_freer_than_it_is(tmp_path: Path) -> None:
    """A card that says less of the licence than the rows is refused, with both."""
    with pytest.raises(StoreError, match=r"(?s)not that of the rows.*mit.*by-row-partly-non-commercial"):
        shipment(finished(tmp_path / "a", [OPEN, LIMITED], card=[OPEN]), "org/name")


def test_only_what_was_published_is_sent(tmp_path: Path) -> None:
    """A run that lost its manifest, or whose file has other bytes of the same size, is refused."""
    folder = finished(tmp_path / "a", [OPEN])
    card = folder / "dataset" / "README.md"
    card.write_text(card.read_text().replace("# small", "# smell"))
    with pytest.raises(CorruptShardError, match=r"README\.md is not the file"):
        shipment(folder, "org/name")
    (folder / "manifest.json").unlink()
    with pytest.raises(StoreError, match="no finished run"):
        shipment(folder, "org/name")


def push(folder: Path, *words: str, hub: Hub | None = None) -> subprocess.CompletedProcess[str]:
    """The command, with a Hub of ours where one is given."""
    place = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_nobody", "HF_HUB_DISABLE_XET": "1"} if hub else {}
    words = ("push", str(folder), "--repo", "org/name", *words)
    return programs.run("tracemill", *words, environment=os.environ | place)


def test_the_hub_gets_the_files_in_one_commit(tmp_path: Path, hub: Hub) -> None:
    """A private repository, the bytes that were published; Parquet files of an earlier version leave, others stay."""
    folder = finished(tmp_path / "a", [OPEN], rejects=True)
    done = push(folder, "--really", hub=hub)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"/commit/{'1' * 40}")
    assert hub.made[0]["type"] == "dataset"
    assert hub.made[0].get("private", hub.made[0].get("visibility")) in {True, "private"}
    for name in shipment(folder, "org/name").files:
        place = folder if name.startswith("rejected/") else folder / "dataset"
        sent = hub_card(folder).encode() if name == "README.md" else (place / name).read_bytes()
        assert hub.files[name] == sent
    assert hub.removed == ["train-00000-of-00009.parquet"]


@pytest.mark.parametrize("hub", [True], indirect=True)
def test_a_refusal_says_what_to_do(tmp_path: Path, hub: Hub) -> None:
    """What the Hub refused is an error of ours, with the remedy."""
    refused = push(finished(tmp_path / "a", [OPEN]), "--really", hub=hub)
    assert refused.returncode == 1
    assert re.search(r"(?s)could not send to org/name.*403.*hf auth login", refused.stderr)


def test_the_command_sends_nothing_by_default(tmp_path: Path, hub: Hub) -> None:
    """Without ``--really`` the files and their sizes are shown, and how to send them."""
    folder = finished(tmp_path / "a", [OPEN])
    shown = push(folder, hub=hub).stdout
    assert render(shipment(folder, "org/name")) in shown
    assert "nothing was sent" in shown
    assert hub.made == []
