"""The Slurm script, with a stand-in for srun: this machine is one node, and another one has answered already."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from demo.free_port import free_port
from tests.support.needs import ROOT
from tests.support.servers.vllm_stand_in import vllm_stand_in
from tracemill.recipe import load_recipe

PATIENCE_S = 60.0
SRUN = """#!/usr/bin/env bash
[ "$1" = --kill-on-bad-exit=0 ] && shift
echo '{"distill.teacher": ["http://node1:8000/v1"]}' > "$SERVERS/urls-1.json"
SLURM_PROCID=0 exec "$@"
"""


def test_the_urls_of_all_nodes_are_one_line_for_the_run(tmp_path: Path) -> None:
    """It is written once each node answers, `--set` takes it, and the end of the job ends the servers."""
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "tracemill").symlink_to(ROOT / "tracemill")
    port, servers = free_port(), tmp_path / "servers"
    recipe = ROOT / "recipes" / "demo.yaml"
    options = f"--set distill.teacher.base_urls=[http://127.0.0.1:{port}/v1] --gpus none"
    line = ["bash", str(ROOT / "deployments" / "serve.sbatch"), str(recipe), *shlex.split(options)]
    own = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SERVERS": str(servers)}
    job = subprocess.Popen(
        [*line, "--vllm-python", str(vllm_stand_in(tmp_path))],
        cwd=tmp_path,
        env=os.environ | own | {"PATH": f"{srun.parent}:{os.environ['PATH']}"},
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (servers / "base_urls").exists():
            assert job.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        here = f"http://{socket.gethostname()}:{port}/v1"
        override = (servers / "base_urls").read_text().strip()
        asked = load_recipe(recipe, [override], pinned=False).distill.teacher
        assert asked is not None
        assert asked.base_urls == (here, "http://node1:8000/v1")
    finally:
        job.send_signal(signal.SIGTERM)
        job.wait(PATIENCE_S)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port))  # its server has ended
