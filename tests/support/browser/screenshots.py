"""``make screenshots``: Prefect's UI, a run's report and its rows as pictures, into ``.tracemill/screenshots``.

Some of them, by ``PICTURES``, are also written to ``docs/pictures``, which git keeps: small, as the pages show them.

The demo recipe is started from its form, with a small server that answers sums as its teacher; ``TEACHER_URL`` and
``TEACHER_MODEL`` name another one, as for ``make demo``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.browser.prefect_pages import Pages, browser
from tests.support.browser.ui_server import free_port, running, ui_server
from tests.support.servers.chat_server import ChatServer
from tracemill.browse import address

FOLDER = Path(".tracemill/screenshots")
KEPT = Path("docs/pictures")
# Picture of the documentation -> screenshot.
PICTURES = {
    "form": "form-build-dataset",
    "report": "report-head",
    "rows": "rows",
    "row": "row",
    "rows-dark": "rows-dark-narrow",
}
RUN_S = 900.0
TABS = ("Details", "Logs", "Task Runs", "Subflow Runs", "Artifacts")
ARTIFACTS = ("funnel", "phase-distill", "progress-distill")
FORMS = ("build-dataset", "refresh-dataset", "verify-dataset", "check-references", "evaluate-student")


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


@dataclass
class Demo:
    """Runs of the demo recipe, each started from a form.

    Attributes:
        url, model: of the teacher.
        folder: of the store and of what is published.
    """

    pages: Pages
    url: str
    model: str
    folder: Path

    def start(self, name: str, deployment: str, called: str, *, url: str = "", under_way: bool = False) -> None:
        """Fills a form in, sends it, and follows the run to its end, if asked with a picture on the way."""
        self.pages.custom_run(deployment)
        self.pages.fill("Run Name", name)
        self.pages.fill("out", str(self.folder / "demo"))
        settings = (
            f"distill.teacher.base_urls=[{url or self.url}]",
            f"distill.teacher.model={self.model}",
            f"run.store={self.folder / 'store'}",
            "run.progress_every_s=2",
        )
        for number, setting in enumerate(settings):
            self.pages.set_override(number, setting)
        self.pages.picture(f"form-{name}-filled")
        self.pages.send()
        self.pages.follow_run(name, called)
        if under_way:
            self.pages.until("the distillation", self._distils, RUN_S)
            self.pages.picture(f"{name}-under-way")
        self.pages.tab("Logs")
        self.pages.ended(RUN_S)
        self.pages.reload()

    def _distils(self) -> bool:
        """Whether the run has come to its last phase; what its page lists in this tab is of when it was opened."""
        self.pages.reload()
        self.pages.tab("Subflow Runs")
        self.pages.settle()
        return "distill 00000" in self.pages.text

    def look(self, name: str, tabs: Sequence[str], artifacts: Sequence[str]) -> None:
        """Pictures of a run's tabs and of its artifacts."""
        page = self.pages.driver.current_url
        for tab in tabs:
            self.pages.tab(tab)
            self.pages.settle()
            self.pages.picture(f"{name}-{tab.lower().replace(' ', '-')}")
        for artifact in artifacts:
            self.pages.driver.get(page)
            self.pages.tab("Artifacts")
            self.pages.open_artifact(artifact)
            self.pages.picture(f"{name}-artifact-{artifact}")

    def look_at_phase(self, name: str, phase: str) -> None:
        """A picture of the subflow of a phase, with the graph of its tasks."""
        page = self.pages.driver.current_url
        self.pages.driver.get(page.partition("?")[0])
        self.pages.tab("Subflow Runs")
        self.pages.until(f"the subflow of {phase}", lambda: self._clicked_subflow(phase))
        self.pages.see("Task Runs")
        self.pages.settle()
        self.pages.picture(f"{name}-phase-{phase}")

    def _clicked_subflow(self, phase: str) -> bool:
        links = self.pages.shown(f"//main//a[starts-with(normalize-space(), '{phase} 0')]")
        if links:
            links[0].click()
        return bool(links)


def runs(demo: Demo) -> None:
    """One whose teacher is away, one that goes to its end, and a refresh that finds nothing new."""
    demo.start("failed", "build-dataset", "build recipes/demo.yaml", url="http://127.0.0.1:9/v1")
    demo.look("failed", ("Details",), ("failed-distill",))
    demo.start("run", "build-dataset", "build recipes/demo.yaml", under_way=True)
    demo.look("run", TABS, ARTIFACTS)
    demo.look_at_phase("run", "distill")
    demo.start("refresh", "refresh-dataset", "refresh recipes/demo.yaml")
    demo.look("refresh", ("Details",), ())


def report(pages: Pages, path: Path) -> None:
    """A run's page, as wide as a screen and as a telephone, all of it."""
    pages.driver.get(path.resolve().as_uri())
    for name, width in (("report", 1200), ("report-narrow", 420)):
        pages.driver.set_window_size(width, 900)
        height = int(pages.driver.execute_script("return document.documentElement.scrollHeight"))
        pages.driver.set_window_size(width, min(height + 150, 12_000))
        pages.picture(name)


def head(pages: Pages, path: Path) -> None:
    """The first screen of a report."""
    pages.driver.set_window_size(1000, 900)
    pages.driver.get(path.resolve().as_uri())
    pages.picture("report-head")


def rows(pages: Pages, run: Path, ledger: Path, folder: Path) -> None:
    """The row browser: a filter, a published row, a narrow screen in the dark."""
    port = free_port()
    command = ["-m", "tracemill", "browse", str(run), "--port", str(port), "--ledger", str(ledger)]
    with running(command, dict(os.environ), folder / "browse.log"):
        pages.until("the row browser", lambda: "rows at" in (folder / "browse.log").read_text())
        for name, width, scheme, path in (
            ("rows", 1000, "light", "/?stage=verify"),
            ("row", 1000, "light", "/?stage=published"),
            ("rows-dark-narrow", 500, "dark", "/"),
        ):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            pages.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            pages.driver.set_window_size(width, 900)
            pages.driver.get(address(port, path))
            if name == "row":
                pages.until("a row", lambda: pages.shown("//table//a")[0].click() or True)
                pages.until("its page", lambda: pages.shown("//details"))
                pages.driver.execute_script("document.querySelector('article details').open = true")
            pages.picture(name)


def keep() -> None:
    """Copy what the documentation shows, as far as it was made."""
    KEPT.mkdir(parents=True, exist_ok=True)
    for name, screenshot in PICTURES.items():
        if (FOLDER / f"{screenshot}.png").exists():
            shutil.copyfile(FOLDER / f"{screenshot}.png", KEPT / f"{name}.png")


def main() -> None:
    """Makes all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, model = stack.enter_context(teacher())
        server = stack.enter_context(ui_server(scratch))
        pages = Pages(stack.enter_context(browser(scratch)), server.url, FOLDER.resolve())
        forms(pages)
        runs(Demo(pages, url, model, scratch))
        report(pages, scratch / "demo" / "report.html")
        head(pages, scratch / "demo" / "report.html")
        rows(pages, scratch / "demo", scratch / "store" / "ledger", scratch)
    keep()
    for path in sorted(FOLDER.glob("*.png")):
        print(path)


if __name__ == "__main__":
    main()
