"""Prompts that a recipe brings itself: what they may say, which keys they make, and what is refused before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.teacher_from_env import with_teacher_from_env
from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError
from tracemill.generate import build_request, chat_messages
from tracemill.recipe import load_recipe, parse_recipe
from tracemill.recipe.sections.server import Teacher

RAW: dict[str, Any] = {"name": "r", "sources": [{"name": "s", "path": "s.jsonl"}]}
SUM = problem("What is 1 + 1?", "2")
CODE = problem("Add them.", category="code", tests={"kind": "script", "entry_point": "add", "code": "assert add(1, 1)"})
CPP = problem("Add them.", category="code", tests={"kind": "stdio", "language": "cpp", "cases": []})
EVERY = "{{ category }}|{{ language }}|{{ entry_point }}|{{ n_turns }}|{{ prompt }}|{{ suffix }}"


def teacher(**settings: Any) -> Teacher:
    found = parse_recipe(RAW | {"distill": {"teacher": {"model": "m"} | settings}}).distill.teacher
    assert isinstance(found, Teacher)
    return found


def asked(of: Any, **settings: Any) -> str:
    return chat_messages(of, teacher(**settings))[-1]["content"]


def test_a_template_says_what_a_problem_asks() -> None:
    """Its variables are the question's and the built-in suffix; nothing that it is judged by is among them."""
    box, fence = (
        f"\n\nLet's think step by step and output the final answer within {it}" for it in ("\\boxed{}.", "```")
    )
    assert asked(SUM, prompt_template=EVERY) == f"math|||0|What is 1 + 1?|{box}"
    assert asked(CODE, prompt_template=EVERY) == f"code|python|add|0|Add them.|{fence}python your code ```."
    assert asked(CPP, prompt_template=EVERY).startswith("code|cpp||0|Add them.|")
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert asked(problem("Go on.", category="other", history=history), prompt_template=EVERY) == "other|||2|Go on.|"


def test_a_prompt_is_no_template() -> None:
    """What stands in a question is not evaluated, whatever braces it has."""
    odd = "Let {{ x }} be {% a %} in {#1}."
    assert asked(problem(odd), prompt_template="Q: {{ prompt }}") == f"Q: {odd}"


def test_a_system_prompt_may_differ_by_problem() -> None:
    """An own system prompt is filled like a template; where it comes to nothing there is none."""
    settings = teacher(system_prompt="{% if category == 'code' %}Write {{ language }}.{% endif %}")
    assert chat_messages(CPP, settings)[0] == {"role": "system", "content": "Write cpp."}
    assert [turn["role"] for turn in chat_messages(SUM, settings)] == ["user"]


def test_the_key_knows_the_text() -> None:
    """Another text is another request, also where it reads the same; the same text is the same request."""
    built = build_request(SUM, teacher(), 0).key
    keys = [build_request(SUM, teacher(prompt_template=text), 0).key for text in ("{{ prompt }}", "{{prompt}}")]
    assert len({built, *keys}) == 3
    assert build_request(SUM, teacher(prompt_template="{{ prompt }}"), 0).key == keys[0]
    assert build_request(SUM, teacher(system_prompt="Think hard."), 0).key != built


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"prompt_template": "Q:\n{{ promt }}"}, r"prompt_template.*line 2 names promt.*did you mean prompt\?"),
        (
            {"prompt_template": "{{ reference_answer }} {{ prompt }}"},
            r"line 1 names reference_answer, .*there are prompt",
        ),
        ({"prompt_template": "Q:\n\n{{ prompt.text }}"}, r"line 3 cannot be filled for category math: .*'text'"),
        ({"prompt_template": "{{ prompt }}\n{% if %}"}, "line 2 is no jinja2"),
        ({"prompt_template": "{{ prompt }}{{ 1 // 0 }}"}, "line 1 cannot be filled.*ZeroDivisionError"),
        ({"prompt_template": "{{ ''.__class__.__mro__ }}{{ prompt }}"}, "line 1 cannot be filled.*unsafe"),
        ({"prompt_template": "{% for n in range(9) %}{{ prompt }}{% endfor %}"}, "line 1 names range"),
        ({"prompt_template": "{{ prompt | random }}"}, "line 1 is no jinja2: No filter named 'random'"),
        ({"prompt_template": "{% include '/etc/hostname' %}{{ prompt }}"}, "line 1 cannot be filled"),
        ({"prompt_template": "Answer it."}, "does not use prompt for category math"),
        ({"prompt_template": "{% if category == 'math' %}{{ prompt }}{% endif %}"}, "use prompt for category code"),
        ({"prompt_template": "{{ prompt }}", "template": "boxed@1"}, r"teacher\.template: .*beside prompt_template"),
        ({"system_prompt": "Think in {{ tongue }}."}, "system_prompt.*line 1 names tongue"),
        ({"system_prompt": "amm"}, "should be none or am, a text, or a file that ends in .j2"),
        ({"system_prompt": "prompts/system.txt"}, "a file that ends in .j2"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(settings: dict[str, Any], told: str) -> None:
    """Before anything runs, with its line, and what is wrong there."""
    with pytest.raises(RecipeError, match=f"(?s)nothing has run.*{told}"):
        teacher(**settings)


def recipe_file(folder: Path, **settings: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"    {name}: {value}\n" for name, value in settings.items()]
    (folder / "r.yaml").write_text(
        "name: r\nsources: [{name: s, path: s.jsonl}]\ndistill:\n  teacher:\n    model: m\n" + "".join(lines)
    )
    return str(folder / "r.yaml")


def test_a_file_is_read_once_with_the_recipe(tmp_path: Path) -> None:
    """A file beside the recipe, or in data_dir, is its text from then on; where it stands is in no key."""
    path = recipe_file(tmp_path / "one", prompt_template="ask.j2", system_prompt="data/think.j2")
    (tmp_path / "one" / "ask.j2").write_text("Q: {{ prompt }}\n")
    (tmp_path / "one" / "data").mkdir()
    (tmp_path / "one" / "data" / "think.j2").write_bytes(b"Think.\r\nThen answer.\r\n")
    found = load_recipe(path)
    assert found.distill.teacher is not None
    messages = chat_messages(SUM, found.distill.teacher)
    assert [turn["content"] for turn in messages] == ["Think.\nThen answer.", "Q: What is 1 + 1?"]
    inline = teacher(prompt_template="Q: {{ prompt }}\n", system_prompt="Think.\nThen answer.\n")
    assert build_request(SUM, found.distill.teacher, 0).key == build_request(SUM, inline, 0).key
    elsewhere = with_teacher_from_env(found, {"TEACHER_URL": "http://a/v1"}).distill.teacher
    assert elsewhere is not None
    assert (elsewhere.digest(), elsewhere.base_urls) == (found.distill.teacher.digest(), ("http://a/v1",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"names a file that is not there.*got: ask\.j2.*one of "),
        (b"", r"ask\.j2 is empty"),
        (b"Q: {{ prompt }} \xff", r"cannot read .*ask\.j2"),
        (b"Q:\n{{ promt }}", r"ask\.j2 cannot be filled.*line 2 names promt"),
        (b"{{ prompt }}" + b" " * (1 << 20), "is too large"),
    ],
)
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    """Before anything runs, with its path."""
    path = recipe_file(tmp_path, prompt_template="ask.j2")
    if content is not None:
        (tmp_path / "ask.j2").write_bytes(content)
    with pytest.raises(RecipeError, match=f"(?s){told}"):
        load_recipe(path)


def test_a_build_asks_by_its_own_prompt(tmp_path: Path) -> None:
    """What is sent is the filled template; a changed text asks anew, and the first one's answers are not paid again."""
    with ChatServer(wrong_percent=0) as server:
        run = SmallRun(tmp_path / "run", server.url, rows=[question(n) for n in range(60, 64)])
        (tmp_path / "run").mkdir()
        file = tmp_path / "run" / "ask.j2"
        file.write_text("Solve this: {{ prompt }}")
        run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | {"prompt_template": "ask.j2"}}
        assert funnel(run.build())["published/rows"] == 6
        asked_first = server.received
        assert all(body["messages"][-1]["content"].startswith("Solve this: Note") for body in server.bodies)
        assert not any("Solve this" in row["prompt"] for row in table(run.out, "dataset").to_pylist())
        assert "template `own@" in (run.out / "dataset" / "README.md").read_text()
        file.write_text("Now solve: {{ prompt }}")
        run.build()
        assert server.received == 2 * asked_first
        file.write_text("Solve this: {{ prompt }}")
        run.build()
        assert server.received == 2 * asked_first
