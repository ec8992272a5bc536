"""The model behind the languages: py3langid's own arithmetic, and what it is right about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.curation.label_prompts import judged, texts_of
from tracemill.text.language.codes import CODES
from tracemill.text.language.guess import language
from tracemill.text.language.model import NO_LANGUAGE, likeliest


@cache
def identifier() -> LanguageIdentifier:
    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages([*CODES, "nn", NO_LANGUAGE])
    return found


def texts() -> list[str]:
    return [row["text"] for row in texts_of()]


def assert_as_py3langid(text: str) -> None:
    wanted = dict(identifier().rank(text))
    wanted["no"] += wanted.pop("nn")
    found, probability = likeliest(text)
    assert probability == pytest.approx(max(wanted.values()), abs=1e-3)
    assert wanted[found] == pytest.approx(probability, abs=1e-3)


def test_the_arithmetic_is_py3langids() -> None:
    """In machine code the model finds what it finds in Python, with both kinds of Norwegian as one."""
    for text in texts()[::3]:
        assert_as_py3langid(text)


@given(st.text(max_size=200))
def test_no_text_is_too_odd_for_the_model(text: str) -> None:
    """Surrogates, combining marks and no text at all are read as by py3langid."""
    assert_as_py3langid(text)


def test_every_code_that_a_recipe_can_name_may_be_found() -> None:
    """No language can be named that the model does not know."""
    assert set(CODES) <= set(identifier().labels)


def test_texts_of_known_languages() -> None:
    """Of prompts in 54 languages almost all are told, hardly one wrongly, and in nonsense hardly ever one is found."""
    found = judged(language, texts_of())
    assert (found.n_texts, found.n_none) == (790, 66)
    assert found.right >= 780
    assert found.wrong <= 5
    assert found.none >= 62


def test_threads_find_the_same() -> None:
    """What many threads find at once is, to the last bit, what one finds."""
    asked = texts()[::8]
    alone = [likeliest(text) for text in asked]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(likeliest, asked * 4)) == alone * 4
