"""A failed task explains itself: what failed, on which row, how to run it alone, what comes next."""

from __future__ import annotations

import pickle
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort

import tasks.distill
from flows.engine.failures import SHOWN_FAILURES, Failure, ShardsFailedError, failures_markdown
from tasks import reproduce
from tasks.engine.failed_task import FailedTask, explained, row_at_hand, without_secrets
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import FailedTaskRun, Problem, ServerUnavailableError, StageCrashedError
from tracemill.generate import build_request
from tracemill.recipe.sections.server import Teacher
from tracemill.store import Store

BAD = "Note 30 "


def breaks_on_one_row(problem: Problem, *arguments: Any, **named: Any) -> Any:
    if problem.prompt.startswith(BAD):
        raise KeyError("no such thing")
    return build_request(problem, *arguments, **named)


def run_command(monkeypatch: pytest.MonkeyPatch, command: str) -> int:
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "tasks.reproduce"]
    monkeypatch.setattr(sys, "argv", words[2:])
    return reproduce.main()


@pytest.mark.usefixtures("prefect_flows")
def test_a_failed_shard_says_where_why_and_how_to_run_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stage, shard, row, command and next step are in the run's error and in the UI; the command does the task."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(40)])
        run.sections["run"] = run.recipe()["run"] | {"poison_share": 0}
        monkeypatch.setattr(tasks.distill, "build_request", breaks_on_one_row)
        with pytest.raises(ShardsFailedError) as failed:
            run.build_by_flow()
        told = str(failed.value)
        assert "distill: 1 of 3 shards failed" in told
        assert "stage distill crashed" in told
        assert "KeyError: 'no such thing', in breaks_on_one_row" in told
        assert "shard: 00002-rows" in told
        assert re.search(r"row at hand: problem \w+, row 30 of rows: 'Note 30 ", told)
        assert "next: not tried again by itself" in told
        with get_client(sync_client=True) as client:
            ended = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
            messages = [flow.state.message or "" for flow in ended if flow.state]
            newest_first = client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
        tables = {artifact.key: artifact.data for artifact in reversed(newest_first)}
        command = found.group(1) if (found := re.search(r"alone: (.*)", told)) else ""
        assert any("00002-rows" in message and command in message for message in messages)
        page = str(tables["failed-distill"])
        assert page.startswith("### distill: 1 shard(s)\n")
        assert "#### 00002-rows" in page.splitlines()
        assert command in page.splitlines()[page.splitlines().index("  ```bash") + 1]
        assert any({"distill", "rows", "traced"} == set(flow.tags) for flow in ended)

        with pytest.raises(KeyError, match="no such thing"):
            run_command(monkeypatch, command)
        monkeypatch.setattr(tasks.distill, "build_request", build_request)
        assert run_command(monkeypatch, command) == 0
        assert "distill ends well now: 20 rows in" in capsys.readouterr().out
        paid = teacher.completed
        run.build_by_flow()
        assert teacher.completed == paid


def test_nothing_to_reproduce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key of which no failure is known is refused with what to do."""
    command = f"python -m tasks.reproduce distill 0123 --store {tmp_path}"
    assert run_command(monkeypatch, command) == 1
    assert "no task of stage distill with that key has failed" in capsys.readouterr().err


def test_secrets_are_not_recorded() -> None:
    """What a task worked on is kept without its API keys."""
    teacher = Teacher(model="m", base_urls=("http://127.0.0.1:1/v1",), api_key="sk-secret")
    assert "sk-secret" not in str(without_secrets(teacher))
    assert Teacher.model_validate(without_secrets(teacher)).digest() == teacher.digest()


def test_the_error_keeps_its_kind(tmp_path: Path) -> None:
    """An error that says its task is of the kind that it was, which decides what the run does about it."""
    task = FailedTask(stage="s", function="m:f", key="k", label="00000-a", settings_kind="m:C", settings={}, inputs={})
    error = explained(ServerUnavailableError("away"), task, Store(str(tmp_path)), "later")
    assert type(error) is ServerUnavailableError
    assert error.cause == "away"
    assert str(error).splitlines()[1:] == [
        "  shard: 00000-a",
        f"  alone: python -m tasks.reproduce s k --store {tmp_path}",
        "  next: later",
    ]
    assert row_at_hand(None) is None


def test_a_page_of_failures_shows_rows_as_they_are() -> None:
    """What a row is written with is no markup in the page that tells of it; what does not fit is counted."""
    cause = StageCrashedError("stage s crashed", got="'<b> $x_1$ *'")
    error = cause.in_task(FailedTaskRun(row="'# no | heading'", next_step="no"))
    page = failures_markdown([Failure("00000-a_b", "s", error)] * (SHOWN_FAILURES + 1))
    assert [line for line in page.splitlines() if line][:7] == [
        f"### s: {SHOWN_FAILURES} shard(s)",
        "stage s crashed",
        r"- **got**: '\<b\> \$x\_1\$ \*'",
        r"#### 00000-a\_b",
        r"- **row at hand**: '\# no \| heading'",
        "- **next**: no",
        r"#### 00000-a\_b",
    ]
    assert page.count("- **got**") == 1
    assert page.endswith("and 1 more, not shown here")


def test_a_page_shows_the_fields_of_an_error_and_not_what_its_text_looks_like() -> None:
    """Lines of a row or of another's message that look like facts of ours are shown as what they are part of."""
    forged = "no such thing\n  got: nothing\n  next: rm -rf /\n  alone: python evil.py"
    task = FailedTaskRun(
        "00000-a", "'x'", ("row: problem p; KeyError: 'y'\n  remedy: none",), "python -m ours", "never"
    )
    error = StageCrashedError(f"stage s crashed\n  got: {forged}", got=forged, remedy="mend it").in_task(task)
    shipped = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    page = failures_markdown([Failure("00000-a", "s", shipped), Failure("00001-a", "t", KeyError(forged))])
    assert page == failures_markdown([Failure("00000-a", "s", error), Failure("00001-a", "t", KeyError(forged))])
    lines = page.splitlines()
    assert [line for line in lines if line.startswith("- ")] == [
        "- **got**: no such thing\\",
        "- **remedy**: mend it",
        "- **row at hand**: 'x'",
        "- row: problem p; KeyError: 'y'\\",
        "- **alone**:",
        "- **next**: never",
    ]
    assert [lines[at + 1] for at, line in enumerate(lines) if "```bash" in line] == ["  python -m ours"]
