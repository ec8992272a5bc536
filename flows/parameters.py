"""What a flow is called with: Prefect keeps it in its database and shows it to whoever opens the UI.

So no secret may stand in it. A flow here refuses one before the run is made; the forms' schema (``flows/forms.py``)
does so on the server, and ``make deploy`` for the parameters of deployments.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from tracemill.core import RecipeError
from tracemill.core.secrets import HIDDEN, holds_password
from tracemill.recipe.overrides import literal_secret

P = ParamSpec("P")
R = TypeVar("R")
_REMEDY = (
    "put the secret in an environment variable of the run (or of its worker), and name it: {key}=env:NAME; "
    "{told}docs/recipes.md has more"
)


class GuardedFlow(Flow[P, R]):
    """A flow whose parameters hold nothing that must not be kept."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return what Prefect is going to keep.

        Raises:
            RecipeError: there is a secret in it.
        """
        refuse_secrets(parameters)
        return super().serialize_parameters(parameters)


def without_secrets(made: Flow[P, R]) -> GuardedFlow[P, R]:
    """Refuse secrets among a flow's parameters before Prefect makes its run: a decorator above ``@flow``."""
    return GuardedFlow(made.fn, name=made.name, flow_run_name=made.flow_run_name, task_runner=made.task_runner)


def refuse_secrets(parameters: Mapping[str, Any], *, are_kept: bool = False) -> None:
    """Refuse parameters of a flow that hold a secret, or the text of a recipe, in which one may stand.

    Args:
        parameters: by name.
        are_kept: they are in Prefect's database by now.

    Raises:
        RecipeError: naming the parameter or key, never the secret.
    """
    told = "the run's parameters keep what was given: delete the run, and change the secret; " if are_kept else ""
    for override in parameters.get("overrides") or ():
        key = literal_secret(str(override))
        if key is not None:
            raise RecipeError(
                f"override {key} is a secret, and Prefect keeps parameters in its database; nothing has run",
                got=f"{key}={HIDDEN}",
                expected=f"{key}=env:NAME, which says where it is",
                remedy=_REMEDY.format(key=key, told=told),
            )
    for name in ("recipe", "dataset", "out"):
        given = parameters.get(name)
        if given is not None and not _is_place(given):
            raise RecipeError(
                f"parameter {name} is no path, and Prefect keeps parameters in its database; nothing has run",
                got="a text of several lines, a mapping, or a URL with a password",
                expected="the path of a file" if name == "recipe" else "a path, or a URL without a password",
                remedy=f"write it into a file, and name the file. {told}".strip(),
            )


def _is_place(given: object) -> bool:
    if not isinstance(given, str | Path):
        return False
    text = str(given)
    return len(text.splitlines()) <= 1 and not text.lstrip().startswith("{") and not holds_password(text)
