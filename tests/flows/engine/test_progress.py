"""What a phase shows while it runs: a bar that moves, ends full, and never costs the run anything."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.engine.progress import ArtifactBar, Progress, Publishing, reported
from tracemill.publish import Written
from tracemill.store import Manifest

LOGGER = logging.getLogger("tests.progress")
PATIENCE_S = 60


def finished(stage: str) -> Manifest:
    return Manifest(
        stage=stage,
        version="1",
        key="k",
        inputs={},
        outputs={},
        rows_in=10,
        rows_kept=9,
        dropped={f"{stage}/dull": 1},
        facts={},
    )


def advance(progress: Progress, stage: str) -> None:
    progress.started(stage)
    progress.done(finished(stage))


class PaperBar:
    """Keeps the pictures, and says when there is one of so many percent."""

    def __init__(self) -> None:
        self.pictures: list[tuple[float, str, bool]] = []
        self._changed = threading.Condition()

    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        with self._changed:
            self.pictures.append((percent, text, last))
            self._changed.notify_all()

    def wait_for(self, percent: float) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: self.pictures and self.pictures[-1][0] == percent, PATIENCE_S)
            return self.pictures[-1][1]


def test_the_bar_moves_with_the_shards() -> None:
    """It starts empty, shows shards, rates, time left and what runs while they come, and ends full."""
    progress, bar = Progress("distill", 4, "select"), PaperBar()
    tokens = iter(range(0, 1_000_000, 1000))
    with reported(progress, LOGGER, 0.01, lambda: next(tokens), bar):
        assert "distill: 0/4 shards" in bar.wait_for(0)
        advance(progress, "verify")
        advance(progress, "select")
        progress.started("verify")
        told = bar.wait_for(25)
        assert "distill: 1/4 shards" in told
        assert all(part in told for part in ("rows/s", "tokens/s", "ETA ", "running: verify 1"))
        for _ in range(3):
            advance(progress, "select")
    percents = [percent for percent, _, _ in bar.pictures]
    assert percents == sorted(percents)
    assert (percents[-1], bar.pictures[-1][2]) == (100, True)


def test_a_failed_shard_leaves_the_bar_short() -> None:
    """A phase of which a shard failed does not end at 100 %, and says so."""
    progress, bar = Progress("distill", 2, "select"), PaperBar()
    with reported(progress, LOGGER, 60, lambda: 0, bar):
        advance(progress, "select")
        progress.started("verify")
        progress.failed("verify")
    percent, text, _ = bar.pictures[-1]
    assert percent == 50
    assert "1 FAILED" in text


def test_no_time_is_told_while_the_shards_are_not_counted() -> None:
    """While others may come the bar stays empty and the line says so; then both are as if all had been known."""
    progress = Progress("curate", 0, "sign", more=True)
    progress.n_chains = 4
    advance(progress, "sign")
    assert progress.percent() == 0
    assert "curate: 1/4 shards so far, more are being read" in progress.line()
    assert "ETA" not in progress.line()
    progress.more = False
    assert progress.percent() == 25
    assert "curate: 1/4 shards ·" in progress.line()
    assert "ETA" in progress.line()


def test_an_empty_phase_is_done() -> None:
    """Nothing to do is 100 %."""
    assert Progress("distill", 0, "select").percent() == 100


def test_the_bar_moves_with_the_published_rows() -> None:
    """An export shows rows, share, rate and time left; it ends full also where it had nothing to write."""
    publishing, bar = Publishing(), PaperBar()
    with reported(publishing, LOGGER, 0.01, bar=bar):
        assert "export: 0/0 rows" in bar.wait_for(0)
        publishing.update(Written(12_000, 38_016, 0.25))
        told = bar.wait_for(25)
        assert all(part in told for part in ("export: 12,000/38,016 rows", "25.0 %", "rows/s", "ETA "))
        publishing.is_done = True
    percent, text, last = bar.pictures[-1]
    assert (percent, last, "ETA" in text) == (100, True, False)


def test_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is there already is not sent again."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(ArtifactBar, "_send", lambda _self, *picture: sent.append(picture))
    bar = ArtifactBar("progress-x", LOGGER.warning)
    for percent, text in [(0, "a"), (0, "a"), (0, "b"), (50, "b"), (50, "b")]:
        bar.show(percent, text)
    assert sent == [(0, "a"), (0, "b"), (50, "b")]


@pytest.mark.usefixtures("prefect_flows")
def test_the_bar_is_an_artifact_of_the_run() -> None:
    """One artifact of the flow run, changed in place, with the line as its description."""

    @flow
    def phase() -> None:
        progress = Progress("Bar test", 1, "select")
        with reported(progress, LOGGER, 0.05, lambda: 0):
            advance(progress, "select")

    phase()
    only = ArtifactFilter(key=ArtifactFilterKey(any_=["progress-bar-test"]))
    with get_client(sync_client=True) as client:
        (artifact,) = client.read_artifacts(artifact_filter=only)
    assert (artifact.type, artifact.data) == ("progress", 100)
    assert "Bar test: 1/1 shards" in str(artifact.description)
    assert artifact.flow_run_id is not None


@pytest.mark.filterwarnings("ignore:Artifact creation outside of a flow")
def test_no_server_costs_the_run_nothing() -> None:
    """Where no server answers there is no bar, one complaint, and no error."""
    complaints: list[str] = []
    bar = ArtifactBar("progress-x", complaints.append)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        bar.show(10, "a")
        bar.show(20, "b")
    assert len(complaints) == 1
    assert "progress-x is not up to date in the UI: ConnectError" in complaints[0]
