"""Language and length of prompts, without a model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.needs import ROOT
from tracemill.core import RecipeError
from tracemill.text.language.guess import language
from tracemill.text.tokens import count_tokens, estimated_tokens

TOKENIZER = str(ROOT / "demo" / "teacher" / "model" / "tokenizer.json")
FRENCH = "Combien de pommes reste-t-il à Marie si elle en mange deux ?"

PROMPTS = [
    ("How many?", "en"),
    (r"Compute $\tan 180^\circ$.", "en"),
    ("Solve for $a$: $a = 1$.", "en"),
    ("A train leaves the station when the other train arrives. Which one is late?", "en"),
    ("小明有三个苹果，又买了两个，现在一共有几个？", "zh"),
    ("請問這個三角形的面積是多少？", "zh"),
    ("用 Python 写一个函数 reverse_string，返回字符串的逆序。", "zh"),
    ("求函数 $f(x)=x^2$ 的导数", "zh"),
    ("リンゴが３個あります。２個食べると何個残りますか。", "ja"),
    ("사과가 세 개 있습니다. 두 개를 먹으면 몇 개가 남습니까?", "ko"),
    ("Сколько яблок осталось у Маши, если она съела два из пяти?", "ru"),
    ("Скільки яблук залишилося в Олени, якщо вона з'їла два з п'яти?", "uk"),
    (FRENCH, "fr"),
    ("¿Cuántas manzanas le quedan a María si se come dos de las cinco?", "es"),
    ("Wie viele Äpfel hat Maria noch, wenn sie zwei von fünf isst?", "de"),
    ("Find summen af alle tallene mellem et og hundrede, som kan deles med tre.", "da"),
    ("Hoeveel appels heeft Maria nog als ze er twee van de vijf opeet?", "nl"),
    ("Quantas maçãs restam a Maria se ela comer duas das cinco?", "pt"),
    ("Maria'nın beş elmasından ikisini yerse kaç elması kalır?", "tr"),
    ("Maria có năm quả táo, ăn hai quả thì còn lại bao nhiêu quả?", "vi"),
    ("كم تفاحة بقيت لدى مريم إذا أكلت اثنتين من خمس؟", "ar"),
    ("मारिया के पास पाँच सेब थे, उसने दो खा लिए। अब कितने सेब बचे हैं?", "hi"),
    ("Quante mele rimangono a Maria se ne mangia due delle cinque che aveva?", "it"),
    ("Ile jabłek zostało Marii, jeśli zjadła dwa z pięciu?", "pl"),
    ("Kolik jablek zbylo Marii, když snědla dvě z pěti?", "cs"),
    ("Hur många äpplen har Maria kvar om hon äter två av fem?", "sv"),
    ("Berapa apel yang tersisa jika Maria memakan dua dari lima apel?", "id"),
    ("Πόσα μήλα έμειναν στη Μαρία αν έφαγε δύο από τα πέντε;", "el"),
    ("כמה תפוחים נשארו למריה אם היא אכלה שניים מתוך חמישה?", "he"),
    ("มาเรียมีแอปเปิลห้าผล กินไปสองผล เหลือกี่ผล", "th"),
    ("რამდენი ვაშლი დარჩა მარიამს, თუ მან ხუთიდან ორი შეჭამა?", "ka"),
    ("Zenbat sagar geratzen zaizkio Mariari bostetik bi jaten baditu?", "eu"),
    ("Hvor mange eple har Maria att om ho et to av dei fem?", "no"),
    ("Calcola la derivata di $f(x) = x^2$.", "it"),
    ("BEWEISE, DASS DIE QUADRATWURZEL AUS ZWEI IRRATIONAL IST.", "de"),
    ("for (int i = 0; i < n; ++i) { sum += arr[i]; if (sum > mx) mx = sum; }", "und"),
    ("nenbalista dorumal kentistum waling bumenor tistal gorensum falinglum zenwista", "und"),
    ("mv^2/2 + mgh = const, F = ma, p = mv, E = mc^2, U = RI, pV = nRT, c = lambda f", "und"),
    ("1+1", "und"),
    ("$$x^2 + y^2$$", "und"),
    ("Évaluez $x$.", "und"),
    ("", "und"),
    ("\ud800 " + FRENCH, "fr"),
]


@pytest.mark.parametrize(("text", "expected"), PROMPTS)
def test_language(text: str, expected: str) -> None:
    """Formulas say nothing about the language; where too little else is left, it is undetermined."""
    assert language(text) == expected


def test_languages_do_not_depend_on_threads() -> None:
    """Many threads that ask first and at once get what one gets."""
    texts = [text for text, _ in PROMPTS] * 8
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(language, texts)) == [expected for _, expected in PROMPTS] * 8


@given(st.text(max_size=300))
def test_every_text_has_a_language_and_a_length(text: str) -> None:
    """No text is too odd; the same one always gets the same labels."""
    assert language(text) == language(text)
    assert 0 <= estimated_tokens(text) <= 2 * len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("How many apples are left?", 6),
        ("What is 1234 + 5?", 9),
        ("小明有三个苹果", 5),
    ],
)
def test_estimated_length(text: str, expected: int) -> None:
    """Words, digits, punctuation and ideographs are what tokens are made of."""
    assert estimated_tokens(text) == expected


def test_exact_length() -> None:
    """With a tokenizer, every prompt is counted by it, also one that is not valid Unicode; special tokens are not."""
    from tokenizers import Tokenizer

    texts = ["What is 12 + 30?", "小明有三个苹果", "", "a \ud800 b"]
    counts = count_tokens(texts, TOKENIZER)
    reference = Tokenizer.from_file(TOKENIZER)
    assert counts[:3] == [len(reference.encode(text, add_special_tokens=False)) for text in texts[:3]]
    assert counts[3] > 0


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_a_broken_tokenizer_is_named(tmp_path: Path, content: str | None) -> None:
    """A file that is no tokenizer ends the run with the setting to mend."""
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RecipeError, match=r"label\.tokenizer"):
        count_tokens(["a"], str(file))
