"""Benchmarks from the Hub, against one on the loopback."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.servers.hub_server import COMMIT, ID, Hub, point_at, serving
from tracemill.core import SourceError
from tracemill.decontaminate.benchmarks import items_of
from tracemill.recipe.sections.decontaminate import Benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATEMENT = "Each of n boats has a net. Tell how many boats can leave the harbour before the tide has gone."
FILES = {
    "README.md": b"---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: data/*.jsonl\n---\n",
    "data/a.jsonl": b'{"question": "How many nets?"}\n{"question": "How many boats?"}\n',
    "test.jsonl": json.dumps({"question_id": "x1", "question_content": f"{STATEMENT}\n\nInput\n\n3"}).encode(),
    "test2.jsonl": json.dumps({"question_id": "x2", "question_content": "What is left?"}).encode(),
    "code_generation_lite.py": b"raise SystemExit",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with ExitStack() as stack:
        found = Hub(dict(FILES))
        stack.enter_context(serving(found))
        point_at(found, monkeypatch, tmp_path)
        yield found


def read(**place: Any) -> list[tuple[str, str]]:
    benchmark = Benchmark(**{"name": "b", "hub": ID, "revision": COMMIT} | place)
    return [(item["item"], item["text"]) for item in items_of(benchmark, ".")]


@pytest.mark.usefixtures("hub")
def test_a_split_is_read_at_its_commit() -> None:
    """Config and split of a Hub dataset, rows numbered over its files."""
    assert read(config="main") == [("0", "How many nets?"), ("1", "How many boats?")]


@pytest.mark.usefixtures("hub")
def test_files_of_a_set_with_a_script() -> None:
    """LiveCodeBench comes with a loading script; its files are read without running it, all versions of them."""
    found = read(known="livecodebench")
    assert [item for item, _ in found] == ["x1", "x1", "x2"]
    assert found[1][1] == STATEMENT


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "place", [{"config": "main", "split": "gone"}, {"known": "livecodebench", "files": "x*.jsonl"}]
)
def test_what_is_not_there_is_an_error(place: dict[str, Any]) -> None:
    """A split or files that the Hub does not have end the run."""
    with pytest.raises(SourceError):
        read(**place)


def test_a_hub_that_is_away_is_an_error(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unreachable Hub is never an empty benchmark."""
    hub.url = "http://127.0.0.1:9"
    point_at(hub, monkeypatch, tmp_path)
    with pytest.raises(SourceError):
        read(config="main")
