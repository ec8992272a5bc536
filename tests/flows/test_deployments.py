"""The deployments, on a real server: their forms, what they refuse, and a run by a real process worker."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL
from prefect.utilities.schema_tools.validation import validate

from flows.deploy import deploy
from flows.engine.paused import PAUSED
from tests.support.needs import ROOT
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tests.support.warm.start import children_forked, python
from tracemill.core import ServerError
from tracemill.publish import published
from tracemill.store import Store

NAMES = (
    "build-dataset",
    "check-references",
    "compare-students",
    "evaluate-student",
    "refresh-dataset",
    "verify-dataset",
)
WORKER_S = 240


@pytest.fixture(scope="module")
def deployed(prefect_server: None) -> dict[str, DeploymentResponse]:  # noqa: ARG001 - it has to be up
    """What `make deploy` makes."""
    with children_forked():
        deploy(str(PREFECT_API_URL.value()))
    with get_client(sync_client=True) as client:
        return {name: client.read_deployment_by_name(f"{name}/{name}") for name in NAMES}


def properties(deployment: DeploymentResponse) -> dict[str, Any]:
    found: dict[str, Any] = deployment.parameter_openapi_schema["properties"]
    return found


def start(client: SyncPrefectClient, deployment: DeploymentResponse, **parameters: Any) -> Any:
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


def test_every_parameter_has_its_place_and_its_help(deployed: dict[str, DeploymentResponse]) -> None:
    """Forms show what must be said first, each field with a help text."""
    for deployment in deployed.values():
        fields = sorted(properties(deployment).items(), key=lambda item: item[1]["position"])
        assert next(iter(fields))[0] in {"recipe", "dataset"}
        assert all(field["description"] for _, field in fields)
        assert deployment.description
        assert deployment.enforce_parameter_schema


def test_what_may_be_left_out_is_a_plain_field(deployed: dict[str, DeploymentResponse]) -> None:
    """Nobody has to choose between a type and None, and the form is accepted as it stands."""
    for deployment in deployed.values():
        fields = properties(deployment)
        assert not any({"type": "null"} in field.get("anyOf", []) for field in fields.values())
        required = deployment.parameter_openapi_schema.get("required", [])
        untouched = {name: field["default"] for name, field in fields.items() if name not in required}
        assert not validate(untouched, deployment.parameter_openapi_schema, preprocess=False, ignore_required=True)


def test_recipes_are_choices(deployed: dict[str, DeploymentResponse]) -> None:
    """The shipped recipes can be chosen by name, and any other YAML file can be named."""
    names = sorted(f"recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml"))
    evaluations = [name for name in names if name.startswith("recipes/evaluate-")]
    comparisons = [name for name in names if name.startswith("recipes/compare-")]
    shipped, other = properties(deployed["build-dataset"])["recipe"]["anyOf"]
    assert shipped["enum"] == [name for name in names if name not in evaluations + comparisons]
    assert properties(deployed["compare-students"])["recipe"]["anyOf"][0]["enum"] == comparisons
    assert other["type"] == "string"
    assert properties(deployed["evaluate-student"])["recipe"]["anyOf"][0]["enum"] == evaluations


def test_runs_wait_for_each_other(deployed: dict[str, DeploymentResponse]) -> None:
    """No two refreshes overlap, and none is lost; the nightly one is there to be switched on."""
    refresh = deployed["refresh-dataset"]
    assert refresh.global_concurrency_limit is not None
    assert refresh.global_concurrency_limit.limit == 1
    assert refresh.concurrency_options is not None
    assert refresh.concurrency_options.collision_strategy == "ENQUEUE"
    assert [schedule.slug for schedule in refresh.schedules] == ["nightly"]


@pytest.mark.parametrize(
    ("name", "parameters", "field"),
    [
        ("build-dataset", {"recipe": "demo"}, "recipe"),
        ("build-dataset", {"recipe": "recipes/demo.yaml", "overrides": ["distill.limit"]}, "overrides"),
        ("build-dataset", {"recipe": "recipes/demo.yaml", "overrides": ["distil.limit=1"]}, r"overrides.*distill"),
        ("build-dataset", {"recipe": "a.yaml", "overrides": ["distill.teacher.api_key=sk-x"]}, "overrides"),
        ("build-dataset", {"recipe": "a.yaml", "overrides": ["judge={model: m, api_key: sk-x}"]}, "overrides"),
        ("build-dataset", {"recipe": "a.yaml", "overrides": ["distill.teacher.base_urls=http://u:p@h"]}, "overrides"),
        ("build-dataset", {"recipe": "name: r\njudge: {model: m, api_key: sk-x}"}, "recipe"),
        ("verify-dataset", {"dataset": "a.jsonl", "overrides": ["distill.limit=1"]}, r"overrides.*collect"),
        ("refresh-dataset", {"recipe": 3}, "recipe"),
        ("evaluate-student", {"recipe": "a.yaml", "overrides": ["student.api_key=sk-x"]}, "overrides"),
        ("evaluate-student", {"recipe": "a.yaml", "overrides": ["distill.limit=1"]}, r"overrides.*student"),
        ("check-references", {"recipe": "recipes/demo.yaml", "out": 5}, "out"),
        ("verify-dataset", {"dataset": "a.jsonl", "limit": -1}, "limit"),
        ("verify-dataset", {"dataset": "org/name", "hub": {"branch": "main"}}, "hub"),
        ("verify-dataset", {}, "dataset"),
    ],
)
def test_a_bad_value_is_refused_before_anything_runs(
    deployed: dict[str, DeploymentResponse], name: str, parameters: dict[str, Any], field: str
) -> None:
    """A value that does not fit the form makes no run, and the answer names the field."""
    with get_client(sync_client=True) as client, pytest.raises(PrefectHTTPStatusError, match=field) as refused:
        start(client, deployed[name], **parameters)
    assert refused.value.response.status_code in {409, 422}


def test_a_worker_runs_a_deployment(deployed: dict[str, DeploymentResponse], tmp_path: Path) -> None:
    """A run that is started by its form is taken by a process worker, completes, and publishes."""
    with ChatServer(wrong_percent=0) as teacher, get_client(sync_client=True) as client:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(8)])
        run.write()
        started = start(client, deployed["build-dataset"], recipe=str(run.recipe_path), out=str(run.out))
        log = work_once(tmp_path)
        ended = client.read_flow_run(started.id)
    assert ended.state is not None
    assert ended.state.is_completed(), f"{ended.state}\n{log}"
    standing = published(Store(str(run.out)))
    assert standing is not None
    assert standing["recipe"] == "small"
    check_artifacts(artifacts_of(started.id), run, standing)


def priced(run: SmallRun, budget: float | None) -> None:
    """Write the recipe of a run whose teacher takes one of some currency a token, with so much to spend."""
    teacher = run.recipe()["distill"]["teacher"] | {"price": {"input": 0, "output": 1_000_000}, "max_tokens": 64}
    run.sections["distill"] = {"teacher": teacher} | ({} if budget is None else {"budget": budget})
    run.write()


@pytest.mark.slow
def test_resume_goes_on_with_the_budget_of_the_recipes_file(
    deployed: dict[str, DeploymentResponse], tmp_path: Path
) -> None:
    """A run that is paused for its budget has no process; resumed, it pays what is left to pay, and completes."""
    with ChatServer(wrong_percent=0) as teacher, get_client(sync_client=True) as client:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(8)])
        priced(run, budget=30)
        started = start(client, deployed["build-dataset"], recipe=str(run.recipe_path), out=str(run.out))
        log = work_once(tmp_path)
        paused, n_paid = client.read_flow_run(started.id).state, teacher.completed
        assert paused is not None
        assert (paused.name, paused.is_paused()) == (PAUSED, True), f"{paused}\n{log}"
        assert "press Resume" in str(paused.message)
        priced(run, budget=100_000)
        client.resume_flow_run(started.id)
        log = work_once(tmp_path)
        ended = client.read_flow_run(started.id).state
        assert ended is not None
        assert ended.is_completed(), f"{ended}\n{log}"
        assert 0 < n_paid < teacher.completed == len({str(body) for body in teacher.bodies})
    assert published(Store(str(run.out))) is not None


@pytest.mark.slow
def test_resume_keeps_the_budget_that_a_run_was_started_with(
    deployed: dict[str, DeploymentResponse], tmp_path: Path
) -> None:
    """Where the form's overrides name the budget, Resume cannot raise it, and the state says what can."""
    with ChatServer(wrong_percent=0) as teacher, get_client(sync_client=True) as client:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(8)])
        priced(run, budget=None)
        parameters = {"recipe": str(run.recipe_path), "out": str(run.out), "overrides": ["distill.budget=30"]}
        started = start(client, deployed["build-dataset"], **parameters)
        log = work_once(tmp_path)
        paused = client.read_flow_run(started.id).state
        assert paused is not None
        assert paused.is_paused(), f"{paused}\n{log}"
        assert "press Resume" not in str(paused.message)
        assert "overrides" in str(paused.message)
        another = start(client, deployed["build-dataset"], **parameters | {"overrides": ["distill.budget=100000"]})
        work_once(tmp_path)
        ended = client.read_flow_run(another.id).state
        assert ended is not None
        assert ended.is_completed()
        client.delete_flow_run(started.id)


def artifacts_of(flow_run_id: UUID) -> dict[str, Any]:
    """Data of the artifacts that a flow run has left, by key."""
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        return {str(artifact.key): artifact.data for artifact in client.read_artifacts(artifact_filter=only)}


def check_artifacts(left: dict[str, Any], run: SmallRun, standing: dict[str, Any]) -> None:
    """One table per phase that accounts for every row, and the funnel with the paths."""
    phases = ("curate", "prepare", "distill")
    of_phases = {f"{kind}-{phase}" for kind in ("phase", "progress") for phase in phases}
    assert set(left) == {"funnel", "progress-export"} | of_phases
    assert [left[f"progress-{phase}"] for phase in (*phases, "export")] == [100, 100, 100, 100]
    stages = {row["stage"]: row for phase in ("curate", "prepare") for row in json.loads(left[f"phase-{phase}"])}
    assert (stages["collect"]["shards"], stages["collect"]["in"], stages["collect"]["kept"]) == (2, 10, 10)
    assert stages["decontaminate"]["dropped"] == 1
    assert stages["decontaminate"]["by reason"] == "decontaminate/bench 1"
    n_published = sum(row["rows"] for row in standing["funnel"] if row["stage"] == "published")
    rows = rf"\[{n_published}\]\(http://127\.0\.0\.1:\d+/[^)]*\)"  # a link into the row browser
    assert re.search(rf"\| published \| rows \| {rows} \| {n_published} \|", left["funnel"])
    assert f"`{run.out}/report.html`" in left["funnel"]
    assert all(f"[{phase}](../artifact/" in left["funnel"] for phase in phases)


def work_once(folder: Path) -> str:
    """A process worker that takes what is due, waits for its end, and ends; returns its output."""
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "prefect-results"),
        "TRACEMILL_HOME": str(ROOT),
    }
    command = [python(), "-m", "prefect", "worker", "start", "--pool", "tracemill", "--type", "process"]
    done = subprocess.run(
        [*command, "--run-once"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WORKER_S,
        check=False,
    )
    return done.stdout + done.stderr


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no server answers, the error says how to start one."""
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    with pytest.raises(ServerError, match=r"no Prefect server answers at http://127\.0\.0\.1:9/api(?s:.*)make ui"):
        deploy("http://127.0.0.1:9/api")
