"""Sends a finished dataset to the Hub, if the recipe says so; or says what it would send."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.blocks.system import Secret

from tasks.publish import push_dataset
from tracemill.core import RecipeError
from tracemill.runs import shipment
from tracemill.runs.push import render

if TYPE_CHECKING:
    from flows.engine.context import RunContext
    from tracemill.recipe.sections.push import Push


def refuse_unsendable(section: Push | None, out: str) -> None:
    """Before anything is paid for: whether what the recipe wants sent could be sent.

    Raises:
        RecipeError: the run's directory is not on a disk, or the token is not where the recipe says.
    """
    if section is None:
        return
    if "://" in out:
        raise RecipeError(
            "section publish sends from a folder on a disk",
            got=f"--out {out}",
            remedy="leave the section out, or --out",
        )
    if section.really:
        token_of(section)


def token_of(section: Push) -> str:
    """Return the token, from the environment or a Secret block of Prefect's.

    Raises:
        RecipeError: there is none.
    """
    kind, _, name = section.token.partition(":")
    if kind == "env":
        found = os.environ.get(name, "")
        remedy = f"set {name} where the flow runs, or name a Secret block: push.token=secret:NAME"
    else:
        found, remedy = _secret(name), f"make the block: Blocks, Secret, name {name} in Prefect's UI"
    if not found:
        raise RecipeError("there is no token for the Hub", got=f"nothing at {section.token}", remedy=remedy)
    return found


def _secret(name: str) -> str:
    """Return the text of a Secret block; "" where there is no such block."""
    try:
        value = Secret.load(name).get()  # type: ignore[union-attr]  # loaded in a flow it is the block itself
    except ValueError:
        return ""
    return str(value)


def push(context: RunContext, out: str) -> str | None:
    """Send what was published into ``out``, or says what it would send; returns the commit's address.

    Raises:
        StoreError: the card's licence is not that of the rows, or the Hub refused. The dataset is finished and stands.
    """
    section = context.recipe.push
    if section is None:
        return None
    told = render(shipment(Path(out), section.repo))
    commit = context.run_task(push_dataset, out, section, token_of, section.repo) if section.really else None
    end = f"sent: {commit}" if commit else "nothing was sent: push.really=true sends it"
    context.logger.info("%s\n%s", told, end)
    context.artifacts.page(f"```\n{told}\n```\n{end}", "hub", "What goes to the Hub")
    return commit
