"""The UI as its users see it: a run is started from its form, watched, looked at, and retried, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser.prefect_pages import Pages, browser
from tests.support.browser.ui_server import UiServer, ui_server
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.publish import published
from tracemill.store import Store

pytestmark = pytest.mark.needs_browser

RUN_S = 240.0  # of a run; half a minute is usual


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiServer]:
    with ui_server(tmp_path_factory.mktemp("prefect")) as started:
        yield started


@pytest.fixture
def pages(server: UiServer, tmp_path: Path) -> Iterator[Pages]:
    with browser(tmp_path) as driver:
        yield Pages(driver, server.url, tmp_path)


def test_the_demo_from_its_form(pages: Pages, tmp_path: Path) -> None:
    """A wrong setting is refused in the form; the run is watched to its end, and its artifacts say where rows went."""
    with ChatServer(models=("demo-teacher",), latency_s=0.5) as teacher:
        pages.custom_run("build-dataset")
        pages.fill("Run Name", "by hand")
        pages.see("recipes/demo.yaml", "Settings on top of it", "Directory of the finished run")
        pages.set_override(0, "distil.limit=60")
        pages.fill("out", str(tmp_path / "out"))
        pages.submit()
        pages.see("'distil.limit=60' does not match", "distill")
        pages.set_override(0, "distill.limit=60")
        pages.set_override(1, f"distill.teacher.base_urls=[{teacher.url}]")
        pages.set_override(2, f"run.store={tmp_path / 'store'}")
        pages.set_override(3, "run.progress_every_s=0.5")
        pages.send()
        pages.follow_run("by hand", "build recipes/demo.yaml")
        pages.tab("Artifacts")
        assert pages.ended(RUN_S) == "Completed", pages.picture("failure")
    standing = published(Store(str(tmp_path / "out")))
    assert standing is not None
    pages.reload()
    pages.tab("Artifacts")
    pages.see("progress-curate", "progress-prepare", "progress-distill", "phase-curate", "phase-prepare", "funnel")
    pages.see("distill: 10/10 shards")
    pages.tab("Task Runs")
    pages.see("snapshot word-problems", "export demo")
    pages.tab("Subflow Runs")
    pages.see("distill 00000-traced to 00009-extra")
    n_published = sum(row["rows"] for row in standing["funnel"] if row["stage"] == "published")
    pages.tab("Artifacts")
    pages.open_artifact("funnel")
    pages.see(
        "Where every row went", f"published\trows\t{n_published}\t{n_published}", str(tmp_path / "out/report.html")
    )


def test_retry_pays_nothing_twice(pages: Pages, tmp_path: Path) -> None:
    """A run whose teacher turns it away says so, and Retry goes on from what exists."""
    with ChatServer(wrong_percent=0, latency_s=0.2, api_key="first") as teacher:
        run = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(60)])
        run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | {"api_key": "first"}}
        run.write()
        pages.custom_run("build-dataset")
        pages.fill("Run Name", "turned away")
        pages.click("another file", "tab")
        pages.fill("recipe", str(run.recipe_path))
        pages.fill("out", str(run.out))
        pages.set_override(0, "distill.max_rounds=1")
        pages.send()
        pages.until("ten answers", lambda: teacher.completed >= 10, RUN_S)
        teacher.api_key = "second"
        pages.follow_run("turned away", f"build {run.recipe_path}")
        pages.tab("Details")
        assert pages.ended(RUN_S) == "Failed", pages.picture("failure")
        told = pages.see("State Message", "shards failed", "remedy:")
        assert "python -m tasks.reproduce distill" in told
        teacher.api_key = "first"
        paid = teacher.completed
        assert paid < 58
        pages.click("Open menu")
        pages.click("Retry", "menuitem")
        pages.see("Will become")
        pages.click("Retry")
        pages.see("Run Count\n2", patience_s=RUN_S)
        assert pages.ended(RUN_S) == "Completed", pages.picture("failure")
        asked = {str(body["messages"]) for body in teacher.bodies}
        assert teacher.completed == len({messages for messages in asked if "Note " in messages})
