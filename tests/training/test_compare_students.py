"""Comparisons of students without Prefect, by a trainer that is fake: what is trained, found again, told, refused."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.needs import ROOT
from tests.support.servers.prefect_home import prefect_home
from tests.support.training.small_comparison import ARMS, SmallComparison
from tests.support.warm.start import python
from tracemill.core import RecipeError, StageCrashedError, TracemillError, TrainerError, child_process
from tracemill.core.child_process import end_children, run_child


def test_a_planted_effect_is_found_and_a_killed_comparison_goes_on(tmp_path: Path) -> None:
    """Right traces are ahead of wrong ones; all is on file; again, nothing is trained; a seed more trains that."""
    small = SmallComparison(tmp_path, {"effect": 0.4})
    small.sections = {"contrast": {"ahead": "verified", "behind": "wrong"}, "seeds": {"least": 2, "most": 3}}
    made = small.run()
    assert made.found["contrast"]["difference_shown"]
    assert made.found["sentence"].startswith("Students trained on verified score higher than those on wrong")
    shares = [arm["wrong_share"] for arm in made.found["arms"]]
    means = [arm["mean"] for arm in made.found["arms"]]
    assert shares[0] == 0 < shares[1] < shares[2] == 1
    assert means[0] > means[1] > means[2]
    for of_seed in zip(*(arm["tokens"] for arm in made.found["arms"]), strict=True):
        assert max(of_seed) <= 1.005 * min(of_seed)
    out = tmp_path / "out"
    assert json.loads((out / "comparison.json").read_text()) == made.found
    page = (out / "report.html").read_text()
    assert made.found["sentence"] in page
    assert page.count("<circle") >= 6
    answers = pq.read_table(out / "answers").to_pydict()
    assert len(answers["arm"]) == 60 * (1 + 3 * made.found["noise"]["seeds_trained"])
    again = small.run()
    assert (again.n_executed, again.found) == (0, made.found)
    small.sections["seeds"] = {"least": 3, "most": 3}
    assert small.run().n_executed <= 8, "one more seed of three arms at most, drawn and judged, and the publication"


def test_a_student_whose_loss_is_no_number_has_failed(tmp_path: Path) -> None:
    """It is never scored: it is named with its reason, and the other arms are compared."""
    made = SmallComparison(tmp_path, {"fail": "nan"}).run()
    assert made.found["failed"] == [f"wrong seed {seed}: the loss is nan at step 7 of 20" for seed in (0, 1)]
    assert [arm["mean"] is None for arm in made.found["arms"]] == [False, False, True]
    assert "the loss is nan" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(("fail", "told"), [("crash", "out of memory: buy more"), ("partial", "did not answer every")])
def test_a_trainer_that_fails_says_so(tmp_path: Path, fail: str, told: str) -> None:
    """Its last lines are shown; students that are finished are found again once it is mended."""
    small = SmallComparison(tmp_path, {"fail": fail})
    with pytest.raises((TrainerError, StageCrashedError, TracemillError), match=told):
        small.run()
    assert not (tmp_path / "out/comparison.json").exists()


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    """The comparison is made, and says that nothing is shown."""
    small = SmallComparison(tmp_path, {"effect": 0.4}, {"seeds": {"least": 1, "most": 1}})
    found = small.run().found
    assert found["contrast"]["interval"] is None
    assert found["sentence"].startswith("Nothing is shown")
    assert found["noise"]["between_seeds"] is None


def test_secondary_endpoints_are_told_apart(tmp_path: Path) -> None:
    """The primary endpoint is over its own items alone; others stand beside it, and change neither it nor the noise."""
    alone = SmallComparison(tmp_path / "alone", {"effect": 0.4})
    alone.recipe()
    items = [json.loads(line) for line in (tmp_path / "alone/held_out.jsonl").read_text().splitlines()]
    marked = [item | {"kind": "odd" if n % 2 else "even", "far": False} for n, item in enumerate(items)]
    far = [{"question": f"What is {n} + 2?", "answer": str(n + 2), "kind": "far", "far": True} for n in range(30)]
    given = held_out(tmp_path / "both", [*marked, *far])["held_out"] | {"only": {"far": [False]}}
    second = [{"name": "odd", "only": {"kind": ["odd"]}}, {"name": "far", "only": {"far": [True]}}]
    both = SmallComparison(tmp_path / "both", {"effect": 0.4}, {"held_out": given, "secondary": second})
    plain, found = alone.run().found, both.run().found
    for name in ("sentence", "contrast", "noise", "base", "items", "against_base"):
        assert found[name] == plain[name]
    assert [(name, part["items"]) for name, part in found["secondary"].items()] == [("odd", 30), ("far", 30)]
    assert found["secondary"]["odd"]["means"].keys() == {"base", "verified", "mixed", "wrong"}
    assert found["secondary"]["odd"]["means"]["verified"] > found["secondary"]["odd"]["means"]["wrong"]
    assert found["against_base"]["verified"]["difference"] > found["against_base"]["wrong"]["difference"]
    page = (tmp_path / "both/out/report.html").read_text()
    assert "<td>far</td>" in page
    assert "secondary" not in plain
    assert "Secondary" not in (tmp_path / "alone/out/report.html").read_text()


def held_out(folder: Path, rows: list[Any]) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "other.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"held_out": {"path": str(path)}}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [{"question": "What  is 3 + 1?", "answer": "4"}, {"question": "b?", "answer": "4"}],
            "1 held-out problems are in",
        ),
        ([{"question": "b?", "answer": "4"}], "too few problems"),
        ([{"problem": "b?"}], "cannot be read"),
    ],
)
def test_what_is_held_out_must_be(tmp_path: Path, rows: list[Any], told: str) -> None:
    """A problem that an arm could hold, too few of them, and a file without the columns; nothing is trained."""
    with pytest.raises(RecipeError, match=told):
        SmallComparison(tmp_path, sections=held_out(tmp_path, rows)).run()


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"contrast": {"ahead": "verified", "behind": "none"}}, "which is no arm"),
        ({"contrast": {"ahead": "wrong", "behind": "wrong"}}, "with itself"),
        ({"arms": [ARMS[0], ARMS[0]]}, "must be unique"),
        ({"arms": [{"name": "a", "traces": "wrong", "wrong_share": 0.5}, ARMS[0]]}, "traces must be all"),
        ({"seeds": {"least": 3, "most": 2}}, "least must not be above most"),
        ({"tokens": 10**9}, "cannot have so many tokens"),
        ({"secondary": [{"name": "a", "only": {"kind": ["x"]}}]}, "(?s)cannot be read.*kind"),
        ({"secondary": [{"name": "a", "only": {"answer": ["5002"]}}]}, "too few problems of a"),
        ({"secondary": 2 * [{"name": "a", "only": {"answer": ["5002"]}}]}, "names of their own"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, sections: dict[str, Any], told: str) -> None:
    """Unknown arms, shares of what has none, sizes that there are not."""
    with pytest.raises(TracemillError, match=told):
        SmallComparison(tmp_path, sections=sections).run()


@pytest.mark.parametrize(("other", "told"), [("{}", "another tokenizer"), (None, "cannot be read")])
def test_tokens_are_counted_by_the_bases_own_tokenizer(tmp_path: Path, other: str | None, told: str) -> None:
    """Arms equal in tokens of another tokenizer are not equal in what the student learns from."""
    small = SmallComparison(tmp_path)
    recipe = small.recipe()
    (tmp_path / "base/tokenizer.json").write_text("{ }")
    if other is not None:
        (tmp_path / "other.json").write_text(other)
    small.sections = {"trainer": recipe["trainer"] | {"tokenizer": str(tmp_path / "other.json")}}
    with pytest.raises(RecipeError, match=told):
        small.run()


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    """Under Prefect, too: figures and the sentence on the terminal, and where the files are."""
    small = SmallComparison(tmp_path, {"effect": 0.4})
    recipe = tmp_path / "comparison.yaml"
    recipe.write_text(json.dumps(small.recipe()), encoding="utf-8")
    command = [python(), "-m", "flows.compare_students", str(recipe), "--set", "seeds.least=1", "--out"]
    environment = os.environ | {"PREFECT_HOME": str(prefect_home(tmp_path / "prefect"))}
    ended = subprocess.run(
        [*command, str(tmp_path / "out")], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "verified − mixed is +" in ended.stdout
    assert f"report    {os.path.relpath(tmp_path / 'out', ROOT)}/report.html" in ended.stdout
    assert (tmp_path / "out/answers").is_dir()


def test_children_end_when_they_are_told_to() -> None:
    """At once, and as by SIGTERM: the thread that waits for one goes on."""
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(run_child, [sys.executable, "-c", "import time; time.sleep(600)"], 600) for _ in "ab"]
        while sum(future.running() for future in waiting) < 2 or len(child_process._RUNNING) < 2:
            time.sleep(0.01)
        end_children()
        assert [future.result(60).returncode for future in waiting] == [-signal.SIGTERM, -signal.SIGTERM]


def processes_with(setting: str) -> list[str]:
    """Programs that run in an environment with a setting, such as Prefect's temporary server."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if setting.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_comparison_that_is_told_to_end_ends_its_trainings(tmp_path: Path, number: signal.Signals) -> None:
    """Told alone, as schedulers do it, not with its whole terminal: no training is waited for, and nothing is left."""
    trainers = tmp_path / "trainers"
    trainers.mkdir()
    small = SmallComparison(tmp_path, {"hang": str(trainers)})
    recipe = tmp_path / "comparison.yaml"
    recipe.write_text(json.dumps(small.recipe()), encoding="utf-8")
    command = [python(), "-m", "flows.compare_students", str(recipe), "--out", str(tmp_path / "out")]
    environment = os.environ | {"PREFECT_HOME": str(prefect_home(tmp_path / "prefect"))}
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        deadline = time.monotonic() + 300
        while len(list(trainers.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(120) != 0
    for trainer in trainers.iterdir():
        assert not Path(f"/proc/{trainer.name}").exists()
    assert processes_with(f"PREFECT_HOME={tmp_path / 'prefect'}") == []
