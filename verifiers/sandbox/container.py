"""One hardened container with the supervisor in it, and the frames that go in and out.

Covered: no network, no capability but those that the supervisor needs to make its children nobodies, a read-only root,
bounded memory, processes, files and shared memory, system calls from a list of our own. The container's standard input
is this process: when that ends, however it ends, the engine closes it, the supervisor goes, and the engine removes the
container. A supervisor that was taken over cannot fill this process's memory: a frame larger than the order under way
allows is refused by its header, before it is buffered. Not covered: an engine that is itself compromised.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import DockerException
from docker.types import LogConfig, Ulimit
from requests.exceptions import RequestException

from tracemill.core.process_identity import is_gone, process_name
from verifiers.sandbox import seccomp
from verifiers.sandbox.inside import wire
from verifiers.sandbox.protocol import SandboxFault
from verifiers.sandbox.shipping import BOOTSTRAP, supervisor_script

if TYPE_CHECKING:
    from docker import APIClient

LABEL = "tracemill.sandbox"
_OVERHEAD_MB = 128  # supervisor and warm parent take 40; inputs and outputs pass through the rest
_START_S = 60.0
_ANSWER_S = 10  # to be asked whether it is there
_WORK_S = 60  # to make a container; the tenth at once has been seen to take 25 s
_MULTIPLEX = 8  # bytes of the engine's header before each piece of output
_SAID = 300  # bytes kept of the end of what the container wrote to its standard error
# What the engine, or the way to it, may raise.
ENGINE_ERRORS = (DockerException, RequestException, OSError)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a supervisor says."""

    header: dict[str, Any]
    blob: bytes


class Container:
    """A started container whose supervisor is ready.

    Args:
        api: the engine.
        image: digest or name of the image.
        memory_mb: what programs may use.
        runtime: as in "runsc"; None for the engine's own.

    Raises:
        SandboxFault: it did not start, or not in time.
        docker.errors.DockerException: the engine refused; ImageNotFound where there is no such image.
    """

    def __init__(self, api: APIClient, image: str, memory_mb: int, runtime: str | None = None) -> None:
        self.memory_mb = memory_mb
        self.n_programs = 0
        self.dirty = ""
        self._api, self._buffer, self._frames = api, bytearray(), deque[Frame]()
        self._raw, self._said = bytearray(), bytearray()
        self._output_bytes = 0  # of the order under way
        created = api.create_container(
            image,
            ["python3", "-I", "-S", "-c", BOOTSTRAP],
            user="0:0",
            stdin_open=True,  # and attached: it closes with us
            network_disabled=True,
            labels={LABEL: process_name()},
            host_config=api.create_host_config(**hardening(memory_mb), runtime=runtime),
        )
        self.id: str = created["Id"]
        try:
            self._stream = api.attach_socket(self.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
            api.start(self.id)
            # Never a uid of another container's on this machine: some limits are counted per uid of the kernel.
            self._write(supervisor_script(random.SystemRandom().randrange(1_000_000, 2_000_000_000)))
            self.receive(time.monotonic() + _START_S)  # that it is ready, or why not
        except BaseException:
            self.remove()
            raise

    def fileno(self) -> int:
        """For ``select``; see also :meth:`has_frame`."""
        return self._socket.fileno()

    def order(self, header: dict[str, Any], blob: bytes = b"") -> None:
        """Give the supervisor one order.

        Raises:
            SandboxFault: the container is gone.
        """
        self._output_bytes = header.get("output_bytes", self._output_bytes)
        self._write(wire.pack(header, blob))

    def resize(self, memory_mb: int) -> None:
        """Let programs use so much memory.

        Raises:
            docker.errors.DockerException: the engine refused.
        """
        if memory_mb != self.memory_mb:
            limit = f"{memory_mb + _OVERHEAD_MB}m"
            self._api.update_container(self.id, mem_limit=limit, memswap_limit=limit)
            self.memory_mb = memory_mb

    def receive(self, deadline: float) -> Frame:
        """Return the next frame.

        Raises:
            SandboxFault: none has come by then (``time.monotonic``), or none will.
        """
        while not self._frames:
            if not select.select([self._socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise SandboxFault("the container does not answer")
            self.read()
        frame = self._frames.popleft()
        if frame.header.get("is") == "broken":
            raise SandboxFault(f"the supervisor broke: {frame.header.get('reason')}")
        return frame

    def has_frame(self) -> bool:
        """Tell whether :meth:`receive` returns at once."""
        return bool(self._frames)

    def read(self) -> None:
        """Take in what has arrived, and waits if nothing has.

        Raises:
            SandboxFault: the container has ended, or does not keep to the protocol.
        """
        try:
            data = self._socket.recv(1 << 18)
        except OSError as error:
            raise SandboxFault(f"the connection to the container broke: {error}") from error
        if not data:
            raise SandboxFault(f"the container ended: {self._said.decode(errors='replace') or 'no reason given'}")
        self._raw += data
        self._demultiplex()
        self._parse()

    def interrupt(self) -> None:
        """Break off what runs in it, from any thread: whoever waits for a frame then sees the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def remove(self) -> None:
        """Remove it, whatever state it is in."""
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
            self._socket.close()
        with contextlib.suppress(*ENGINE_ERRORS):  # it removes itself when it ends, and a sweep finds what is left
            self._api.remove_container(self.id, force=True)

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise SandboxFault(f"the connection to the container broke: {error}") from error

    def _demultiplex(self) -> None:
        """The engine mixes standard output (frames) and standard error (what an interpreter says when it breaks)."""
        while len(self._raw) >= _MULTIPLEX:
            end = _MULTIPLEX + int.from_bytes(self._raw[4:_MULTIPLEX], "big")
            if len(self._raw) < end:
                break
            (self._buffer if self._raw[0] == 1 else self._said).extend(self._raw[_MULTIPLEX:end])
            del self._raw[:end]
        del self._said[:-_SAID]

    def _parse(self) -> None:
        size = wire.SIZES.size
        while len(self._buffer) >= size:
            n_header, n_blob = wire.SIZES.unpack_from(self._buffer)
            self._require_room(n_header, n_blob)
            end = size + n_header + n_blob
            if len(self._buffer) < end:
                return
            try:
                header = json.loads(self._buffer[size : size + n_header])
            except (ValueError, RecursionError) as error:
                raise SandboxFault(f"the container sent a header that is no JSON: {error}") from error
            self._frames.append(Frame(header, bytes(self._buffer[size + n_header : end])))
            del self._buffer[:end]

    def _require_room(self, n_header: int, n_blob: int) -> None:
        """Refuse a frame by its header; a program's output is cut off one piece after its limit at the latest."""
        largest = self._output_bytes + wire.PIECE + wire.ERRORS_KEPT
        if n_header > wire.MAX_HEADER or n_blob > largest:
            raise SandboxFault(
                f"the container announced a frame of {n_header:,} + {n_blob:,} bytes;"
                f" at most {wire.MAX_HEADER:,} + {largest:,} can come of its order"
            )


def hardening(memory_mb: int) -> dict[str, Any]:
    """Return what the container may do and use, as arguments of ``create_host_config``."""
    memory = f"{memory_mb + _OVERHEAD_MB}m"
    return {
        "network_mode": "none",
        "read_only": True,
        "init": True,
        "ipc_mode": "private",
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE"],
        "security_opt": ["no-new-privileges:true", f"seccomp={seccomp.profile()}"],
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": 128,
        "nano_cpus": 10**9,
        # Less than the memory limit in sum, so that full file systems cannot starve the supervisor.
        "tmpfs": {
            "/box": "rw,exec,nosuid,nodev,size=192m,nr_inodes=16k,mode=0711",
            "/tmp": "rw,noexec,nosuid,nodev,size=64m,nr_inodes=4k,mode=1777",  # noqa: S108
        },
        "shm_size": "64m",
        "sysctls": {"kernel.shmmax": str(64 << 20), "kernel.shmall": str((64 << 20) // 4096)},
        "ulimits": [Ulimit(name="nofile", soft=256, hard=256), Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type="none"),
        "auto_remove": True,
    }


def sweep(api: APIClient) -> int:
    """Remove containers whose owner was on this host and is gone; how many.

    They end by themselves when their owner does; this is for an engine that was itself restarted in between.
    """
    n_removed = 0
    for found in api.containers(all=True, filters={"label": LABEL}):
        if is_gone(found["Labels"][LABEL]):
            try:
                api.remove_container(found["Id"], force=True)
                n_removed += 1
            except ENGINE_ERRORS:
                continue  # it is being removed already
    return n_removed


def connect(engine: str | None) -> APIClient:
    """Return the client of one engine: a URL, or None for the environment's.

    Raises:
        docker.errors.DockerException: nothing answers there.
    """
    client = docker.DockerClient(base_url=engine, timeout=_ANSWER_S) if engine else docker.from_env(timeout=_ANSWER_S)
    try:
        client.ping()
        client.api.timeout = _WORK_S
    except BaseException:
        client.close()
        raise
    return client.api
