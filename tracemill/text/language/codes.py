"""The languages that a recipe can name: ISO 639-1 codes that prompts are told apart by, and other ways to write them.

These are the languages that :mod:`tracemill.text.language.model` tells apart: those of langdetect, which was asked
before, with Chinese as one, and others that are like none of them. Near relatives (Galician, Malay, Bosnian) would make
each other less likely, and short texts of either undetermined. Names are English and the language's own, three-letter
codes those of ISO 639-2 (B and T) and 639-3.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Final

from pydantic import BeforeValidator

from tracemill.text.language.guess import UNDETERMINED

# Code, other codes, names.
_LANGUAGES: Final = """
    af afr afrikaans
    am amh amharic አማርኛ
    ar ara arabic العربية
    az aze azerbaijani azeri azərbaycan
    be bel belarusian беларуская
    bg bul bulgarian български
    bn ben bengali bangla বাংলা
    ca cat catalan català
    cs cze ces czech čeština
    cy wel cym welsh cymraeg
    da dan danish dansk
    de ger deu german deutsch
    el gre ell greek ελληνικά
    en eng english
    es spa spanish castilian español
    et est estonian eesti
    eu baq eus basque euskara
    fa per fas persian farsi فارسی
    fi fin finnish suomi
    fr fre fra french français
    ga gle irish gaeilge
    gu guj gujarati ગુજરાતી
    he heb iw hebrew עברית
    hi hin hindi हिन्दी
    hr hrv croatian hrvatski
    hu hun hungarian magyar
    hy arm hye armenian հայերեն
    id ind indonesian
    is ice isl icelandic íslenska
    it ita italian italiano
    ja jpn jp japanese 日本語
    ka geo kat georgian ქართული
    kk kaz kazakh қазақ
    km khm khmer ខ្មែរ
    kn kan kannada ಕನ್ನಡ
    ko kor korean 한국어
    lo lao laotian ລາວ
    lt lit lithuanian lietuvių
    lv lav latvian latviešu
    mk mac mkd macedonian македонски
    ml mal malayalam മലയാളം
    mr mar marathi मराठी
    my bur mya burmese မြန်မာ
    ne nep nepali नेपाली
    nl dut nld dutch flemish nederlands
    no nor nb nob nn nno norwegian bokmål nynorsk norsk
    pa pan punjabi panjabi ਪੰਜਾਬੀ
    pl pol polish polski
    pt por portuguese português
    ro rum ron romanian română
    ru rus russian русский
    si sin sinhala sinhalese සිංහල
    sk slo slk slovak slovenčina
    sl slv slovenian slovene slovenščina
    so som somali soomaali
    sq alb sqi albanian shqip
    sv swe swedish svenska
    sw swa swahili kiswahili
    ta tam tamil தமிழ்
    te tel telugu తెలుగు
    th tha thai ไทย
    tl tgl fil tagalog filipino
    tr tur turkish türkçe
    uk ukr ukrainian українська
    ur urd urdu اردو
    vi vie vietnamese
    zh chi zho cmn chinese mandarin 中文 汉语 漢語
"""
_FOUND: Final = {line.split()[0]: line.split() for line in _LANGUAGES.strip().splitlines()}
CODES: Final = tuple(_FOUND)
_CODE_OF: Final = {name: code for code, names in _FOUND.items() for name in names}
# A tag of BCP 47: language, then script, region, variants.
_TAG: Final = re.compile(r"([a-z]{2,3})([-_.@][a-z0-9]+)+", re.IGNORECASE)


def language_code(given: object) -> object:
    """Return the ISO 639-1 code of a language: by its code, also with region or script (``en-US``), or by its name.

    Raises:
        ValueError: no prompt is ever found to be in it, with those that there are.
    """
    if not isinstance(given, str):
        return given
    text = given.strip().lower()
    tag = _TAG.fullmatch(text)
    found = _CODE_OF.get(tag[1] if tag else text)
    if found is not None:
        return found
    if text in {UNDETERMINED, "undetermined"}:
        return UNDETERMINED
    near = difflib.get_close_matches(text, _CODE_OF, n=1, cutoff=0.75)
    hint = f"did you mean {_CODE_OF[near[0]]} ({near[0]})? " if near and len(text) > 3 else ""
    raise ValueError(f"is no language that prompts are told apart by; {hint}there are {', '.join(CODES)}")


Language = Annotated[str, BeforeValidator(language_code)]
