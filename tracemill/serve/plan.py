"""Which servers a recipe's models need on this machine: ports, GPUs, and the command line of each.

A model is served here where one of its ``base_urls`` is this machine's. Judges, guards and embedders get a server for
each such URL; the teacher gets the GPUs that are left, one group of ``tensor_parallel`` GPUs a server, on its own ports
and the ones above.
"""

from __future__ import annotations

import ipaddress
import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tracemill.core import RecipeError, Section
from tracemill.recipe import Recipe
from tracemill.recipe.sections.deduplicate import Embedding
from tracemill.recipe.sections.judges import Scored
from tracemill.recipe.sections.quality import Classifier
from tracemill.recipe.sections.server import ModelServer, Teacher

_POOLING: Final = (Embedding, Scored, Classifier)  # vLLM's --runner pooling: a vector or a score, no text
_PORTS: Final = range(1, 65_536)


@dataclass(frozen=True)
class Placement:
    """What of this machine the servers may use.

    Attributes:
        gpus: their indices; none on a machine that computes on its cores.
        tensor_parallel: GPUs that share the weights of one of the teacher's servers; others have one.
        only: sections whose models are served; none for all.
        n_teachers: servers of the teacher; None for as many as the GPUs allow.
        host: address that the servers listen on; 0.0.0.0 for all of the machine's.
        weights: where the weights of a model are, by its name in the recipe, if that is no name of the Hub.
    """

    gpus: tuple[int, ...] = ()
    tensor_parallel: int = 1
    only: frozenset[str] = frozenset()
    n_teachers: int | None = None
    host: str = "127.0.0.1"
    weights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedServer:
    """One server to start.

    Attributes:
        places: sections of the recipe that ask it.
        model: the name that it answers to.
        weights: folder or Hub id.
        revision: of the weights; "" for the newest.
        is_pooling: whether it gives vectors or scores instead of text.
        host: that it listens on.
        port: likewise.
        gpus: that it has to itself.
    """

    places: tuple[str, ...]
    model: str
    weights: str
    revision: str
    is_pooling: bool
    host: str
    port: int
    gpus: tuple[int, ...]

    @property
    def base_url(self) -> str:
        """Where it answers: also to other machines, where it listens to them."""
        return f"http://{socket.gethostname() if self.host == '0.0.0.0' else self.host}:{self.port}/v1"  # noqa: S104 - compared

    def command(self, python: str, more: Sequence[str] = ()) -> list[str]:
        """Return its command line; ``more`` are further options of vLLM, which win.

        The module is what the ``vllm`` script runs, and is there in builds for the CPU, whose script is not.
        """
        options = {
            "--model": self.weights,
            "--served-model-name": self.model,
            "--host": self.host,
            "--port": str(self.port),
            **({"--revision": self.revision} if self.revision and self.weights == self.model else {}),
            **({"--tensor-parallel-size": str(len(self.gpus))} if len(self.gpus) > 1 else {}),
            **({"--runner": "pooling"} if self.is_pooling else {}),
        }
        return [python, "-m", "vllm.entrypoints.openai.api_server", *itertools.chain(*options.items()), *more]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return its environment: that of this process, and the GPUs that it may see."""
        return dict(inherited) | (
            {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.gpus)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
            if self.gpus
            else {}
        )


@dataclass(frozen=True)
class _Asked:
    """A model that a recipe asks, wherever it does."""

    places: tuple[str, ...]
    server: ModelServer

    @property
    def is_teacher(self) -> bool:
        return isinstance(self.server, Teacher)

    def ports(self, host: str) -> list[int]:
        """Return the ports of its URLs on this machine."""
        parts = [urlsplit(url.rpartition("@")[2] if "@" in url else url) for url in self.server.base_urls]
        return [part.port or 80 for part in parts if _is_here(part.hostname or "", host)]


def plan_servers(recipe: Recipe, placement: Placement) -> list[PlannedServer]:
    """Return the servers to start, in the order of the recipe's sections.

    Raises:
        RecipeError: no model of the recipe is served on this machine, or there are too few GPUs for them, or one port
            is two models'.
    """
    models = [asked for asked in _asked(recipe) if not placement.only or set(asked.places) & placement.only]
    here = [(asked, ports) for asked in models if (ports := asked.ports(placement.host))]
    if not here:
        urls = [url for asked in models for url in asked.server.base_urls]
        raise RecipeError(
            "no model of this recipe is served on this machine\n"
            f"  got       {', '.join(urls) or 'no such section'}; sections with a model: {_sections(recipe)}\n"
            "  expected  a base URL such as http://127.0.0.1:8000/v1 at the teacher or a judge\n"
            "  remedy    --set distill.teacher.base_urls='[http://127.0.0.1:8000/v1]', or another --only"
        )
    _refuse_shared_ports(here)
    groups = _gpu_groups(placement, here)
    taken = {port for _, ports in here for port in ports}
    planned: list[PlannedServer] = []
    for asked, own in here:
        n_servers = len(groups[asked.places]) if placement.gpus else _n_servers(asked, own, placement)
        above = (port for port in range(max(own) + 1, _PORTS.stop) if port not in taken)
        ports = list(itertools.islice(itertools.chain(own, above), n_servers))
        taken |= set(ports)
        for index, port in enumerate(ports):
            planned.append(_planned(asked, port, groups[asked.places][index] if placement.gpus else (), placement))
    return planned


def urls_by_place(planned: Iterable[PlannedServer]) -> dict[str, list[str]]:
    """Return the base URLs of each section that asks a server, as ``--set SECTION.base_urls=…`` takes them."""
    found: dict[str, list[str]] = {}
    for server in planned:
        for place in server.places:
            found.setdefault(place, []).append(server.base_url)
    return found


def _planned(asked: _Asked, port: int, gpus: tuple[int, ...], placement: Placement) -> PlannedServer:
    server = asked.server
    return PlannedServer(
        asked.places,
        server.model,
        placement.weights.get(server.model, server.model),
        server.revision,
        isinstance(server, _POOLING),
        placement.host,
        port,
        gpus,
    )


def _n_servers(asked: _Asked, ports: Sequence[int], placement: Placement) -> int:
    return placement.n_teachers if asked.is_teacher and placement.n_teachers else len(ports)


def _gpu_groups(
    placement: Placement, here: Sequence[tuple[_Asked, list[int]]]
) -> dict[tuple[str, ...], list[tuple[int, ...]]]:
    """Return the GPUs of each server, by the places of its model: the last ones, one each, but for the teacher's."""
    if not placement.gpus:
        return {}
    sizes = [placement.tensor_parallel if asked.is_teacher else 1 for asked, _ in here]
    wanted = [_n_servers(asked, ports, placement) for asked, ports in here]
    needed = sum(size * n for size, n in zip(sizes, wanted, strict=True))
    left = list(placement.gpus)
    if len(left) < needed:
        each = ", ".join(
            f"{n} of {asked.server.model} with {size}" for (asked, _), size, n in zip(here, sizes, wanted, strict=True)
        )
        raise RecipeError(
            "too few GPUs for the recipe's models\n"
            f"  got       {len(left)} GPUs: {', '.join(map(str, left))}\n"
            f"  expected  at least {needed}: {each}\n"
            "  remedy    --only SECTION for some of the models, a smaller --tensor-parallel, or other base_urls"
        )
    found: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for (asked, _), n in zip(here, wanted, strict=True):
        if not asked.is_teacher:
            found[asked.places] = [(left.pop(),) for _ in range(n)]
    for (asked, _), n in zip(here, wanted, strict=True):
        if asked.is_teacher:
            size = placement.tensor_parallel
            n_groups = n if placement.n_teachers else len(left) // size
            found[asked.places] = [tuple(left[size * index : size * (index + 1)]) for index in range(n_groups)]
            left = left[size * n_groups :]
    return found


def _refuse_shared_ports(here: Sequence[tuple[_Asked, list[int]]]) -> None:
    first: dict[int, _Asked] = {}
    for asked, ports in here:
        for port in ports:
            other = first.setdefault(port, asked)
            if other is not asked:
                raise RecipeError(
                    "two models are to be served at one port\n"
                    f"  got       port {port} for {other.server.model} and {asked.server.model}\n"
                    "  expected  a port each\n"
                    f"  remedy    --set {asked.places[0]}.base_urls='[http://127.0.0.1:{port + 100}/v1]'"
                )


def _sections(recipe: Recipe) -> str:
    return ", ".join(place for place, _ in _servers_of(recipe, "")) or "none"


def _asked(recipe: Recipe) -> list[_Asked]:
    """Return the recipe's models, each once: the same model at the same servers may be teacher and judge."""
    found: dict[tuple[object, ...], _Asked] = {}
    for place, server in _servers_of(recipe, ""):
        key = (server.model, server.revision, server.base_urls, isinstance(server, _POOLING))
        known = found.get(key)
        if known is None:
            found[key] = _Asked((place,), server)
        else:
            first = server if isinstance(server, Teacher) else known.server
            found[key] = _Asked((*known.places, place), first)
    return list(found.values())


def _servers_of(section: object, place: str) -> Iterator[tuple[str, ModelServer]]:
    if isinstance(section, ModelServer):
        yield place, section
    elif isinstance(section, Section):
        for name in type(section).model_fields:
            yield from _servers_of(getattr(section, name), f"{place}.{name}".lstrip("."))
    elif isinstance(section, (tuple, list)):
        for index, item in enumerate(section):
            yield from _servers_of(item, f"{place}.{index}")


def _is_here(name: str, host: str) -> bool:
    """Tell whether a host of a URL is this machine."""
    if name in {host, "localhost", socket.gethostname(), socket.getfqdn()}:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
