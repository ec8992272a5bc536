"""A recipe's text: nothing that stands in it is lost, nothing is guessed at, and what is no recipe is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemill.core import RecipeError
from tracemill.recipe import load_recipe, parse_recipe
from tracemill.recipe.yaml import Plain, parse_yaml, read_yaml

GOOD = "name: r\nsources: [{name: a, path: a.jsonl}]\ndistill: {teacher: {model: m}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "a: on line 1 and on line 3"),
        ("a: 1\r\nb: 2\r\na: 3\r\n", "a: on line 1 and on line 3"),
        ("a:\n  b: {c: 1}\n  b: {d: 2}\n", "a.b: on line 2 and on line 3"),
        ("a: {b: 1, b: 1}\n", "a.b: twice on line 1"),
        ("s:\n- name: x\n  path: y\n  name: z\n", r"s\.0\.name: on line 2 and on line 4"),
        ("d: {benchmarks: [{name: a, path: x,\n path: y}]}", r"d\.benchmarks\.0\.path: on line 1 and on line 2"),
        ('a: 1\n"a": 2\n', "a: on line 1 and on line 2"),
        ("1: a\n'1': b\n", "1: on line 1 and on line 2"),
        ("x: &x {a: 1,\n  a: 2}\ny: *x\n", r"x\.a: on line 1 and on line 2"),
        ("x: &x {a: 1}\ny: {<<: *x,\n  <<: {b: 2}}\n", r"y\.<<: on line 2 and on line 3"),
        ("x: &x {a: 1}\nz: &z {a: 2}\ny: {<<: [*x, *z]}\n", r"y\.a: merged from line 1 and from line 2"),
        ("a: 1\na: 2\nb: 1\nb: 2\n", r"(?s)a: on line 1.*b: on line 3"),
        ("x: &x 1\ny: &x 2\n", "an anchor that is defined twice, line 2"),
    ],
)
def test_what_stands_twice_is_refused(text: str, told: str) -> None:
    """A key that stands twice in one mapping is refused at any depth, with both lines."""
    with pytest.raises(RecipeError, match=told):
        parse_yaml(text, "it")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("x: &x {a: 1}\ny: {<<: *x, a: 2}", {"x": {"a": "1"}, "y": {"a": "2"}}),
        ("x: &x {a: 1}\ny: {<<: [*x, {a: 3}], a: 2}", {"x": {"a": "1"}, "y": {"a": "2"}}),
        ("x: [{a: 1}, {a: 2}]", {"x": [{"a": "1"}, {"a": "2"}]}),
        ("\ufeff---\na: no\n...\n", {"a": "no"}),
        ("a: ~\nb:\nc: null\nd: none", {"a": None, "b": None, "c": None, "d": "none"}),
        ("on: 010\noff: 1:30", {"on": "010", "off": "1:30"}),
    ],
)
def test_what_stands_once_is_read(text: str, data: dict[str, object]) -> None:
    """Merge keys add to a mapping's own; scalars without quotes stay as they are written."""
    assert parse_yaml(text, "it") == data


def test_quotes_are_remembered() -> None:
    """A scalar without quotes is told from one with them."""
    found = parse_yaml("a: yes\nb: 'yes'\nc: |\n  yes\n", "it")
    assert [type(value) for value in found.values()] == [Plain, str, str]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "nothing: it is empty"),
        (b"# nothing yet\n", "nothing: it is empty"),
        (b"- a\n- b\n", "a list"),
        (b"hello\n", "not a recipe"),
        (b"a:\n\tb: 1\n", "a tab where only blanks may stand, line 2"),
        (b"a: 1\n---\na: 2\n", r"(?s)more than one YAML document.*line 2"),
        (b"name: caf\xe9\n", "byte 0xe9 on line 1, which is no UTF-8"),
        (b"a: [1\n", "is not YAML"),
        (b"a: b: c\n", "line 1, column 5"),
        (b"a: \x00\n", "not YAML"),
        (b"a: &x [*x]\n", "holds itself"),
        (b"[" * 5000, "nested too deeply"),
        (b"{{name}}: 1\n", "no text"),
        (b"a: !!python/object:os.system x\n", "not YAML"),
        (b"a: !!int x\n", "not YAML"),
        (b"? [a]\n: 1\n", "no text"),
    ],
)
def test_what_is_no_recipe_is_refused(raw: bytes, told: str, tmp_path: Path) -> None:
    """Whatever is in the file, it is told what it is, and no error is another than a RecipeError."""
    path = tmp_path / "r.yaml"
    path.write_bytes(raw)
    with pytest.raises(RecipeError, match=told):
        load_recipe(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    """Texts with a byte order mark are read as what it says, with any line ends."""
    path = tmp_path / "r.yaml"
    text = GOOD.replace("\n", "\r\n") + "description: 中文\r\n"
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    path.write_bytes(raw)
    assert load_recipe(path).description == "中文"


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    """A folder is refused, with the recipes in it."""
    (tmp_path / "mine.yaml").write_text(GOOD)
    with pytest.raises(RecipeError, match=r"(?s)is a folder.*mine\.yaml"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "api_key: [sk-planted",
        'api_key: "sk-planted',
        "api_key: *sk-planted",
        "api_key: !sk-planted x",
        "a: sk-planted: b",
    ],
)
def test_errors_quote_no_line(line: str, tmp_path: Path) -> None:
    """What is wrong with a line is told without the line, in which a secret may stand."""
    path = tmp_path / "r.yaml"
    path.write_text(f"{GOOD}judge: {{model: m}}\n{line}\n")
    with pytest.raises(RecipeError, match="line") as refused:
        load_recipe(path)
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["clean.min_words=2", "clean.min_words=3"], "clean.min_words is given twice"),
        (["clean.min_words=2", "clean.min_words=2"], "given twice"),
        (["sources.a.path=x", "sources.0.path=y"], "given twice"),
        (["clean.min_words=2", "clean={fill_in: true}"], "given twice"),
        (["judge.api_key=sk-planted", "judge.api_key=sk-planted2"], "given twice"),
    ],
)
def test_overrides_are_given_once(overrides: list[str], told: str) -> None:
    """No setting replaces another one of the same command line; no secret is told."""
    with pytest.raises(RecipeError, match=told) as refused:
        parse_recipe(parse_yaml(GOOD, "it"), overrides)
    assert "planted" not in str(refused.value)


def test_a_later_override_refines_an_earlier_one() -> None:
    """A section can be given, and then a key of it."""
    recipe = parse_recipe(parse_yaml(GOOD, "it"), ["judge={model: a, max_tokens: 5}", "judge.max_tokens=7"])
    assert recipe.judge is not None
    assert (recipe.judge.model, recipe.judge.max_tokens) == ("a", 7)


def test_an_override_changes_one_place() -> None:
    """What YAML's aliases share is changed only where the override says."""
    text = GOOD + "judge: &m {model: a}\nrubric: {<<: *m, threshold: 1}\nperplexity: *m\n"
    recipe = parse_recipe(parse_yaml(text, "it"), ["judge.model=b"])
    assert recipe.judge is not None
    assert recipe.perplexity is not None
    assert (recipe.judge.model, recipe.perplexity.model) == ("b", "a")
