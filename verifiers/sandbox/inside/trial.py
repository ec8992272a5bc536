"""One test's process from the outside: its pipes, its limits, and how it ended."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from typing import Any

from verifiers.sandbox.inside import wire

WORK = "/box"
KILL_S = 5.0
_POLICE_S = 0.05  # how often CPU time is looked at
_WAIT_S = 0.5  # how often it is looked at how long processes have waited for a processor
_MAX_TASKS = 64  # of which that is asked: a fork bomb has thousands
# Modes in which the process talks on a channel, and in which it runs the compiled program.
_TALKING = ("serve", "tester", "shared")
_FOR_CHILD = ("mode", "argv", "cpu_s", "file_bytes", "stack_bytes")
_COMPILED = ("main", "serve", "shared")


class Trial:
    """One process with its pipes, from the outside."""

    def __init__(self, order: dict[str, Any], blob: bytes, uid: int, code: int | None) -> None:
        self.home = f"{WORK}/{uid}"
        self.out, self.errors = bytearray(), bytearray()
        self._order, self._uid = order, uid
        self._n_errors = 0
        self._waited_s = -1.0
        self._stopped: str | None = None
        self._poll = select.poll()
        os.mkdir(self.home, 0o700)
        os.chown(self.home, uid, uid)
        talks = order["mode"] in _TALKING
        # A file, as judges have it: programs map it, or ask for its size.
        theirs_in = memfd("stdin", b"" if talks else blob)
        os.lseek(theirs_in, 0, os.SEEK_SET)
        self._out, theirs_out = os.pipe()
        self._err, theirs_err = os.pipe()
        self._theirs = [theirs_in, theirs_out, theirs_err]
        self._passed = []
        for fd in self._theirs:
            os.fchown(fd, uid, uid)  # or /dev/stdin cannot be opened
        self._channel: socket.socket | None = None
        if talks:
            self._channel, theirs = socket.socketpair()
            self._theirs.append(theirs.detach())
        if code is not None and order["mode"] in _COMPILED:
            self._passed.append(("code", os.dup(code)))
        if talks:
            self._passed.append(("plan", memfd("plan", blob or b"null")))

    def run(self, forker: socket.socket, cpu_used: Any, kill: Any) -> dict[str, Any]:
        """Run it until its first process has ended."""
        began = time.monotonic()
        order = self._order
        what: dict[str, Any] = {name: order[name] for name in _FOR_CHILD if name in order}
        what |= {"uid": self._uid, "home": self.home, "passed": [name for name, _ in self._passed]}
        socket.send_fds(forker, [json.dumps(what).encode()], [*self._theirs, *(fd for _, fd in self._passed)])
        self._close_theirs()
        self._watch(forker)
        deadline, killed_at, look_at = began + order["wall_s"], None, began + _WAIT_S
        while True:
            now = time.monotonic()
            if now >= look_at and killed_at is None:
                look_at = now + _WAIT_S
                self._waited_s = max(self._waited_s, _waited(self._uid))
            for fd, _ in self._poll.poll(max(0.001, min(_POLICE_S, deadline - now)) * 1000):
                if fd == forker.fileno():
                    return self._ended(json.loads(forker.recv(wire.PIECE)), time.monotonic() - began)
                self._serve(fd)
            if killed_at is None:
                self._stopped = self._stopped or self._excess(cpu_used(), time.monotonic() > deadline)
                if self._stopped is not None:
                    kill(self._uid)
                    killed_at = time.monotonic()
            elif now > killed_at + KILL_S:
                raise RuntimeError("a killed process does not end")

    def _excess(self, cpu_s: float, late: bool) -> str | None:
        if cpu_s > self._order["cpu_s"]:
            return "cpu"
        if late:
            return "wall"
        if len(self.out) > self._order["output_bytes"] or self._n_errors > self._order["output_bytes"]:
            return "output"
        return None

    def _watch(self, forker: socket.socket) -> None:
        for fd in (self._out, self._err):
            os.set_blocking(fd, False)
            self._poll.register(fd, select.POLLIN)
        self._poll.register(forker.fileno(), select.POLLIN)
        if self._channel is not None:
            self._channel.setblocking(False)
            self._poll.register(self._channel.fileno(), select.POLLIN)
        # Without a channel the host says nothing, but it may be gone: then there is nobody to run this for.
        self._poll.register(0, select.POLLIN if self._channel is not None else 0)

    def _serve(self, fd: int) -> None:
        if fd == 0:
            self._from_host()
        elif self._channel is not None and fd == self._channel.fileno():
            self._from_program()
        else:
            self._read(fd)

    def _from_host(self) -> None:
        """What the tests say to the program, or the program to the tests; or that the host has seen enough.

        Raises:
            Closed: the host is gone.
        """
        if self._channel is None:
            raise wire.Closed
        order, blob = wire.read_frame(0)
        if order["do"] == "stop":
            self._stopped = self._stopped or "host"
        elif self._channel is not None:
            try:
                if order["do"] == "channel":
                    self._channel.setblocking(True)
                    self._channel.settimeout(KILL_S)
                    self._channel.sendall(blob)
                    self._channel.setblocking(False)
                else:
                    self._channel.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the program has closed it, and its end will say more

    def _from_program(self) -> None:
        if self._channel is None:
            return
        try:
            data = self._channel.recv(wire.PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            send({"is": "channel"}, data)
        else:
            self._forget(self._channel.fileno())

    def _read(self, fd: int) -> bool:
        """Read what there is; False when that was all."""
        try:
            data = os.read(fd, wire.PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._forget(fd)
            return False
        if fd == self._out:
            if len(self.out) <= self._order["output_bytes"]:
                self.out += data
        else:
            self._n_errors += len(data)
            self.errors = (self.errors + data)[-2 * wire.ERRORS_KEPT :]
        return True

    def _forget(self, fd: int) -> None:
        try:
            self._poll.unregister(fd)
        except KeyError:
            pass

    def _ended(self, told: dict[str, Any], wall_s: float) -> dict[str, Any]:
        if "broken" in told:
            raise RuntimeError(told["broken"])
        status = told["status"]
        code, number = (os.WEXITSTATUS(status), 0) if os.WIFEXITED(status) else (0, os.WTERMSIG(status))
        return {
            "status": code,
            "signal": number,
            "failed": bool(code or number or self._stopped),
            "stopped": self._stopped,
            "cpu_s": told["cpu_s"],
            "wall_s": wall_s,
            "waited_s": self._waited_s,
            "rss_mb": told["rss_kb"] / 1024,
        }

    def drain(self) -> None:
        """Read what the process had written before it ended."""
        for fd in (self._out, self._err):
            while self._read(fd) and len(self.out) <= self._order["output_bytes"]:
                pass
        while self._channel is not None:
            try:
                data = self._channel.recv(wire.PIECE)
            except OSError:
                break
            if not data:
                break
            send({"is": "channel"}, data)

    def _close_theirs(self) -> None:
        for fd in [*self._theirs, *(fd for _, fd in self._passed)]:
            os.close(fd)
        self._theirs, self._passed = [], []

    def close(self) -> None:
        """Close every descriptor."""
        self._close_theirs()
        for fd in (self._out, self._err):
            os.close(fd)
        if self._channel is not None:
            self._channel.close()


def _waited(uid: int) -> float:
    """Seconds for which the processes of a uid were ready to run, and others ran; -1 where the kernel does not tell."""
    total, n_tasks = -1.0, 0
    for name in os.listdir("/proc"):
        try:
            if not name.isdigit() or os.stat(f"/proc/{name}").st_uid != uid:
                continue
            for task in os.listdir(f"/proc/{name}/task"):
                n_tasks += 1
                if n_tasks > _MAX_TASKS:
                    return total
                with open(f"/proc/{name}/task/{task}/schedstat") as figures:
                    total = max(total, 0.0) + int(figures.read().split()[1]) * 1e-9
        except (OSError, ValueError, IndexError):
            continue
    return total


def memfd(name: str, data: bytes) -> int:
    """Return a file in memory, for a child to read at its start."""
    fd = os.memfd_create(name)
    wire.write_all(fd, data)
    return fd


def send(header: dict[str, Any], blob: bytes = b"") -> None:
    """Say something to the host."""
    wire.write_all(1, wire.pack(header, blob))
