"""A pool of warm containers on one or more Docker engines, each with one program at a time.

Covered: a program that breaks its container (the next gets a new one), a container that fails (the work is begun anew
in another, three times at most, then it is a SandboxFailure), an engine that is away (asked again every half minute;
where all are away, work fails at once and says so), a process that is killed (its containers end with it).
Not covered: what a container itself covers or does not, see there.
"""

from __future__ import annotations

import atexit
import functools
import queue
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from verifiers.sandbox.protocol import SandboxFailure, SandboxFault, Session
from verifiers.sandbox.quiet import Quiet
from verifiers.sandbox.session import ContainerSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from tracemill.recipe.sections.verify import Sandbox as SandboxSettings
    from verifiers.sandbox.container import Container

T = TypeVar("T")

_ATTEMPTS: Final = 3
_ASK_AGAIN_S: Final = 30.0
_DEFAULT_MEMORY_MB: Final = 512
_CLOSED: Final = "the sandbox was closed"


@dataclass(eq=False, slots=True)
class _Job:
    work: Callable[[Session], Any]
    future: Future[Any]
    reasons: list[str] = field(default_factory=list)
    failed_on: list[_Engine] = field(default_factory=list)


class DockerSandbox:
    """See the module.

    Args:
        settings: section ``verify.sandbox`` of the recipe. No engine is asked before the first submission.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.closed = False
        self.jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._engines = [_Engine(url, settings) for url in settings.engines or (None,)]
        self._slots = [_Slot(self, engine) for engine in self._engines for _ in range(settings.containers)]
        self._start = threading.Lock()
        self._started = False

    def submit(self, work: Callable[[Session], T]) -> Future[T | SandboxFailure]:
        """See the protocol."""
        job = _Job(work, Future())
        with self._start:
            if self.closed:
                job.future.set_result(SandboxFailure(_CLOSED))
                return job.future
            if not self._started:
                self._started = True
                atexit.register(self.close)
                for slot in self._slots:
                    slot.start()
            self.jobs.put(job)
        return job.future

    def close(self) -> None:
        """See the protocol."""
        with self._start:
            if self.closed:
                return
            self.closed = True
        for _ in self._slots:
            self.jobs.put(None)
        for slot in self._slots:
            slot.abort()
        for slot in self._slots:
            if slot.is_alive():
                slot.join(timeout=30)
        for engine in self._engines:
            engine.give_up()
        while not self.jobs.empty():
            job = self.jobs.get_nowait()
            if job is not None and job.future.set_running_or_notify_cancel():
                job.future.set_result(SandboxFailure(_CLOSED))

    def absent(self) -> str | None:
        """Return why no engine can be used at the moment, or None if one can."""
        reasons = [engine.absent() for engine in self._engines]
        return None if None in reasons else "; ".join(str(reason) for reason in reasons)

    def is_wanted_elsewhere(self, job: _Job) -> bool:
        """Tell whether a job that has failed may find an engine that it has not failed on."""
        return any(engine not in job.failed_on and engine.absent() is None for engine in self._engines)


class _Engine:
    """One engine and the image on it, asked for when they are needed."""

    def __init__(self, url: str | None, settings: SandboxSettings) -> None:
        self.settings = settings
        self.quiet = Quiet()
        self._url = url
        self._lock = threading.Lock()
        self._api: APIClient | None = None
        self._image = ""
        self._absent: tuple[float, str] | None = None

    def absent(self) -> str | None:
        """Return why it cannot be used, if that was found out in the last half minute."""
        with self._lock:
            return self._absent[1] if self._absent and time.monotonic() < self._absent[0] else None

    def use(self) -> tuple[APIClient, str]:
        """Return its client and the image's digest.

        Raises:
            SandboxFault: nothing answers, or it has no such image; ``absent`` tells for the next half minute.
        """
        with self._lock:
            if self._api is None:
                try:
                    self._api, self._image = self._ask()
                except SandboxFault as fault:
                    self._absent = (time.monotonic() + _ASK_AGAIN_S, str(fault))
                    raise
            return self._api, self._image

    def give_up(self) -> None:
        """Let go of it, and asks anew the next time: it has failed in a way that may be its end."""
        with self._lock:
            if self._api is not None:
                self._api.close()
            self._api = None

    def _ask(self) -> tuple[APIClient, str]:
        from docker.errors import ImageNotFound

        from verifiers.sandbox import container

        where = self._url or "the place that DOCKER_HOST names, or the local one"
        try:
            api = container.connect(self._url)
            container.sweep(api)
            return api, str(api.inspect_image(self.settings.image)["Id"])
        except ImageNotFound:
            raise SandboxFault(
                f"no image {self.settings.image} at {where}; make sandbox-image, and run again"
            ) from None
        except container.ENGINE_ERRORS as error:
            said = _plain(error)
            raise SandboxFault(f"no Docker engine at {where}, start one and run again ({said})") from None


def _plain(error: BaseException) -> str:
    """An engine error in one line, without the addresses of objects: verdicts of two runs must not differ by them."""
    lines = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? ?", "", str(error)).splitlines()
    return lines[0][:200] if lines else type(error).__name__


class _Slot(threading.Thread):
    """The thread that does work with containers of its own: one for programs, one for tests once they are needed."""

    def __init__(self, sandbox: DockerSandbox, engine: _Engine) -> None:
        super().__init__(name="sandbox", daemon=True)
        self._sandbox, self._engine = sandbox, engine
        self._program: Container | None = None
        self._tester: Container | None = None

    def run(self) -> None:
        while (job := self._sandbox.jobs.get()) is not None:
            if self._sandbox.closed or job.future.cancelled():
                self._refuse(job, _CLOSED)
                continue
            if (reason := self._sandbox.absent()) is not None:
                self._refuse(job, reason)
                continue
            failed_here = self._engine in job.failed_on and self._sandbox.is_wanted_elsewhere(job)
            if failed_here or self._engine.absent() is not None:  # another engine is there
                self._sandbox.jobs.put(job)
                time.sleep(0.2)
                continue
            self._do(job)
        self._discard()

    def abort(self) -> None:
        """End the containers under whatever runs in them, from another thread."""
        for container in (self._program, self._tester):
            if container is not None:
                container.interrupt()

    def _refuse(self, job: _Job, reason: str) -> None:
        if job.future.running() or job.future.set_running_or_notify_cancel():
            job.future.set_result(SandboxFailure("; ".join(dict.fromkeys([*job.reasons, reason]))))

    def _do(self, job: _Job) -> None:
        if not (job.future.running() or job.future.set_running_or_notify_cancel()):
            return
        try:
            with self._engine.quiet.beside_others():
                result = job.work(self._session())
        except SandboxFault as fault:
            self._again(job, str(fault))  # before the rest, which takes minutes where an engine has stopped answering
            self._engine.give_up()
            self._discard()
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            self._discard()
            job.future.set_exception(error)
        else:
            self._recycle()
            job.future.set_result(result)

    def _again(self, job: _Job, reason: str) -> None:
        job.reasons.append(reason)
        job.failed_on.append(self._engine)
        if self._sandbox.closed or len(job.reasons) == _ATTEMPTS:
            reasons = "; then ".join(dict.fromkeys(job.reasons))
            job.future.set_result(SandboxFailure(f"{len(job.reasons)} containers failed: {reasons}"))
        else:
            self._sandbox.jobs.put(job)

    def _session(self) -> ContainerSession:
        _, image = self._engine.use()
        return ContainerSession(self._program_container, self._tester_container, f"image {image}", self._engine.quiet)

    def _program_container(self, memory_mb: int) -> Container:
        if self._program is not None and self._program.dirty:
            self._program.remove()
            self._program = None
        if self._program is None:
            self._program = self._new(memory_mb)
        elif self._program.memory_mb != memory_mb:
            self._tried(functools.partial(self._program.resize, memory_mb))
        return self._program

    def _tester_container(self) -> Container:
        if self._tester is not None and self._tester.dirty:
            self._tester.remove()
            self._tester = None
        if self._tester is None:
            self._tester = self._new(_DEFAULT_MEMORY_MB)
        return self._tester

    def _new(self, memory_mb: int) -> Container:
        from verifiers.sandbox.container import Container

        api, image = self._engine.use()
        return self._tried(lambda: Container(api, image, memory_mb, self._engine.settings.runtime))

    def _tried(self, action: Callable[[], T]) -> T:
        """Return the engine's own failures as faults."""
        from verifiers.sandbox.container import ENGINE_ERRORS

        try:
            return action()
        except ENGINE_ERRORS as error:
            self._engine.give_up()
            raise SandboxFault(f"the engine failed: {str(error)[:300]}") from error

    def _recycle(self) -> None:
        """Throws away what a program has left dirty, or what has served long enough."""
        for name in ("_program", "_tester"):
            container: Container | None = getattr(self, name)
            if container is None:
                continue
            container.n_programs += 1
            if container.dirty or container.n_programs >= self._engine.settings.programs_per_container:
                container.remove()
                setattr(self, name, None)

    def _discard(self) -> None:
        for container in (self._program, self._tester):
            if container is not None:
                container.remove()
        self._program = self._tester = None
