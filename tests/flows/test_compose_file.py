"""What docker-compose.yml promises, read from the file: loopback, one service at the engine, no secret, no root."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.needs import ROOT, compose_command

FILE = ROOT / "docker-compose.yml"
ENDS_AT_ONCE = {"sandbox"}  # an image that is built, and a container that does nothing
RUNS_AS_ROOT = {"sandbox", "vllm-gpu"}  # it does nothing; the public image is made for root
SECRETS = ("POSTGRES_PASSWORD", "TEACHER_API_KEY", "HF_TOKEN", "PREFECT_SERVER_API_AUTH_STRING")
QUIET = {"DO_NOT_TRACK": 1, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
REQUIRED = {"POSTGRES_PASSWORD": "pw-of-this-test", "SANDBOX_SOCKET_GID": "1"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return read


def config(folder: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """What compose makes of the file with these settings, and none of this machine's."""
    file = folder / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [*compose_command(), "-f", str(FILE), "--env-file", str(file), *arguments, "config"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_only_loopback_is_published(services: dict[str, dict[str, Any]]) -> None:
    """Every published port is on 127.0.0.1, and only Prefect's server has one."""
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(ports) == ["prefect-server"]
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_only_the_worker_has_an_engine(services: dict[str, dict[str, Any]]) -> None:
    """The engine's socket is in the worker alone, and so are the address of an engine and the group of its socket."""
    text = {name: yaml.safe_dump(service) for name, service in services.items()}
    assert [name for name in text if re.search(r"docker\.sock|DOCKER_HOST|group_add", text[name])] == ["worker"]
    assert not any(service.get("privileged") for service in services.values())


def test_health_and_restart(services: dict[str, dict[str, Any]]) -> None:
    """Every service that goes on has a health check and comes back when it ends."""
    for name in set(services) - ENDS_AT_ONCE:
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name


def test_no_secret_is_in_the_file(services: dict[str, dict[str, Any]]) -> None:
    """Whatever is secret comes from .env, which neither git nor an image takes in, and has no default anywhere."""
    text = FILE.read_text()
    assert not re.search(rf"\$\{{({'|'.join(SECRETS)}):?-[^}}]", text)
    for service in services.values():
        for name in set(SECRETS) & set(service.get("environment", {})):
            assert str(service["environment"][name] or f"${{{name}}}").startswith(f"${{{name}"), name
    url = services["prefect-server"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert "//tracemill:${POSTGRES_PASSWORD" in url
    assert re.search(r"^POSTGRES_PASSWORD=$", (ROOT / "deployments/compose.env.example").read_text(), re.MULTILINE)
    for ignored in (".gitignore", ".dockerignore"):
        assert ".env" in (ROOT / ignored).read_text().splitlines()


def test_the_database_is_out_of_reach(services: dict[str, dict[str, Any]]) -> None:
    """Postgres and Redis are on a network of their own with the server; worker and teacher are not on it."""
    assert yaml.safe_load(FILE.read_text())["networks"]["database"]["internal"]
    on_it = [name for name, service in services.items() if "database" in service.get("networks", [])]
    assert on_it == ["postgres", "redis", "prefect-server"]


def test_nothing_reports_home(services: dict[str, dict[str, Any]]) -> None:
    """Prefect's and vLLM's telemetry are off."""
    for name in ("prefect-server", "worker"):
        assert services[name]["environment"].items() >= QUIET.items(), name
    for name in ("vllm-gpu", "vllm-cpu"):
        assert services[name]["environment"]["VLLM_NO_USAGE_STATS"] == 1, name


def test_few_rights(services: dict[str, dict[str, Any]]) -> None:
    """No process can gain rights; those of ours, Postgres and Redis are no root and have no capability."""
    for name in set(services) - ENDS_AT_ONCE:
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name
    for name in set(services) - RUNS_AS_ROOT:
        assert services[name]["cap_drop"] == ["ALL"], name
        file = services[name].get("build", {}).get("dockerfile")
        user = (
            services[name].get("user") or re.findall(r"^USER (\w+)", (ROOT / str(file)).read_text(), re.MULTILINE)[-1]
        )
        assert user in {"postgres", "redis", "tracemill"}, name


@pytest.mark.needs_compose
@pytest.mark.parametrize("profile", [[], ["--profile", "cpu"], ["--profile", "gpu"]])
def test_compose_takes_it(tmp_path: Path, profile: list[str]) -> None:
    """With the two required settings compose accepts the file, in every profile."""
    done = config(tmp_path, REQUIRED, *profile)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert {"postgres", "redis", "prefect-server", "worker"} <= set(services)


@pytest.mark.needs_compose
@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    """Without a required setting nothing starts, and the message says how to get it."""
    done = config(tmp_path, {key: value for key, value in REQUIRED.items() if key != name})
    assert done.returncode != 0
    assert "make env" in done.stderr
