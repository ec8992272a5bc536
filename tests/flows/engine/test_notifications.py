"""What calls people, and what other flows are started by: events and automations on a real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.engine.events import tell_published
from flows.engine.notifications import OCCASIONS, PREFIX, set_up_notifications
from flows.engine.paused import PAUSED, or_paused
from tracemill.core import BudgetReachedError, RecipeError

WAIT_S = 90


@pytest.fixture
def told() -> Iterator[tuple[str, list[str]]]:
    """A webhook on loopback, and what it was told."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["told"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", heard
    server.shutdown()
    server.server_close()


@flow(name="build-dataset")
def failing() -> State[None]:
    return Failed(message="a disk is full")


@flow(name="build-dataset")
def broke() -> State[None]:
    import logging

    def build() -> None:
        raise BudgetReachedError("the budget of the teachers is spent", got="5.00 USD")

    return or_paused(build, logging.getLogger("t"))  # type: ignore[no-any-return]  # Prefect's state


@flow(name="refresh-dataset")
def refreshed() -> None:
    tell_published("sums", "runs/sums", {"key": "abc", "version": 2}, 165)


@flow(name="distill")
def phase() -> State[None]:
    return Failed(message="a phase of a run that is told of itself")


@pytest.mark.usefixtures("prefect_flows")
def test_people_are_called_by_the_block_that_deploy_is_given(told: tuple[str, list[str]]) -> None:
    """Of runs that fail, that have spent their budget and of a refresh that found something; not of their phases."""
    url, heard = told
    block = CustomWebhookNotificationBlock(name="team", url=url, json_data={"told": "{{subject}}: {{body}}"})
    block.save("team", overwrite=True)
    with get_client(sync_client=True) as client:
        for _ in range(2):  # the second time brings them up to date
            assert len(set_up_notifications(client, "custom-webhook/team")) == len(OCCASIONS)
        assert all(len(client.read_automations_by_name(PREFIX + one.name)) == 1 for one in OCCASIONS)
        time.sleep(3)  # the server's triggers are loaded
        for run in (phase, failing, broke, refreshed):
            run(return_state=True)
        deadline = time.monotonic() + WAIT_S
        while len(heard) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert set_up_notifications(client, "") == []
        assert not any(client.read_automations_by_name(PREFIX + one.name) for one in OCCASIONS)
    assert len(heard) == 3, heard
    text = "\n".join(heard)
    assert "a run has failed" in text
    assert "a disk is full" in text
    assert PAUSED in text
    assert "5.00 USD" in text
    assert "sums: 165 rows in runs/sums" in text


@pytest.mark.usefixtures("prefect_flows")
def test_a_block_that_is_not_there_is_named() -> None:
    """Before anything is made."""
    with (
        get_client(sync_client=True) as client,
        pytest.raises(RecipeError, match="slack-webhook/nobody"),
    ):
        set_up_notifications(client, "slack-webhook/nobody")
