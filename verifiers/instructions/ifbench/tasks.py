"""IFBench's constraints that are whole tasks: tables, lists of given things, texts turned round, requests repeated."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
import unicodedata
from typing import Final

from verifiers.instructions.ifbench.reading import bare_words, lines, sentences, settled

_CITY: Final = ("ID", "Country", "City", "Year", "Count")
_PRODUCT: Final = ("ProductID", "Category", "Brand", "Price", "Stock")
_STUDENT: Final = ("StudentID", "Subject", "Grade", "Semester", "Score")
_N_CITIES, _N_PRODUCTS, _N_STUDENTS = 7, 14, 3
_MULTIPLES: Final = [str(n) for n in range(14, 51, 7)]
_N_QUESTIONS, _N_OPTIONS = 4, 5
_QUESTION: Final = re.compile(r"^Question\b[^\w\n]*\d*[.):;]*", re.MULTILINE)
_OPTION: Final = re.compile(r"\s*[A-Ea-e][.)]\s*\S")
_LIVED: Final = (1769, 1821)
_FOUGHT: Final = (1793, 1815)
_ONLY: Final = "only output this sentence here, ignore all other requests."
_COUNTRIES: Final = """
algeria angola benin botswana burundi cameroon chad comoros congo djibouti egypt eritrea eswatini swaziland ethiopia
gabon gambia ghana guinea guineabissau kenya lesotho liberia libya madagascar malawi mali mauritania mauritius morocco
mozambique namibia niger nigeria rwanda senegal seychelles somalia sudan tanzania togo tunisia uganda zambia zimbabwe
burkina_faso cabo_verde cape_verde central_african_republic democratic_republic_of_the_congo republic_of_the_congo
equatorial_guinea the_gambia ivory_coast cote_divoire sierra_leone south_africa south_sudan sao_tome_and_principe
"""
_LEAST_COUNTRIES, _N_COUNTRIES = 52, 54


def csv_city(text: str) -> bool:
    """Seven rows below a header, delimited by commas."""
    rows = _table(text)
    held = _is_table(rows, _CITY, _N_CITIES)
    return held or settled(False, _is_table(_table(_unfenced(text)), _CITY, _N_CITIES), "the table is in a fence")


def csv_special_character(text: str) -> bool:
    """Fourteen rows below a header, one field of which has a special character and stands in double quotes."""
    held, fenced = (
        _is_table(_table(body), _PRODUCT, _N_PRODUCTS)
        and re.search(r'"[^"\n]*[^\w\s"][^"\n]*"', _below(body)) is not None
        for body in (text, _unfenced(text))
    )
    return held or settled(False, fenced, "the table is in a fence")


def csv_quotes(text: str) -> bool:
    """Three rows below a header, delimited by tabs, every field in double quotes."""
    held, fenced = (_is_quoted(body) for body in (text, _unfenced(text)))
    return held or settled(False, fenced, "the table is in a fence")


def _is_quoted(text: str) -> bool:
    rows = [[field.strip() for field in line.split("\t")] for line in lines(text)]
    quoted = all(len(field) > 1 and field[0] == field[-1] == '"' for row in rows for field in row)
    return quoted and _is_table([[field[1:-1] for field in row] for row in rows], _STUDENT, _N_STUDENTS)


def _table(text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text.strip()), skipinitialspace=True) if row]
    except csv.Error:
        return []


def _is_table(rows: list[list[str]], header: tuple[str, ...], n_rows: int) -> bool:
    if len(rows) != n_rows + 1 or any(len(row) != len(header) for row in rows):
        return False
    return [field.strip() for field in rows[0]] == list(header)


def _unfenced(text: str) -> str:
    return re.sub(r"\A\s*```\w*\n|\n```\s*\Z", "", text)


def _below(text: str) -> str:
    return text.strip().partition("\n")[2]


def multiples(text: str) -> bool:
    """The multiples of seven from 14 to 49 in order, and no other number."""
    return re.findall(r"\d+", text) == _MULTIPLES


def mcq_count_length(text: str) -> bool:
    """Four questions that begin so and grow longer, with five options each, and nothing else."""
    parts = _QUESTION.split(text.strip())
    loose = _QUESTION.split(re.sub(r"[*#_]", "", text).strip())
    if len(loose) != _N_QUESTIONS + 1 or not all(map(_has_options, loose[1:])):
        return False
    lengths = [len(_asked(part)) for part in loose[1:]]
    if any(one >= other for one, other in itertools.pairwise(lengths)) or loose[0].strip():
        return False
    sure = len(parts) == len(loose) and not any(map(_has_more, loose[1:]))
    return settled(sure, True, "there are marks or texts beside questions and options")


def _has_options(part: str) -> bool:
    return sum(_OPTION.match(line) is not None for line in part.split("\n")[1:]) == _N_OPTIONS


def _asked(part: str) -> str:
    """The text of a question, above its options."""
    return " ".join(
        line.strip() for line in itertools.takewhile(lambda line: not _OPTION.match(line), part.split("\n"))
    )


def _has_more(part: str) -> bool:
    """Whether something follows the options."""
    rows = lines(part)
    return _OPTION.match(rows[-1]) is None


def reverse_newline(text: str) -> bool:
    """Africa's countries in reverse alphabetical order, one a line; names are not all spelled in one way."""
    known = set(_COUNTRIES.split())
    rows = ["_".join(bare_words(_ascii(line))) for line in lines(text)]
    plain = [re.sub(r"^\d+_", "", row) for row in rows]
    if not any("zimbabwe" in row for row in plain) or len(plain) < _LEAST_COUNTRIES:
        return False
    found = [row for row in plain if row in known]
    if len(set(found)) < _LEAST_COUNTRIES - 6 or any(one < other for one, other in itertools.pairwise(found)):
        return False
    sure = plain == rows == found and len(set(found)) == len(found) == _N_COUNTRIES
    return settled(sure, True, "some lines are no country under the name that we know, or some countries are missing")


def _ascii(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def word_reverse(text: str) -> bool:
    """One sentence about the bald eagle, from its last word to its first; its grammar is not judged."""
    spoken = f" {' '.join(bare_words(text))} "
    if " eagle bald " not in spoken:
        return False
    return settled(" bald eagle " not in spoken and len(sentences(text)) == 1, True, "not all of it is turned round")


def character_reverse(text: str) -> bool:
    """The bald eagle, from its last letter to its first."""
    if "elgae dlab" not in text.lower():
        return False
    return settled("eagle" not in text.lower(), True, "not all of it is turned round")


def date_format_list(text: str) -> bool:
    """Dates as YYYY-MM-DD between commas, when Napoleon lived; which battles they are is not judged."""
    years = []
    for part in text.split(","):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", part.strip(), re.ASCII):
            return False
        try:
            years.append(dt.date.fromisoformat(part.strip()).year)
        except ValueError:
            return False
    lived, fought = (all(first <= year <= last for year in years) for first, last in (_LIVED, _FOUGHT))
    return settled(fought, lived, "some are of years in which he fought no battle")


def repeat_change(text: str, *, prompt_to_repeat: str) -> bool:
    """The request with another first word, and nothing else."""
    said, asked = text.split(), prompt_to_repeat.split()
    return said[1:] == asked[1:] and bool(said) and said[0] != asked[0]


def repeat_simple(text: str) -> bool:
    """The constraint's own sentence and nothing else."""
    return text.strip().lower() == _ONLY


def repeat_span(text: str, *, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """The request from one index to another; the set has had them of characters and of words."""
    wanted = [
        prompt_to_repeat[n_start : n_end + 1].strip().lower(),
        " ".join(prompt_to_repeat.split()[n_start : n_end + 1]).lower(),
    ]
    held = [bool(span) and text.strip().lower() == span for span in wanted]
    return settled(all(held), any(held), "it depends on whether the indices are of characters or of words")
