"""What crosses between a program, its tests and the host: faithful for plain data, harmless for anything else."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.sandbox.inside.crossing.values import Malformed, Unencodable, decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
PLAIN = st.recursive(
    SCALARS | HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


def crossed(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value))))


@given(PLAIN)
def test_plain_data_crosses_unchanged(value: Any) -> None:
    """Value and type of plain data are the same on the other side."""
    found = crossed(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        10**10_000, -(2**53), float("inf"), "\ud800", Fraction(1, 3), Decimal("1.10"), dt.date(2026, 1, 2),
        dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), dt.timedelta(days=1, microseconds=5), range(3, 9, 2),
        bytearray(b"x"), collections.deque([1, 2]), [(1, {2: {3}}), None],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_rarer_values_cross(value: Any) -> None:
    """Long integers, lone surrogates, fractions, dates and the like keep type and value."""
    assert crossed(value) == value
    assert type(crossed(value)) is type(value)


def test_subclasses_cross_as_their_data() -> None:
    """What a subclass overrides is left behind: its data crosses as the built-in base has it."""

    class Yes(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __index__(self) -> int:
            return 42

        __hash__ = int.__hash__

    class Items(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            return [("a", 1)]

    point = collections.namedtuple("point", "x y")(1, 2)  # noqa: PYI024
    assert crossed(Yes(3)) == 3
    assert type(crossed(Yes(3))) is int
    assert crossed(Items(b=2)) == {"b": 2}
    assert crossed(point) == (1, 2)
    assert crossed(collections.Counter("aab")) == {"a": 2, "b": 1}
    assert crossed(collections.OrderedDict(a=1)) == {"a": 1}


class Claims:
    """An object that only says that it is a number."""

    __class__ = int  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value", [object(), pytest.param(Claims(), id="claims"), print, (n for n in "ab"), type("X", (), {})()]
)
def test_objects_do_not_cross_as_data(value: Any) -> None:
    """What is no plain data is refused, or crosses as a handle where there are handles."""
    with pytest.raises(Unencodable):
        encode(value)
    assert encode([value], lambda _: ["handle", 7]) == ["list", [["handle", 7]]]


def test_loops_and_depths_are_refused() -> None:
    """A list within itself, and one nested a million deep, are refused and break nothing."""
    loop: list[Any] = []
    loop.append(loop)
    deep: list[Any] = []
    for _ in range(10**5):
        deep = [deep]
    for value in (loop, deep):
        with pytest.raises(Unencodable, match="deeper"):
            encode(value)


@given(JSON)
def test_whatever_is_read_is_a_value_or_malformed(data: Any) -> None:
    """Any JSON decodes to a value or is malformed; no other exception comes out."""
    with contextlib.suppress(Malformed):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        {"a": 1}, [], ["list"], ["list", 3], ["int", "zz"], ["int", 5], ["float", "x"], ["dict", [[1]]],
        ["dict", [[["list", []], 1]]], ["set", [["list", []]]], ["fraction", "1/0"], ["handle", 1], ["no such tag", 1],
        ["bytes", "0"], ["range", "0x1", "0x2", "0x0"], ["complex", "1"], ["timedelta", "x", 1, 1], 2**60,
        ["datetime", 5],
    ],
)  # fmt: skip
def test_hostile_data_is_malformed(data: Any) -> None:
    """What is no encoded value is named as such."""
    with pytest.raises(Malformed):
        decode(data)


def test_deep_data_is_malformed() -> None:
    """Nesting beyond what encode makes is refused before it costs the stack."""
    data: Any = 1
    for _ in range(10_000):
        data = ["list", [data]]
    with pytest.raises(Malformed):
        decode(data)
