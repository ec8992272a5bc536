"""A session in containers: what judging asks for, in the supervisor's orders."""

from __future__ import annotations

import json
import select
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from verifiers.sandbox.languages import LANGUAGES, MAY_BE_OLDER, PRODUCT
from verifiers.sandbox.protocol import Compiled, Conversation, Limits, Run, SandboxFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from verifiers.sandbox.container import Container, Frame
    from verifiers.sandbox.languages import Language
    from verifiers.sandbox.quiet import Quiet

_GRACE_S: Final = 20.0  # how much later than its wall limit the supervisor may say that a process has ended
_EXAMINE_S: Final = 5.0  # a megabyte of program takes one
_TESTER_S: Final = 10.0  # tests may take longer than what they test; they wait for it
_COMPILER_OUTPUT: Final = 16 << 20
_MAX_CONVERSATION: Final = 256 << 20
_LENGTH: Final = struct.Struct(">I")


class ContainerSession:
    """A session over a slot's containers.

    Args:
        program: gives the container for programs, fit for so much memory.
        tester: gives the container for tests, which no program ever runs in.
        provenance: the image's digest.
        quiet: of the engine.
    """

    def __init__(
        self, program: Callable[[int], Container], tester: Callable[[], Container], provenance: str, quiet: Quiet
    ) -> None:
        self._new_program, self._tester, self._quiet = program, tester, quiet
        self.provenance = provenance
        self._source: tuple[str, str] = ("", "")
        self._built: Container | None = None

    def alone(self) -> AbstractContextManager[None]:
        """See the protocol."""
        return self._quiet.alone()

    def compile(self, source: str, language: str, memory_mb: int) -> Compiled:
        """See the protocol."""
        self._source, self._built = (source, language), None
        found = LANGUAGES[language]
        compiled = self._compile_by(found.compile, source, found, memory_mb)
        for command in found.older:
            if compiled.ok or not MAY_BE_OLDER.search(compiled.errors):
                break
            older = self._compile_by(command, source, found, memory_mb)
            compiled = older if older.ok else compiled
        return compiled

    def _compile_by(self, command: tuple[str, ...] | None, source: str, found: Language, memory_mb: int) -> Compiled:
        limits = Limits(found.compile_s, 3 * found.compile_s, memory_mb, _COMPILER_OUTPUT)
        container = self._new_program(memory_mb)
        order = {**_order("", limits), "do": "compile", "compiler": command, "product": PRODUCT}
        if command is not None:
            order["argv"] = list(command)
        container.order(order, source.encode("utf-8", "surrogatepass"))
        frame = container.receive(time.monotonic() + limits.wall_s + _GRACE_S)
        _mark(container, frame)
        errors = frame.blob.decode(errors="replace")
        if frame.header["oom"] or frame.header["stopped"]:
            errors = f"the compiler was stopped: {frame.header['stopped'] or 'memory'}"
        self._built = container
        return Compiled(not frame.header["failed"], errors)

    def _program(self, memory_mb: int) -> Container:
        """Return the container in which the program is compiled: a new one, if a test has left the last one dirty."""
        container = self._new_program(memory_mb)
        if container is not self._built and not self.compile(*self._source, memory_mb).ok:
            raise SandboxFault("what compiled before does not compile again")
        return container

    def run(self, stdin: bytes, limits: Limits) -> Run:
        """See the protocol."""
        container = self._program(limits.memory_mb)
        compiled = LANGUAGES[self._source[1]].compile is not None
        order = _order("exec" if compiled else "main", limits)
        if compiled:
            order["argv"] = [f"/box/.bin/{PRODUCT}"]
        container.order(order, stdin)
        return _ended(container, container.receive(time.monotonic() + limits.wall_s + _GRACE_S), limits)

    def call(self, request: Mapping[str, Any], limits: Limits) -> tuple[Run, dict[str, Any] | None]:
        """See the protocol."""
        container = self._program(limits.memory_mb)
        container.order(_order("serve", limits), b"null")
        container.order({"do": "channel"}, _framed(request))
        said, stopped, deadline = bytearray(), False, time.monotonic() + limits.wall_s + _GRACE_S
        while (frame := container.receive(deadline)).header["is"] == "channel":
            if stopped:
                continue
            said += frame.blob
            if len(_split(said, at_most=2)) == 2 or len(said) > limits.output_bytes:  # it is loaded, and has replied
                container.order({"do": "stop"})
                stopped = True
        replies = _split(said, at_most=2)
        return _ended(container, frame, limits), _readable(replies[-1]) if replies else None

    def converse(self, plan: Mapping[str, Any], limits: Limits) -> Conversation:
        """See the protocol."""
        program, tester = self._program(limits.memory_mb), self._tester()
        theirs = Limits(limits.cpu_s + _TESTER_S, limits.wall_s + _TESTER_S, limits.memory_mb, limits.output_bytes)
        program.order(_order("serve", limits), b"null")
        tester.order(_order("tester", theirs), json.dumps(plan).encode())
        return _Relay(program, tester, limits, theirs).run()

    def share(self, plan: Mapping[str, Any], limits: Limits) -> tuple[Run, list[dict[str, Any]]]:
        """See the protocol."""
        container = self._program(limits.memory_mb)
        told = {**plan, "source": self._source[0]}  # its own, for tests that look at it
        container.order(_order("shared", limits), json.dumps(told).encode())
        said, deadline = bytearray(), time.monotonic() + limits.wall_s + _GRACE_S
        while (frame := container.receive(deadline)).header["is"] == "channel":
            said += frame.blob[: max(0, limits.output_bytes - len(said))]
        reports = [found for text in _split(said) if (found := _readable(text)) is not None]
        return _ended(container, frame, limits), [r["report"] for r in reports if isinstance(r.get("report"), dict)]

    def examine(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """See the protocol."""
        tester, limits = self._tester(), Limits(_EXAMINE_S, 3 * _EXAMINE_S, 512, 1 << 20)
        asked = {"kind": "examine", "program": self._source[0], "tests": plan}
        tester.order(_order("tester", limits), json.dumps(asked).encode())
        said, deadline = bytearray(), time.monotonic() + limits.wall_s + _GRACE_S
        while (frame := tester.receive(deadline)).header["is"] == "channel":
            said += frame.blob
        _mark(tester, frame)
        reports = [found["report"] for text in _split(said) if (found := _readable(text)) and "report" in found]
        return dict(reports[0]) if reports else {}


class _Relay:
    """Passes on what a program and its tests say to each other, and keeps what the tests report to us."""

    def __init__(self, program: Container, tester: Container, limits: Limits, theirs: Limits) -> None:
        self._program, self._tester = program, tester
        self._limits, self._theirs = limits, theirs
        self._said = bytearray()
        self._n_passed = self._n_told = 0
        self._reports: list[dict[str, Any]] = []
        self._ends: dict[str, Run] = {}

    def run(self) -> Conversation:
        deadline = time.monotonic() + self._theirs.wall_s + _GRACE_S
        both = [self._program, self._tester]
        while len(self._ends) < 2:
            waiting = [container for container in both if not container.has_frame()]
            if len(waiting) == 2:
                ready, _, _ = select.select(waiting, [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise SandboxFault("neither program nor tests end")
                for container in ready:
                    container.read()
            if self._program.has_frame():
                self._from_program(self._program.receive(deadline))
            if self._tester.has_frame():
                self._from_tester(self._tester.receive(deadline))
        return Conversation(self._ends["program"], self._ends["tester"], self._reports)

    def _from_program(self, frame: Frame) -> None:
        if frame.header["is"] == "channel":
            self._n_passed += len(frame.blob)
            if self._n_passed > _MAX_CONVERSATION:
                self._program.order({"do": "stop"})
            elif "tester" not in self._ends:
                self._tester.order({"do": "channel"}, frame.blob)
            return
        self._ends["program"] = _ended(self._program, frame, self._limits)
        if "tester" not in self._ends:
            self._tester.order({"do": "hangup"})

    def _from_tester(self, frame: Frame) -> None:
        if frame.header["is"] == "channel":
            self._n_told += len(frame.blob)
            if self._n_told > _MAX_CONVERSATION:
                self._tester.order({"do": "stop"})
                return
            self._said += frame.blob
            for text in _split(self._said, consume=True):
                self._told(text)
            return
        self._ends["tester"] = _ended(self._tester, frame, self._theirs)
        if "program" not in self._ends:
            self._program.order({"do": "stop"})

    def _told(self, text: bytes) -> None:
        """A report is for us, anything else for the program; what cannot be read, the tests have made up."""
        message = _readable(text) or {}
        if isinstance(message.get("report"), dict):
            self._reports.append(message["report"])
        elif "program" not in self._ends:
            self._program.order({"do": "channel"}, _LENGTH.pack(len(text)) + text)


def _order(mode: str, limits: Limits) -> dict[str, Any]:
    return {
        "do": "run",
        "mode": mode,
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_s,
        "output_bytes": limits.output_bytes,
        "file_bytes": 64 << 20,
        "stack_bytes": min(limits.memory_mb, 256) << 20,
    }


def _mark(container: Container, frame: Frame) -> None:
    container.dirty = container.dirty or frame.header.get("dirty", "")


def _ended(container: Container, frame: Frame, limits: Limits) -> Run:
    header = frame.header
    _mark(container, frame)
    n_out = header["n_out"]
    return Run(
        stdout=frame.blob[:n_out],
        stderr=frame.blob[n_out:].decode(errors="replace"),
        status=header["status"],
        signal=header["signal"],
        stopped=header["stopped"],
        out_of_memory=header["oom"] or header["rss_mb"] > limits.memory_mb,
        cpu_s=header["cpu_s"],
        wall_s=header["wall_s"],
        rss_mb=header["rss_mb"],
        waited_s=header["waited_s"],
    )


def _framed(message: Mapping[str, Any]) -> bytes:
    text = json.dumps(message).encode()
    return _LENGTH.pack(len(text)) + text


def _split(data: bytearray, *, at_most: int | None = None, consume: bool = False) -> list[bytes]:
    """Return the whole frames at the head of what was said on a channel."""
    texts: list[bytes] = []
    start = 0
    while len(data) >= start + _LENGTH.size and len(texts) != at_most:
        end = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
        if len(data) < end:
            break
        texts.append(bytes(data[start + _LENGTH.size : end]))
        start = end
    if consume:
        del data[:start]
    return texts


def _readable(text: bytes) -> dict[str, Any] | None:
    """Return a message that the program may have written itself."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
