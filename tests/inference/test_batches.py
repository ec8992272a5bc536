"""Batches: what they answer is what would have been answered online, and nothing is asked or paid for twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, table
from tests.support.servers.batch_server import BatchServer
from tests.support.servers.chat_server import ChatServer
from tests.support.warm.start import vllm_python
from tracemill.core import BudgetReachedError, RecipeError, ServerUnavailableError, TeacherMisconfiguredError
from tracemill.generate import build_request
from tracemill.inference import ModelClient, Refusal, Request
from tracemill.inference.batches.notes import Made, lines_of, noted
from tracemill.inference.servers import Patience
from tracemill.inference.spending import Spending
from tracemill.ledger import Completion, Ledger
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.money import Price, Purse
from tracemill.recipe.sections.server import Batch, Teacher
from tracemill.recipe.yaml import parse_yaml

QUICK = Patience(base_s=0.01, cap_s=0.05, connect_s=2.0)
SOON = {"poll_s": 0.01, "gather_s": 0.02}
TEXT = "name: r\nsources: [{name: a, path: a.jsonl}]\ndistill: {teacher: {model: demo}}\n"
GONE = "elsewhere"


def requests(n: int, start: int = 0) -> list[Request]:
    asked = Teacher(model="demo", max_tokens=100)
    return [build_request(problem(f"What is {number} + 1?", "2"), asked, 0) for number in range(start, start + n)]


def settings(url: str, **changes: Any) -> Teacher:
    batch = Batch(**(SOON | changes.pop("batch", {})))
    given = {"model": "demo", "base_urls": (url,), "max_tokens": 100, "give_up_after_s": 1, "mode": "batch"}
    return Teacher(**(given | {"batch": batch} | changes))


def ask(folder: Path, asked: list[Request], how: Teacher, spending: Spending | None = None) -> list[Any]:
    account = spending.account(how) if spending else None
    teacher = ModelClient(how, Ledger(folder), patience=QUICK, account=account)
    try:
        return teacher.complete(asked)
    finally:
        teacher.close()


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer(wrong_percent=0) as running:
        yield running


def test_a_batch_answers_what_online_would(server: BatchServer, tmp_path: Path) -> None:
    """The same completions under the same keys, so that the other mode finds them; several files where one is full."""
    batched = ask(tmp_path / "batch", requests(25), settings(server.url, batch={"most": 10}))
    online = ask(tmp_path / "online", requests(25), settings(server.url, mode="online", batch={**Batch().model_dump()}))
    assert batched == online
    assert len(server.batches) == 3
    assert noted(tmp_path / "batch" / "batches") == []
    received = server.received
    assert (
        ask(tmp_path / "batch", requests(25), Teacher(model="demo", base_urls=(server.url,), max_tokens=100)) == online
    )
    assert (server.received, len(server.batches)) == (received, 3)


def test_threads_share_a_batch(server: BatchServer, tmp_path: Path) -> None:
    """What several shards want at a time is one file."""
    teacher = ModelClient(settings(server.url, batch={"gather_s": 0.3}), Ledger(tmp_path), patience=QUICK)
    threads = [threading.Thread(target=teacher.complete, args=(requests(5, start),)) for start in (0, 5, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    teacher.close()
    assert (len(server.batches), len(server.asked), max(server.asked.values())) == (1, 10, 1)


def test_lines_that_expire_or_fail_are_asked_again(tmp_path: Path) -> None:
    """In another batch; those that were answered are not."""
    with BatchServer(wrong_percent=0, expires=3, fails=2) as server:
        answers = ask(tmp_path, requests(12), settings(server.url))
    assert all(isinstance(answer, Completion) for answer in answers)
    assert sorted(server.asked.values()) == [1] * 7 + [2] * 5


def test_a_line_that_always_fails_is_given_up(tmp_path: Path) -> None:
    """As a request that fails again and again online: a refusal, which the next run asks again."""
    with BatchServer(wrong_percent=0) as server:
        server._work = lambda name, batch: _all_fail(server, name, batch)  # type: ignore[method-assign]
        [answer] = ask(tmp_path, requests(1), settings(server.url))
    assert isinstance(answer, Refusal)
    assert "given up after 4 batches" in answer.message


def _all_fail(server: BatchServer, name: str, batch: dict[str, Any]) -> None:
    server.fails = 1000
    BatchServer._work(server, name, batch)


def test_a_batch_that_is_refused_says_why(tmp_path: Path) -> None:
    """The provider's words, and nothing is left to be waited for."""
    refusing = BatchServer(refuses="The model does not exist.")
    with refusing as server, pytest.raises(TeacherMisconfiguredError, match="does not exist"):
        ask(tmp_path, requests(2), settings(server.url))
    assert noted(tmp_path / "batches") == []


def test_a_server_without_batches_is_named(tmp_path: Path) -> None:
    """VLLM's has none: run-batch works on files."""
    with ChatServer() as server, pytest.raises(TeacherMisconfiguredError, match=r"not taken.*") as error:
        ask(tmp_path, requests(2), settings(server.url))
    assert "mode: online" in error.value.remedy


# -- kills -------------------------------------------------------------------------------------------------------------


def _ask_and_die(folder: Path, url: str, polls: float) -> None:
    ask(folder, requests(8), settings(url, batch={"poll_s": polls}, request_timeout_s=120))


@pytest.mark.parametrize("moment", ["upload", "create", "poll"])
def test_a_kill_loses_and_repeats_nothing(moment: str, tmp_path: Path) -> None:
    """Before a batch is made, before its number is known, and while it is waited for: each key is asked once."""
    polls = 2 if moment == "poll" else 1
    with BatchServer(wrong_percent=0, polls=polls, dies_after="" if moment == "poll" else moment) as server:
        wait_s = 30.0 if moment == "poll" else 0.01
        child = multiprocessing.get_context("spawn").Process(target=_ask_and_die, args=(tmp_path, server.url, wait_s))
        child.start()
        deadline = time.monotonic() + 60
        while not (server.files if moment == "upload" else server.n_looks if moment == "poll" else server.batches):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert len(noted(tmp_path / "batches")) == 1
        answers = ask(tmp_path, requests(8), settings(server.url))
    assert all(isinstance(answer, Completion) for answer in answers)
    assert (len(server.asked), max(server.asked.values())) == (8, 1)
    assert noted(tmp_path / "batches") == []


def test_what_is_in_a_batch_is_not_asked_online(server: BatchServer, tmp_path: Path) -> None:
    """It would be paid for twice; the error says what to do, and other requests are answered."""
    Made("tracemill-x", server.url, "demo", [requests(1)[0].key], GONE, "batch_9").write(tmp_path / "batches")
    online = Teacher(model="demo", base_urls=(server.url,), max_tokens=100)
    with pytest.raises(TeacherMisconfiguredError, match="in batches that are under way"):
        ask(tmp_path, requests(3), online)
    assert server.received == 0
    assert len(ask(tmp_path, requests(2, 1), online)) == 2


def test_a_server_that_is_away_is_waited_for_and_its_batch_found(tmp_path: Path) -> None:
    """An outage costs nothing: the batch goes on, and is not made again."""
    with BatchServer(wrong_percent=0, polls=10**6) as server:
        threading.Timer(0.3, server.stop).start()
        with pytest.raises(ServerUnavailableError):
            ask(tmp_path, requests(4), settings(server.url))
        server.polls = 1
        server.start()
        assert len(ask(tmp_path, requests(4), settings(server.url))) == 4
    assert (len(server.batches), max(server.asked.values())) == (1, 1)


# -- money -------------------------------------------------------------------------------------------------------------


def test_a_batch_is_no_larger_than_the_budget(server: BatchServer, tmp_path: Path) -> None:
    """Half the price, and what does not fit waits for the rest of it, or ends the run with all answers kept."""
    how = settings(server.url, price=Price(input=1.0, cached_input=0.5, output=2.0))
    spending = Spending(tmp_path / "spent", Purse(name="r", budget=0.0005))
    with pytest.raises(BudgetReachedError):
        ask(tmp_path, requests(60), how, spending)
    assert 0 < server.completed == len(Ledger(tmp_path)) < 60
    assert spending.amount == pytest.approx(server.spent / 2)
    assert spending.amount <= 0.0005


# -- files -------------------------------------------------------------------------------------------------------------


def test_files_are_left_for_whoever_answers_them(server: BatchServer, tmp_path: Path) -> None:
    """In the layout of vllm run-batch; the answers of another file are refused, and the right ones taken after that."""
    folder = tmp_path / "files"
    how = settings(server.url, batch={"folder": str(folder)})
    asked = requests(3)

    def answer(*, of_another: bool) -> None:
        while not (given := list(folder.glob("*[0-9a-f].jsonl"))):
            time.sleep(0.01)
        lines = [json.loads(line) for line in given[0].read_text().splitlines()]
        assert [line["custom_id"] for line in lines] == [one.key for one in asked]
        told = []
        for line in lines:
            body = server._reply(line["body"], line["body"]["messages"][-1]["content"])
            key = "f" * 64 if of_another else line["custom_id"]
            told.append({"id": "1", "custom_id": key, "response": {"status_code": 200, "body": body}, "error": None})
        out = given[0].with_name(given[0].stem + ".out.jsonl")
        out.write_text("".join(json.dumps(one) + "\n" for one in told))

    threading.Thread(target=answer, kwargs={"of_another": True}).start()
    with pytest.raises(TeacherMisconfiguredError, match="answers of another run"):
        ask(tmp_path, asked, how)
    answer(of_another=False)
    assert [type(one) for one in ask(tmp_path, asked, how)] == [Completion] * 3
    assert server.received == 0


def test_a_command_that_fails_says_how(tmp_path: Path) -> None:
    """Its last words; the batch is kept for the next run."""
    command = f"{sys.executable} -c 'raise SystemExit(\"no such model\")' {{input}} {{output}}"
    how = settings("http://127.0.0.1:9/v1", batch={"folder": str(tmp_path / "files"), "command": command})
    with pytest.raises(ServerUnavailableError, match="no such model"):
        ask(tmp_path, requests(2), how)
    assert len(noted(tmp_path / "batches")) == 1


@pytest.mark.parametrize(
    ("raw", "n"),
    [
        (b"", 0),
        (b"{\n<html>\n[]\n{}\nnull\n", 0),
        (b'{"custom_id": "a", "response": {"status_code": 200, "body": {"x": 1}}}\n{"custom_id": "b"', 1),
        (b'{"custom_id": "a", "response": null, "error": {"code": "batch_expired"}}', 1),
    ],
)
def test_lines_that_are_none_are_passed_over(raw: bytes, n: int) -> None:
    """A torn or foreign line loses no other; its request is asked again."""
    assert len(list(lines_of(raw))) == n


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("distill.teacher.batch={poll_s: 5}", "batch is of mode: batch"),
        ("distill.teacher.mode=batches", "mode"),
        ("distill.teacher={model: m, mode: batch, batch: {command: x}}", "name their folder"),
        ("distill.teacher={model: m, mode: batch, batch: {folder: f, command: x}}", "needs {input} and {output}"),
        ("distill.teacher={model: m, mode: batch, batch: {most: 60000}}", "50000|50,000"),
        ("distill.teacher={model: m, mode: batch, force_think: true}", "which batches do not"),
    ],
)
def test_batches_that_contradict_the_recipe_are_refused(given: str, told: str) -> None:
    """Before anything runs, by key."""
    with pytest.raises(RecipeError, match=told):
        parse_recipe(parse_yaml(TEXT, "it"), [given])


def test_a_build_in_batches_is_the_build_online(server: BatchServer, tmp_path: Path) -> None:
    """The same rows, and the other mode finds everything answered."""
    run = SmallRun(tmp_path, server.url)
    run.rows = run.rows[:20]
    batched = run.recipe()["distill"]
    batched["teacher"] |= {"mode": "batch", "batch": SOON}
    run.sections["distill"] = batched
    run.build()
    rows = table(run.out, "dataset").to_pylist()
    n_batches = len(server.batches)
    assert n_batches >= 1
    assert server.received == 0
    del run.sections["distill"]
    again = run.build()
    assert (again.n_executed, server.received, len(server.batches)) == (0, 0, n_batches)
    assert table(run.out, "dataset").to_pylist() == rows


@pytest.mark.needs_vllm
@pytest.mark.slow
def test_vllms_run_batch_answers_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real program on the CPU build, with the demo teacher's weights: its answers are completions of the ledger."""
    from demo.teacher.serve import MODEL_DIR, MODEL_NAME, server_environment

    for name, value in server_environment().items():
        monkeypatch.setenv(name, value)
    words = f"-i {{input}} -o {{output}} --model {MODEL_DIR} --served-model-name {MODEL_NAME} --max-model-len 512"
    command = f"{vllm_python()} -m vllm.entrypoints.openai.run_batch {words} --enforce-eager"
    how = settings(
        "http://127.0.0.1:9/v1",
        model=MODEL_NAME,
        max_tokens=16,
        batch={"folder": str(tmp_path / "files"), "command": command},
    )
    asked = [build_request(problem(f"What is {n} + 1?", "2"), how, 0) for n in range(3)]
    answers = ask(tmp_path, asked, how)
    assert [type(one) for one in answers] == [Completion] * 3
    assert all(one.completion_tokens <= 16 for one in answers)
