"""Which servers a recipe's models need on a machine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.needs import ROOT
from tracemill.core import RecipeError
from tracemill.recipe import Recipe, load_recipe
from tracemill.serve import Placement, PlannedServer, plan_servers, urls_by_place

LOCAL = "[http://127.0.0.1:8000/v1]"


def recipe(*overrides: str) -> Recipe:
    return load_recipe(ROOT / "recipes" / "demo.yaml", list(overrides), pinned=False)


def judged(*overrides: str) -> Recipe:
    """With a judge of another model at its own port."""
    return recipe("judge.model=judge", "judge.base_urls=[http://127.0.0.1:8100/v1]", *overrides)


def planned(of: Recipe, **placement: Any) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(server.model, server.port, server.gpus) for server in plan_servers(of, Placement(**placement))]


def test_without_gpus_each_url_of_this_machine_is_a_server() -> None:
    """URLs of other machines are served there."""
    urls = "[http://127.0.0.1:8000/v1,http://localhost:8003/v1,http://elsewhere:8000/v1]"
    found = planned(recipe(f"distill.teacher.base_urls={urls}"))
    assert found == [("demo-teacher", 8000, ()), ("demo-teacher", 8003, ())]


def test_the_teacher_gets_the_gpus_that_are_left() -> None:
    """A judge has the last GPU, and the teacher a server for each other one, at the ports above its own."""
    of = judged(f"distill.teacher.base_urls={LOCAL}")
    teacher = [("demo-teacher", 8000 + n, (n,)) for n in range(3)]
    assert sorted(planned(of, gpus=(0, 1, 2, 3))) == [*teacher, ("judge", 8100, (3,))]
    in_pairs = [("demo-teacher", 8000, (0, 1)), ("demo-teacher", 8001, (2, 3)), ("judge", 8100, (5,))]
    assert sorted(planned(of, gpus=tuple(range(6)), tensor_parallel=2)) == in_pairs


def test_ports_of_other_models_are_left_out() -> None:
    """The teacher's next server takes the port behind the judge's."""
    of = recipe(f"distill.teacher.base_urls={LOCAL}", "judge.model=judge", "judge.base_urls=[http://127.0.0.1:8001/v1]")
    ports = {
        model: [port for name, port, _ in planned(of, n_teachers=2) if name == model]
        for model in ("demo-teacher", "judge")
    }
    assert ports == {"demo-teacher": [8000, 8002], "judge": [8001]}


def test_a_model_with_two_roles_is_served_once() -> None:
    """A teacher that is its own judge has one server, and both sections its URL."""
    of = recipe(f"distill.teacher.base_urls={LOCAL}", "judge.model=demo-teacher", f"judge.base_urls={LOCAL}")
    servers = plan_servers(of, Placement())
    assert urls_by_place(servers) == {place: ["http://127.0.0.1:8000/v1"] for place in ("distill.teacher", "judge")}
    assert len(servers) == 1


def test_some_of_the_models() -> None:
    """``only`` names sections of the recipe."""
    of = judged(f"distill.teacher.base_urls={LOCAL}")
    assert planned(of, only=frozenset(["judge"])) == [("judge", 8100, ())]


def test_other_machines_are_told_a_name() -> None:
    """Who listens on all addresses is reached by the machine's name."""
    import socket

    [server] = plan_servers(recipe(f"distill.teacher.base_urls={LOCAL}"), Placement(host="0.0.0.0"))  # noqa: S104 - nothing is bound
    assert server.base_url == f"http://{socket.gethostname()}:8000/v1"


@pytest.mark.parametrize(
    ("overrides", "placement", "told"),
    [
        (["distill.teacher.base_urls=[http://elsewhere/v1]"], {}, "no model of this recipe is served on this machine"),
        ([], {"only": frozenset(["distil"])}, "sections with a model: distill.teacher"),
        ([], {"gpus": (0, 1), "tensor_parallel": 4}, "expected  at least 4"),
        (["judge.model=judge", f"judge.base_urls={LOCAL}"], {}, "port 8000 for"),
    ],
)
def test_what_cannot_be_served(overrides: list[str], placement: dict[str, Any], told: str) -> None:
    """It is refused before anything starts."""
    urls = [] if any(".teacher." in text for text in overrides) else [f"distill.teacher.base_urls={LOCAL}"]
    of = recipe(*urls, *overrides)
    with pytest.raises(RecipeError, match="remedy") as refused:
        plan_servers(of, Placement(**placement))
    assert told in str(refused.value)


def test_the_command_line_of_a_server() -> None:
    """Weights, name, address, shared GPUs and vLLM's own options, in which the user's win."""
    server = PlannedServer(
        ("reward",), "m", "/weights", "abc", is_pooling=True, host="127.0.0.1", port=8001, gpus=(2, 3)
    )
    command = server.command("python", ["--enforce-eager"])
    assert command[:3] == ["python", "-m", "vllm.entrypoints.openai.api_server"]
    text = " ".join(command[3:])
    assert text == (
        "--model /weights --served-model-name m --host 127.0.0.1 --port 8001 --tensor-parallel-size 2 --runner pooling "
        "--enforce-eager"
    )
    assert server.environment({"A": "1"}) == {
        "A": "1",
        "CUDA_VISIBLE_DEVICES": "2,3",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def test_a_revision_belongs_to_the_hub() -> None:
    """A folder of weights has none."""
    server = PlannedServer(("a",), "org/m", "org/m", "abc", is_pooling=False, host="127.0.0.1", port=1, gpus=())
    assert "--revision abc" in " ".join(server.command("python"))
