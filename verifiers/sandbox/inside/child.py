"""A test's own process, between the fork and the program's first line: it gives up root and becomes the program.

Nothing of the parent is worth taking: it has never held an input, an output or a program. What the parent had open is
closed, and the program finds itself as `python3 main.py` would have started it, but for the modules that are loaded.
"""

from __future__ import annotations

import atexit
import builtins
import ctypes
import json
import marshal
import os
import resource
import sys
import threading
import types
from typing import Any

from verifiers.sandbox.inside.program import newer_syntax, solution
from verifiers.sandbox.inside.testing import shared, tester

CHANNEL = 3
_PR_SET_DUMPABLE = 4
_MAX_INT_DIGITS = 0  # any number: the default of 4,300 fails programs that are right, and CPU time has its limit
_libc = ctypes.CDLL(None)


def become(order: dict[str, Any], fds: list[int]) -> tuple[Any, Any]:
    """Drop every privilege; streams are at 0, 1, 2, a channel at 3. Returns the program's code and plan."""
    uid, home = order["uid"], order["home"]
    passed = {name: _contents(fds.pop()) for name in reversed(order["passed"])}
    os.setsid()
    with open("/proc/self/oom_score_adj", "w") as adjust:
        adjust.write("1000")
    _limit(order)
    os.chdir(home)
    os.environ["HOME"] = home
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # Without it /proc/self belongs to root, and /dev/stdin cannot be opened.
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    code = marshal.loads(passed["code"]) if "code" in passed else None
    plan = json.loads(passed["plan"]) if "plan" in passed else None
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
    os.closerange(len(fds), 256)
    return code, plan


def _contents(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _limit(order: dict[str, Any]) -> None:
    seconds = int(order["cpu_s"]) + 2  # a backstop: the supervisor stops the whole tree at the limit itself
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (order["stack_bytes"],) * 2)


def live(order: dict[str, Any], code: Any, plan: Any) -> int:
    """Return what the process is for; returns its exit status."""
    mode = order["mode"]
    if mode == "exec":
        os.environ.pop("PYTHONHASHSEED", None)
        _restore_signals()
        os.execv(order["argv"][0], order["argv"])
    if mode == "compile":
        return _compile()
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(_MAX_INT_DIGITS)
    if mode == "main":
        return _as_main(code)
    return _beside_tests(mode, plan, code)


def _restore_signals() -> None:
    import signal

    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)


def _compile() -> int:
    """Standard input is source; standard output its code, for children of the same parent."""
    source = sys.stdin.buffer.read()
    try:
        code = _compiled(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}"[:2000])
        return 1
    sys.stdout.buffer.write(marshal.dumps(code))
    sys.stdout.flush()
    return 0


def _compiled(source: bytes) -> types.CodeType:
    try:
        return compile(source, "main.py", "exec", dont_inherit=True)
    except SyntaxError:
        try:
            text = source.decode()
            rewritten = newer_syntax.older(text)
            if rewritten != text:
                return compile(rewritten, "main.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, IndexError):
            pass  # the first message is about what was written
        raise


def _as_main(code: Any) -> int:
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__="main.py", __builtins__=builtins)
    sys.modules["__main__"] = module
    sys.argv = ["main.py"]
    return run_to_end(lambda: exec(code, module.__dict__))


def run_to_end(body: Any) -> int:
    """Run ``body`` as the interpreter runs a main module, its threads and exit handlers included; the exit status."""
    status = 0
    try:
        body()
    except SystemExit as end:
        status = _exit_status(end.code)
    except BaseException as error:  # noqa: BLE001 - an uncaught exception ends a program, whatever it is
        status = 1
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != "main.py":
            trace = trace.tb_next
        sys.excepthook(type(error), error, trace)
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as the interpreter does
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return status or 120
    return status


def _exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _beside_tests(mode: str, plan: Any, code: Any) -> int:
    """Return the other ways of being judged: see solution, tester and shared."""
    if mode == "serve":
        return run_to_end(lambda: solution.serve(CHANNEL, code))
    if mode == "tester":
        return run_to_end(lambda: tester.run_tests(CHANNEL, plan))
    return run_to_end(lambda: shared.run_shared(CHANNEL, code, plan))


def explain(error: BaseException) -> bytes:
    """Return what the forker is told when the process could not even begin."""
    return json.dumps({"broken": f"{type(error).__name__}: {error}"[:500]}).encode()
