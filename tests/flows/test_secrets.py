"""Secrets: where a recipe says they are, when they are looked up, and that they are found nowhere afterwards."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

from flows.build_dataset import build_dataset, found, render_summary
from flows.check_references import check_references
from flows.command_line import dataset_command
from flows.deploy import refuse_kept_secrets
from flows.engine.runners import mismatches
from flows.parameters import refuse_secrets
from flows.teacher_from_env import load_recipe_with_env
from flows.verify_dataset import verify_dataset
from tasks.engine.failed_task import without_secrets
from tasks.engine.worker_check import inspect_worker
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError, TracemillError
from tracemill.core.secrets import opened, revealed, secrets_in
from tracemill.recipe import parse_recipe, parse_section
from tracemill.recipe.sections.server import Teacher
from tracemill.sources import Source
from tracemill.sources.hub import hub_token

KEY = "sk-planted-0123456789"
RAW = {"name": "r", "sources": [{"name": "a", "path": "a.jsonl"}], "distill": {"teacher": {"model": "m"}}}
SECRETS = (
    "distill.teacher.api_key",
    "judge.api_key",
    "reward.api_key",
    "rubric.api_key",
    "perplexity.api_key",
    "safety.guard.api_key",
    "safety.classifier.api_key",
    "label.labellers.0.api_key",
    "deduplicate.semantic.api_key",
    "decontaminate.embeddings.api_key",
    "decontaminate.judge.api_key",
    "sources.0.token",
    "decontaminate.benchmarks.0.token",
    "distill.teacher.headers.X-Own",
    "judge.headers.api-key",
)
SCORES = {"model": "m", "attributes": [{"name": "a", "weight": 1}], "threshold": 0}
EVERYTHING: dict[str, Any] = {
    **RAW,
    "sources": [{"name": "a", "hub": "o/n"}],
    "judge": {"model": "m"},
    "reward": SCORES,
    "rubric": {"model": "m", "threshold": 1},
    "perplexity": {"model": "m"},
    "safety": {"guard": {"model": "m"}, "classifier": SCORES},
    "label": {"labellers": [{"model": "m"}]},
    "deduplicate": {"semantic": {"model": "m", "engine": "server"}},
    "decontaminate": {
        "benchmarks": [{"name": "b", "hub": "o/b"}],
        "judge": {"model": "m"},
        "embeddings": {"model": "m", "engine": "server"},
    },
}


class TellTale(ChatServer):
    """A server that repeats the key which it refuses, as some do."""

    def _allowed(self, request: web.Request) -> bool:
        if super()._allowed(request):
            return True
        text = f'{{"error": {{"message": "Incorrect API key provided: {request.headers.get("Authorization")}"}}}}'
        raise web.HTTPUnauthorized(text=text, content_type="application/json")


@pytest.fixture
def teacher() -> Iterator[TellTale]:
    with TellTale(api_key=KEY, wrong_percent=20) as server:
        yield server


@pytest.fixture
def run(teacher: TellTale, tmp_path: Path) -> SmallRun:
    return SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(6)])


def with_teacher(run: SmallRun, **settings: Any) -> SmallRun:
    run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | settings}
    run.write()
    return run


def whereabouts(run: SmallRun, told: str, secret: str = KEY) -> list[str]:
    """Every place that a run leaves anything at, but for the recipe's own file, in which the secret is found."""
    database = Path(str(PREFECT_API_DATABASE_CONNECTION_URL.value()).partition("///")[2])
    kept = [path for path in database.parent.rglob("*") if path.is_file()]
    assert any(b"build-dataset" in path.read_bytes() for path in kept if database.name in path.name), "no database"
    left = [path for path in run.folder.parent.rglob("*") if path.is_file() and path != run.recipe_path]
    found = [str(path) for path in (*kept, *left) if secret.encode() in path.read_bytes()]
    return found + (["what was printed or logged"] if secret in told else [])


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Any:
    """All that was printed and logged so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: "".join(capfd.readouterr()) + caplog.text


@pytest.mark.usefixtures("prefect_flows")
@pytest.mark.parametrize("settings", [{"api_key": "env:PLANTED"}, {"api_key": KEY}, {}])
def test_a_key_is_used_and_found_nowhere(
    run: SmallRun, told: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """By its place, in the recipe's file, or in TEACHER_API_KEY: the teacher answers, and the key leaves no trace."""
    monkeypatch.setenv("PLANTED" if settings else "TEACHER_API_KEY", KEY)
    built = with_teacher(run, **settings).build_by_flow()
    assert sum(row["rows"] for row in built.manifest["funnel"] if row["stage"] == "published") > 0
    assert whereabouts(run, told()) == []


@pytest.mark.usefixtures("prefect_flows")
def test_a_header_is_sent_and_found_nowhere(
    run: SmallRun, teacher: TellTale, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An own header that holds a key, by its place with blanks in it and in the recipe's file, leaves no trace."""
    monkeypatch.setenv("PLANTED", f"Bearer {KEY}")
    headers = {"Authorization": "env:PLANTED", "X-Twice": f"literal {KEY}", "X-Title": "a small run"}
    built = with_teacher(run, headers=headers).build_by_flow()
    assert sum(row["rows"] for row in built.manifest["funnel"] if row["stage"] == "published") > 0
    sent = teacher.headers[-1]
    assert (sent["X-Twice"], sent["X-Title"], sent["Authorization"]) == (
        f"literal {KEY}",
        "a small run",
        f"Bearer {KEY}",
    )
    assert whereabouts(run, told()) == []


@pytest.mark.usefixtures("prefect_flows")
def test_a_key_that_a_server_repeats_is_found_nowhere(
    run: SmallRun, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key ends the run with the server's words, in which the key does not stand."""
    wrong = "sk-another-9876543210"
    monkeypatch.setenv("PLANTED", wrong)
    with pytest.raises(TracemillError, match=r"(?s)refuses the key.*\(not shown\)") as failed:
        with_teacher(run, api_key="env:PLANTED").build_by_flow()
    assert wrong not in str(failed.value)
    assert whereabouts(run, told(), wrong) == []


@pytest.mark.usefixtures("prefect_flows")
def test_a_key_is_no_parameter(run: SmallRun, told: Any) -> None:
    """A literal secret among the overrides makes no run; the remedy is named, and Prefect has never heard of it."""
    run.write()
    path, out = str(run.recipe_path), str(run.out)
    for flow in (build_dataset, check_references):
        with pytest.raises(RecipeError, match=r"(?s)distill\.teacher\.api_key.*env:NAME"):
            flow(path, [f"distill.teacher.api_key={KEY}"], out)
    with pytest.raises(RecipeError, match="parameter recipe is no path"):
        build_dataset(run.recipe_path.read_text() + f"judge: {{model: m, api_key: {KEY}}}")
    with pytest.raises(RecipeError, match="parameter dataset is no path"):
        verify_dataset(f"https://user:{KEY}@host/rows.jsonl")
    with pytest.raises(RecipeError, match="nothing has run"):
        build_dataset(path, [f"distill.techer.api_key={KEY}"], out)
    with pytest.raises(TracemillError):  # a run that does get into the database, to look there at all
        build_dataset(path, ["distill.teacher.base_urls=http://127.0.0.1:9/v1", "distill.teacher.give_up_after_s=1"])
    assert whereabouts(run, told()) == []


@pytest.mark.parametrize("key", SECRETS)
def test_every_secret_can_be_named_by_its_place(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``env:NAME`` is understood wherever a secret stands; a literal one is shown nowhere; no digest holds either."""
    plain = parse_recipe(EVERYTHING)
    placed, literal = (parse_recipe(EVERYTHING, [f"{key}={value}"]) for value in ("env:PLANTED", KEY))
    assert [(found.key, found.name) for found in secrets_in(placed)] == [(key, "PLANTED")]
    assert [(found.key, found.name) for found in secrets_in(literal)] == [(key, None)]
    assert plain.digest() == placed.digest() == literal.digest()
    assert KEY not in f"{literal!r} {literal} {literal.model_dump_json()} {without_secrets(literal)}"
    monkeypatch.setenv("PLANTED", KEY)
    assert KEY.encode() not in pickle.dumps(placed)
    with pytest.raises(RecipeError, match=f"override {key} is a secret"):
        refuse_secrets({"overrides": [f"{key}={KEY}"]})
    refuse_secrets({"overrides": [f"{key}=env:PLANTED"]})


@pytest.mark.parametrize(
    "override",
    [
        "judge={model: m, api_key: PLANTED}",
        "judge={model: m, headers: {X-Any: PLANTED}}",
        "distill.teacher.headers={X-Any: PLANTED}",
        "distill.teacher.headers.X-Any=PLANTED",
        "label.labellers=[{model: m, api_key: PLANTED}]",
        "judge.api-key=PLANTED",
        "judge.api_kye=PLANTED",
        "judge.api_key=[PLANTED]",
        "judge.api_key={env: PLAN-TED}",
        "judge.api_key: PLANTED",
        "judge.api_key=[PLANTED",
        "push.token=hf_PLANTED",
        "distill.teacher.base_urls=http://user:PLANTED@host/v1",
        "run.store=s3://PLANTED@bucket/store",
    ],
)
def test_secrets_are_found_however_they_are_given(override: str) -> None:
    """In a mapping, a list, under a misspelt key, in a URL, in what cannot even be read."""
    with pytest.raises(RecipeError, match="is a secret") as refused:
        refuse_secrets({"overrides": [override]})
    assert "PLANTED" not in str(refused.value)


@pytest.mark.parametrize(
    "override",
    [
        "distill.teacher.max_tokens=5",
        "quality.length.think_tokens.max=5",
        "label.tokenizer=tokenizer.json",
        "push.token=secret:hub",
        "judge={model: m, api_key: {env: NAME}}",
        "judge.headers={X-Any: env:NAME, X-Other: {env: NAME}}",
        "judge.api_key=",
        "description='the secret: a token'",
        "distill.teacher.base_urls=http://env:NAME@host/v1",
        "run.store=s3://bucket/store@1",
    ],
)
def test_what_is_no_secret_is_a_parameter(override: str) -> None:
    """Settings that only look or sound like secrets, and places of secrets, are let through."""
    refuse_secrets({"overrides": [override]})


def test_an_unset_variable_ends_the_run_before_its_first_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key, the variable and the remedy are named; a literal key on the command line is refused there too."""
    monkeypatch.delenv("PLANTED", raising=False)
    small = SmallRun(tmp_path, "http://127.0.0.1:9/v1")
    small.sections["judge"] = {"model": "m", "api_key": "env:PLANTED"}
    small.write()
    for arguments, message in (([], "judge.api_key: env:PLANTED"), (["--set", f"judge.api_key={KEY}"], "is a secret")):
        monkeypatch.setattr("sys.argv", ["build_dataset", str(small.recipe_path), *arguments])
        assert dataset_command(build_dataset, render_summary, "build_dataset", "about", found) == 1
        error = capsys.readouterr().err
        assert message in error
        assert KEY not in error
    assert not (tmp_path / "store").exists()
    monkeypatch.setenv("PLANTED", f" {KEY}\n")
    assert load_recipe_with_env(str(small.recipe_path), []).judge is not None


@pytest.mark.parametrize("value", ["", "  ", "two words", "ключ"])
def test_a_variable_without_a_secret_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no HTTP header can carry is told before a request is made."""
    monkeypatch.setenv("PLANTED", value)
    secret = Teacher(model="m", api_key="env:PLANTED").api_key  # type: ignore[arg-type]  # validated
    assert secret is not None
    with pytest.raises(RecipeError, match="env:PLANTED"):
        revealed(secret, "distill.teacher.api_key")


def test_a_user_and_password_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """``http://env:NAME@host`` is sent as HTTP's basic authorization; a literal one is refused untold."""
    monkeypatch.setenv("PLANTED", "Aladdin:open sesame".replace(" ", ""))
    url, headers = opened("http://env:PLANTED@host:8000/v1/models", "it")
    assert (url, headers) == ("http://host:8000/v1/models", {"Authorization": "Basic QWxhZGRpbjpvcGVuc2VzYW1l"})
    for wrong in (f"http://user:{KEY}@host/v1", f"http://user:{KEY}/x@host/v1", f"http://{KEY}@host/v1"):
        with pytest.raises(RecipeError, match="base_urls") as refused:
            parse_recipe(RAW, [f"distill.teacher.base_urls={wrong}"])
        assert KEY not in str(refused.value)
    with pytest.raises(RecipeError, match="one of api_key and env:NAME@"):
        parse_recipe(RAW, ["distill.teacher={model: m, api_key: env:A, base_urls: 'http://env:B@host/v1'}"])


def test_a_refused_section_does_not_tell_its_key() -> None:
    """Whatever else is wrong beside a key, the key is in no message, and in no cause of it."""
    for wrong in ({"max_tokens": 0}, {"modle": "m"}, {"api_key": [KEY]}, {"api_key": {"file": KEY}}):
        with pytest.raises(RecipeError) as refused:
            parse_recipe(RAW | {"judge": {"model": "m", "api_key": KEY, **wrong}})
        error: BaseException | None = refused.value
        while error is not None:
            assert KEY not in f"{error}{error!r}"
            error = error.__cause__ or error.__context__


def test_a_failed_task_keeps_the_place_of_a_key() -> None:
    """The record of a failed task says where the key is, so that it can be run alone; a literal key is left out."""
    placed = Teacher.model_validate({"model": "m", "api_key": "env:PLANTED"})
    again = parse_section(Teacher, without_secrets(placed), origin="it")
    assert again == placed
    assert without_secrets(Teacher.model_validate({"model": "m", "api_key": KEY}))["api_key"] is None


def test_a_hub_token_is_looked_up_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source's token is that of its variable; without one the Hub's client looks for itself."""
    source = parse_section(Source, {"name": "a", "hub": "o/n", "token": "env:PLANTED"}, origin="it")
    monkeypatch.setenv("PLANTED", "hf_planted")
    assert hub_token(source.token) == "hf_planted"
    assert hub_token(None) is None


def test_workers_without_a_secret_are_unfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster's workers look secrets up themselves: one that cannot gets no tasks, and a literal key is not sent."""
    monkeypatch.delenv("PLANTED", raising=False)
    place = (str(tmp_path), "http://127.0.0.1:9/api")
    told = mismatches({"tcp://a": inspect_worker(*place, ("PLANTED",))}, inspect_worker(*place))
    assert "environment variable PLANTED is not set" in told[0]
    small = SmallRun(tmp_path / "run", "http://127.0.0.1:9/v1")
    small.sections["run"] = {"runner": {"kind": "dask", "address": "tcp://host:1"}}
    small.sections["judge"] = {"model": "m", "api_key": KEY}
    small.write()
    with pytest.raises(RecipeError, match=r"(?s)sent to the cluster.*judge\.api_key"):
        load_recipe_with_env(str(small.recipe_path), [])


def test_deployments_hold_no_secret(tmp_path: Path) -> None:
    """Parameters of deployments and of their schedules are looked at before the server gets them."""
    refuse_kept_secrets()
    path = tmp_path / "prefect.yaml"
    parameters = f"{{recipe: a.yaml, overrides: ['judge.api_key={KEY}']}}"
    for text in (f"parameters: {parameters}", f"schedules: [{{cron: '0 3 * * *', parameters: {parameters}}}]"):
        path.write_text(f"deployments:\n  - name: x\n    {text}\n")
        with pytest.raises(RecipeError, match=r"judge\.api_key"):
            refuse_kept_secrets(path)
