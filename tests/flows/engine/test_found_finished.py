"""A dataset that is finished is found from the command line without Prefect, and without doing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import build_dataset, refresh_dataset
from flows.command_line import dataset_command
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError

Command = Callable[..., int]


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    made = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(12)])
    made.build()
    return made


@pytest.fixture
def flow() -> Mock:
    """A flow run, which a finished dataset does not need."""
    return Mock(side_effect=RecipeError("a flow run"))


@pytest.fixture
def command(run: SmallRun, flow: Mock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command of a flow on that run, where there is no server."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def called(module: object = build_dataset, *options: str) -> int:
        monkeypatch.setattr("sys.argv", ["x", str(run.recipe_path), "--out", str(run.out), *options])
        found = getattr(module, "found")  # noqa: B009 - of either module
        return dataset_command(flow, build_dataset.render_summary, "x", "about", found)

    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield called


def test_what_is_finished_is_told_without_a_flow_run(
    run: SmallRun, teacher: ChatServer, flow: Mock, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The funnel and how many tasks were found; nothing is asked, nothing is written anew, also by a refresh."""
    received, before = teacher.received, run.digests()
    assert command() == 0
    told = capsys.readouterr().out
    assert "everything was cached" in told
    assert "published" in told
    assert command(refresh_dataset) == 0
    assert "nothing new" in capsys.readouterr().out
    assert (flow.call_count, teacher.received, run.digests()) == (0, received, before)


def test_an_estimate_is_not_made_again_for_what_is_finished(flow: Mock, command: Command, teacher: ChatServer) -> None:
    """A recipe that wants its cost approved needs no approval where nothing is left to be asked."""
    received = teacher.received
    assert command(build_dataset, "--set", "distill.cost.approval=required") == 0
    assert (flow.call_count, teacher.received) == (0, received)


@pytest.mark.parametrize("missing", ["out/manifest.json", "store/manifests/select", "store/manifests/snapshot"])
def test_what_is_not_finished_takes_a_flow_run(run: SmallRun, flow: Mock, command: Command, missing: str) -> None:
    """A publication, a step or the reading of a source that is not there is left to a flow run, and not made here."""
    (run.folder / missing).rename(run.folder / "elsewhere")
    assert command() == 1
    assert flow.call_count == 1
    assert not (run.folder / missing).exists()


def test_what_is_to_be_sent_takes_a_flow_run(flow: Mock, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the Hub has the dataset is not known here."""
    monkeypatch.setenv("HF_TOKEN", "not-a-token")
    assert command(build_dataset, "--set", "push.repo=team/set", "--set", "push.really=true") == 1
    assert flow.call_count == 1


def test_a_server_that_is_there_is_told_of_every_run(flow: Mock, command: Command) -> None:
    """With PREFECT_API_URL a run that finds everything finished is a flow run, too."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert command() == 1
    assert flow.call_count == 1
