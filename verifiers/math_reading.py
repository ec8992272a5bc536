r"""An answer as a tree: the strict reader of LaTeX and plain-text mathematics.

What it cannot read for certain raises :class:`verifiers.math_tokens.NotUnderstood`; nothing is guessed, and nothing is
left out. What can be read in two ways (1/2x) is marked, so that a difference is no wrong answer. Standard library only.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from verifiers.math_tokens import GROUPED, SIDE_BY_SIDE, NotUnderstood, Token, tokens_of
from verifiers.math_tree import (
    E,
    I,
    INFINITY,
    PI,
    Call,
    Grid,
    Indexed,
    Logic,
    Name,
    Node,
    Num,
    Quantity,
    Ratio,
    Relation,
    Seq,
    Sets,
)
from verifiers.math_units import SCALES, UNIT_NAMES, is_change, number_in_words, unit_of

MAX_CHARS: Final = 2_000
_MAX_DEPTH: Final = 40
FUNCTIONS: Final = {
    **{name: name for name in "sin cos tan cot sec csc sinh cosh tanh exp ln log lg max min gcd lcm arg abs sqrt cbrt".split()},
    **{f"arc{name}": f"arc{name}" for name in "sin cos tan cot sec csc".split()},
    **{f"a{name}": f"arc{name}" for name in "sin cos tan".split()},
    "tg": "tan", "ctg": "cot", "cotg": "cot", "arctg": "arctan", "arcctg": "arccot", "cosec": "csc", "sgn": "sign", "sign": "sign",
    "sh": "sinh", "ch": "cosh", "Re": "re", "Im": "im", "floor": "floor", "ceil": "ceil", "binom": "binom",
    "mcd": "gcd", "GCD": "gcd", "LCM": "lcm", "root": "root",
}  # fmt: skip
_ODD: Final = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc"}
_OF_SEVERAL: Final = frozenset(["max", "min", "gcd", "lcm", "binom", "log", "root"])
_GREEK: Final = frozenset(
    """alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau
    upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar aleph Re Im
    emptyset varnothing""".split()
)  # fmt: skip
_RELATIONS: Final = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "approx": "~", "simeq": "~", "sim": "~", "doteq": "~", "in": "in",
    "equiv": "eqv", "mid": "mid", "to": "to",
}  # fmt: skip
_SETS: Final = {"cup": "cup", "bigcup": "cup", "cap": "cap", "setminus": "minus", "backslash": "minus"}
_WORDS_AND: Final = frozenset(["and", "&", "和", "与", "及", "且", ",", "y", "und", "et"])
_WORDS_OR: Final = frozenset(["or", "或", "或者"])
_LEAD_IN: Final = re.compile(r"(?:the )?(?:final )?answer(?: is)?[:.]?", re.IGNORECASE)
_NO_FUNCTION_NAMES: Final = frozenset("fgh")
_CLOSING: Final = {"(": ")", "[": "]"}
_SMALL_WORDS: Final = frozenset(
    "is if not or and the of to at by per mod th st nd rd no for than less more all any but with from an so it are was".split()
)
_PLUS_MINUS: Final = ("pm", "mp")


class Reading(NamedTuple):
    """An answer as it was read.

    Attributes:
        is_ambiguous: it may be read otherwise, so that a difference says nothing.
    """

    node: Node
    is_ambiguous: bool


def read(text: str, mode: str = GROUPED, told: frozenset[str] = frozenset()) -> Reading:
    """The tree of an answer.

    Args:
        text: the answer, LaTeX or plain.
        mode: of digits with commas: see :func:`verifiers.math_tokens.tokens_of`.
        told: the words of the problem, which name what is counted.

    Raises:
        NotUnderstood: it is beyond this reader, in whole or in part.
    """
    if len(text) > MAX_CHARS:
        raise NotUnderstood("a text of that length")
    tokens = tokens_of(text, mode)
    if not tokens:
        raise NotUnderstood("nothing")
    parser = _Parser(tokens, told)
    try:
        node = parser.whole()
    except (RecursionError, OverflowError):
        raise NotUnderstood("something nested so deep") from None
    return Reading(node, parser.is_ambiguous)


class _Parser:
    """Recursive descent over tokens; each method reads as far as its kind of phrase goes."""

    def __init__(self, tokens: list[Token], told: frozenset[str]) -> None:
        self.tokens, self.told = tokens, told
        self.place, self.bars, self.nesting = 0, 0, 0
        self.is_ambiguous = False

    # Looking at tokens

    def peek(self, ahead: int = 0) -> Token | None:
        at = self.place + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def at(self, *kinds: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in kinds

    def at_command(self, *names: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == "command" and token.text in names

    def next(self) -> Token:
        token = self.peek()
        if token is None:
            raise NotUnderstood("an end where something should follow")
        self.place += 1
        return token

    def take(self, kind: str) -> bool:
        if self.at(kind):
            self.place += 1
            return True
        return False

    def want(self, kind: str) -> None:
        if not self.take(kind):
            raise NotUnderstood(f"{kind!r} missing")

    # The whole answer

    def whole(self) -> Node:
        self._lead_in()
        node = self.several()
        while self.at(".", ",", ";", "!"):
            self.place += 1
        if self.peek() is not None:
            self._stuck()
        return node

    def _lead_in(self) -> None:
        """ "Answer:" and "=" before the answer; "about" before a decimal."""
        token = self.peek()
        if token and token.kind in {"text", "word"} and _LEAD_IN.fullmatch(token.text):
            self.place += 1
            self.take(":")
        if self.at("=") or self.at_command("approx", "therefore", "implies", "Rightarrow"):
            self.place += 1

    def _stuck(self) -> None:
        token = self.peek()
        if token is None:
            raise NotUnderstood("an end")
        is_words = token.kind in {"text", "word"}
        raise NotUnderstood(f"{'the words ' if is_words else ''}{token.text!r}", is_words=is_words)

    def several(self) -> Node:
        """Clauses between commas, "and" and "or"."""
        groups, items, words = [], [self.clause()], set()
        while (word := self._separator()) is not None:
            if word == ";":
                groups.append(items)
                items = []
            else:
                words.add(word)
            items.append(self.clause())
        groups.append(items)
        if len(groups) > 1 and any(len(group) > 1 for group in groups):  # x = 1, y = 2; x = 3, y = 4
            return Seq("", tuple(Seq("()", tuple(group)) if len(group) > 1 else group[0] for group in groups))
        return _joined([item for group in groups for item in group], words or {","})

    def _separator(self) -> str | None:
        token = self.peek()
        if token is None:
            return None
        if token.kind in ",;":
            following = self.peek(1)
            if (
                following is None
                or following.kind == "."
                or (following.kind == "command" and following.text == "ldots")
            ):
                return None
            self.place += 1
            return self._conjunction() or token.kind
        return self._conjunction()

    def _conjunction(self) -> str | None:
        token = self.peek()
        if token is None or self.peek(1) is None:
            return None
        words = token.text.strip(" ,").lower() if token.kind in {"text", "word"} else ""
        if words in _WORDS_AND or (token.kind == "command" and token.text in {"land", "wedge"}) or token.kind == "&":
            self.place += 1
            return "and"
        if words in _WORDS_OR or (token.kind == "command" and token.text in {"lor", "vee"}):
            self.place += 1
            return "or"
        return None

    def clause(self) -> Node:
        """A chain of relations, or one thing."""
        self._deeper()
        parts, ops = [self.ratio()], []
        while (op := self._relation()) is not None:
            ops.append(op)
            parts.append(self.ratio())
        node = Relation(tuple(ops), tuple(parts)) if ops else parts[0]
        node = self._modulus(node)
        self.nesting -= 1
        return node

    def _deeper(self) -> None:
        self.nesting += 1
        if self.nesting > _MAX_DEPTH:
            raise NotUnderstood("something nested so deep")

    def _relation(self) -> str | None:
        token = self.peek()
        if token is None or token.kind not in "=<>" and token.kind != "command":
            return None
        op = _RELATIONS.get(token.text)
        if op in {"mid", "to"}:
            return None
        if op is None:
            return None
        self.place += 1
        if op == "=" and self.at_command("approx"):
            self.place += 1
            return "~"
        return op

    def _modulus(self, node: Node) -> Node:
        r""" "\pmod 7", "(mod 7)", "\bmod 7"."""
        if self.at_command("pmod", "bmod", "mod"):
            self.place += 1
            modulus = self.group() if self.at("{") else self.sum()
        elif self.at("(") and (token := self.peek(1)) and token.text in {"mod", "bmod"}:
            self.place += 2
            modulus = self.sum()
            self.want(")")
        else:
            return node
        if isinstance(node, Relation) and node.ops == ("eqv",):
            return Call("congruence", (*node.parts, modulus))
        return Call("mod", (node, modulus))

    def ratio(self) -> Node:
        parts = [self.sets()]
        while self.at(":") or self._at_word("to"):
            self.place += 1
            parts.append(self.sets())
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def _at_word(self, word: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in {"text", "word"} and token.text == word

    def sets(self) -> Node:
        node = self.sum()
        while (token := self.peek()) and token.kind == "command" and token.text in _SETS:
            op = _SETS[token.text]
            self.place += 1
            right = self.sum()
            same = isinstance(node, Sets) and node.op == op and op != "minus"
            node = Sets(op, (*node.items, right)) if same and isinstance(node, Sets) else Sets(op, (node, right))
        return node

    # Terms

    def sum(self) -> Node:
        node = self._signed()
        while True:
            if self.take("+"):
                node = _call("add", node, self._signed_term())
            elif self.take("-"):
                node = _call("add", node, _call("neg", self._signed_term()))
            elif self.at_command(*_PLUS_MINUS):
                node = _call(self.next().text, node, self._signed_term())
            else:
                return node

    def _signed_term(self) -> Node:
        return self._signed() if self.at("+", "-") else self.term()

    def _signed(self) -> Node:
        if self.take("-"):
            return _call("neg", self._signed())
        if self.take("+"):
            return self._signed()
        if self.at_command(*_PLUS_MINUS):
            return Call(self.next().text, (Num(Fraction(0)), self.term()))
        token = self.peek()
        if token and token.kind in {"text", "word"} and token.text.lower() in {"negative", "minus"}:
            self.place += 1
            return _call("neg", self.term())
        return self.term()

    def term(self) -> Node:
        money = self.next().text if self.at("currency") else None
        if money and self.take("-"):
            return _call("neg", self._with_money(self.product(), money))
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
        if whole is None or top is None or not _is_whole(whole):
            return None
        if _is_whole(top) and top.spaced and slash and slash.kind == "/" and bottom and _is_whole(bottom):
            follows = self.peek(4)
            if follows is not None and follows.kind in {"^", "!", "letter", "number"} or not bottom.value:
                return None
            self.place += 4
            return Num(_value(whole) + _value(top) / _value(bottom))
        if top.kind == "command" and top.text in {"frac", "dfrac", "tfrac", "cfrac"}:
            begun = self.place
            self.place += 1
            node = self.power()
            if _is_plain_fraction(node) and not self.at("^", "!"):
                value = _value(whole) + _fraction(node)
                if self.at("(", "letter", "command") and not self._at_unit():
                    self.place = begun
                    return None
                return Num(value)
            self.place = begun
        return None

    def product(self) -> Node:
        node, had_slash = self._scaled(self.power()), False
        while True:
            token = self.peek()
            if token is None:
                return node
            if token.kind == "*" or (token.kind == "command" and token.text in {"cdot", "times", "ast"}):
                self.place += 1
                node = _call("mul", node, self._factor())
            elif token.kind == "/" or (token.kind == "command" and token.text == "div"):
                if self._is_unit_after_slash():
                    return node
                self.place += 1
                node, had_slash = _call("div", node, self._factor()), True
            elif self._begins_factor(token):
                if had_slash:
                    self.is_ambiguous = True
                if _is_number(token) and isinstance(node, Num):
                    raise NotUnderstood(SIDE_BY_SIDE)
                if token.kind == "number" and self.tokens[self.place - 1].kind == "letter" and not token.spaced:
                    raise NotUnderstood("a number behind a letter")
                node = _call("mul", node, self.power())
            else:
                return node

    def _factor(self) -> Node:
        if self.take("-"):
            return _call("neg", self._factor())
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
            return token.text not in _SMALL_WORDS and not self._at_unit()
        return token.kind == "command" and (
            token.text in _GREEK | _STARTS or token.text in FUNCTIONS or token.text in {"pi", "infty", "sum", "prod"}
        )

    # Numbers with scales and units

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
        """Whether a plain word or letter behind a number is a unit: 5 cm, 5 m. Of one letter only a blank makes it one."""
        token = self.peek()
        before = self.tokens[self.place - 1] if self.place else None
        if token is None or before is None or before.kind not in {"number", "}", ")", "command", "%"}:
            return False
        if token.kind == "word":
            return self._words_unit() is not None
        return False

    def _words_unit(self) -> tuple[str, int] | None:
        """The unit that plain words make up, and of how many tokens."""
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

    def _with_unit(self, node: Node) -> Node:
        if isinstance(node, Quantity):
            return node
        if self.take("%"):
            return self._with_unit_of_percent(_call("percent", node))
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
                return self._percent_or_quantity(node, found[0] + self._unit_power())
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
        return token.text.strip(" ,").lower() in _WORDS_AND | _WORDS_OR

    def _with_text_unit(self, node: Node, token: Token) -> Node:
        if self._is_conjunction(token) or token.text == "to":
            return node
        bare = token.text.strip(" ()")
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
        return self._percent_or_quantity(node, unit)

    def _percent_or_quantity(self, node: Node, unit: str) -> Node:
        return _call("percent", node) if unit == "percent" else Quantity(node, unit)

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

    # Powers and what stands alone

    def power(self) -> Node:
        node = self._postfixed(self.atom())
        while self.at("^"):
            self.place += 1
            if self.at_command("circ", "degree"):
                self.place += 1
                node = _call("deg", node)
            elif self._is_degree_group():
                self.place += 3
                node = _call("deg", node)
            else:
                node = self._postfixed(_call("pow", node, self.exponent()))
            if isinstance(node, Call) and node.name == "deg":
                self._celsius()
        if self.at_command("degree"):
            self.place += 1
            node = _call("deg", node)
        return node

    def _celsius(self) -> None:
        token = self.peek()
        if token and token.kind in {"letter", "text", "dressed"} and token.text in {"C", "F"}:
            raise NotUnderstood("degrees of temperature")

    def _is_degree_group(self) -> bool:
        inner, close = self.peek(1), self.peek(2)
        return (
            self.at("{")
            and inner is not None
            and inner.text in {"circ", "degree"}
            and close is not None
            and close.kind == "}"
        )

    def exponent(self) -> Node:
        if self.at("{"):
            return self.group()
        if self.take("-"):
            return _call("neg", self.exponent())
        if self.at("("):
            return self.atom()
        token = self.peek()
        if token and token.text in {"prime", "T", "top", "dagger", "*", "'"}:
            raise NotUnderstood("a mark on a letter")
        return self._postfixed(self.atom())

    def _postfixed(self, node: Node) -> Node:
        while self.at("!"):
            self.place += 1
            double = self.at("!") and not (following := self.peek()) is None and not following.spaced
            if double:
                self.place += 1
            if self.at("!"):
                raise NotUnderstood("so many factorials")
            node = _call("fac2" if double else "fac", node)
        if self.at("'"):
            raise NotUnderstood("a mark on a letter")
        return node

    def group(self) -> Node:
        """What stands in TeX's braces: one thing."""
        self.want("{")
        self._deeper()
        node = self.several()
        self.want("}")
        self.nesting -= 1
        return node  # TeX's braces are not seen: {1, 3} is the list 1, 3

    def atom(self) -> Node:
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
        """A number, with its base: 221_3."""
        node = Num(_value(token), token.places)
        if not self.at("_"):
            return node
        self.place += 1
        base = self.exponent()
        if not isinstance(base, Num) or base.value.denominator != 1 or not 2 <= base.value <= 36 or token.places:
            raise NotUnderstood("an index of a number")
        return Quantity(node, f"base {base.value}")

    def _choose(self) -> Node | None:
        """{n \\choose k}"""
        begun, self.place = self.place, self.place + 1
        try:
            top = self.sum()
            if self.at_command("choose"):
                self.place += 1
                bottom = self.sum()
                self.want("}")
                return _call("binom", top, bottom)
        except NotUnderstood:
            pass
        self.place = begun
        return None

    def _letter(self, token: Token) -> Node:
        if token.upright:
            return E if token.text == "e" else I
        name = token.text
        following = self.peek()
        if name in _NO_FUNCTION_NAMES and following and following.kind in {"(", "^"}:
            return self._function_of(name)
        if following and following.kind == "(" and not following.spaced and self._is_named_value():
            return self._function_of(name)
        if name == "C" and following and following.kind in {"_", "("}:
            return self._combinations()
        node: Node = Name(name)
        if self.at("'"):
            raise NotUnderstood("a mark on a letter")
        node = self._indexed(node)
        if node == Name("e"):
            return E
        return I if node == Name("i") else node

    def _is_named_value(self) -> bool:
        """Whether a bracket behind a letter is followed by =, as in P(x) = x + 1."""
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
            exponent = self.exponent()
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
                return _call("binom", below, above)
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

    def _word(self, token: Token) -> Node:
        """Letters without a blank: a function, a constant, Greek, or a product of letters."""
        text = token.text
        for name in (text, text.lower() if text[0].isupper() and text[1:].islower() else text):
            if name in FUNCTIONS:
                return self._applied(FUNCTIONS[name], is_plain=True)
        if text in {"pi", "Pi"}:
            return PI
        if text in {"inf", "infty", "infinity", "oo", "Infinity"}:
            return INFINITY
        if text in _GREEK:
            return self._indexed(Name(f"\\{text}"))
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
        if text in _SMALL_WORDS or is_change(text) or not _is_product(text):
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
        while (token := self.peek()) and (token.kind == "word" or token.kind == "-"):
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
        if text.lower() in {"infinity", "inf"}:
            return INFINITY
        raise NotUnderstood(f"the words {token.text!r}", is_words=True)

    def _command(self, token: Token) -> Node:  # noqa: C901, PLR0911, PLR0912 - a table of commands
        name = token.text
        if name in {"frac", "dfrac", "tfrac", "cfrac"}:
            return self._fraction()
        if name in {"sqrt", "cbrt"}:
            return self._root(name)
        if name in {"binom", "dbinom", "tbinom"}:
            return _call("binom", self._argument(), self._argument())
        if name == "pi":
            return PI
        if name == "infty":
            return INFINITY
        if name in FUNCTIONS:
            return self._applied(FUNCTIONS[name], is_plain=False)
        if name in _GREEK:
            return self._indexed(Name("∅" if name in {"emptyset", "varnothing"} else f"\\{name}"))
        if name in {"lfloor", "lceil"}:
            inner = self.sum()
            if not self.at_command("r" + name[1:]):
                raise NotUnderstood("a bracket that is never closed")
            self.place += 1
            return _call(name[1:], inner)
        if name in {"lvert", "vert"}:
            return self._absolute("rvert" if name == "lvert" else "vert")
        if name == "langle":
            return self._angle("langle", "rangle")
        if name in {"sum", "prod"}:
            return self._big(name)
        if name in {"overline", "bar"}:
            return self._over()
        if name == "begin":
            return self._environment()
        raise NotUnderstood(f"\\{name}")

    def _argument(self) -> Node:
        """What a command of TeX takes: a group or one sign."""
        if self.at("{"):
            return self.group()
        token = self.next()
        if token.kind == "number" and token.text.isdigit() and len(token.text) > 1:
            self.place -= 1
            first, rest = token.text[0], token.text[1:]
            self.tokens[self.place] = token._replace(text=rest, value=Fraction(int(rest)), spaced=False)
            return Num(Fraction(int(first)))
        if token.kind == "number":
            return Num(_value(token), token.places)
        if token.kind == "letter":
            return E if token.text == "e" else I if token.text == "i" else Name(token.text)
        if token.kind == "word":
            self.place -= 1
            self.tokens[self.place] = token._replace(
                text=token.text[1:], kind="word" if len(token.text) > 2 else "letter", spaced=False
            )
            first = token.text[0]
            return E if first == "e" else I if first == "i" else Name(first)
        if token.kind == "command":
            return self._command(token)
        raise NotUnderstood(f"\\frac of {token.text!r}")

    def _fraction(self) -> Node:
        begun = self.place
        derivative = self._derivative()
        if derivative is not None:
            return derivative
        self.place = begun
        top, bottom = self._argument(), self._argument()
        return _call("div", top, bottom)

    def _derivative(self) -> Node | None:
        """dy/dx is one thing by its name."""
        texts = [token.text for token in self.tokens[self.place : self.place + 12]]
        found = re.match(
            r"\{ (?:d|partial)(?: \^ (?:\{ )?(\d)(?: \})?)? ?(\S*) ?\} \{ (?:d|partial) ?(\S+)(?: \^ (?:\{ )?(\d)(?: \})?)? \}",
            " ".join(texts),
        )
        glued = re.match(r"\{ d(\S) \} \{ d(\S) \}", " ".join(texts))
        match = glued or found
        if match is None:
            return None
        self.place += len(match.group().split())
        return Name("derivative " + match.group())

    def _root(self, name: str) -> Node:
        if name == "cbrt":
            return _call("root", self._argument() if self.at("{") else self.atom(), Num(Fraction(3)))
        degree: Node = Num(Fraction(2))
        if self.take("["):
            degree = self.sum()
            self.want("]")
        token = self.peek()
        if token and token.kind == "number":
            self.place += 1
            return _call("root", Num(_value(token), token.places), degree)
        if self.at("("):
            return _call("root", self._bracketed(), degree)
        return _call("root", self._argument(), degree)

    def _applied(self, name: str, *, is_plain: bool) -> Node:
        """A function and its argument: in brackets, or the product behind it."""
        if name in {"sqrt", "cbrt"} and is_plain:
            degree = Num(Fraction(2 if name == "sqrt" else 3))
            return _call("root", self._in_brackets()[0], degree)
        base: Node | None = None
        exponent: Node | None = None
        for _ in range(2):
            if self.take("_"):
                base = self.exponent()
            elif self.at("^") and not self._is_degree_group():
                self.place += 1
                exponent = self.exponent()
        if name in {"lg"}:
            name, base = "log", Num(Fraction(10))
        args = self._arguments(name)
        if name == "log":
            return self._logarithm(args, base, exponent)
        if base is not None:
            raise NotUnderstood(f"an index of {name}")
        if name not in _OF_SEVERAL and len(args) != 1:
            raise NotUnderstood(f"{name} of several")
        if name == "exp":
            node: Node = _call("pow", E, args[0])
        else:
            node = Call(name, args)
        if exponent == Num(Fraction(-1)):
            if name not in _ODD:
                raise NotUnderstood(f"an inverse of {name}")
            return Call(_ODD[name], args)
        return node if exponent is None else _call("pow", node, exponent)

    def _logarithm(self, args: tuple[Node, ...], base: Node | None, exponent: Node | None) -> Node:
        if len(args) != 1:
            raise NotUnderstood("a logarithm of several")
        node: Node = Call("ln", args) if base is None else Call("log", (args[0], base))
        if base is None:
            self.is_ambiguous = True
            node = Call("log", args)
        return node if exponent is None else _call("pow", node, exponent)

    def _arguments(self, name: str) -> tuple[Node, ...]:
        token = self.peek()
        if token is None:
            raise NotUnderstood(f"{name} of nothing")
        if token.kind in {"(", "[", "{"} or (token.kind == "\\{"):
            inner = self._bracketed() if token.kind != "{" else self.group()
            args = inner.items if isinstance(inner, Seq) and name in _OF_SEVERAL else (inner,)
            if self.at("^") and token.kind != "{":  # \sin(x)^2: of which is the square?
                self.is_ambiguous = True
            if any(isinstance(arg, (Seq, Relation, Logic)) for arg in args):
                raise NotUnderstood(f"{name} of several")
            return args
        return (self._juxtaposed(),)

    def _juxtaposed(self) -> Node:
        """The 2x of \\sin 2x: factors up to the next sign, function or operation."""
        if self.take("-"):
            return _call("neg", self._juxtaposed())
        node = self._mixed() or self.power()
        while (token := self.peek()) and self._begins_factor(token):
            is_function = (
                token.kind == "command" and token.text in FUNCTIONS or token.kind == "word" and token.text in FUNCTIONS
            )
            if is_function or token.kind in {"(", "[", "|"}:
                if token.kind in {"(", "["}:
                    self.is_ambiguous = True
                break
            node = _call("mul", node, self.power())
        if self.at("/"):
            self.is_ambiguous = True
        return node

    def _in_brackets(self) -> tuple[Node, ...]:
        if self.at("{"):
            return (self.group(),)
        if not self.at("("):
            return (self.power(),)
        inner = self._bracketed()
        return inner.items if isinstance(inner, Seq) else (inner,)

    def _over(self) -> Node:
        begun = self.place
        if self.at("{"):
            end = next(
                (at for at in range(self.place, len(self.tokens)) if self.tokens[at].kind == "}"), len(self.tokens)
            )
            inside = self.tokens[self.place + 1 : end]
            if not any(token.text == "i" for token in inside):
                self.place = end + 1
                return Name("over " + " ".join(token.text for token in inside))
        self.place = begun
        inner = self._argument()
        return _call("conj", inner) if inner.__class__ is not Name else Name(f"over {inner.name}")  # type: ignore[union-attr]

    def _big(self, name: str) -> Node:
        """A sum or product with bounds."""
        variable: str | None = None
        low = high = None
        for _ in range(2):
            if self.take("_"):
                inner = self.exponent()
                if not (isinstance(inner, Relation) and inner.ops == ("=",) and isinstance(inner.parts[0], (Name,))):
                    raise NotUnderstood(f"bounds of a {name}")
                variable, low = inner.parts[0].name, inner.parts[1]
            elif self.take("^"):
                high = self.exponent()
        if variable is None or low is None or high is None:
            raise NotUnderstood(f"bounds of a {name}")
        body = self.product()
        return Call(name, (Name(variable), low, high, body))

    # Brackets

    def _bracketed(self) -> Node:
        opening = self.next().kind
        self._deeper()
        bars, self.bars = self.bars, 0
        if opening == "\\{" and self.take("\\}"):
            node: Node = Name("∅")
        elif opening == "\\{" and self._is_set_builder():
            letter = Name(self.next().text)
            self.place += 1
            node = Seq("{|}", (letter, self.several()))
            self.want("\\}")
        else:
            inner = self.several()
            node = self._closed(opening, inner)
        self.bars = bars
        self.nesting -= 1
        return node

    def _is_set_builder(self) -> bool:
        letter, bar = self.peek(), self.peek(1)
        return letter is not None and letter.kind == "letter" and bar is not None and bar.text in {"|", ":", "mid"}

    def _closed(self, opening: str, inner: Node) -> Node:
        if opening == "\\{":
            if (self.at_command("mid") or self.at("|") or self.at(":")) and isinstance(
                inner, (Name, Relation, Seq, Ratio)
            ):
                self.place += 1
                condition = self.several()
                self.want("\\}")
                return Seq("{|}", (inner, condition))
            self.want("\\}")
            return Seq("{}", inner.items if isinstance(inner, Seq) and not inner.brackets else (inner,))
        closing = self.next().kind
        if closing not in {")", "]"}:
            raise NotUnderstood("a bracket that is never closed")
        if isinstance(inner, Seq) and not inner.brackets:
            return Seq(opening + closing, inner.items)
        if isinstance(inner, Logic) and inner.word == "," and closing == _CLOSING[opening]:
            return Seq(opening + closing, inner.items)
        if closing != _CLOSING[opening]:
            raise NotUnderstood("brackets of two kinds around one thing")
        return inner

    def _absolute(self, closing: str) -> Node:
        if closing == "|":
            self.want("|")
        bars, self.bars = self.bars, 1
        inner = self.sum()
        self.bars = bars
        if closing == "|":
            self.want("|")
        elif self.at_command(closing):
            self.place += 1
        else:
            raise NotUnderstood("a bar that is never closed")
        return _call("abs", inner)

    def _angle(self, opening: str, closing: str) -> Node:
        if opening == "<":
            self.want("<")
        inner = self.several_between_angles(closing)
        return Seq("<>", inner)

    def several_between_angles(self, closing: str) -> tuple[Node, ...]:
        items = [self.sum()]
        while self.take(","):
            items.append(self.sum())
        if closing == ">":
            self.want(">")
        elif self.at_command(closing):
            self.place += 1
        else:
            raise NotUnderstood("an angle that is never closed")
        if len(items) < 2:
            raise NotUnderstood("one thing between angles")
        return tuple(items)

    def _environment(self) -> Node:
        """A matrix or a vector."""
        name = self._braced_word()
        if name not in _MATRICES:
            raise NotUnderstood(f"an environment {name}")
        if name == "array":
            self._braced_word()
        rows: list[tuple[Node, ...]] = []
        cells: list[Node] = [self.sum()]
        while not self.at_command("end"):
            if self.take("&"):
                cells.append(self.sum())
            elif self.take("row"):
                if not self.at_command("end"):
                    rows.append(tuple(cells))
                    cells = [self.sum()]
            else:
                self._stuck()
        self.place += 1
        self._braced_word()
        rows.append(tuple(cells))
        if len({len(row) for row in rows}) > 1:
            raise NotUnderstood("rows of different length")
        return Grid(tuple(rows))

    def _braced_word(self) -> str:
        self.want("{")
        words = []
        while not self.take("}"):
            words.append(self.next().text)
        return "".join(words)


_MATRICES: Final = frozenset("matrix pmatrix bmatrix Bmatrix smallmatrix array".split())
_STARTS: Final = frozenset(
    """frac dfrac tfrac cfrac sqrt cbrt binom dbinom tbinom lfloor lceil lvert overline bar langle""".split()
)


def _joined(items: list[Node], words: set[str]) -> Node:
    if len(items) == 1:
        return items[0]
    are_inequalities = all(isinstance(item, Relation) and set(item.ops) - {"=", "~", "in"} for item in items)
    if are_inequalities or (
        any(isinstance(item, (Relation, Sets)) for item in items)
        and words == {"or"}
        and not all(_is_equation(item) for item in items)
    ):
        word = "or" if words == {"or"} else "and" if words == {"and"} else ","
        return Logic(word, tuple(items))
    return Seq("", tuple(items))


def _is_equation(node: Node) -> bool:
    return isinstance(node, Relation) and set(node.ops) <= {"=", "~"}


def _is_product(text: str) -> bool:
    """Whether letters without a blank are a product: few, or in order; else they are a word."""
    return len(text) <= 3 or (len(set(text)) == len(text) and list(text) == sorted(text)) or text.isupper()


def _call(name: str, *args: Node) -> Node:
    if any(isinstance(arg, (Seq, Relation, Logic, Sets, Grid, Ratio)) for arg in args):
        raise NotUnderstood("something around a list")
    if any(isinstance(arg, Quantity) for arg in args) and name != "neg":
        raise NotUnderstood("arithmetic with units")
    if name == "neg":
        (arg,) = args
        if isinstance(arg, Num):
            return Num(-arg.value, arg.places)
        if isinstance(arg, Quantity):
            return Quantity(_call("neg", arg.value), arg.unit)
        if isinstance(arg, Call) and arg.name == "percent":
            return _call("percent", _call("neg", arg.args[0]))
    return Call(name, args)


def _is_whole(token: Token) -> bool:
    return token.kind == "number" and token.places is None and token.text.replace(",", "").isdigit()


def _is_number(token: Token) -> bool:
    return token.kind == "number"


def _value(token: Token) -> Fraction:
    if token.value is None:
        raise NotUnderstood("a number without a value")
    return token.value


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
