"""A request to the process that programs are forked from; standard library only.

With a call of ``main`` behind it (:mod:`tests.support.warm.start`) it is a script that is ``python`` itself, where it
is found first: ``python -m MODULE …`` becomes a request to the socket beside the script where the module is one of
those that are forked, and everything else goes to the interpreter. The program is a process group of its own. It gets
the signals that end this process, and is killed with it: what kills this one kills that one, a little later.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys


def request(
    place: str,
    words: list[str],
    cwd: str,
    environment: dict[str, str],
    descriptors: list[int],
    *,
    forks: bool = True,
) -> tuple[int, socket.socket]:
    """Asks for a program; returns its process id, and the connection on which its status will come.

    The words are those of the interpreter's command line, ``-m MODULE …`` or ``-c CODE …``; the descriptors the
    program's input, output and errors, and maybe one at whose end the program is killed. ``forks``: whether what it
    starts by ``sys.executable`` is forked, too.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(place)
    cores = sorted(os.sched_getaffinity(0))
    asked = {"words": words, "cwd": cwd, "environment": environment, "cores": cores, "forks": forks}
    data = json.dumps(asked).encode()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    sent = connection.sendmsg([data], [rights])
    connection.sendall(data[sent:])
    connection.shutdown(socket.SHUT_WR)
    return number_on(connection), connection


def number_on(connection: socket.socket) -> int:
    """The next line; raises ConnectionError where the other side is gone."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the process that programs are forked from is gone")
        line += byte
    return int(line)


def main(python: str, forked: tuple[str, ...]) -> None:
    """Is ``python``.

    Args:
        python: the interpreter.
        forked: packages whose modules are forked; ``-c`` for code, too.
    """
    words = sys.argv[1:]
    kind, what = [*words, "", ""][:2]
    if (what.partition(".")[0] if kind == "-m" else kind) not in forked:
        os.execv(python, [python, *words])  # noqa: S606 - an interpreter
    place = os.path.join(os.path.dirname(os.path.realpath(__file__)), "socket")  # noqa: PTH118, PTH120 - as below
    end, _ = os.pipe()
    here = os.getcwd()  # noqa: PTH109 - without pathlib it starts sooner
    pid, connection = request(place, words, here, dict(os.environ), [0, 1, 2, end])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: os.kill(pid, got))
    status = number_on(connection)
    if status < 0:
        if -status != signal.SIGKILL:  # whose default nobody can have changed
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
