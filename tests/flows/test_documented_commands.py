"""Every command that the documentation says to type is typed here, or by a test that is named here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docs.checkout import Checkout, know_the_runs, make_checkout, wait_for
from tests.support.docs.documented import Command, commands, fenced, inline, options, pattern
from tests.support.docs.documented_commands import (
    BUILD,
    BUILD_AGAIN,
    BUILD_OTHER,
    ELSEWHERE,
    IN_CI,
    SUBSTITUTED,
    TYPED,
    UNTESTED,
    Typed,
)
from tests.support.docs.small_benchmarks import SMALL
from tests.support.needs import ROOT
from tests.support.servers.chat_server import ChatServer
from tests.support.warm import start as programs

RUNS = [
    pytest.param(case, run, id=run.replace("{", "").replace("}", ""), marks=getattr(pytest.mark, f"needs_{case.needs}"))
    if case.needs
    else pytest.param(case, run, id=run.replace("{", "").replace("}", ""))
    for case in TYPED
    for run in dict.fromkeys(case.runs)
]
BENCHMARKS = [small.documented for small in SMALL]  # tests/benchmarks/ types them
OTHER_TESTS = {*ELSEWHERE.values(), *(small.elsewhere for small in SMALL if small.elsewhere)}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose server is up, `make ui`, with two finished runs."""
    with ChatServer(wrong_percent=10) as teacher:
        made = make_checkout(tmp_path_factory.mktemp("docs") / "tracemill", teacher.url)
        with made.going_on("make ui") as log:
            wait_for(lambda: made.asked("health"), log)
            for command in (BUILD, BUILD_OTHER, BUILD_AGAIN):
                built = made.run(command)
                assert built.returncode == 0, built.stdout + built.stderr
            know_the_runs(made, "runs/small", "runs/other")
            yield made


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command.page}: {command.text}")
def test_no_command_is_untested(command: Command) -> None:
    """A command on a page has an entry in tests/support/docs/documented_commands.py."""
    tested = command.text in {*(case.documented for case in TYPED), *BENCHMARKS, *ELSEWHERE, *IN_CI, *UNTESTED}
    assert tested, (
        f"{command.page} says `{command.text}`: say in tests/support/docs/documented_commands.py how it is tested"
    )


def test_no_entry_is_for_a_command_that_is_gone() -> None:
    """Entries are for what the pages say, each once."""
    entries = [*(case.documented for case in TYPED), *BENCHMARKS, *ELSEWHERE, *IN_CI, *UNTESTED]
    assert len(entries) == len(set(entries))
    assert set(entries) - {command.text for command in commands()} == set()


@pytest.mark.parametrize("case", TYPED, ids=lambda case: case.documented)
def test_what_is_typed_is_what_is_documented(case: Typed) -> None:
    """Each run is an instance of its command, and together they use every option and alternative."""
    like = pattern(case.documented, SUBSTITUTED)
    for run in case.runs:
        assert like.fullmatch(run.partition(" && ")[0]), f"{run} is no instance of {case.documented}"
    used = set(" ".join(case.runs).split())
    assert options(case.documented) - used - {"--sandbox"} == set(), "docker has its own entry"


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_a_documented_command_works(checkout: Checkout, case: Typed, run: str) -> None:
    """It ends well, and prints what it should."""
    done = checkout.run(f"{run} {case.small}".strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(case.shows, done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.slow
def test_a_server_the_deployments_and_a_worker(checkout: Checkout) -> None:
    """`make deploy` on the server of `make ui`; what is started from a terminal is done by `make worker`."""
    deployed = checkout.run("PREFECT_API_URL=http://127.0.0.1:{port}/api make deploy")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "make worker" in checkout.run("make deploy").stdout
    for started in (
        ".venv/bin/prefect deployment run build-dataset/build-dataset --param recipe={recipe}",
        ".venv/bin/prefect deployment run verify-dataset/verify-dataset --param dataset={audited} --param limit=1000",
    ):
        done = checkout.run(started)
        assert done.returncode == 0, done.stdout + done.stderr
    with checkout.going_on("make worker") as log:
        wait_for(lambda: all(state in {"COMPLETED", "FAILED", "CRASHED"} for state in states(checkout)), log)
    assert states(checkout) == ["COMPLETED", "COMPLETED"], log.read_text()[-3000:]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("flows.build_dataset recipes/none.yaml", "name an existing YAML file"),
        ("flows.build_dataset recipes/demo.yaml --set distil.limit=3", "did you mean distill?"),
        ("flows.build_dataset recipes/evaluate-demo.yaml", "python -m flows.evaluate_student"),
        ("flows.check_references recipes/none.yaml", "name an existing YAML file"),
        ("flows.verify_dataset none.jsonl", "there is no file none.jsonl"),
        ("flows.evaluate_student recipes/demo.yaml", "python -m flows.build_dataset recipes/demo.yaml"),
    ],
)
def test_a_mistyped_command_says_what_is_wrong_and_no_more(command: str, told: str) -> None:
    """A wrong recipe or input is refused in a few lines, without a traceback and before a server is started."""
    done = programs.run(*command.split())
    assert done.returncode == 1
    assert told in done.stderr
    assert not re.search("Traceback|temporary server", done.stdout + done.stderr)


def states(checkout: Checkout) -> list[str]:
    """Of the flow runs that deployments have made."""
    body = {"deployments": {"id": {"not_any_": []}}, "flow_runs": {"deployment_id": {"is_null_": False}}}
    found: list[dict[str, Any]] = checkout.asked("flow_runs/filter", body) or []
    return [run["state_type"] for run in found if run["deployment_id"]]


@pytest.mark.slow
@pytest.mark.needs_vllm
def test_the_demo(checkout: Checkout) -> None:
    """`make demo` starts its teacher, builds, and says where everything is."""
    assert list((checkout.place / ".venv-vllm").glob(".ready-*")), "make demo would make the environment anew"
    done = checkout.run("make demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "source rows                                        427" in done.stdout
    assert (checkout.place / "runs" / "demo" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.needs_vllm
def test_the_evaluation_of_the_demo(checkout: Checkout) -> None:
    """`make evaluate` scores the demo teacher; a second one asks nothing; another server is named by its address."""
    checkout.fork_vllm()
    done = checkout.run("make evaluate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"stories +172 +4 +\d\d\.\d % ±", done.stdout)
    again = checkout.run("make evaluate && true")
    assert "none run" in again.stdout
    assert "starting the teacher" not in again.stdout
    other = checkout.run("STUDENT_URL={teacher} STUDENT_MODEL=demo make evaluate")
    assert re.search(r"sums +129 +4 +\d", other.stdout), other.stdout + other.stderr


@pytest.mark.parametrize("test", sorted(OTHER_TESTS))
def test_the_tests_that_are_named_exist(test: str) -> None:
    """A renamed test loses the commands that it covers."""
    file, name = test.split("::")
    [path] = Path(ROOT, "tests").rglob(file)
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("typed", sorted(set(IN_CI.values())))
def test_continuous_integration_types_it(typed: str) -> None:
    """`.ci/run` has a line that begins with it; `make test` begins with `make check`, and `make test-all` is it."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert any(line.strip().startswith(typed) for line in lines)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\ntest: setup check " in makefile
    assert "\ntest-all: TEST_MARKS =\ntest-all: test " in makefile


PAGE = """
`make demo` and `--out` and `python -m tracemill why ID`.

```
python -m a.b X [--c D]     # says so
      python output is no command
$ python -m e \\
  --f
published   3
```
```yaml
run: make demo
```
"""


def test_commands_are_found() -> None:
    """In blocks and between back-ticks, whole and without comments; output and other languages are none."""
    assert list(fenced(PAGE)) == ["python -m a.b X [--c D]", "python output is no command", "python -m e --f"]
    assert list(inline(PAGE)) == ["make demo", "python -m tracemill why ID"]


@pytest.mark.parametrize(
    ("documented", "run", "is_one"),
    [
        ("python -m x DIR [--to ORG/NAME]", "python -m x a/b", True),
        ("python -m x DIR [--to ORG/NAME]", "python -m x a/b --to c/d", True),
        ("python -m x DIR [--to ORG/NAME]", "python -m x", False),
        ("python -m x DIR", "python -m x a --other", False),
        ("python -m x [--set section.key=value]…", "python -m x --set a.b=1 --set c.d=2", True),
        ("python -m x go|stop [DIR]", "python -m x stop", True),
        ("python -m x go|stop [DIR]", "python -m x wait", False),
        ("python -m x [--set …]…", "python -m x --set a.b=1 --set c.d=2", True),
        ("make demo", "make demos", False),
    ],
)
def test_an_instance_is_told_from_another_command(documented: str, run: str, is_one: bool) -> None:
    """Optional parts may be missing, words in capitals are anyone's, and nothing else differs."""
    assert (pattern(documented, {}).fullmatch(run) is not None) == is_one
