"""Verdicts by models against real vLLM servers on the CPU. Weights are random or tiny: this tests the protocol only."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import VLLM_PYTHON

from demo.teacher.serve import MODEL_DIR, DemoServer, serving
from tracemill.errors import TeacherMisconfiguredError
from tracemill.ledger import Completion
from tracemill.recipe_judge import Judge, Reward
from tracemill.schema import Problem, Response
from tracemill.teacher import shared_teacher
from verifiers.judge import judge_request, judge_verdict
from verifiers.reward import RUBRIC, read_score, reward_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.recipe_server import ModelServer
    from tracemill.teacher import Refusal, Request

pytestmark = pytest.mark.needs_vllm

MAKE_SCORER = """
import sys, torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification
source, target = sys.argv[1:]
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(source)
config = Qwen2Config.from_pretrained(source, num_labels=5)
Qwen2ForSequenceClassification(config).save_pretrained(target)
tokenizer.save_pretrained(target)
"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """The demo teacher, which has never heard of judging: what it says in form is the schema's doing."""
    log = tmp_path_factory.mktemp("chat") / "log"
    with serving(VLLM_PYTHON, name="judge", log=log) as server:
        yield server


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """A Qwen2ForSequenceClassification with five outputs and random weights."""
    folder = tmp_path_factory.mktemp("scorer")
    command = [str(VLLM_PYTHON), "-c", MAKE_SCORER, str(MODEL_DIR), str(folder / "model")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    model = folder / "model"
    with serving(VLLM_PYTHON, name="scorer", model_dir=model, runner="pooling", log=folder / "log") as server:
        yield server


def problem(category: str = "math") -> Problem:
    return Problem("p", "s", 0, category, "What is 2 + 3?", [], "5", None, None, [], "MIT", False, {})


def response(number: int) -> Response:
    return Response("r", "p", "teacher", "m", number, "hm", f"It is {number}.", None, "stop", 1, 1)


def ask(settings: ModelServer, requests: list[Request], folder: Path) -> list[Completion | Refusal]:
    """Twice: the second time out of the ledger."""
    teacher = shared_teacher(settings, folder / "ledger")
    answers = teacher.complete(requests)
    n_asked = teacher.progress().n_from_ledger
    assert teacher.complete(requests) == answers
    assert teacher.progress().n_from_ledger - n_asked == len(requests)
    return answers


def test_a_real_server_holds_the_judge_to_its_words(chat: DemoServer, tmp_path: Path) -> None:
    """Every answer of a model that knows nothing of judging is one of the two words, and so a verdict."""
    settings = Judge(model=chat.model, base_urls=(chat.base_url,))
    answers = ask(settings, [judge_request(problem(), response(n), settings) for n in range(8)], tmp_path)
    verdicts = [judge_verdict(response(0), answer, settings) for answer in answers]
    assert [v.detail for v in verdicts if v.outcome not in ("correct", "incorrect")] == []


def test_a_real_server_holds_the_rubric_to_its_grades(chat: DemoServer, tmp_path: Path) -> None:
    """Every answer holds three grades from 0 to 4, and so a score."""
    settings = Reward(model=chat.model, base_urls=(chat.base_url,), kind="rubric", threshold=0.7)
    answers = ask(settings, [reward_request(problem(), response(n), settings) for n in range(8)], tmp_path)
    for answer in answers:
        score = read_score(answer, settings)
        assert score.value is not None
        assert 0 <= score.value <= 1
        assert all(name in score.detail for name in RUBRIC)


@pytest.mark.parametrize("endpoint", ["classify", "pooling"])
def test_a_real_server_scores(scorer: DemoServer, tmp_path: Path, endpoint: str) -> None:
    """Both endpoints give the five raw outputs of each answer, other ones for other answers."""
    settings = Reward(model=scorer.model, base_urls=(scorer.base_url,), endpoint=endpoint, threshold=0.0)  # type: ignore[arg-type]
    answers = ask(settings, [reward_request(problem("other"), response(n), settings) for n in range(4)], tmp_path)
    scores = [read_score(answer, settings) for answer in answers]
    assert all(score.value is not None for score in scores)
    assert len({score.detail for score in scores}) == 4
    outputs = [float(part.split()[1]) for part in scores[0].detail.split(", ")]
    assert len(outputs) == 5
    assert abs(sum(outputs) - 1) > 1e-3, "these are shares, not raw outputs"


def test_both_endpoints_agree(scorer: DemoServer, tmp_path: Path) -> None:
    """The raw outputs do not depend on the endpoint that gives them."""
    details = []
    for endpoint in ("classify", "pooling"):
        settings = Reward(model=scorer.model, base_urls=(scorer.base_url,), endpoint=endpoint, threshold=0.0)  # type: ignore[arg-type]
        [answer] = ask(settings, [reward_request(problem("other"), response(1), settings)], tmp_path)
        details.append(read_score(answer, settings).detail)
    assert details[0] == details[1]


def test_a_wrong_model_is_named_with_its_section(scorer: DemoServer, tmp_path: Path) -> None:
    """A model that the server does not have is an error that says where in the recipe it stands."""
    settings = Reward(model="scroer", base_urls=(scorer.base_url,), threshold=0.0)
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)did you mean scorer\? set reward\.model"):
        ask(settings, [reward_request(problem("other"), response(1), settings)], tmp_path)
