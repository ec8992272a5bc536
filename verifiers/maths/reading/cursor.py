"""A place among tokens, and what is made of what was read: the ground of the strict reader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Final

from verifiers.maths.reading.tokens import NotUnderstood, Token
from verifiers.maths.reading.tree import Call, Grid, Logic, Name, Node, Num, Quantity, Ratio, Relation, Seq, Sets

_MAX_DEPTH: Final = 40


class Cursor(ABC):
    """A place among tokens.

    Args:
        tokens: of one answer.
        told: the words of the problem, which name what is counted.

    Attributes:
        is_ambiguous: whether something was read that may be read otherwise.
    """

    def __init__(self, tokens: list[Token], told: frozenset[str]) -> None:
        self.tokens, self.told = tokens, told
        self.place, self.bars, self.nesting = 0, 0, 0
        self.is_ambiguous = False

    def peek(self, ahead: int = 0) -> Token | None:
        """Return the token here or further on, or None."""
        at = self.place + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def at(self, *kinds: str) -> bool:
        """Tell whether a token of these kinds is here."""
        token = self.peek()
        return token is not None and token.kind in kinds

    def at_command(self, *names: str) -> bool:
        """Tell whether one of these commands is here."""
        token = self.peek()
        return token is not None and token.kind == "command" and token.text in names

    def next(self) -> Token:
        """Go on by one token.

        Raises:
            NotUnderstood: there is none.
        """
        token = self.peek()
        if token is None:
            raise NotUnderstood("an end where something should follow")
        self.place += 1
        return token

    def take(self, kind: str) -> bool:
        """Go on if a token of this kind is here."""
        if self.at(kind):
            self.place += 1
            return True
        return False

    def want(self, kind: str) -> None:
        """Go on by a token of this kind.

        Raises:
            NotUnderstood: it is not here.
        """
        if not self.take(kind):
            raise NotUnderstood(f"{kind!r} missing")

    def _stuck(self) -> None:
        token = self.peek()
        if token is None:
            raise NotUnderstood("an end")
        is_words = token.kind in {"text", "word"}
        raise NotUnderstood(f"{'the words ' if is_words else ''}{token.text!r}", is_words=is_words)

    def _deeper(self) -> None:
        self.nesting += 1
        if self.nesting > _MAX_DEPTH:
            raise NotUnderstood("something nested so deep")

    def _at_word(self, word: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in {"text", "word"} and token.text == word

    def _is_degree_group(self) -> bool:
        inner, close = self.peek(1), self.peek(2)
        return (
            self.at("{")
            and inner is not None
            and inner.text in {"circ", "degree"}
            and close is not None
            and close.kind == "}"
        )

    def _braced_word(self) -> str:
        self.want("{")
        words = []
        while not self.take("}"):
            words.append(self.next().text)
        return "".join(words)

    # What the other parts of the reader provide

    @abstractmethod
    def several(self) -> Node:
        """Clauses between commas, "and" and "or"."""

    @abstractmethod
    def sum(self) -> Node:
        """Terms between plus and minus."""

    @abstractmethod
    def product(self) -> Node:
        """Factors."""

    @abstractmethod
    def power(self) -> Node:
        """Return one factor with its exponents."""

    @abstractmethod
    def exponent(self) -> Node:
        """Return what stands behind ^ or _."""

    @abstractmethod
    def group(self) -> Node:
        """Return what stands in TeX's braces."""

    @abstractmethod
    def atom(self) -> Node:
        """Return what stands alone."""

    @abstractmethod
    def _mixed(self) -> Node | None:
        """Return a mixed number."""

    @abstractmethod
    def _begins_factor(self, token: Token) -> bool:
        """Tell whether a product goes on with a token."""

    @abstractmethod
    def _indexed(self, node: Name) -> Node:
        """Return a letter and its index."""


def call(name: str, *args: Node) -> Node:
    """Return an operation over expressions; a minus before a number is part of the number.

    Raises:
        NotUnderstood: it is done to a list, a relation or a quantity.
    """
    if any(isinstance(arg, (Seq, Relation, Logic, Sets, Grid, Ratio)) for arg in args):
        raise NotUnderstood("something around a list")
    if any(isinstance(arg, Quantity) for arg in args) and name != "neg":
        raise NotUnderstood("arithmetic with units")
    if name == "neg":
        (arg,) = args
        if isinstance(arg, Num):
            return Num(-arg.value, arg.places)
        if isinstance(arg, Quantity):
            return Quantity(call("neg", arg.value), arg.unit)
        if isinstance(arg, Call) and arg.name == "percent":
            return call("percent", call("neg", arg.args[0]))
    return Call(name, args)


def is_whole(token: Token) -> bool:
    """Tell whether a token is a whole number in plain digits."""
    return token.kind == "number" and token.places is None and token.text.replace(",", "").isdigit()


def value_of(token: Token) -> Fraction:
    """Return the value of a number."""
    if token.value is None:
        raise NotUnderstood("a number without a value")
    return token.value
