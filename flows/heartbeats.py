"""The automation that finds runs whose process died, wherever it ran: a run that has beaten once must go on beating.

Prefect's flow engine emits a heartbeat event every PREFECT_FLOWS_HEARTBEAT_FREQUENCY seconds; its server does nothing
with them unless an automation says so. ``make deploy`` makes this one, or brings it up to date.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

AUTOMATION = "tracemill: a run without a heartbeat has crashed"
HEARTBEAT = "prefect.flow-run.heartbeat"
# After these there are no more beats, and nothing is wrong. Not among them: Running and Paused. Both come while the
# process lives and beats; if they counted, a run that dies soon after would be waited for in vain.
ENDINGS = frozenset(
    f"prefect.flow-run.{name}"
    for name in ("Completed", "Failed", "Crashed", "Cancelled", "Suspended", "AwaitingRetry", "Scheduled")
)
MISSED_BEATS = 3
USUAL_BEAT_S = 180  # Prefect's own default


def heartbeat_automation(silence: timedelta) -> AutomationCore:
    """The automation that marks a run as Crashed after ``silence`` without a beat.

    A paused run beats on, since its process waits; a suspended and a finished one has said so. Should a beat arrive
    after the end of its run, the server still refuses to change a finished state.
    """
    return AutomationCore(
        name=AUTOMATION,
        description=f"Made by `make deploy`. Runs beat every {USUAL_BEAT_S} s unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY "
        "says otherwise; the process of one that is silent so long is dead.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDINGS},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no heartbeat for {silence.total_seconds():.0f} s: its process is dead, or cut off",
            )
        ],
    )


def usual_silence() -> timedelta:
    """Three beats, as PREFECT_FLOWS_HEARTBEAT_FREQUENCY sets them."""
    return timedelta(seconds=MISSED_BEATS * (PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() or USUAL_BEAT_S))


def set_up_automation(client: SyncPrefectClient, silence: timedelta) -> None:
    """Makes the automation, or brings the one of that name up to date."""
    wanted = heartbeat_automation(silence)
    standing = client.read_automations_by_name(AUTOMATION)
    if not standing:
        client.create_automation(wanted)
        print(f"made the automation that finds crashed runs, after {silence.total_seconds():.0f} s without a heartbeat")
        return
    client.update_automation(standing[0].id, wanted)
    for surplus in standing[1:]:
        client.delete_automation(surplus.id)
