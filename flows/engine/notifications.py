"""Automations that call people: ``make deploy NOTIFY=slack-webhook/NAME``, by a notification block of Prefect's.

A run may wait a week for approval, and end at night. One automation for each occasion, all of them of tracemill's flows
alone; they are made or brought up to date by each deployment, and removed by one with an empty ``NOTIFY=``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prefect.events.actions import CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from flows.engine.events import PUBLISHED, RESOURCE
from flows.engine.paused import PAUSED
from tracemill.core import RecipeError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

PREFIX: Final = "tracemill notifies: "
FLOWS: Final = ("build-dataset", "refresh-dataset", "verify-dataset", "check-references")
_RUN: Final = "{{ flow_run.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
_ROWS: Final = "{{ event.resource.name }}: {{ event.payload.rows }} rows in {{ event.payload.out }}"


class Occasion(NamedTuple):
    """When people are called: the event, and of which flows; what they are told."""

    name: str
    event: str
    flows: tuple[str, ...]
    body: str
    resource: str = "prefect.flow-run.*"


OCCASIONS: Final = (
    Occasion("a run waits for approval", "prefect.flow-run.Paused", ("build-dataset", "refresh-dataset"), _RUN),
    Occasion("a budget is spent", f"prefect.flow-run.{PAUSED}", ("build-dataset", "refresh-dataset"), _RUN),
    Occasion("a run has failed", "prefect.flow-run.Failed", FLOWS, _RUN),
    Occasion("a run has crashed", "prefect.flow-run.Crashed", FLOWS, _RUN),
    Occasion("a refresh has found something", PUBLISHED, ("refresh-dataset",), _ROWS, f"{RESOURCE}.*"),
)


def set_up_notifications(client: SyncPrefectClient, block: str) -> list[str]:
    """Make the automations, or bring those that are there up to date.

    Args:
        client: of the server.
        block: TYPE/NAME of a notification block, or of a webhook; "" removes the automations.

    Returns:
        names of the occasions.

    Raises:
        RecipeError: the server has no such block.
    """
    action = None if not block else _block(client, block)
    for occasion in OCCASIONS:
        standing = client.read_automations_by_name(PREFIX + occasion.name)
        for surplus in standing[1:] if action else standing:
            client.delete_automation(surplus.id)
        if action is None:
            continue
        wanted = automation(occasion, action)
        if standing:
            client.update_automation(standing[0].id, wanted)
        else:
            client.create_automation(wanted)
    return [occasion.name for occasion in OCCASIONS] if action else []


def automation(occasion: Occasion, block: BlockDocument) -> AutomationCore:
    """Return the automation of an occasion."""
    subject = f"tracemill: {occasion.name}"
    is_webhook = block.block_type is not None and block.block_type.slug == "webhook"
    action: CallWebhook | SendNotification
    if is_webhook:
        action = CallWebhook(block_document_id=block.id, payload=f"{subject}\n{occasion.body}")
    else:
        action = SendNotification(block_document_id=block.id, subject=subject, body=occasion.body)
    return AutomationCore(
        name=PREFIX + occasion.name,
        description="Made by `make deploy NOTIFY=…`; an empty NOTIFY= removes it.",
        trigger=EventTrigger(
            match={"prefect.resource.id": occasion.resource},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": list(occasion.flows)},
            expect={occasion.event},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[action],
    )


def _block(client: SyncPrefectClient, block: str) -> BlockDocument:
    kind, _, name = block.partition("/")
    try:
        found: BlockDocument = client.read_block_document_by_name(name, kind)
    except ObjectNotFound as error:
        raise RecipeError(
            "NOTIFY names a block that the server does not have",
            got=block,
            expected="TYPE/NAME of a notification block, such as slack-webhook/team",
            remedy="make it in the UI (Blocks), and name it by its type's slug: slack-webhook, custom-webhook, webhook",
        ) from error
    return found
