"""A run whose budget is spent: not failed, not finished, without a process; a larger budget goes on where it ended.

The state of a deployment's run is one of Prefect's pauses, of the kind that ends the process (as Suspended does):
Resume in the UI starts it anew, with the recipe as its file says by then, and everything that was answered is found.
Prefect resumes no other runs and refuses them that state: theirs is a cancelled one of the same name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prefect.client.schemas.objects import State, StateDetails, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, PausedRun

from tracemill.core import BudgetReachedError

PAUSED: Final = "Paused: budget"
BUDGET: Final = "distill.budget"
EXIT_STATUS: Final = 3  # of a command whose run is paused
_RESUMABLE: Final = timedelta(days=3650)  # Prefect refuses to resume a pause that has no end


def or_paused(work: Callable[[], Any], logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> Any:
    """Return what a flow is to end with: what ``work`` makes, or the state of a run whose budget is spent."""
    try:
        return work()
    except BudgetReachedError as error:
        logger.warning("%s: %s", PAUSED, error)
        context = FlowRunContext.get()
        if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
            return State(type=StateType.CANCELLED, name=PAUSED, message=str(error))
        told = _how_to_go_on(str(error), context.flow_run.parameters)
        details = StateDetails(pause_reschedule=True, pause_timeout=datetime.now(UTC) + _RESUMABLE)
        return State(type=StateType.PAUSED, name=PAUSED, message=told, state_details=details)


def _how_to_go_on(told: str, parameters: Mapping[str, Any]) -> str:
    """Return the words of a deployment's run with what its Resume can do: it starts it with the same parameters."""
    if any(str(each).startswith(f"{BUDGET}=") for each in parameters.get("overrides") or ()):
        return (
            f"{told}\nThe budget is among this run's overrides, which Resume keeps: start another run with a larger "
            f"{BUDGET}, or take it from the overrides into the recipe's file, and delete this one."
        )
    return f"{told}\nWrite a larger {BUDGET} into the recipe's file, and press Resume."


def render_ended(ended: PausedRun | CancelledRun) -> str:
    """Return what a command says of a run that is paused."""
    state = ended.state if isinstance(ended, PausedRun) else None
    return f"{PAUSED}: {ended if state is None else state.message}"
