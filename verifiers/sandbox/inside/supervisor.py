"""Process 1's only child in a container: root, and alone in speaking to the host.

Takes one order at a time on standard input: compile a program, or run a test. A test is a fresh process of a uid that
is never used again, forked from a warm interpreter (see forker); its streams, its CPU time, wall time and output are
seen to by a trial, with everything that it starts. When its first process ends, all others of its uid are killed, and
what it wrote is removed (clearing).

Covered: programs that fork, hang, flood, hide files, catch or send signals, outlive their parent, fill memory.
Not covered: holes in the kernel (use gVisor or a virtual machine below), and what a program learns by measuring time.
What is left behind and cannot be cleared in no time makes the container ``dirty``: the host throws it away.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from typing import Any

from verifiers.sandbox.inside import cgroup, clearing, wire
from verifiers.sandbox.inside.trial import WORK, Trial, memfd, send

_BIN = f"{WORK}/.bin"
_MAX_BINARY = 64 << 20


class Supervisor:
    """One container's supervisor.

    Args:
        uid: no test runs under this uid or one below.
        forker: process id and control socket of the warm parent.
        killer: kills what tests leave running.
        ours: process ids that are not tests'.
    """

    def __init__(self, uid: int, forker: tuple[int, socket.socket], killer: clearing.Killer, ours: set[str]) -> None:
        self._uid, self._killer = uid, killer
        self._forker = forker[1]
        ours.add(str(forker[0]))
        self._cpu, self._oom = cgroup.cpu_seconds(), cgroup.oom_kills()
        self._code: int | None = None
        self._dirty = ""

    def serve(self) -> None:
        """Answer orders until the host hangs up."""
        send({"is": "ready", "python": sys.version.split()[0], "cpu": bool(self._cpu), "oom": bool(self._oom)})
        while True:
            order, blob = wire.read_frame(0)
            if order["do"] == "compile":
                self._compile(order, blob)
            elif order["do"] == "run":  # anything else was meant for a test that has ended meanwhile
                end, out, errors = self._test(order, blob)
                send({**end, "is": "end", "n_out": len(out)}, out + errors)

    def _compile(self, order: dict[str, Any], source: bytes) -> None:
        """Compiles once for all tests, as nobody and within limits: compilers are programs under attack too."""
        if self._code is not None:
            os.close(self._code)
            self._code = None
        for name in os.listdir(_BIN):
            os.unlink(f"{_BIN}/{name}")
        if order["compiler"] is None:
            end, code, errors = self._test({**order, "mode": "compile"}, source)
            if not end["failed"]:
                self._code = memfd("code", code)
        else:
            end, _, errors = self._test({**order, "mode": "exec"}, source, keep=order["product"])
        send({**end, "is": "compiled"}, errors)

    def _test(self, order: dict[str, Any], blob: bytes, keep: str | None = None) -> tuple[dict[str, Any], bytes, bytes]:
        """One process from its fork until nothing of it is left: how it ended, its output, the end of its errors."""
        self._uid += 1
        trial = Trial(order, blob, self._uid, self._code)
        oom, cpu = _read(self._oom), _read(self._cpu)
        try:
            end = trial.run(self._forker, lambda: _read(self._cpu) - cpu, self._kill)
            if self._killer.strays():
                self._soil("processes outlived their parent")
                self._kill(self._uid)
            trial.drain()
            if keep is not None and not end["failed"]:
                end["failed"] = not _adopted(f"{trial.home}/{keep}", f"{_BIN}/{keep}")
        finally:
            trial.close()
        end["cpu_s"] = max(end["cpu_s"], _read(self._cpu) - cpu)
        end["oom"] = _read(self._oom) > oom or (end["failed"] and clearing.is_full("/dev/shm"))
        if end["oom"]:
            self._soil("memory ran out")
        if not self._dirty:
            self._soil(clearing.clear(trial.home))
        end["dirty"] = self._dirty
        return end, bytes(trial.out), bytes(trial.errors[-wire.ERRORS_KEPT :])

    def _kill(self, uid: int) -> None:
        self._soil(self._killer.kill(uid))

    def _soil(self, reason: str) -> None:
        self._dirty = self._dirty or reason


def _read(reader: cgroup.Reader | None) -> float:
    return reader() if reader is not None else 0.0


def _adopted(path: str, target: str) -> bool:
    """Copy what a compiler wrote to where no test can write; only a regular file, and never through a link."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > _MAX_BINARY:
            return False
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
        try:
            wire.write_all(copy, os.pread(source, found.st_size, 0))
        finally:
            os.close(copy)
        return True
    finally:
        os.close(source)


def _start_forker(bootstrap: str, script: bytes) -> tuple[int, socket.socket]:
    """A new interpreter, so that nothing of this one is in it; its streams are pipes, as its children's will be."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        nowhere = os.pipe()[1]
        for target, fd in enumerate((read_end, nowhere, 2)):
            os.dup2(fd, target)
        os.dup2(theirs.fileno(), 3)
        os.closerange(4, 256)
        os.execv(sys.executable, [sys.executable, "-s", "-c", bootstrap])
    os.close(read_end)
    theirs.close()
    wire.write_all(write_end, script)
    os.close(write_end)
    if not ours.recv(64):
        raise RuntimeError("the warm parent did not start")
    return pid, ours


def main(uid: int, bootstrap: str, script: bytes) -> None:
    """Run until the host hangs up.

    Args:
        uid: no test runs under this uid or one below.
        bootstrap: what the warm parent's interpreter runs; it reads and runs ``script``.
        script: the modules of this package, and which of them to run.
    """
    os.environ.clear()
    os.environ.update(
        PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8", LC_ALL="C.UTF-8", TMPDIR="/tmp",
        PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip
    os.umask(0o022)
    os.makedirs(_BIN, exist_ok=True)
    ours = {"1", str(os.getpid())}
    killer = clearing.Killer(ours)
    forker = _start_forker(bootstrap, script)
    try:
        Supervisor(uid, forker, killer, ours).serve()
    except wire.Closed:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the host must hear of it; it then throws the container away
        send({"is": "broken", "reason": f"{type(error).__name__}: {error}"[:500]})
        os._exit(1)
