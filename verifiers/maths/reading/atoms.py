"""Letters, numbers, words and powers: what the strict reader takes for one thing."""

from __future__ import annotations

import re
from typing import Final

from verifiers.maths.reading.cursor import call, value_of
from verifiers.maths.reading.functions import FUNCTIONS, GREEK, Functions
from verifiers.maths.reading.tokens import NotUnderstood, Token
from verifiers.maths.reading.tree import IMAGINARY, INFINITY, PI, Call, E, Indexed, Name, Node, Num, Quantity, Seq
from verifiers.maths.reading.units import UNIT_NAMES, is_change, number_in_words

_NO_FUNCTION_NAMES: Final = frozenset("fgh")
_ARRANGEMENTS: Final = frozenset("AP")
SMALL_WORDS: Final = frozenset(
    [
        "is",
        "if",
        "not",
        "or",
        "and",
        "the",
        "of",
        "to",
        "at",
        "by",
        "per",
        "mod",
        "th",
        "st",
        "nd",
        "rd",
        "no",
        "for",
        "than",
        "less",
        "more",
        "all",
        "any",
        "but",
        "with",
        "from",
        "an",
        "so",
        "it",
        "are",
        "was",
    ]
)

_SCALES: Final = {"C": "celsius", "F": "fahrenheit"}


class Atoms(Functions):
    """What stands alone, and its powers."""

    def power(self) -> Node:
        """Return one thing with its exponents and degree signs."""
        node = self._postfixed(self.atom())
        while self.at("^"):
            self.place += 1
            if self.at_command("circ", "degree"):
                self.place += 1
                node = call("deg", node)
            elif self._is_degree_group():
                self.place += 3
                node = call("deg", node)
            else:
                node = self._postfixed(call("pow", node, self.exponent()))
            if isinstance(node, Call) and node.name == "deg":
                node = self._with_scale(node)
        if self.at_command("degree"):
            self.place += 1
            node = call("deg", node)
        return node

    def _with_scale(self, angle: Call) -> Node:
        """Return degrees of Celsius or Fahrenheit as a temperature."""
        token, following = self.peek(), self.peek(1)
        if token is None or token.kind not in {"letter", "text", "dressed"} or token.text.strip() not in _SCALES:
            return angle
        if following is not None and following.kind not in {")", "}", ","}:
            raise NotUnderstood("degrees of temperature")
        self.place += 1
        return Quantity(angle.args[0], _SCALES[token.text.strip()])

    def exponent(self) -> Node:
        """Return what stands behind ^ or _."""
        if self.at("{"):
            return self.group()
        if self.take("-"):
            return call("neg", self.exponent())
        if self.at("("):
            return self.atom()
        token = self.peek()
        if token and token.text in {"prime", "T", "top", "dagger", "*", "'"}:
            raise NotUnderstood("a mark on a letter")
        return self._postfixed(self.atom())

    def _postfixed(self, node: Node) -> Node:
        while self.at("!"):
            self.place += 1
            double = self.at("!") and (following := self.peek()) is not None and not following.spaced
            if double:
                self.place += 1
            if self.at("!"):
                raise NotUnderstood("so many factorials")
            node = call("fac2" if double else "fac", node)
        if self.at("'"):
            raise NotUnderstood("a mark on a letter")
        return node

    def group(self) -> Node:
        """Return what stands in TeX's braces: one thing."""
        self.want("{")
        self._deeper()
        node = self.several()
        self.want("}")
        self.nesting -= 1
        return node  # TeX's braces are not seen: {1, 3} is the list 1, 3

    def atom(self) -> Node:  # noqa: C901, PLR0911 - one case a line
        """Return what stands alone: a number, a letter, a word, a command, a bracket."""
        token = self.next()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "letter":
            return self._letter(token)
        if token.kind == "dressed":
            return self._indexed(Name(token.text))
        if token.kind == "word":
            return self._word(token)
        if token.kind == "text":
            return self._text(token)
        if token.kind == "command":
            return self._command(token)
        self.place -= 1
        if token.kind == "{":
            return self._choose() or self.group()
        if token.kind in {"(", "[", "\\{"}:
            return self._bracketed()
        if token.kind == "|" and not self.bars:
            return self._absolute("|")
        if token.kind == "<":
            return self._angle("<", ">")
        self._stuck()
        raise NotUnderstood(token.text)

    def _number(self, token: Token) -> Node:
        """Return a number, with its base: 221_3."""
        node = Num(value_of(token), token.places)
        if not self.at("_"):
            return node
        self.place += 1
        base = self.exponent()
        if not isinstance(base, Num) or base.value.denominator != 1 or not 2 <= base.value <= 36 or token.places:
            raise NotUnderstood("an index of a number")
        return Quantity(node, f"base {base.value}")

    def _choose(self) -> Node | None:
        """Binomial coefficients as in plain TeX: n choose k in braces."""
        begun, self.place = self.place, self.place + 1
        try:
            top = self.sum()
            if self.at_command("choose"):
                self.place += 1
                bottom = self.sum()
                self.want("}")
                return call("binom", top, bottom)
        except NotUnderstood:
            pass
        self.place = begun
        return None

    def _letter(self, token: Token) -> Node:
        if token.upright:
            return E if token.text == "e" else IMAGINARY
        name = token.text
        following = self.peek()
        if name in _NO_FUNCTION_NAMES and following and following.kind in {"(", "^"}:
            return self._function_of(name)
        if following and following.kind == "(" and not following.spaced and self._is_named_value():
            return self._function_of(name)
        if name == "C" and following and following.kind in {"_", "("}:
            return self._combinations()
        if self.at("'"):
            raise NotUnderstood("a mark on a letter")
        node: Node = self._indexed(Name(name))
        if name in _ARRANGEMENTS and isinstance(node, Indexed) and isinstance(node.index, Num) and self.at("^"):
            self.is_ambiguous = True  # A_5^2 may be 20
        if node == Name("e"):
            return E
        return IMAGINARY if node == Name("i") else node

    def _is_named_value(self) -> bool:
        """Tell whether a bracket behind a letter is followed by =, as in P(x) = x + 1."""
        depth = 0
        for ahead in range(len(self.tokens) - self.place):
            token = self.tokens[self.place + ahead]
            depth += (token.kind == "(") - (token.kind == ")")
            if depth == 0:
                after = self.peek(ahead + 1)
                return after is not None and after.kind == "="
        return False

    def _function_of(self, name: str) -> Node:
        """f(x), as a function of that name; f alone is a letter."""
        if self.at("^"):
            begun = self.place
            self.place += 1
            self.exponent()
            if self.at("("):
                raise NotUnderstood("an inverse or a power of a function")
            self.place = begun
            return Name(name)
        inner = self._bracketed()
        args = inner.items if isinstance(inner, Seq) else (inner,)
        return Call(f"function {name}", args)

    def _combinations(self) -> Node:
        """C_{10}^4 and C(10, 4): combinations, or a letter of that name."""
        begun = self.place
        if self.at("("):
            inner = self._bracketed()
            if isinstance(inner, Seq) and len(inner.items) == 2:
                self.is_ambiguous = True
                return Call("binom", inner.items)
            self.place = begun
            return Name("C")
        self.place += 1
        below = self.exponent()
        if self.take("^"):
            above = self.exponent()
            if isinstance(below, Num) or isinstance(above, Num):
                self.is_ambiguous = True
                return call("binom", below, above)
        self.place = begun
        return self._indexed(Name("C"))

    def _indexed(self, node: Name) -> Node:
        if not self.take("_"):
            return node
        if self.at("text", "word"):
            return Name(f"{node.name}_{self.next().text}")
        begun = self.place
        if self.at("{"):
            end = next((at for at in range(self.place, len(self.tokens)) if self.tokens[at].kind == "}"), None)
            inside = self.tokens[self.place + 1 : end]
            if inside and all(token.kind in {"letter", "word", "text"} for token in inside):
                self.place = (end or 0) + 1
                if len(inside) > 1 or inside[0].kind != "letter":
                    return Name(f"{node.name}_{''.join(token.text for token in inside)}")
                self.place = begun
        index = self.exponent()
        return Indexed(node.name, index)

    def _word(self, token: Token) -> Node:  # noqa: PLR0911 - one case a line
        """Return letters without a blank: a function, a constant, Greek, or a product of letters."""
        text = token.text
        for name in (text, text.lower() if text[0].isupper() and text[1:].islower() else text):
            if name in FUNCTIONS:
                return self._applied(FUNCTIONS[name], is_plain=True)
        if text in {"pi", "Pi"}:
            return PI
        if text in {"inf", "infty", "infinity", "oo", "Infinity"}:
            return INFINITY
        if text in GREEK:
            return self._greek(text)
        value = number_in_words(text)
        if value is not None and len(text) > 2:
            return self._more_words(text)
        glued = re.fullmatch(r"([a-zA-Z]?)(pi|sqrt|sin|cos|tan|ln|log|exp)", text)
        if glued and glued.group(1):
            self.place -= 1
            self.tokens[self.place : self.place + 1] = [
                token._replace(kind="letter", text=glued.group(1)),
                token._replace(kind="word", text=glued.group(2), spaced=False),
            ]
            return self.atom()
        if text in SMALL_WORDS or is_change(text) or not _is_product(text):
            raise NotUnderstood(f"the words {text!r}", is_words=True)
        if text.lower() in UNIT_NAMES and len(text) > 2:
            raise NotUnderstood(f"the words {text!r}", is_words=True)
        # The last letter may bear an index or a power.
        self.place -= 1
        self.tokens[self.place : self.place + 1] = [
            token._replace(kind="letter", text=letter, spaced=token.spaced and not at) for at, letter in enumerate(text)
        ]
        return self.power()

    def _more_words(self, text: str) -> Node:
        words = [text]
        while (token := self.peek()) and token.kind in {"word", "-"}:
            if number_in_words(" ".join([*words, token.text]).replace(" - ", "-").rstrip("-")) is None:
                break
            words.append(token.text)
            self.place += 1
        value = number_in_words(" ".join(words).replace(" - ", "-"))
        if value is None:
            raise NotUnderstood(f"the words {text!r}", is_words=True)
        return Num(value)

    def _text(self, token: Token) -> Node:
        text = token.text.strip(" .")
        if text.lower() in FUNCTIONS or text in FUNCTIONS:
            return self._applied(FUNCTIONS.get(text) or FUNCTIONS[text.lower()], is_plain=True)
        value = number_in_words(text)
        if value is not None:
            return Num(value)
        if text in {"pi", "π"}:
            return PI
        if re.fullmatch(r"[A-Z]", text):  # a point or a choice
            return Name(text)
        if text.lower() in {"infinity", "inf"}:
            return INFINITY
        raise NotUnderstood(f"the words {token.text!r}", is_words=True)


def _is_product(text: str) -> bool:
    """Tell whether letters without a blank are a product: few, or in order; else they are a word."""
    return len(text) <= 3 or (len(set(text)) == len(text) and list(text) == sorted(text)) or text.isupper()
