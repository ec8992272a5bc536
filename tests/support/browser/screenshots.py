"""``make screenshots``: Prefect's UI, a run's report and its rows as pictures, into ``.tracemill/screenshots``.

Some of them, by ``PICTURES``, are also written to ``docs/pictures``, which git keeps: small, as the pages show them.

The demo recipe is started from its form; its teacher is a small server that knows the problems. ``TEACHER_URL`` and
``TEACHER_MODEL`` name another one, as for ``make demo``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.free_port import free_port
from demo.make_sources import make_plan
from flows.build_dataset import build
from flows.engine.plain_run import plain_run
from flows.teacher_from_env import load_recipe_with_env
from tests.support.browser.prefect_pages import Pages, browser
from tests.support.browser.ui_server import UiServer, running, ui_server
from tests.support.servers.chat_server import ChatServer
from tracemill.browse import address

FOLDER = Path(".tracemill/screenshots")
KEPT = Path("docs/pictures")
# Picture of the documentation -> screenshot.
PICTURES = {
    "form": "form-build-dataset",
    "report": "report-head",
    "comparison": "report-compared",
    "rows": "rows",
    "row": "row",
    "rows-dark": "rows-dark-narrow",
}
RUN_S = 900.0
TABS = ("Details", "Logs", "Task Runs", "Subflow Runs", "Artifacts")
ARTIFACTS = ("funnel", "phase-distill", "progress-distill")
FORMS = (
    "build-dataset",
    "refresh-dataset",
    "verify-dataset",
    "check-references",
    "evaluate-student",
    "compare-students",
)
NOBODY = "http://127.0.0.1:9/v1"
SLOW_S = 4.0  # an answer, until the run under way has its picture


class DemoServer(ChatServer):
    """A server that knows the demo's problems, and answers a few of them wrong, always the same."""

    def __init__(self) -> None:
        super().__init__(models=("demo-teacher",), wrong_percent=4)
        self._known = {_words(each.prompt): each.problem for each in make_plan().entries if each.problem is not None}

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        reply = super()._reply(body, prompt)
        found = self._known.get(_words(prompt.partition("\n\nLet's think")[0]))
        if found is not None:
            said, answer = found.response, str(found.answer)
            wrong = int(hashlib.sha256(prompt.encode()).hexdigest()[:8], 16) % 100 < self.wrong_percent
            reply["choices"][0]["message"]["content"] = said.replace(answer, f"{answer}0") if wrong else said
        return reply


def _words(text: str) -> str:
    return " ".join(text.split()).lower()


@dataclass
class Teacher:
    """Who answers: address and model; the small server, unless it is somebody else's."""

    url: str
    model: str
    server: ChatServer | None = None

    def wait(self, seconds: float) -> None:
        """So long for each answer from now on, where it is the small server."""
        if self.server is not None:
            self.server.latency_s = seconds


@contextlib.contextmanager
def teacher() -> Iterator[Teacher]:
    """Whoever ``TEACHER_URL`` names, or a small server."""
    url = os.environ.get("TEACHER_URL")
    if url:
        yield Teacher(url, os.environ["TEACHER_MODEL"])
        return
    with DemoServer() as server:
        yield Teacher(server.url, "demo-teacher", server)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long something took."""
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:5.0f} s  {what}", flush=True)


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
    """Runs of the demo recipe.

    Attributes:
        teacher: who answers.
        server: Prefect's.
        folder: of the stores and of what is published.
    """

    pages: Pages
    teacher: Teacher
    server: UiServer
    folder: Path

    def settings(self, url: str = "", store: str = "store") -> list[str]:
        """What is set on top of the recipe."""
        return [
            f"distill.teacher.base_urls=[{url or self.teacher.url}]",
            f"distill.teacher.model={self.teacher.model}",
            f"run.store={self.folder / store}",
            "run.progress_every_s=2",
        ]

    def publish_before(self) -> None:
        """A publication of fewer rows, so that the next one has something to compare with; without Prefect."""
        settings = [*self.settings(store="store-before"), "distill.limit=250"]
        build(plain_run(load_recipe_with_env("recipes/demo.yaml", settings)), str(self.folder / "demo"))

    def ask_for(self, deployment: str, out: str, settings: Sequence[str]) -> str:
        """Start a run as a schedule would; returns its page."""
        with httpx.Client(base_url=self.server.api_url, timeout=60) as api:
            found = api.get(f"/deployments/name/{deployment}/{deployment}").raise_for_status().json()
            parameters = {"recipe": "recipes/demo.yaml", "overrides": list(settings), "out": str(self.folder / out)}
            asked = api.post(f"/deployments/{found['id']}/create_flow_run", json={"parameters": parameters})
            return f"runs/flow-run/{asked.raise_for_status().json()['id']}"

    def ended(self, page: str) -> None:
        """Follow a run to its end; its page shows it then."""
        self.pages.open(page)
        self.pages.see("Task Runs", "Artifacts")
        self.pages.tab("Logs")
        self.pages.ended(RUN_S)
        self.pages.reload()

    def start(self, name: str, called: str) -> None:
        """A run from its form, with a picture on the way."""
        self.teacher.wait(SLOW_S)
        self.pages.custom_run("build-dataset")
        self.pages.fill("Run Name", name)
        self.pages.fill("out", str(self.folder / "demo"))
        for number, setting in enumerate(self.settings()):
            self.pages.set_override(number, setting)
        self.pages.picture(f"form-{name}-filled")
        self.pages.send()
        self.pages.follow_run(name, called)
        self.pages.until("the distillation", self._distils, RUN_S)
        self.pages.picture(f"{name}-under-way")
        self.teacher.wait(0)
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
        self.pages.driver.get(page)

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
    with timed("an earlier publication"):
        demo.publish_before()
    away = [*demo.settings(NOBODY, "store-failed"), "distill.teacher.give_up_after_s=1"]
    failing = demo.ask_for("build-dataset", "failed", away)  # goes on beside what follows
    with timed("forms"):
        forms(demo.pages)
    with timed("a run whose teacher is away"):
        demo.ended(failing)
        demo.look("failed", ("Details",), ("failed-distill",))
    with timed("a run from its form"):
        demo.start("run", "build recipes/demo.yaml")
    refreshing = demo.ask_for("refresh-dataset", "demo", demo.settings())
    with timed("its tabs, artifacts and phases"):
        demo.look("run", TABS, ARTIFACTS)
        demo.look_at_phase("run", "distill")
    with timed("a refresh"):
        demo.ended(refreshing)
        demo.look("refresh", ("Details",), ())


def report(pages: Pages, path: Path) -> None:
    """A run's page: its first screen, all of it as wide as a screen and as a telephone, and in the dark."""
    pages.driver.set_window_size(1000, 900)
    pages.driver.get(path.resolve().as_uri())
    pages.picture("report-head")
    for name, width, scheme in (
        ("report", 1200, "light"),
        ("report-narrow", 420, "light"),
        ("report-dark", 1000, "dark"),
    ):
        in_colours(pages, scheme)
        pages.driver.set_window_size(width, 900)
        height = int(pages.driver.execute_script("return document.documentElement.scrollHeight"))
        pages.driver.set_window_size(width, min(height + 150, 12_000))
        pages.picture(name)
    in_colours(pages, "light")
    pages.driver.set_window_size(1000, 900)
    pages.driver.get(f"{path.resolve().as_uri()}#compared")
    pages.picture("report-compared")


def in_colours(pages: Pages, scheme: str) -> None:
    """Light or dark, as a person's machine would have it."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    pages.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


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
            in_colours(pages, scheme)
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
        asked = stack.enter_context(teacher())
        with timed("Prefect's server, its deployments, a worker, and a browser"):
            server = stack.enter_context(ui_server(scratch))
            pages = Pages(stack.enter_context(browser(scratch, smooth=True)), server.url, FOLDER.resolve())
        runs(Demo(pages, asked, server, scratch))
        with timed("the report, and its rows"):
            report(pages, scratch / "demo" / "report.html")
            rows(pages, scratch / "demo", scratch / "store" / "ledger", scratch)
    keep()
    for path in sorted(FOLDER.glob("*.png")):
        print(path)


if __name__ == "__main__":
    main()
