"""Values of a recipe: what can be meant one way is understood, everything else is refused before anything runs."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from tracemill.core import RecipeError
from tracemill.core.secrets import variable_of
from tracemill.recipe import parse_recipe
from tracemill.recipe.server_url import base_url
from tracemill.recipe.yaml import parse_yaml
from tracemill.text.language.codes import language_code

TEXT = "name: r\nsources: [{name: a, path: a.jsonl}]\ndistill: {teacher: {model: m}}\n"
COMMIT = "1234567890123456789012345678901234567e89"  # a float, by its looks


def found(override: str) -> Any:
    """What a setting comes to."""
    node: Any = parse_recipe(parse_yaml(TEXT, "it"), [override])
    for part in override.partition("=")[0].split("."):
        node = node[int(part)] if part.isdigit() else getattr(node, part)
    return node


@pytest.mark.parametrize(
    ("override", "value"),
    [
        *((f"clean.min_words={text}", 5) for text in ("5", '"5"', "5.0", "5e0", "+5", "0x5", "0b101", "' 5 '")),
        ("clean.min_words=1_000", 1000),
        *((f"clean.fill_in={text}", True) for text in ("true", "True", "yes", "on", "'yes'", "1", "y")),
        *((f"clean.fill_in={text}", False) for text in ("false", "no", "OFF", "'no'", "0")),
        *((f"deduplicate.threshold={text}", 0.5) for text in ("0.5", ".5", "'0.5'", "5e-1", "50%", "50 %")),
        ("decontaminate.fuzzy.min_similarity=90%", 90.0),
        ("run.poison_share=1", 1.0),
        ("distill.limit=none", None),
        ("distill.limit=null", None),
        ("distill.limit=''", None),
        ("decontaminate.ngrams=null", None),
        ("decontaminate.ngrams=off", None),
        ("safety.rules=on", True),
        ("clean.languages=english", ("en",)),
        ("clean.languages=no", ("no",)),
        ("clean.languages=[en-US, English, zh-Hans-CN, en]", ("en", "zh")),
        ("clean.languages=en, zh", ("en", "zh")),
        ("clean.languages=", ()),
        ("clean.figure=Math", ("math",)),
        ("clean.figure=[math, CODE]", ("math", "code")),
        ("sources.0.layout=GSM8K", "gsm8k"),
        ("sources.0.layout=big-math", "big_math"),
        ("distill.teacher.system_prompt=null", "none"),
        ("distill.teacher.system_prompt=AM", "am"),
        ("distill.teacher.model=7", "7"),
        ("distill.teacher.revision=2025-01-20", "2025-01-20"),
        ("distill.teacher.revision=20250120", "20250120"),
        (f"distill.teacher.revision={COMMIT}", COMMIT),
        ("name=1e3", "1e3"),
        ("description=yes", "yes"),
        ("distill.reuse_models=deepseek-r1", ("deepseek-r1",)),
        ('sources.0.only={type: ["yes", true, 5, 0.5, x, null]}', {"type": ("yes", True, 5, 0.5, "x", None)}),
        ("label.tokenizer='none'", "none"),
        ("select.pass_rate.above=[80%, 60%, 0.4, .2]", (0.8, 0.6, 0.4, 0.2)),
    ],
)
def test_what_can_be_meant_one_way_is_understood(override: str, value: Any) -> None:
    """However a value is written, it is what its key wants."""
    got = found(override)
    assert got == value
    assert isinstance(got, type(value))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        *(
            (f"clean.min_words={text}", r"clean\.min_words: got .*; .*(integer|number)")
            for text in ("010", "1:30", "1,000", "5k", "yes", "true", "", "none", "[5]", "{a: 1}", "5.5", ".inf", "５")
        ),
        ("clean.min_words=99999999999999999999", "at most 9223372036854775807"),
        ("clean.min_words=2025-01-01", "date"),
        *(
            (f"deduplicate.threshold={text}", r"deduplicate\.threshold: got")
            for text in (".nan", "nan", "inf", "-.inf", "-0.0", "0,8", "80", "1/2", "false", "120%", "")
        ),
        ("distill.teacher.temperature=60%", "per cent"),
        ("distill.teacher.temperature=.inf", "finite"),
        ("clean.fill_in=2", "true or false"),
        ("clean.fill_in=none", "true or false"),
        ("clean.fill_in=", "true or false"),
        ("clean.fill_in=[true]", "true or false"),
        ("clean.languages=klingon", "there are af, am, ar"),
        ("clean.languages=englsh", r"did you mean en \(english\)"),
        ("clean.figure=maths", "did you mean math"),
        ("sources.0.only={type: [yes]}", "quotes"),
        ("sources.0.config=none", "null for nothing"),
        ("distill.teacher.model=", "text"),
        ("distill.teacher.model=''", "empty"),
        ("distill.teacher.model=[m]", "text"),
        ("sources={b: {path: x}}", "a list"),
        ("sources=[]", "at least 1"),
        ("distill=m", "a section"),
        ("distill.cost={model_gpus: {Judge: 1, judge: 2}}", "once more"),
        ("run.store=s3://key:planted@bucket/x", r"run\.store: got 's3://\(not shown\)@bucket/x'"),
        ("distill.samples_per_round=0", "greater than 0"),
        ("distill.limit=0", "greater than 0"),
        ("quality.length.think_words={min: 5, max: 4}", "at least min and at most max"),
        ("reward={model: m, profile: decision-tree-reward, threshold: 1, quantile: 0.5}", "exactly one of threshold"),
        ("decontaminate.grey.min_similarity=95", "at most fuzzy"),
        ("decontaminate.embeddings={model: m, min_grey: 0.95}", "at most embeddings"),
        ("deduplicate.semantic={model: m, base_urls: localhost}", "engine: server"),
        ("distill.truncation={max_tokens: 5}", "policy"),
        ("distill.cost={model_gpus: {judge: 1}}", "no section judge"),
        ("decontaminate.benchmarks=[{name: a, path: x}, {name: a, path: y}]", "twice: a"),
        ("sources=[{name: a, path: x}, {name: a, path: y}]", "twice: a"),
        ("distill={max_rounds: 2}", r"distill\.max_rounds: got .*means nothing without distill\.teacher"),
    ],
)
def test_what_can_be_meant_two_ways_is_refused(override: str, told: str) -> None:
    """The key is named, the value, and what was expected; no other error than RecipeError ever comes of a value."""
    with pytest.raises(RecipeError, match=told) as refused:
        found(override)
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("sources.0.split=test", "sources.0.split"),
        ("sources.0.revision=main", "sources.0.revision"),
        ("sources.0.config=x", "sources.0.config"),
        ("sources.0={name: a, path: x, layout: gsm8k, columns: {prompt: q}}", "sources.0.columns"),
        ("sources.0={known: limo, columns: {prompt: q}}", "sources.0.columns"),
        ("sources.0={known: limo, path: x, split: test}", "sources.0.split"),
        ("sources.0={name: a, hub: o/n, files: '*.x', split: test}", "sources.0.split"),
        ("decontaminate.benchmarks=[{name: a, path: x, split: test}]", "decontaminate.benchmarks.0.split"),
        ("decontaminate.benchmarks=[{known: math-500, path: x, config: c}]", "decontaminate.benchmarks.0.config"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(override: str, told: str) -> None:
    """A key that means nothing where it stands is named."""
    with pytest.raises(RecipeError, match=told.replace(".", r"\.")):
        found(override)


def test_a_pinned_dataset_may_be_read_from_a_file() -> None:
    """``path`` beside ``known`` and its revision is the file of that revision."""
    recipe = parse_recipe(parse_yaml(TEXT, "it"), ["sources.0={known: limo, revision: abc, path: x}"])
    assert (recipe.sources[0].path, recipe.sources[0].hub) == ("x", None)


def test_each_fault_is_told_once() -> None:
    """Of a list whose items are wrong, only the items are told; of a value with several types, one line."""
    with pytest.raises(RecipeError) as refused:
        parse_recipe(parse_yaml(TEXT, "it"), ["sources.0.layout=gms8k", "label.drop=[{label: category, value: [x]}]"])
    lines = [line.strip() for line in str(refused.value).splitlines()[2:]]
    assert [line.partition(":")[0] for line in lines] == ["sources.0.layout", "label.drop.0.value"]


def test_a_key_of_another_section_is_found() -> None:
    """An unknown key that is known elsewhere is told where."""
    with pytest.raises(RecipeError, match=r"distill\.temperature: unknown key; did you mean distill\.teacher\.temper"):
        found("distill.temperature=1")


@pytest.mark.parametrize("value", [math.nan, math.inf, True, 2**70])
def test_data_that_is_no_yaml_is_checked_too(value: Any) -> None:
    """Numbers of Python's that no file holds are refused like those of a file."""
    with pytest.raises(RecipeError, match=r"clean\.min_words"):
        parse_recipe({**parse_yaml(TEXT, "it"), "clean": {"min_words": value}})


def test_dates_are_texts() -> None:
    """A revision that YAML takes for a date is its text."""
    raw = parse_yaml(TEXT, "it")
    raw["distill"]["teacher"]["revision"] = dt.date(2025, 1, 20)
    assert parse_recipe(raw).distill.teacher.revision == "2025-01-20"


def test_minus_zero_is_zero() -> None:
    """What is computed does not depend on the sign of nothing."""
    zero, minus = (parse_recipe(parse_yaml(TEXT, "it"), [f"clean.min_readable={text}"]) for text in ("0", "-0.0"))
    assert zero.digest() == minus.digest()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://a:1/v1", "http://a:1/v1"),
        ("http://a:1/v1/", "http://a:1/v1"),
        ("http://a:1//v1//", "http://a:1/v1"),
        (" http://a/v1 ", "http://a/v1"),
        ("HTTP://a/v1", "http://a/v1"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://a", "http://a/v1"),
        ("http://a/v1/chat/completions", "http://a/v1"),
        ("http://a/v1/embeddings/", "http://a/v1"),
        ("https://a/v1beta/openai/", "https://a/v1beta/openai"),
        ("http://env:NAME@a/v1", "http://env:NAME@a/v1"),
        *(
            (text, None)
            for text in (
                "api.example.com/v1",
                "gpu1:8000/v1",
                "http://a/chat/completions",
                "htp://a/v1",
                "http:/a/v1",
                "http://",
                "http://:80/v1",
                "http://a:99999/v1",
                "http://a b/v1",
                "http://a/v1?key=planted",
                "http://user:planted@a/v1",
                "http://planted@a/v1",
                "http://u:pl/planted@a/v1",
                "ftp://a",
                "",
            )
        ),
    ],
)
def test_addresses_of_servers(given: str, expected: str | None) -> None:
    """An address that can be meant one way is the server's base URL; every other is refused, and no password told."""
    if expected is not None:
        assert base_url(given) == expected
        return
    with pytest.raises(ValueError, match=r"\S") as refused:
        base_url(given)
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "code"),
    [("English", "en"), ("中文", "zh"), ("nb-NO", "no"), ("deu", "de"), ("und", "und"), ("EN_gb", "en")],
)
def test_names_of_languages(given: str, code: str) -> None:
    """Names, three-letter codes and tags with a region are the two-letter code."""
    assert language_code(given) == code


@pytest.mark.parametrize("text", ["env:KEY", "env: KEY", "$KEY", "${KEY}", "{env: KEY}", "'env:KEY'", "ENV:KEY"])
def test_places_of_secrets(text: str) -> None:
    """However the environment variable is named, it is the place of the key, and the key is not there."""
    assert variable_of(found(f"distill.teacher.api_key={text}")) == "KEY"
