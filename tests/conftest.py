"""Marks of what a machine lacks, the order of files, and the servers that tests share."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.needs import NEEDS, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers.object_store import S3Server

# No deadlines: a busy machine is not a failure. In CI the same examples each time.
settings.register_profile(
    "tracemill", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tracemill")

# Bytecode is kept, whatever the environment says: these tests start hundreds of processes, each of which would compile
# 340 modules (0.5 s of its 3), and each of pytest's workers would rewrite the asserts of all tests (8 of its 18 s).
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# torch's threads wait asleep: others need the cores (embedding ten short texts on busy ones takes a third).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Seconds of a test, by what it needs and by its fixtures: roughly, on two cores with four files at once.
SECONDS_BY_NEED = {"scale_out": 40.0, "browser": 30.0, "vllm": 10.0}
SECONDS_BY_FIXTURE = {"matrix": 30.0, "prefect_server": 5.0, "by_flow": 5.0, "checkout": 5.0, "composed": 5.0}
LEFT_OUT = pytest.StashKey[int]()  # tests that were deselected


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
    """Orders files by what they are likely to take, so that side by side none of the long ones is left to the end."""
    seconds: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        seconds[item.path] += likely_seconds(item)
    items.sort(key=lambda item: -seconds[item.path])


def likely_seconds(item: pytest.Item) -> float:
    """Of a rehearsal what its mark says or a minute, of others what their needs and fixtures suggest."""
    slow = item.get_closest_marker("slow")
    if slow:
        return float(slow.args[0]) if slow.args else 60.0
    needs = [marker.name.removeprefix("needs_") for marker in item.iter_markers() if marker.name.startswith("needs_")]
    suggested = [
        *(SECONDS_BY_NEED.get(need, 0.5) for need in needs),
        *(SECONDS_BY_FIXTURE.get(name, 0.0) for name in getattr(item, "fixturenames", ())),
    ]
    return max(suggested, default=0.05) or 0.05


@pytest.fixture
def real_data() -> Path:
    """Folder with the real question sets."""
    return Path(os.environ["TRACEMILL_REAL_DATA"])


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect server of this test session's own, set up as the command line sets up its temporary one."""
    from prefect.testing.utilities import prefect_test_harness

    from flows.command_line import TEMPORARY_SERVER
    from tests.support.servers.prefect_home import prefect_home
    from tests.support.warm.start import children_forked

    home = prefect_home(tmp_path_factory.mktemp("prefect"), "prefect-test.db")
    with pytest.MonkeyPatch.context() as environment:
        # The harness makes its database in a new folder, without a way to name one.
        environment.setattr("prefect.testing.utilities.mkdtemp", lambda: str(home))
        for variable, value in TEMPORARY_SERVER.items():
            environment.setenv(variable, value)
        with contextlib.ExitStack() as stack:
            with children_forked():
                stack.enter_context(prefect_test_harness(server_startup_timeout=120))
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
    from tests.support.servers.object_store import S3Server

    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket, with the environment that reaches it."""
    from tests.support.servers.object_store import BUCKET, make_bucket

    s3_server.introduce(monkeypatch)
    make_bucket()
    return f"s3://{BUCKET}"
