"""The progress artifact of a phase in Prefect's UI: a bar that moves while the phase runs, with the log's line below.

It is a face of the run, never a part of it: a server that does not answer costs a late bar and nothing else.

What a run says while it runs: stage, shards done of total, rows/s, tokens/s, time left.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import SettingsContext, get_settings_context

from flows.engine import terminal
from tasks.engine.poison import POISON
from tracemill.inference.refusals import Tally
from tracemill.publish import Written
from tracemill.store import Manifest

LAST_RETRIES = 2  # of the last picture, after 2 and 4 s; while the phase runs the next picture comes soon enough


def artifact_key(text: str) -> str:
    """Return an artifact's key: lower case and dashes are all that Prefect takes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Bar(Protocol):
    """Where progress is shown."""

    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        """Show a new picture; raises nothing."""
        ...


class Watched(Protocol):
    """What goes on, as it can be shown."""

    @property
    def phase(self) -> str:
        """Name for people."""
        ...

    def percent(self) -> float:
        """Return how much of it is done, of 100."""
        ...

    def line(self, tokens_per_s: float | None = None) -> str:
        """Return one line for the log."""
        ...


class ArtifactBar:
    """The bar in Prefect's UI: one artifact, which is made with the first picture and changed by the others.

    Args:
        key: of the artifact.
        complain: told what went wrong, the first time that it does.
    """

    def __init__(self, key: str, complain: Callable[[str], None]) -> None:
        self._key, self._complain = key, complain
        self._artifact: UUID | None = None
        self._shown: tuple[float, str] | None = None
        self._has_complained = False

    def show(self, percent: float, text: str, *, last: bool = False) -> None:
        """One request, or none where nothing has changed."""
        if (percent, text) == self._shown:
            return
        try:
            with _retried(LAST_RETRIES if last else 0):
                self._send(percent, text)
        except Exception as error:  # noqa: BLE001 - whatever keeps the server from showing a bar, the run goes on
            self._complain_once(error)
        else:
            self._shown = (percent, text)

    def _send(self, percent: float, text: str) -> None:
        if self._artifact is None:
            self._artifact = cast("UUID", create_progress_artifact(percent, key=self._key, description=text))
        else:
            update_progress_artifact(self._artifact, percent, description=text)

    def _complain_once(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"the bar {self._key} is not up to date in the UI: {type(error).__name__}: {error}")


@contextlib.contextmanager
def _retried(times: int) -> Iterator[None]:
    """Send Prefect's requests so many times more where they fail.

    Prefect's own ``temporary_settings`` reads every setting there is from the environment and files anew, which costs
    more than the request: 0.03 s of a processor, for every picture of every phase.
    """
    context = get_settings_context()
    client = context.settings.client.model_copy(update={"max_retries": times})
    settings = context.settings.model_copy(update={"client": client})
    with SettingsContext(profile=context.profile, settings=settings):
        yield


@dataclass
class Progress:
    """Counts of one phase; safe to use from many threads.

    Args:
        phase: name for people.
        n_chains: shards that will go through the phase, as far as they are known.
        more: others may come.
        last_stage: the stage that ends a chain, whose count is "done".
        n_shown: finished tasks that were submitted, to be shown as Cached.
        n_to_show: steps of finished shards that were left to be submitted.
        n_tokens: completion tokens of the shards that were done in this run, wherever they were received.
        rows: "in" and "kept" by stage, in each stage's own unit.
        dropped: count by stage and "stage/reason".
        poisoned: manifests of the tasks that have set rows aside.
        refusals: what servers were asked and have refused.
    """

    phase: str
    n_chains: int
    last_stage: str
    more: bool = False
    n_cached: int = 0
    n_shown: int = 0
    n_to_show: int = 0
    n_executed: int = 0
    n_rows: int = 0
    n_tokens: int = 0
    finished: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    rows: dict[str, Counter[str]] = field(default_factory=dict)
    dropped: dict[str, Counter[str]] = field(default_factory=dict)
    poisoned: list[Manifest] = field(default_factory=list)
    refusals: Tally = field(default_factory=Tally)
    n_failed: int = 0
    started_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def started(self, stage: str) -> None:
        """A task that is not finished was submitted."""
        with self._lock:
            self.running[stage] += 1
            self.n_executed += 1

    def found(self, manifest: Manifest, most_shown: int) -> bool:
        """A finished task was found; whether it is among the first few, which are submitted and shown as Cached."""
        with self._lock:
            is_shown = self.n_shown < most_shown
            self.n_shown += is_shown
            self.n_cached += 1
            if is_shown:
                self.running[manifest.stage] += 1
            else:
                self._count(manifest)
        return is_shown

    def passed(self, manifests: Collection[Manifest], most_shown: int) -> bool:
        """A finished shard was found; whether it is counted, and not left to be among the first few that are shown."""
        with self._lock:
            if self.n_to_show < most_shown:
                self.n_to_show += len(manifests)
                return False
            self.n_cached += len(manifests)
            for manifest in manifests:
                self._count(manifest)
        return True

    def done(self, manifest: Manifest, *, anew: bool = True) -> None:
        """A submitted task ended well; ``anew`` unless it was only shown as Cached."""
        with self._lock:
            self.running[manifest.stage] -= 1
            self.n_tokens += manifest.facts.get("completion_tokens", 0) if anew else 0
            self._count(manifest)

    def failed(self, stage: str) -> None:
        """A submitted task ended in failure."""
        with self._lock:
            self.running[stage] -= 1
            self.n_failed += 1

    def _count(self, manifest: Manifest) -> None:
        self.finished[manifest.stage] += 1
        self.rows.setdefault(manifest.stage, Counter()).update({"in": manifest.rows_in, "kept": manifest.rows_kept})
        self.dropped.setdefault(manifest.stage, Counter()).update(manifest.dropped)
        self.refusals.add(manifest)
        if POISON in manifest.facts:
            self.poisoned.append(manifest)
        if manifest.stage == self.last_stage:
            self.n_rows += manifest.rows_in

    def percent(self) -> float:
        """Shards that went through, of 100; a shard that failed never does. 0 while it is not known of how many."""
        if self.more:
            return 0.0
        return round(100 * self.finished[self.last_stage] / self.n_chains, 1) if self.n_chains else 100.0

    def line(self, tokens_per_s: float | None = None) -> str:
        """Return one line for the log."""
        elapsed = max(time.monotonic() - self.started_at, 1e-9)
        n_done = self.finished[self.last_stage]
        so_far = " so far, more are being read" if self.more else ""
        parts = [f"{self.phase}: {n_done}/{self.n_chains} shards{so_far}", f"{self.n_rows / elapsed:,.0f} rows/s"]
        if tokens_per_s is not None:
            parts.append(f"{tokens_per_s:,.0f} tokens/s")
        if 0 < n_done < self.n_chains and not self.more:
            parts.append(f"ETA {_clock(elapsed / n_done * (self.n_chains - n_done))}")
        if self.n_cached:
            parts.append(f"{self.n_cached} tasks already done")
        if n_refused := self.refusals.refused.total():
            parts.append(f"{n_refused:,} refused")
        if self.n_failed:
            parts.append(f"{self.n_failed} FAILED")
        with self._lock:
            running = self.running.copy()
        active = ", ".join(f"{stage} {count}" for stage, count in running.items() if count > 0)
        return " · ".join(parts) + (f" · running: {active}" if active else "")


@dataclass
class Publishing:
    """How far a publication is; :meth:`update` may be called by any thread."""

    phase: str = "export"
    started_at: float = field(default_factory=time.monotonic)
    is_done: bool = False
    _written: Written = field(default_factory=lambda: Written(0, 0, 0.0))

    def update(self, written: Written) -> None:
        """So much of it is written."""
        self._written = written

    def percent(self) -> float:
        """Return the bytes that went through, of 100."""
        return 100.0 if self.is_done else round(100 * self._written.share, 1)

    def line(self, tokens_per_s: float | None = None) -> str:  # noqa: ARG002 - nobody answers here
        """Return one line for the log."""
        elapsed = max(time.monotonic() - self.started_at, 1e-9)
        rows, n_rows, share = self._written
        parts = [f"{self.phase}: {rows:,}/{n_rows:,} rows", f"{self.percent()} %", f"{rows / elapsed:,.0f} rows/s"]
        if 0 < share < 1 and not self.is_done:
            parts.append(f"ETA {_clock(elapsed / share * (1 - share))}")
        return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextlib.contextmanager
def reported(
    progress: Watched,
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
    every_s: float,
    tokens: Callable[[], int] = lambda: 0,
    bar: Bar | None = None,
    spent: Callable[[], str] = lambda: "",
) -> Iterator[None]:
    """Logs the progress every ``every_s`` seconds, and once at the end; and moves its bar in the UI.

    Args:
        progress: what is counted.
        logger: a Prefect run logger, so that terminal and UI both show it.
        every_s: seconds between lines, and between requests for the bar.
        tokens: completion tokens received so far.
        bar: where else it is shown; an artifact of the flow run that is under way unless given.
        spent: what has been spent so far, for people; "" where nothing is known of prices.
    """
    stop = threading.Event()
    first, began = tokens(), time.monotonic()
    shown = bar or ArtifactBar(artifact_key(f"progress-{progress.phase}"), logger.warning)

    def line() -> str:
        received = tokens() - first
        text = progress.line(received / max(time.monotonic() - began, 1e-9) if received else None)
        return f"{text} · {told}" if (told := spent()) else text

    def picture(*, last: bool = False) -> None:
        told = line()
        logger.info(told)
        shown.show(progress.percent(), told, last=last)
        if last:
            terminal.show(progress.phase, progress.percent(), told)

    def report() -> None:
        shown.show(progress.percent(), progress.line())
        due = time.monotonic() + every_s
        has_terminal = terminal.show(progress.phase, progress.percent(), line())
        while not stop.wait(min(every_s, terminal.TICK_S) if has_terminal else every_s):
            terminal.show(progress.phase, progress.percent(), line())
            if not has_terminal or time.monotonic() >= due:
                picture()
                due = time.monotonic() + every_s

    # The artifact belongs to the flow run, which is found in the context.
    reporter = threading.Thread(target=contextvars.copy_context().run, args=(report,), name="progress", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        stop.set()
        reporter.join()
        picture(last=True)
