"""What the models beside the teacher will cost: measured on the sample, counted for the run, and never paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.engine.plain_run import PlainRun
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer, server_of
from tracemill.core import RecipeError
from tracemill.generate import Estimate
from tracemill.generate.cost import Measured, ModelMeasured, Outstanding
from tracemill.recipe import parse_section
from tracemill.recipe.sections.distill import Cost

SAMPLE = 9
TEACHER = Measured(10, 0, 80.0, 1000.0, 500.0)


def lines(*models: ModelMeasured, **cost: Any) -> dict[str, str]:
    left = Outstanding(n_first=3600, n_traced=0, n_later=3600, n_paid=2000, n_traces=800)
    return dict(Estimate(left, TEACHER, Cost(**cost), models).lines())


def test_models_are_asked_about_a_share_of_the_responses() -> None:
    """Requests, tokens, time, GPU-hours and price: at least for the first round, at most for all responses."""
    judge = ModelMeasured("judge", "qwen", n_responses=100, n_requests=25, tokens=400.0, requests_per_s=0.25)
    found = lines(judge, gpus=8, model_gpus={"judge": 2}, price_per_gpu_hour=3.0)["judge (qwen)"]
    # A quarter of 3,600, and of 7,200 to come, 2,000 had before and 800 that came along.
    assert found == (
        "900 to 2,500 requests; 360,000 to 1,000,000 tokens; time 1.0 to 2.8 h; "
        "GPU-hours 2.0 to 5.6; price 6.0 to 16.7 USD"
    )


def test_what_is_not_known_is_not_made_up() -> None:
    """Without a server there is no time, without its GPUs no price; requests and tokens stand all the same."""
    absent = ModelMeasured("perplexity", "m", 10, 5, 100.0, None)
    assert lines(absent, gpus=8, price_per_gpu_hour=3.0)["perplexity (m)"] == (
        "1,800 to 5,000 requests; 180,000 to 500,000 tokens; time not known"
    )
    there = ModelMeasured("perplexity", "m", 10, 5, 100.0, 100.0)
    assert lines(there, gpus=8, price_per_gpu_hour=3.0)["perplexity (m)"].endswith("time 18 to 50 s")


def test_the_table_names_every_model() -> None:
    """Prefect's UI shows the teacher and each model in one table: requests, tokens, time, GPU-hours, price."""
    judge = ModelMeasured("judge", "qwen", 100, 25, 400.0, 0.25)
    left = Outstanding(3600, 0, 0, 0)
    shown = Estimate(left, TEACHER, Cost(gpus=1, model_gpus={"judge": 2}, price_per_gpu_hour=3.0), (judge,)).markdown()
    assert "| teacher | 3,600 | 3,600,000 | 2.0 h | 2.0 | 6.0 USD |" in shown
    assert "| judge (qwen) | 900 | 360,000 | 1.0 h | 2.0 | 6.0 USD |" in shown


def test_gpus_of_an_unknown_section_are_refused() -> None:
    """A misspelt section in model_gpus is named."""
    with pytest.raises(RecipeError, match="model_gpus"):
        parse_section(Cost, {"model_gpus": {"jugde": 2}}, origin="test")


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> list[Estimate]:
    """The estimates that builds have made."""
    made: list[Estimate] = []
    run_task = PlainRun.run_task

    def noted(*arguments: Any, **more: Any) -> Any:
        value = run_task(*arguments, **more)
        if isinstance(value, Estimate):
            made.append(value)
        return value

    monkeypatch.setattr(PlainRun, "run_task", noted)
    return made


def judged(folder: Path, teacher: ChatServer, judge: JudgeServer, cost: dict[str, Any] | None) -> SmallRun:
    sections: dict[str, Any] = {
        "judge": server_of(judge),
        "perplexity": server_of(judge),
        "safety": {"guard": server_of(judge)},
        "distill": {"cost": cost} if cost else {},
    }
    return SmallRun(folder, teacher.url, sections=sections)


def test_models_are_measured_on_the_sample(tmp_path: Path, teacher: ChatServer, estimates: list[Estimate]) -> None:
    """The sample's wrong answers go to the judge, its right ones to perplexity and safety; no request is sent twice."""
    with JudgeServer(says=lambda prompt: "safe" if "piece" in prompt else "incorrect") as judge:
        judged(tmp_path / "plain", teacher, judge, None).build()
        n_plain = judge.received
        judged(tmp_path / "gate", teacher, judge, {"sample": SAMPLE}).build()
        assert judge.received == 2 * n_plain
    measured = {model.place: model for model in estimates[0].models}
    n_judged, n_right = measured["judge"].n_requests, measured["perplexity"].n_requests
    assert n_judged + n_right == SAMPLE
    assert measured["safety.guard"].n_requests == n_right
    assert all(model.requests_per_s for model in measured.values() if model.n_requests)


def test_an_absent_model_stops_no_estimate(tmp_path: Path, teacher: ChatServer, estimates: list[Estimate]) -> None:
    """A judge that is not there yet leaves its time unknown; its requests are counted, their tokens estimated."""
    with JudgeServer() as judge:
        run = judged(tmp_path / "run", teacher, judge, {"sample": SAMPLE})
        judge.stop()
        with pytest.raises(Exception, match="nothing answers"):
            run.build()
    found = {model.place: model for model in estimates[0].models}["perplexity"]
    assert found.requests_per_s is None
    assert found.n_requests > 0
    assert found.tokens > 10
