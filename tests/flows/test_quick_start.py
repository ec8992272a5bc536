"""The quick start, typed from its page: three questions become two published rows and a dropped one."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.docs.checkout import PATIENCE_S, Checkout, make_checkout, wait_for
from tests.support.docs.documented import fenced
from tests.support.docs.documented_commands import QUICK_START
from tests.support.needs import NEEDS, ROOT
from tests.support.servers.chat_server import ChatServer

PAGE = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
# Typed in continuous integration, and by the last test here.
BEFORE = ("make teacher", "python -m demo.teacher.serve")


def typed(checkout: Checkout, command: str, teacher_url: str) -> str:
    """What a command of the page prints, typed as it stands but for the teacher's place and words in capitals."""
    there = command.replace("http://host:8000/v1", teacher_url).replace(" NAME", " demo-teacher")
    environment = {name: value for name, value in checkout.environment.items() if name != "PREFECT_API_URL"}
    done = subprocess.run(
        ["bash", "-c", there],
        cwd=checkout.place,
        env=environment | {"TEACHER_URL": teacher_url},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 4,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def column(place: Path, folder: str, name: str) -> list[str]:
    return [value for path in (place / folder).rglob("*.parquet") for value in pq.read_table(path)[name].to_pylist()]


def go(checkout: Checkout, teacher_url: str) -> dict[str, str]:
    """Types the whole page; what each command printed."""
    [questions] = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (checkout.place / "questions.jsonl").write_text(questions)
    printed: dict[str, str] = {}
    for command in fenced(PAGE):
        if not command.startswith(BEFORE):
            ids = column(checkout.place, "runs/questions/dropped", "id") if " ID" in command else []
            printed[command] = typed(checkout, command.replace(" ID", f" {''.join(ids[:1])}"), teacher_url)
    return printed


def test_every_command_of_the_page_is_typed() -> None:
    """The table of documented commands points here for each that no other table has."""
    assert set(QUICK_START) <= set(fenced(PAGE))


@contextlib.contextmanager
def a_teacher(checkout: Checkout) -> Iterator[str]:
    """The demo's, served as the page says; where vLLM is not there, a stand-in. Gives its address."""
    if NEEDS["vllm"]() is not None:
        with ChatServer(models=("demo-teacher",), wrong_percent=0) as teacher:
            yield teacher.url
        return
    port = checkout.values["port"]
    with checkout.going_on(f"python -m demo.teacher.serve --port {port}") as log:
        wait_for(lambda: "is served at" in log.read_text(), log)
        yield f"http://127.0.0.1:{port}/v1"


@pytest.mark.slow
def test_three_questions_become_a_dataset(tmp_path: Path) -> None:
    """Two rows are published, and the one with the wrong reference is dropped."""
    checkout = make_checkout(tmp_path / "tracemill", "")
    checkout.fork_vllm()
    with a_teacher(checkout) as url:
        printed = go(checkout, url)
    check_what_was_said(printed, checkout.place)


def check_what_was_said(printed: dict[str, str], place: Path) -> None:
    """The page's claims, one by one."""
    assert re.search(r"all +3 +3 +0 +100\.0 %", printed["python -m flows.check_references recipe.yaml"])
    assert "questions: 3 rows, 2 published" in printed["python -m flows.build_dataset recipe.yaml --preview 3"]
    assert re.search(r"published +2", printed["python -m flows.build_dataset recipe.yaml"])
    assert re.search(r"incorrect +-1", printed["python -m flows.build_dataset recipe.yaml"])
    assert "questions: 2 rows" in printed["python -m tracemill report"]
    assert "288" in printed["python -m tracemill why ID"]
    assert sorted(column(place, "runs/questions/dataset", "reference_answer")) == ["245", "680"]
    assert column(place, "runs/questions/dropped", "reason") == ["incorrect"]
