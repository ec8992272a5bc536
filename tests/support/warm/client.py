"""A request to the process that programs are forked from; standard library only.

As a script it is ``python`` itself, where it is found first: ``python -m MODULE …`` becomes a request where the module
is this project's, everything else goes to the interpreter.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys

PLACE = "TRACEMILL_WARM"  # in the environment of the script: where that process listens
OURS = ("benchmarks", "demo", "flows", "tasks", "tracemill", "verifiers")


def request(
    place: str, argv: list[str], cwd: str, environment: dict[str, str], descriptors: list[int]
) -> tuple[int, socket.socket]:
    """Asks for a program; returns its process id, and the connection on which its status will come."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(place)
    data = json.dumps({"argv": argv, "cwd": cwd, "environment": environment}).encode()
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


def main() -> None:
    """Is ``python``."""
    place = os.environ.get(PLACE)
    is_ours = place and len(sys.argv) > 2 and sys.argv[1] == "-m" and sys.argv[2].partition(".")[0] in OURS
    if not is_ours or place is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - an interpreter
    here = os.getcwd()  # noqa: PTH109 - without pathlib it starts sooner
    _, connection = request(place, sys.argv[2:], here, dict(os.environ), [0, 1, 2])
    status = number_on(connection)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
