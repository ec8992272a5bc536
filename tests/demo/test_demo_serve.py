"""Starting and stopping the demo teacher's server, with a stub in vLLM's place."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.teacher.serve import MODEL_DIR, ServerError, serving

# transformers 5.19, models/qwen2/tokenization_qwen2.py: what it splits text by for every model of type qwen2.
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

STUB = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Healthy).serve_forever()
"""


def stand_in(folder: Path, program: str) -> Path:
    """An executable that runs `program` whatever it is asked to run."""
    script = folder / "program.py"
    script.write_text(program)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    python.chmod(0o755)
    return python


def model_in(folder: Path) -> Path:
    """A folder that looks like a model's."""
    (folder / "config.json").write_text("{}")
    return folder


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_model_in_the_repository_is_a_qwen2_that_reads_text_as_one() -> None:
    """The committed model is a Qwen2, and its tokenizer splits text by the pattern that transformers puts there."""
    config = json.loads((MODEL_DIR / "config.json").read_text())
    tokenizer = json.loads((MODEL_DIR / "tokenizer.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["tie_word_embeddings"]) == ("qwen2", True)
    assert tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"] == {"Regex": QWEN2_PATTERN}
    assert tokenizer["normalizer"] == {"type": "NFC"}


def test_server_runs_for_the_length_of_the_block(tmp_path: Path) -> None:
    """Inside the block the server answers on a loopback address; after it, its process is gone."""
    with serving(stand_in(tmp_path, STUB), model_dir=model_in(tmp_path), log=tmp_path / "log") as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        assert server.base_url.endswith("/v1")
        assert server.model == "demo-teacher"
        assert is_running(server.pid)
    assert not is_running(server.pid)


def test_early_exit_is_an_error_that_quotes_the_log(tmp_path: Path) -> None:
    """A server that ends before it is ready raises ServerError with its status and what it wrote."""
    python = stand_in(tmp_path, "import sys; print('no room for weights'); sys.exit(7)")
    with (
        pytest.raises(ServerError, match=r"(?s)status 7.*no room for weights"),
        serving(python, model_dir=model_in(tmp_path), log=tmp_path / "log"),
    ):
        pass


def test_silent_server_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    """A server that never answers raises ServerError when the time is up."""
    python = stand_in(tmp_path, "import time; time.sleep(60)")
    with (
        pytest.raises(ServerError, match="did not answer"),
        serving(python, model_dir=model_in(tmp_path), log=tmp_path / "log", timeout_s=0.6),
    ):
        pass


def test_a_port_in_use_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    """Where something listens on the port that is named, the error says so at once, and no server is started."""
    python = stand_in(tmp_path, f"open({str(tmp_path / 'started')!r}, 'w')")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServerError, match=f"Port {port} of 127.0.0.1 is in use: name another one"),
            serving(python, port=port, model_dir=model_in(tmp_path), log=tmp_path / "log"),
        ):
            pass
    assert not (tmp_path / "started").exists()


def test_missing_environment_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Without a vLLM environment the error names the script that makes one."""
    with pytest.raises(ServerError, match=r"vllm_cpu_env\.sh"), serving(tmp_path / "none", model_dir=tmp_path):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the process that serves ends the server too."""
    python, model = str(stand_in(tmp_path, STUB)), str(model_in(tmp_path))
    program = (
        "import sys, time; from pathlib import Path; from demo.teacher.serve import serving\n"
        f"with serving(Path({python!r}), model_dir=Path({model!r})) as server:\n"
        "    print(server.pid, flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        os.kill(parent.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_running(pid)
