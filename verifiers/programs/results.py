"""Verdict codes of single tests, and what a process's end means in them."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracemill.core import Cause

if TYPE_CHECKING:
    from verifiers.sandbox.protocol import Limits, Run


class Code(StrEnum):
    """What became of one test; the names are those of contest judges."""

    AC = "AC"
    WA = "WA"
    TLE = "TLE"
    MLE = "MLE"
    OLE = "OLE"
    RE = "RE"
    CE = "CE"
    IE = "IE"
    NOT_RUN = "NOT_RUN"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test's code and why, for people; how long it took; of an IE, whose fault it is."""

    code: Code
    detail: str = ""
    wall_s: float = 0.0
    cause: Cause | None = None


_SHOWN_CHARS: Final = 300


def fault_of(run: Run, limits: Limits) -> CaseResult | None:  # noqa: PLR0911 - one for each way to end
    """Return why a process's own end fails its test, whatever it has printed; None when it ended well.

    In the order of DMOJ's precedence: time, memory, output, then how it ended.
    """
    if run.stopped == "cpu" or run.signal == signal.SIGXCPU or run.cpu_s > limits.cpu_s:
        return CaseResult(Code.TLE, f"more than {limits.cpu_s:g} s of CPU time", run.wall_s)
    if run.out_of_memory:
        return CaseResult(Code.MLE, f"more than {limits.memory_mb} MB", run.wall_s)
    if run.was_starved:
        why = f"stopped by the clock after {run.wall_s:.0f} s, with {run.cpu_s:.1f} s of CPU time: the machine is busy"
        return CaseResult(Code.NOT_RUN, why, run.wall_s, Cause.VERIFIER)
    if run.stopped == "wall":
        return CaseResult(Code.TLE, f"not done after {limits.wall_s:g} s ({run.cpu_s:.1f} s of CPU time)", run.wall_s)
    if run.stopped == "output":
        return CaseResult(Code.OLE, f"more than {limits.output_bytes >> 20} MB of output", run.wall_s)
    if run.signal:
        return CaseResult(Code.RE, f"ended by {_signal_name(run.signal)}{_last_words(run)}", run.wall_s)
    if run.status:
        return CaseResult(Code.RE, f"exit status {run.status}{_last_words(run)}", run.wall_s)
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(run: Run) -> str:
    lines = [line for line in run.stderr.strip().splitlines() if line.strip()]
    return f": {lines[-1][:_SHOWN_CHARS]}" if lines else ""
