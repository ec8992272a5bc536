"""The files of deployments/pools: what a server takes, and what Prefect's workers make of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from jsonschema import Draft202012Validator
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.settings import PREFECT_API_URL

from flows.deploy import deploy
from flows.work_pools import POOLS, make_work_pool, read_pool
from tests.support.needs import ROOT
from tests.support.warm.start import children_forked
from tracemill.core import RecipeError, ServerError

NAMES = sorted(path.stem for path in POOLS.glob("*.yaml"))
DEPLOYMENTS = [
    entry["name"] for entry in yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]
]


@pytest.fixture
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:  # noqa: ARG001 - it has to be up
    with get_client(sync_client=True) as connected:
        yield connected


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_one_of_a_variable_that_is_used(name: str) -> None:
    """Defaults fit their own schema; what may be set is used, and what is used may be set."""
    pool = read_pool(name)
    variables = pool.variables.get("properties", {})
    used = set(re.findall(r"\{\{ (\w+) \}\}", yaml.safe_dump(pool.job_configuration)))
    assert used == set(variables)
    for schema in variables.values():
        Draft202012Validator.check_schema(schema)
        if "default" in schema:
            Draft202012Validator(schema).validate(schema["default"])


@pytest.mark.parametrize("name", sorted({*NAMES} - {"process"}))  # test_deployments.py has that one
def test_every_deployment_can_be_on_every_pool(client: SyncPrefectClient, name: str) -> None:
    """`make deploy POOL=…` makes the pool of the file, and puts all deployments of prefect.yaml on it."""
    with children_forked():
        deploy(str(PREFECT_API_URL.value()), pool=name)
    pool = read_pool(name)
    standing = client.read_work_pool(pool.name)
    assert (standing.type, standing.base_job_template) == (pool.type, pool.template)
    for entry in DEPLOYMENTS:
        assert client.read_deployment_by_name(f"{entry}/{entry}").work_pool_name == pool.name
    assert make_work_pool(client, pool) == ""


def test_a_pool_is_brought_up_to_date(client: SyncPrefectClient, tmp_path: Path) -> None:
    """A changed file changes the pool of that name, and it is said."""
    text = (POOLS / "docker.yaml").read_text().replace("tracemill-docker", f"own-{uuid4().hex}")
    own, told = tmp_path / "own.yaml", []
    for image in ("tracemill", "registry.example.org/tracemill:7"):
        own.write_text(text.replace("default: tracemill\n", f"default: {image}\n"))
        told.append(make_work_pool(client, pool := read_pool(str(own))))
        found = client.read_work_pool(pool.name).base_job_template
        assert found["variables"]["properties"]["image"]["default"] == image
    assert told == [
        f"made the work pool {pool.name}, of type docker",
        f"brought the work pool {pool.name} up to date with its file",
    ]
    client.delete_work_pool(pool.name)


def test_a_pool_of_another_type_stays(client: SyncPrefectClient, tmp_path: Path) -> None:
    """A pool is not made another's: the error says which it is."""
    name = f"own-{uuid4().hex}"
    client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    own = tmp_path / "own.yaml"
    own.write_text((POOLS / "docker.yaml").read_text().replace("name: tracemill-docker", f"name: {name}"))
    with pytest.raises(ServerError, match=r"of another type(?s:.*)process(?s:.*)docker"):
        make_work_pool(client, read_pool(str(own)))
    client.delete_work_pool(name)


SECRETS = [
    ("TEACHER_API_KEY: sk-1234", "TEACHER_API_KEY"),
    ("AWS_SECRET_ACCESS_KEY: abcd", "AWS_SECRET_ACCESS_KEY"),
    ("HTTPS_PROXY: http://me:pw@proxy", "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("line", "named"), SECRETS)
def test_a_literal_secret_is_refused(tmp_path: Path, line: str, named: str) -> None:
    """What the server would keep and show holds no secret; the error names it without its value."""
    own = tmp_path / "own.yaml"
    text = (POOLS / "docker.yaml").read_text()
    own.write_text(text.replace("        PREFECT_HOME:", f"        {line}\n        PREFECT_HOME:"))
    with pytest.raises(RecipeError, match=rf"{named} is a secret(?s:.*)prefect\.blocks\.secret") as refused:
        read_pool(str(own))
    assert line.partition(": ")[2] not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such work pool(?s:.*)docker, kubernetes, process"),
        ("name: x\n", "type"),
        ("name: x\ntype: docker\nimage: y\n", "image"),
        ("name: [\n", "says nothing of a work pool"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str | None, told: str) -> None:
    """The error names what is missing or too much, and the pools that there are."""
    own = tmp_path / "own.yaml"
    if text is not None:
        own.write_text(text)
    with pytest.raises(RecipeError, match=told):
        read_pool(str(own))


def prepared(worker: Any, name: str, **variables: Any) -> Any:
    """What a worker of that type would start for a run of build-dataset with these job variables."""
    pool = read_pool(name)
    kind = worker.job_configuration
    # Without a client it would start a server, to look up blocks that the files do not name.
    nobody = object()
    made = asyncio.run(kind.from_template_and_values(pool.template, variables, client=nobody))
    run = FlowRun(name="build-7", flow_id=uuid4())
    made.prepare_for_flow_run(run, work_pool=WorkPool(name=pool.name, type=pool.type), worker_name="w")
    return made


@pytest.mark.needs_work_pools
def test_what_a_docker_worker_starts() -> None:
    """The project's image, without rights, its state on volumes; what the worker has for itself stays its own."""
    from prefect_docker.worker import DockerWorker

    made = prepared(DockerWorker, "docker", env={"TEACHER_URL": "http://h/v1"}, group_add=["998"])
    assert (made.image, made.command) == ("tracemill", "prefect flow-run execute")
    assert made.env["PREFECT_HOME"] == "/app/.tracemill/prefect"
    assert made.env["TEACHER_URL"] == "http://h/v1"
    assert {volume.split(":")[1] for volume in made.volumes} == {
        "/app/.tracemill",
        "/app/runs",
        "/app/recipes",
        "/app/data",
    }
    kwargs = made.container_create_kwargs
    assert (kwargs["cap_drop"], kwargs["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert kwargs["group_add"] == ["998"]
    assert not made.privileged
    # Otherwise a killed container does not show as a crash.
    assert (made.auto_remove, made.stream_output) == (False, True)


KUBERNETES = [
    {},
    {
        "node_selector": {"pool": "cpu"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "tracemill", "effect": "NoSchedule"}],
        "state": {"name": "state", "persistentVolumeClaim": {"claimName": "tracemill"}},
        "cpu_limit": "8",
        "env": {"TEACHER_URL": "http://h/v1"},
    },
]


@pytest.mark.needs_work_pools
@pytest.mark.parametrize("variables", KUBERNETES)
def test_what_a_kubernetes_worker_starts(variables: dict[str, Any]) -> None:
    """A job that Prefect's worker takes, whose every field is one of Kubernetes' API and of its type."""
    from prefect_kubernetes.worker import KubernetesWorker

    manifest = prepared(KubernetesWorker, "kubernetes", **variables).job_manifest
    pod = manifest["spec"]["template"]["spec"]
    # Prefect's worker wants these two in the pod, where Kubernetes ignores them.
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)
    assert list(unknown_fields(manifest, "V1Job")) == []
    container = pod["containers"][0]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert environment["PREFECT_HOME"] == "/app/.tracemill/prefect"
    assert environment["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"
    assert environment.items() >= variables.get("env", {}).items()
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["nodeSelector"] == variables.get("node_selector", {})
    assert not pod["automountServiceAccountToken"]


KINDS = {
    "Namespace": "V1Namespace",
    "ServiceAccount": "V1ServiceAccount",
    "Role": "V1Role",
    "RoleBinding": "V1RoleBinding",
    "Deployment": "V1Deployment",
}


@pytest.mark.needs_work_pools
def test_the_worker_of_kubernetes() -> None:
    """Its manifest has fields of Kubernetes' API alone; it is a worker of that pool, and of the run's account."""
    documents = list(yaml.safe_load_all((ROOT / "deployments/kubernetes/worker.yaml").read_text()))
    assert [fault for each in documents for fault in unknown_fields(each, KINDS[each["kind"]])] == []
    pool = read_pool("kubernetes")
    defaults = {name: schema.get("default") for name, schema in pool.variables["properties"].items()}
    names = {(each["kind"], each["metadata"]["name"]) for each in documents}
    assert ("ServiceAccount", defaults["service_account_name"]) in names
    assert {each["metadata"].get("namespace", defaults["namespace"]) for each in documents} == {defaults["namespace"]}
    (worker,) = next(each for each in documents if each["kind"] == "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    assert worker["args"][worker["args"].index("--pool") + 1] == pool.name


@pytest.mark.needs_work_pools
def test_the_check_of_manifests_finds_faults() -> None:
    """A field that Kubernetes does not know, or of another type, is found: the API server would drop or refuse it."""
    faulty = {"spec": {"backofLimit": 0, "template": {"spec": {"containers": [{"name": 3, "args": "x"}]}}}}
    assert [fault.partition(":")[0] for fault in unknown_fields(faulty, "V1Job")] == [
        "spec.backofLimit",
        "spec.template.spec.containers[0].name",
        "spec.template.spec.containers[0].args",
    ]


PLAIN: dict[str, type] = {"str": str, "int": int, "bool": bool, "object": object}


def unknown_fields(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """Faults of a manifest by the types of the Kubernetes API, as its Python client has them."""
    outer, _, inner = kind.rstrip(")]").replace("(", "[").partition("[")
    inner = inner.rpartition(", ")[2]
    expected = PLAIN.get(outer) or {"list": list}.get(outer, dict)
    if not isinstance(value, expected):
        yield f"{path}: {value!r} is no {kind}"
    elif outer == "list":
        for i, item in enumerate(value):
            yield from unknown_fields(item, inner, f"{path}[{i}]")
    elif outer == "dict":
        for name, item in value.items():
            yield from unknown_fields(item, inner, f"{path}.{name}")
    elif outer not in PLAIN:
        yield from _unknown_fields_of(value, kind, path)


def _unknown_fields_of(value: dict[str, Any], kind: str, path: str) -> Iterator[str]:
    from kubernetes_asyncio.client import models

    of_kind = getattr(models, kind)
    fields = {key: of_kind.openapi_types[name] for name, key in of_kind.attribute_map.items()}
    for name, item in value.items():
        place = f"{path}.{name}".lstrip(".")
        if name not in fields:
            yield f"{place}: no field of {kind}"
        else:
            yield from unknown_fields(item, fields[name], place)
