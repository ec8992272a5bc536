"""Dates and times of day, however they are written: May 3, 2020 is 2020-05-03, and 2:30 pm is 14:30.

A date whose order is open (5/3/2020) is both of its readings. Standard library only.
"""

from __future__ import annotations

import re
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_ORDINAL: Final = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR_FIRST: Final = re.compile(r"(\d{4})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{1,2})")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{4})")
_MONTH_FIRST: Final = re.compile(rf"{_MONTH}\s*{_ORDINAL}(?:,?\s*(\d{{4}}))?")
_DAY_FIRST: Final = re.compile(rf"{_ORDINAL}\s*(?:of\s+)?{_MONTH}(?:,?\s*(\d{{4}}))?")
_TIME: Final = re.compile(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?\s*([ap])?\.?\s?(?(4)m)\.?")
_TEXT: Final = re.compile(r"\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}")
_SPACE: Final = re.compile(r"\\[,;:! ]|~|\$|\s+|[{}]")
_NOON: Final = 12

Date = tuple[int | None, int, int]


def same_date_or_time(gold: str, target: str) -> bool | None:
    """Return whether two answers are one date or one time of day; None where they are none, or it is open."""
    texts = [" ".join(_SPACE.sub(" ", _TEXT.sub(r" \1 ", text)).lower().split()) for text in (gold, target)]
    one, other = (_dates(text) for text in texts)
    if one and other:
        return _same(one, other)
    if one or other:
        return _date_and_number(one or other, texts[1] if one else texts[0])
    return _same_time(*texts)


def _dates(text: str) -> set[Date]:
    """Return every reading of a text as a date: year, month, day; none where it is no date."""
    found: list[Date]
    if match := _YEAR_FIRST.fullmatch(text):
        found = [(int(match[1]), int(match[3]), int(match[4]))]
    elif match := _YEAR_LAST.fullmatch(text):
        one, other = int(match[1]), int(match[3])
        found = [(int(match[4]), one, other), (int(match[4]), other, one)]
    elif match := _MONTH_FIRST.fullmatch(text):
        found = [(int(match[3]) if match[3] else None, _month(match[1]), int(match[2]))]
    elif match := _DAY_FIRST.fullmatch(text):
        found = [(int(match[3]) if match[3] else None, _month(match[2]), int(match[1]))]
    else:
        return set()
    return {(year, month, day) for year, month, day in found if 1 <= month <= len(_MONTHS) and 1 <= day <= 31}


def _month(name: str) -> int:
    return _MONTHS.index(name[:3]) + 1


def _same(one: set[Date], other: set[Date]) -> bool | None:
    """Compare the readings of two dates; a year that one of them lacks is forgiven."""
    if any(date[0] is None for date in one | other):  # May 3 beside May 3, 2020
        one, other = _without_years(one), _without_years(other)
    if one.isdisjoint(other):
        return False
    return True if len(one) == len(other) == 1 else None


def _without_years(dates: set[Date]) -> set[Date]:
    return {(None, month, day) for _, month, day in dates}


def _date_and_number(dates: set[Date], text: str) -> bool | None:
    """Tell that a whole number that is no part of a date is another answer."""
    parts = {part for date in dates for part in date}
    return False if text.isdecimal() and int(text) not in parts else None


def _same_time(one: str, other: str) -> bool | None:
    matches = [_TIME.fullmatch(text) for text in (one, other)]
    halves = [match[4] for match in matches if match]
    if len(halves) < len(matches) or halves == [None, None]:
        return None
    if None in halves and not any(match and match[2] for match in matches):
        return None  # 5 beside 5 pm
    times = [_seconds(match) for match in matches if match]
    if None in times:
        return None
    if None not in halves or times[0] == times[1]:
        return times[0] == times[1]
    bare = next(match for match in matches if match and match[4] is None)
    with_half = next(match for match in matches if match and match[4])
    if bare[2] is None:
        return None  # 2 beside 2:30 pm may be hours
    is_same = (int(bare[1]), bare[2], bare[3]) == (int(with_half[1]), with_half[2] or "00", with_half[3])
    return None if is_same else False  # 2:30 beside 2:30 pm lacks a unit


def _seconds(match: re.Match[str]) -> int | None:
    hour, minute, second = (int(match[group] or 0) for group in (1, 2, 3))
    if match[4]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if match[4] == "p" else 0)
    return (hour * 60 + minute) * 60 + second
