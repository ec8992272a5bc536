"""Benchmark items beyond ASCII, in other digits and settings, and of several choices."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.digits import ZEROS, in_digits_of
from tests.support.runs.samples import problem
from tracemill.core import Problem, table_of
from tracemill.decontaminate.benchmarks import items_of
from tracemill.decontaminate.decontaminate import decontaminate
from tracemill.decontaminate.index import ITEMS, BenchmarkIndex
from tracemill.recipe.sections.decontaminate import Benchmark, Decontaminate

VASES = (
    "Ines paints 34 vases in 6 days. In the week after that she paints 19 more vases than in those 6 days, "
    "but 7 of them break in the oven. How many whole vases does Ines have at the end?"
)
ITEMS_OF = {
    "arabic": "لدى سمير 34 كتابا في 6 صناديق، ثم اشترى 19 كتابا آخر وأعطى 7 كتب لأخته. كم كتابا بقي عنده؟",
    "hindi": "रमेश के पास 34 आम हैं और वह 6 टोकरियों में रखता है। फिर 19 आम और खरीदता है और 7 बाँट देता है। अब कितने बचे?",
    "bengali": "রহিমের কাছে 34টি আম আছে এবং সে 6টি ঝুড়িতে রাখে। তারপর আরও 19টি কেনে এবং 7টি দেয়। এখন কয়টি আছে?",
    "thai": "สมชายมีแอปเปิ้ล34ผลในตะกร้า6ใบ เขาซื้อเพิ่มอีก19ผลแล้วแบ่งให้น้องสาว7ผล ตอนนี้เขาเหลือแอปเปิ้ลกี่ผล",
    "lao": "ສົມຊາຍມີໝາກໂປມ34ໜ່ວຍໃນ6ກະຕ່າ ລາວຊື້ເພີ່ມ19ໜ່ວຍແລ້ວແບ່ງໃຫ້ນ້ອງສາວ7ໜ່ວຍ ດຽວນີ້ລາວເຫຼືອຈັກໜ່ວຍ",
    "khmer": "សុខមានផ្លែប៉ោម34ផ្លែក្នុងកន្ត្រក6 គាត់ទិញបន្ថែម19ផ្លែហើយចែកឱ្យប្អូនស្រី7ផ្លែ តើគាត់នៅសល់ប៉ុន្មានផ្លែ",
    "burmese": "မောင်မောင်တွင်ပန်းသီး34လုံးရှိသည်။ သူသည်နောက်ထပ်19လုံးဝယ်ပြီး7လုံးကိုညီမအားပေးသည်။ ယခုမည်မျှကျန်သနည်း",
    "chinese": "小明有34个苹果，放在6个篮子里，后来又买了19个，送给妹妹7个，现在还剩多少个苹果？",
    "korean": "민수는 사과 34개를 바구니 6개에 담고 19개를 더 산 뒤 동생에게 7개를 주었다. 남은 사과는 몇 개인가?",
}
OTHERS = {
    "arabic": "يسير قطار بسرعة 34 كم في الساعة لمدة 6 ساعات ثم يتوقف 19 دقيقة في 7 محطات. ما المسافة التي قطعها؟",
    "hindi": "एक रेलगाड़ी 34 किमी की चाल से 6 घंटे चलती है, 19 मिनट रुकती है और 7 स्टेशनों से गुज़रती है। उसने कितनी दूरी तय की?",
    "bengali": "একটি ট্রেন ঘণ্টায় 34 কিমি বেগে 6 ঘণ্টা চলে, 19 মিনিট থামে এবং 7টি স্টেশন পার হয়। ট্রেনটি কত দূর গেল?",
    "thai": "รถไฟวิ่งด้วยความเร็ว34กิโลเมตรต่อชั่วโมงเป็นเวลา6ชั่วโมง หยุดพัก19นาทีที่สถานี7แห่ง รถไฟวิ่งได้ระยะทางเท่าไร",
    "lao": "ລົດໄຟແລ່ນດ້ວຍຄວາມໄວ34ກິໂລແມັດຕໍ່ຊົ່ວໂມງເປັນເວລາ6ຊົ່ວໂມງ ຢຸດ19ນາທີຢູ່7ສະຖານີ ລົດໄຟແລ່ນໄດ້ໄລຍະທາງເທົ່າໃດ",
    "khmer": "រថភ្លើងបើកក្នុងល្បឿន34គីឡូម៉ែត្រក្នុងមួយម៉ោងរយៈពេល6ម៉ោង ឈប់19នាទីនៅស្ថានីយ៍7 តើរថភ្លើងធ្វើដំណើរបានចម្ងាយប៉ុន្មាន",
    "burmese": "ရထားသည်တစ်နာရီ34ကီလိုမီတာနှုန်းဖြင့်6နာရီမောင်းပြီး19မိနစ်ရပ်ကာဘူတာ7ခုဖြတ်သည်။ အကွာအဝေးမည်မျှရှိသနည်း",
    "chinese": "一列火车以每小时34千米的速度行驶6小时，途中停了19分钟，经过7个车站，火车一共行驶了多少千米？",
    "korean": "기차가 시속 34킬로미터로 6시간 달리고 19분 쉬며 역 7개를 지난다. 기차가 달린 거리는 얼마인가?",
}
CHOICE = "What gas do plants absorb during photosynthesis?"
SPECIAL = "Which of the following is a moon of Saturn?"


def index_of(texts: dict[str, str]) -> BenchmarkIndex:
    rows = [{"benchmark": "bench", "item": name, "text": text} for name, text in texts.items()]
    return BenchmarkIndex(pa.Table.from_pylist(rows, schema=ITEMS))


INDEX = index_of(ITEMS_OF | {"vases": VASES})


def item_in(prompt: str, index: BenchmarkIndex = INDEX) -> str | None:
    """The item for which a prompt is dropped."""
    dropped = decontaminate(table_of(Problem, [problem(prompt)]), index, Decontaminate().overlap()).dropped
    return dropped[0].evidence["item"] if dropped else None


@pytest.mark.parametrize("script", ZEROS)
def test_an_item_in_the_digits_of_another_script(script: str) -> None:
    """An item that is verbatim but for its digits is found."""
    assert item_in(in_digits_of(VASES, ZEROS[script])) == "vases"


@pytest.mark.parametrize("name", ITEMS_OF)
@pytest.mark.parametrize("change", ["verbatim", "wrapped", "zero-width", "spaced", "full-width", "digits"])
def test_an_item_of_another_script(name: str, change: str) -> None:
    """An item of any script is found in a longer prompt, with blanks of any kind put in, and in other forms."""
    text = ITEMS_OF[name]
    changed = {
        "verbatim": text,
        "wrapped": f"Solve this with care.\n\n{text}\n\nPut the answer into \\boxed{{}}.",
        "zero-width": text.replace(" ", " \u200b").replace("3", "\u200e3\ufe0f"),
        "spaced": text.replace("34", " 34 ").replace("19", " 19\u00a0"),
        "full-width": in_digits_of(text, ZEROS["FULLWIDTH"]),
        "digits": in_digits_of(text, ZEROS["DEVANAGARI"]),
    }[change]
    assert item_in(changed) == name


@pytest.mark.parametrize("name", OTHERS)
def test_another_question_with_the_same_numbers_stays(name: str) -> None:
    """Another question of the same script, about as long and with the same numbers, is none."""
    assert item_in(OTHERS[name]) is None


@pytest.mark.parametrize("name", ITEMS_OF)
def test_other_numbers_are_another_question(name: str) -> None:
    """Numbers tell questions apart in every script."""
    assert item_in(in_digits_of(ITEMS_OF[name].replace("19", "23"), ZEROS["THAI"])) is None


def choice_index(folder: Path) -> BenchmarkIndex:
    asked = [
        f"{CHOICE}\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium",
        f"{SPECIAL}\n(A) Io (B) Titan (C) Triton (D) Charon",
        "Which is larger?\nA. 17\nB. 29\nC. 31",
    ]
    (folder / "items.jsonl").write_text("\n".join(json.dumps({"question": text}) for text in asked))
    return BenchmarkIndex(
        pa.Table.from_pylist(items_of(Benchmark(name="b", path="items.jsonl"), str(folder)), schema=ITEMS)
    )


@pytest.mark.parametrize(
    ("prompt", "item"),
    [
        (f"{CHOICE}\n1) Oxygen\n2) Carbon dioxide\n3) Nitrogen\n4) Helium", "0"),
        (f"{CHOICE}\n①Helium ②Nitrogen ③Oxygen ④Carbon dioxide", "0"),
        (CHOICE, "0"),
        (f"Answer in one word. {CHOICE}", "0"),
        (f"{CHOICE}\n(a) Argon (b) Neon (c) Carbon dioxide (d) Xenon", "0"),
        (f"{SPECIAL}\n1) Io 2) Titan 3) Triton 4) Charon", "1"),
        (f"{SPECIAL}\na) Charon\nb) Triton\nc) Titan\nd) Io", "1"),
        (f"{SPECIAL}\nA. Deimos\nB. Europa\nC. Rhea\nD. Oberon", None),
        ("Which is larger?\n(i) 17 (ii) 29 (iii) 31", "2"),
        ("Which is larger?\n1. 18\n2. 30\n3. 33", None),
        ("Which is larger, the sun or the moon?", None),
    ],
)
def test_a_multiple_choice_item(tmp_path: Path, prompt: str, item: str | None) -> None:
    """It is found by its stem, and whole however it is lettered; one that asks about its options only with them."""
    assert item_in(prompt, choice_index(tmp_path)) == item
