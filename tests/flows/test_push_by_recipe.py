"""Section ``publish``: a run says what it would send to the Hub, and sends it only where the recipe says so twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import huggingface_hub.constants
import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from flows.phases.push import refuse_unsendable, token_of
from tests.support.runs.small_run import ONE_SOURCE, SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.hub_commits import Hub
from tracemill.core import RecipeError
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.push import Push

TOKEN = "hf_secretsecret"  # noqa: S105 - nobody's


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("prefect_flows")
def test_a_build_sends_what_it_has_made(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run by default, with what would go; with ``really`` the files, by the token of a Secret block."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(5)])
        run.sections = {**ONE_SOURCE, "push": {"repo": "org/name"}}
        run.build_by_flow()
        assert hub.asked == []
        assert "nothing was sent" in told_in_ui()
        Secret(value=TOKEN).save("push-test", overwrite=True)
        run.sections["push"] |= {"really": True, "branch": "next", "token": "secret:push-test"}
        again = run.build_by_flow()
    assert again.n_executed == 0, "sending changes nothing in the dataset"
    assert {who for _, who in hub.asked} == {f"Bearer {TOKEN}"}
    assert any(path.endswith("/commit/next") for path, _ in hub.asked)
    for path in (run.out / "dataset").iterdir():
        assert hub.files[path.name] == path.read_bytes()
    assert f"/commit/{'1' * 40}" in told_in_ui()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def told_in_ui() -> str:
    """The newest artifact on what goes to the Hub."""
    key = ArtifactFilter(key=ArtifactFilterKey(any_=["hub"]))
    with get_client(sync_client=True) as client:
        newest = client.read_artifacts(artifact_filter=key, sort=ArtifactSort.CREATED_DESC)[0]
    return str(newest.data)


def recipe(**publish: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "sources": [{"name": "a", "path": "a.jsonl"}],
        "distill": {"teacher": {"model": "m"}},
        **({"push": {"repo": "org/name"} | publish} if publish else {}),
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"token": TOKEN}, "push.token"), ({"repo": "no-name"}, "push.repo"), ({"reely": True}, "really")],
)
def test_a_wrong_section_is_refused(changes: dict[str, Any], named: str) -> None:
    """A token in its own stead, a repository without its owner, an unknown key."""
    with pytest.raises(RecipeError, match=named):
        parse_recipe(recipe(**changes))


def test_where_it_goes_is_in_no_digest() -> None:
    """Neither the dataset's recipe nor its card changes with the section."""
    with_section, without = parse_recipe(recipe(really=True)), parse_recipe(recipe())
    assert (with_section.digest(), with_section.content()) == (without.digest(), without.content())


def test_what_cannot_be_sent_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, or a run's directory that is not on a disk; a dry run needs no token."""
    monkeypatch.delenv("NOBODYS_TOKEN", raising=False)
    section = Push(repo="org/name", really=True, token="env:NOBODYS_TOKEN")  # noqa: S106 - a place
    with pytest.raises(RecipeError, match=r"(?s)no token.*env:NOBODYS_TOKEN.*push\.token=secret:NAME"):
        refuse_unsendable(section, "runs/small")
    with pytest.raises(RecipeError, match="folder on a disk"):
        refuse_unsendable(Push(repo="org/name"), "s3://bucket/run")
    refuse_unsendable(section.model_copy(update={"really": False}), "runs/small")
    refuse_unsendable(None, "s3://bucket/run")
    monkeypatch.setenv("NOBODYS_TOKEN", TOKEN)
    assert token_of(section) == TOKEN
