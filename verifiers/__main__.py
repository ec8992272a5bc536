"""``python -m verifiers``: rows in, verdicts out, one JSON object a line each; no Prefect.

Contract: same order, one line out for every line in, each flushed as soon as it is known, bounded read-ahead, exit 0
also when rows are bad. ``outcome`` is ``correct``, ``incorrect``, ``no_answer`` (the response is null or has nothing
after its think part), ``unverifiable``, ``timeout`` or ``sandbox_error``.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from queue import Queue
from typing import TYPE_CHECKING

from tracemill.core import json_text
from tracemill.core.machine import cores
from tracemill.recipe.sections.verify import Sandbox, Verify
from verifiers.dispatch import PendingVerdict, VerifierSet
from verifiers.rows import BadRow, read_row, refusal, verdict_line
from verifiers.sandbox.protocol import NoSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_READ_AHEAD = 64  # lines per worker
_NO_SANDBOX = "no sandbox was asked for; run again with --sandbox docker"
_READ_BYTES = 1 << 16


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 130 after Ctrl-C."""
    options = _options(argv)
    # A thread reads, so that a finished verdict is written also while the next line has not come yet.
    queue: Queue[tuple[Any, PendingVerdict | BadRow | BaseException] | None] = Queue(_READ_AHEAD * options.workers)
    settings = Verify(
        workers=options.workers,
        wall_s=options.wall_s,
        memory_mb=options.memory_mb,
        sandbox=Sandbox(containers=options.workers, image=options.sandbox_image),
    )
    with VerifierSet(settings, sandbox=None if options.sandbox else NoSandbox(_NO_SANDBOX)) as verifier_set:
        threading.Thread(target=_read, args=(queue, verifier_set), daemon=True).start()
        try:
            _write(queue)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter flushes into it
        except KeyboardInterrupt:
            return 130
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    limits = Verify()
    parser = argparse.ArgumentParser(prog="python -m verifiers", description=__doc__)
    parser.add_argument("--sandbox", choices=["docker"], help="where programs run; without it they are not judged")
    parser.add_argument("--sandbox-image", default=Sandbox().image, help="image of the containers (%(default)s)")
    parser.add_argument("--workers", type=_positive(int), default=cores(), help="worker processes, and containers")
    parser.add_argument("--wall-s", type=_positive(float), default=limits.wall_s, help="seconds a row (%(default)s)")
    parser.add_argument("--memory-mb", type=_positive(int), default=limits.memory_mb, help="per worker (%(default)s)")
    return parser.parse_args(argv)


def _positive(kind: type[int | float]) -> Any:
    def parsed(text: str) -> int | float:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parsed.__name__ = f"positive {kind.__name__}"
    return parsed


def _read(queue: Queue[Any], verifier_set: VerifierSet) -> None:
    try:
        for line in _lines(sys.stdin.fileno()):
            row_id, row = read_row(line)
            queue.put((row_id, row if isinstance(row, BadRow) else verifier_set.begin(row)))
    except BaseException as error:  # noqa: BLE001 - the writer raises it
        queue.put((None, error))
    queue.put(None)


def _lines(source: int) -> Iterator[bytes]:
    """Lines as they arrive. Not sys.stdin: a thread that waits inside its lock makes the interpreter's exit fatal."""
    rest: list[bytes] = []
    while chunk := os.read(source, _READ_BYTES):
        *lines, last = chunk.split(b"\n")
        for line in lines:
            yield b"".join([*rest, line])
            rest = []
        rest.append(last)
    if any(rest):
        yield b"".join(rest)


def _write(queue: Queue[Any]) -> None:
    while (item := queue.get()) is not None:
        row_id, row = item
        if isinstance(row, BaseException):
            raise row
        line = refusal(row_id, row) if isinstance(row, BadRow) else verdict_line(row_id, row.verdict())
        sys.stdout.write(json_text(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
