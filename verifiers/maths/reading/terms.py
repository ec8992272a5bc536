"""Sums, products, mixed numbers, scales and units: the arithmetic of the strict reader."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from verifiers.maths.reading.atoms import SMALL_WORDS, Atoms
from verifiers.maths.reading.cursor import call, is_whole, value_of
from verifiers.maths.reading.functions import FUNCTIONS, GREEK, STARTS
from verifiers.maths.reading.tokens import SIDE_BY_SIDE, NotUnderstood, Token
from verifiers.maths.reading.tree import Call, Node, Num, Quantity
from verifiers.maths.reading.unit_factors import together
from verifiers.maths.reading.units import SCALES, unit_of

_PLUS_MINUS: Final = ("pm", "mp")
WORDS_AND: Final = frozenset(["and", "&", "和", "与", "及", "且", ",", "y", "und", "et"])
WORDS_OR: Final = frozenset(["or", "或", "或者"])


class Terms(Atoms):
    """Sums and what they are made of, with units."""

    def sum(self) -> Node:
        """Terms between plus and minus."""
        node = self._signed()
        while True:
            if self.take("+"):
                node = call("add", node, self._signed_term())
            elif self.take("-"):
                node = call("add", node, call("neg", self._signed_term()))
            elif self.at_command(*_PLUS_MINUS):
                node = call(self.next().text, node, self._signed_term())
            else:
                return node

    def _signed_term(self) -> Node:
        return self._signed() if self.at("+", "-") else self.term()

    def _signed(self) -> Node:
        if self.take("-"):
            return call("neg", self._signed())
        if self.take("+"):
            return self._signed()
        if self.at_command(*_PLUS_MINUS):
            return Call(self.next().text, (Num(Fraction(0)), self.term()))
        token = self.peek()
        if token and token.kind in {"text", "word"} and token.text.lower() in {"negative", "minus"}:
            self.place += 1
            return call("neg", self.term())
        return self.term()

    def term(self) -> Node:
        """Return a product with its currency, scale and unit."""
        money = self.next().text if self.at("currency") else None
        if money and self.take("-"):
            return call("neg", self._with_money(self.product(), money))
        node = self._mixed() or self.product()
        return self._with_unit(self._with_money(node, money))

    def _with_money(self, node: Node, money: str | None) -> Node:
        if money is None:
            return node
        node = self._scaled(node)
        unit = self._slashed_unit(money)
        token = self.peek()
        if token and token.kind in {"word", "text"} and unit_of(token.text) == unit:
            self.place += 1
        return Quantity(node, unit)

    def _slashed_unit(self, unit: str) -> str:
        token, following = self.peek(), self.peek(1)
        per = unit_of(following.text, told=self.told) if token and token.kind == "/" and following else None
        if per is not None and following is not None and following.kind in {"text", "word"}:
            self.place += 2
            return f"{unit} per {per}"
        if token and token.kind == "text" and token.text.startswith(("/", "per ")):
            inner = unit_of(re.sub(r"^(?:/|per )\s*", "", token.text), told=self.told)
            if inner:
                self.place += 1
                return f"{unit} per {inner}"
        return unit

    def _mixed(self) -> Node | None:
        """1 1/2, where a blank stands between; the frac of LaTeX may stand close."""
        whole, top, slash, bottom = (self.peek(ahead) for ahead in range(4))
        if whole is None or top is None or not is_whole(whole):
            return None
        if is_whole(top) and top.spaced and slash and slash.kind == "/" and bottom and is_whole(bottom):
            follows = self.peek(4)
            if (follows is not None and follows.kind in {"^", "!", "letter", "number"}) or not bottom.value:
                return None
            self.place += 4
            return Num(value_of(whole) + value_of(top) / value_of(bottom))
        if top.kind == "command" and top.text in {"frac", "dfrac", "tfrac", "cfrac"}:
            begun = self.place
            self.place += 1
            node = self.power()
            if _is_plain_fraction(node) and not self.at("^", "!"):
                value = value_of(whole) + _fraction(node)
                if self.at("(", "letter", "command") and not self._at_unit():
                    self.place = begun
                    return None
                return Num(value)
            self.place = begun
        return None

    def product(self) -> Node:
        """Factors, with or without a sign between them."""
        node, had_slash = self._scaled(self.power()), False
        while True:
            token = self.peek()
            if token is None:
                return node
            if token.kind == "*" or (token.kind == "command" and token.text in {"cdot", "times", "ast"}):
                self.place += 1
                node = call("mul", node, self._factor())
            elif token.kind == "/" or (token.kind == "command" and token.text == "div"):
                if self._is_unit_after_slash():
                    return node
                self.place += 1
                node, had_slash = call("div", node, self._factor()), True
            elif self._begins_factor(token):
                if had_slash:
                    self.is_ambiguous = True
                if token.kind == "number" and isinstance(node, Num):
                    raise NotUnderstood(SIDE_BY_SIDE)
                if token.kind == "number" and self.tokens[self.place - 1].kind == "letter" and not token.spaced:
                    raise NotUnderstood("a number behind a letter")
                is_whole_number = isinstance(node, Num) and node.value.denominator == 1 and token.kind == "("
                factor = self.power()
                self.is_ambiguous |= is_whole_number and _is_plain_fraction(factor)  # 6 (3/4) may be mixed
                node = call("mul", node, factor)
            else:
                return node

    def _factor(self) -> Node:
        if self.take("-"):
            return call("neg", self._factor())
        if self.take("+"):
            return self._factor()
        return self._scaled(self.power())

    def _begins_factor(self, token: Token) -> bool:
        if token.kind in {"number", "letter", "dressed", "{"}:
            return not (token.kind == "letter" and self._at_unit())
        if token.kind in {"(", "["}:
            return not ((following := self.peek(1)) is not None and following.text in {"mod", "bmod"})
        if token.kind == "|":
            return not self.bars
        if token.kind == "word":
            return token.text not in SMALL_WORDS and not self._at_unit()
        return token.kind == "command" and (
            token.text in GREEK | STARTS or token.text in FUNCTIONS or token.text in {"pi", "infty", "sum", "prod"}
        )

    def _scaled(self, node: Node) -> Node:
        token = self.peek()
        while isinstance(node, Num) and token and token.kind in {"text", "word"}:
            first, _, rest = token.text.strip().partition(" ")
            name = first.lower().removesuffix("s") if first.lower() != "dozens" else ""
            scale = SCALES.get(name if first.isascii() else first[:1])
            if scale is None or (first.lower() != name and first.isascii()):
                return node
            if not first.isascii():
                rest = first[1:] + rest
            node = Num(node.value * scale, None)
            self.tokens[self.place] = token._replace(text=rest, kind="text", spaced=True)
            if not rest:
                self.place += 1
            token = self.peek()
        return node

    def _at_unit(self) -> bool:
        """Tell whether a plain word or letter behind a number is a unit, as in 5 cm."""
        token = self.peek()
        before = self.tokens[self.place - 1] if self.place else None
        is_scale = before is not None and before.kind == "text" and not before.text  # of 2 million dollars
        if token is None or before is None or not (is_scale or before.kind in {"number", "}", ")", "command", "%"}):
            return False
        if token.kind == "word":
            return self._words_unit() is not None
        return False

    def _words_unit(self) -> tuple[str, int] | None:
        """Return the unit that plain words make up, and of how many tokens."""
        words, count = [], 0
        while (token := self.peek(count)) and (token.kind == "word" or (count and token.kind == "/")):
            words.append(token.text)
            count += 1
        for length in range(len(words), 0, -1):
            last = self.peek(length - 1)
            if last and last.kind == "word" and "".join(words[:length]) not in FUNCTIONS:
                unit = unit_of(" ".join(words[:length]), told=self.told)
                if unit:
                    return unit, length
        return None

    def _is_unit_after_slash(self) -> bool:
        following = self.peek(1)
        return (
            following is not None
            and following.kind in {"text", "word"}
            and bool(unit_of(following.text, told=self.told))
        )

    def _with_unit(self, node: Node) -> Node:  # noqa: PLR0911 - one case a line
        if isinstance(node, Quantity):
            return node
        if self.take("%"):
            return self._with_unit_of_percent(call("percent", node))
        token = self.peek()
        if token is None:
            return node
        if token.kind == "text":
            return self._with_text_unit(node, token)
        if token.kind == "word" and self.place:
            found = self._words_unit()
            if found is not None:
                self.place += found[1]
                self.take(".")
                return self._with_smaller(self._percent_or_quantity(node, found[0] + self._unit_power()))
        if token.kind == "(" and (inner := self.peek(1)) and inner.kind in {"text", "word"} and (close := self.peek(2)):
            unit = unit_of(inner.text, told=self.told)
            if unit and close.kind == ")":
                self.place += 3
                return Quantity(node, unit)
        return node

    def _with_unit_of_percent(self, node: Node) -> Node:
        token = self.peek()
        if token and token.kind in {"text", "word"} and not self._is_conjunction(token):
            self._stuck()
        return node

    def _is_conjunction(self, token: Token) -> bool:
        return token.text.strip(" ,").lower() in WORDS_AND | WORDS_OR

    def _with_text_unit(self, node: Node, token: Token) -> Node:
        if self._is_conjunction(token) or token.text == "to":
            return node
        bare = re.sub(r"[ ,]+and$", "", token.text.strip(" ()"))
        unit, place = unit_of(bare, told=self.told), self.place
        if unit is None:
            return node
        self.place += 1
        power = self._unit_power()
        unit += power
        while self.at("/") and (following := self.peek(1)) and following.kind == "text":
            per = unit_of(following.text, told=self.told)
            if per is None:
                self.place = place
                return node
            self.place += 2
            unit = f"{unit} per {per}{self._unit_power()}"
        measure = self._percent_or_quantity(node, unit)
        together_ = self._with_smaller(measure)
        if together_ is not measure:
            return together_
        if bare != token.text.strip(" ()"):
            self.place = place
            return node
        following = self.peek()
        if self.at_command("cdot") and (after := self.peek(1)) and after.kind == "text":
            raise NotUnderstood("a product of units")
        if (
            following
            and following.kind in {"number", "text"}
            and not self._is_conjunction(following)
            and following.text != "to"
        ):
            raise NotUnderstood(f"more behind a unit: {following.text!r}", is_words=True)
        return measure

    def _with_smaller(self, first: Node) -> Node:
        """Return 2 hours 30 minutes, or 5 feet and 6 inches, as one measure; as it is where there is no such pair."""
        token, following = self.peek(), self.peek(1)
        if not isinstance(first, Quantity) or token is None:
            return first
        is_joined = self._is_conjunction(token) and token.text.strip(" ,").lower() in {"and", ""}
        number = following if is_joined else token
        if number is None or number.kind != "number":
            return first
        place, is_ambiguous = self.place, self.is_ambiguous
        self.place += is_joined
        try:
            second = self.term()
        except NotUnderstood:
            second = None
        if isinstance(second, Quantity):
            value = together(first.value, first.unit, second.value, second.unit)
            if value is not None:
                return Quantity(value, first.unit)
        self.place, self.is_ambiguous = place, is_ambiguous
        return first

    def _percent_or_quantity(self, node: Node, unit: str) -> Node:
        if unit == "percent":
            return call("percent", node)
        return (_of_degrees(node) if unit == "degree" else None) or Quantity(node, unit)

    def _unit_power(self) -> str:
        token, following = self.peek(), self.peek(1)
        if token is None or token.kind != "^" or following is None:
            return ""
        if following.kind == "number":
            self.place += 2
            return f"^{following.text}"
        if following.kind == "{" and (digit := self.peek(2)) and digit.kind == "number":
            self.place += 4
            return f"^{digit.text}"
        return ""


def _of_degrees(node: Node) -> Node | None:
    """Return of "cos 58 degrees" the cosine of 58 degrees; None of what is no such function."""
    match node:
        case Call("sin" | "cos" | "tan" | "cot" | "sec" | "csc" as name, (angle,)):
            return Call(name, (call("deg", angle),))
        case Call("mul", (factor, inner)) if (found := _of_degrees(inner)) is not None:
            return call("mul", factor, found)
        case _:
            return None


def _is_plain_fraction(node: Node) -> bool:
    return (
        isinstance(node, Call)
        and node.name == "div"
        and all(isinstance(arg, Num) and arg.value.denominator == 1 and arg.value > 0 for arg in node.args)
    )


def _fraction(node: Node) -> Fraction:
    match node:
        case Call("div", (Num(top), Num(bottom))):
            return top / bottom
    raise NotUnderstood("a fraction")
