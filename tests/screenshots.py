"""``make screenshots``: Prefect's UI and a run's report as pictures, into ``.tracemill/screenshots``; git keeps none.

The demo recipe is started from its form, with a small server that answers sums as its teacher; ``TEACHER_URL`` and
``TEACHER_MODEL`` name another one, as for ``make demo``.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chat_server import ChatServer
from prefect_pages import Pages, browser
from ui_server import ui_server

FOLDER = Path(".tracemill/screenshots")
RUN_S = 900.0
TABS = ("Details", "Logs", "Task Runs", "Subflow Runs", "Artifacts")
ARTIFACTS = ("funnel", "phase-distill", "progress-distill")
FORMS = ("build-dataset", "refresh-dataset", "verify-dataset", "check-references")


@contextlib.contextmanager
def teacher() -> Iterator[tuple[str, str]]:
    """Address and model of the teacher."""
    url = os.environ.get("TEACHER_URL")
    if url:
        yield url, os.environ["TEACHER_MODEL"]
        return
    with ChatServer(models=("demo-teacher",), latency_s=1.0) as server:
        yield server.url, "demo-teacher"


def forms(pages: Pages) -> None:
    """Every form, and one that refuses a setting."""
    pages.open("deployments")
    pages.see(*FORMS)
    pages.picture("deployments")
    for name in FORMS:
        pages.custom_run(name)
        pages.see("(Optional)")
        pages.picture(f"form-{name}")
    pages.custom_run("build-dataset")
    pages.set_override(0, "distil.limit=100")
    pages.submit()
    pages.see("does not match")
    pages.picture("form-refused")


def run(pages: Pages, url: str, model: str, folder: Path) -> None:
    """The demo recipe from its form; its page while it runs and after, and its artifacts."""
    pages.custom_run("build-dataset")
    pages.fill("Run Name", "demo")
    pages.fill("out", str(folder / "out"))
    settings = (f"distill.teacher.base_urls=[{url}]", f"distill.teacher.model={model}", f"run.store={folder / 'store'}")
    for number, setting in enumerate(settings):
        pages.set_override(number, setting)
    pages.picture("form-filled")
    pages.submit()
    pages.follow_run("demo", "build recipes/demo.yaml")
    pages.tab("Logs")
    pages.see("Running")  # it does not settle before the run has ended
    pages.picture("run-under-way")
    pages.ended(RUN_S)
    pages.reload()
    page = pages.driver.current_url
    for name in TABS:
        pages.tab(name)
        pages.settle()
        pages.picture(f"run-{name.lower().replace(' ', '-')}")
    for name in ARTIFACTS:
        pages.driver.get(page)
        pages.tab("Artifacts")
        pages.open_artifact(name)
        pages.picture(f"artifact-{name}")


def report(pages: Pages, path: Path) -> None:
    """A run's page, as wide as a screen and as a telephone, all of it."""
    pages.driver.get(path.resolve().as_uri())
    for name, width in (("report", 1200), ("report-narrow", 420)):
        pages.driver.set_window_size(width, 900)
        height = int(pages.driver.execute_script("return document.documentElement.scrollHeight"))
        pages.driver.set_window_size(width, min(height + 150, 12_000))
        pages.picture(name)


def main() -> None:
    """Makes all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, model = stack.enter_context(teacher())
        server = stack.enter_context(ui_server(scratch))
        pages = Pages(stack.enter_context(browser(scratch)), server.url, FOLDER.resolve())
        forms(pages)
        run(pages, url, model, scratch)
        report(pages, scratch / "out" / "report.html")
    for path in sorted(FOLDER.glob("*.png")):
        print(path)


if __name__ == "__main__":
    main()
