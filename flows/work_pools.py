"""Where flow runs happen: work pools of Prefect's, each a file of ``deployments/pools``, or of yours in its shape.

A file gives a pool its name and type and, unless Prefect's own will do, what a worker makes of a flow run (Prefect's
base job template) with defaults that a deployment or a run may set otherwise. ``make deploy`` tells the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import BaseModel, ConfigDict, ValidationError

from tracemill.core import RecipeError, ServerError
from tracemill.core.secrets import HIDDEN, holds_password

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOLS: Final = Path(__file__).parent.parent / "deployments" / "pools"
USUAL: Final = "process"
_SECRET: Final = re.compile(r"^[A-Z0-9_]*(KEY|TOKEN|SECRET|PASSWORD|AUTH_STRING)$")  # of variables of the environment


class PoolFile(BaseModel):
    """What a file says of a pool.

    Attributes:
        name: of the pool.
        type: of its workers, as ``prefect worker start --type`` names it.
        variables: JSON schema of what a run may set, with defaults; empty with Prefect's own template.
        job_configuration: what a worker makes of a run, with ``{{ variables }}``; the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    variables: dict[str, Any] = {}
    job_configuration: dict[str, Any] = {}

    @property
    def template(self) -> dict[str, Any]:
        """Return Prefect's base job template; empty for its own of that type."""
        if not self.job_configuration:
            return {}
        return {"variables": self.variables, "job_configuration": self.job_configuration}


def read_pool(named: str) -> PoolFile:
    """Read what is said of a pool.

    Args:
        named: a file of ``deployments/pools`` by its name, or the path of another.

    Raises:
        RecipeError: there is none, it is of another shape, or it holds a secret.
    """
    shipped = POOLS / f"{named}.yaml"
    path = shipped if shipped.is_file() else Path(named)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in POOLS.glob("*.yaml")))
        raise RecipeError(
            "no such work pool", got=f"POOL={named}", expected=f"{names}, or the path of a file like these"
        )
    try:
        pool = PoolFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise RecipeError(
            f"{path} says nothing of a work pool",
            got=str(error),
            expected="name, type, and for a template variables and job_configuration",
            remedy=f"begin with a copy of a file of {POOLS.name}/, such as docker.yaml",
        ) from None
    _refuse_literal_secrets(path, pool)
    return pool


def _refuse_literal_secrets(path: Path, pool: PoolFile) -> None:
    """Refuse a pool that holds a secret as it is: the server keeps it, and shows it in its UI.

    Raises:
        RecipeError: naming the variable.
    """
    for name, value in _environment(pool.template):
        if value and "{{" not in value and (_SECRET.match(name) or holds_password(value)):
            raise RecipeError(
                f"{path}: {name} is a secret, and Prefect keeps what is said of a work pool in its database",
                got=f"{name}: {HIDDEN}",
                expected=f'{name}: "{{{{ prefect.blocks.secret.BLOCK }}}}"',
                remedy="name a Secret block, which you make in Prefect's UI (Blocks), or a secret of the cluster's",
            )


def _environment(value: object) -> Iterator[tuple[str, str]]:
    """Yield names and texts of every mapping, and of pairs of name and value, below a template."""
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            yield value["name"], value["value"]
        for name, inner in value.items():
            if isinstance(inner, str):
                yield str(name), inner
            else:
                yield from _environment(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _environment(inner)


def make_work_pool(client: SyncPrefectClient, pool: PoolFile) -> str:
    """Make a work pool, or bring the one of that name up to date with its file.

    Returns:
        what was done, in one line; empty where nothing was to do.

    Raises:
        ServerError: the server has one of that name and another type.
    """
    try:
        client.create_work_pool(WorkPoolCreate(name=pool.name, type=pool.type, base_job_template=pool.template))
    except ObjectAlreadyExists:
        standing = client.read_work_pool(pool.name)
        if standing.type != pool.type:
            raise ServerError(
                f"the server has a work pool {pool.name} of another type, which cannot be changed",
                got=standing.type,
                expected=pool.type,
                remedy="give the pool another name, or remove the one that stands (Work Pools in Prefect's UI)",
            ) from None
        if pool.template and standing.base_job_template != pool.template:
            client.update_work_pool(pool.name, WorkPoolUpdate(base_job_template=pool.template))
            return f"brought the work pool {pool.name} up to date with its file"
        return ""
    return f"made the work pool {pool.name}, of type {pool.type}"
