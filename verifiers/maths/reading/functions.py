"""Commands, functions and brackets: the part of the strict reader that knows LaTeX by name."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from verifiers.maths.reading.cursor import Cursor, call, value_of
from verifiers.maths.reading.tokens import NotUnderstood, Token
from verifiers.maths.reading.tree import (
    IMAGINARY,
    INFINITY,
    PI,
    Call,
    E,
    Grid,
    Logic,
    Name,
    Node,
    Num,
    Ratio,
    Relation,
    Seq,
)

_FUNCTIONS_TEXT: Final = """
sin cos tan cot sec csc sinh cosh tanh exp ln log lg max min gcd lcm arg abs sqrt cbrt
"""
FUNCTIONS: Final = {
    **{name: name for name in _FUNCTIONS_TEXT.split()},
    **{f"arc{name}": f"arc{name}" for name in ["sin", "cos", "tan", "cot", "sec", "csc"]},
    **{f"a{name}": f"arc{name}" for name in ["sin", "cos", "tan"]},
    "tg": "tan", "ctg": "cot", "cotg": "cot", "arctg": "arctan", "arcctg": "arccot", "cosec": "csc",
    "sgn": "sign", "sign": "sign",
    "sh": "sinh", "ch": "cosh", "Re": "re", "Im": "im", "floor": "floor", "ceil": "ceil", "binom": "binom",
    "mcd": "gcd", "GCD": "gcd", "LCM": "lcm", "root": "root",
}  # fmt: skip
_ODD: Final = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc"}
_OF_SEVERAL: Final = frozenset(["max", "min", "gcd", "lcm", "binom", "log", "root"])
_GREEK_TEXT: Final = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau
upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar aleph Re Im
emptyset varnothing
"""
GREEK: Final = frozenset(
    _GREEK_TEXT.split()
)  # fmt: skip
_MATRICES: Final = frozenset(["matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"])
STARTS: Final = frozenset(
    [
        "frac",
        "dfrac",
        "tfrac",
        "cfrac",
        "sqrt",
        "cbrt",
        "binom",
        "dbinom",
        "tbinom",
        "lfloor",
        "lceil",
        "lvert",
        "overline",
        "bar",
        "langle",
    ]
)
_CLOSING: Final = {"(": ")", "[": "]"}


class Functions(Cursor):
    """What begins with a command, a function or a bracket."""

    def _command(self, token: Token) -> Node:  # noqa: C901, PLR0911, PLR0912 - a table of commands
        name = token.text
        if name in {"frac", "dfrac", "tfrac", "cfrac"}:
            return self._fraction()
        if name in {"sqrt", "cbrt"}:
            return self._root(name)
        if name in {"binom", "dbinom", "tbinom"}:
            return call("binom", self._argument(), self._argument())
        if name == "pi":
            return PI
        if name == "infty":
            return INFINITY
        if name in FUNCTIONS:
            return self._applied(FUNCTIONS[name], is_plain=False)
        if name in GREEK:
            return self._greek(name)
        if name in {"lfloor", "lceil"}:
            inner = self.sum()
            if not self.at_command("r" + name[1:]):
                raise NotUnderstood("a bracket that is never closed")
            self.place += 1
            return call(name[1:], inner)
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

    def _greek(self, name: str) -> Node:
        """Return a Greek letter, of whatever cut; before a number in brackets it may be a function."""
        if name in {"emptyset", "varnothing"}:
            return Name("∅")
        self.is_ambiguous |= self._is_of_numbers()
        return self._indexed(Name(f"\\{name.removeprefix('var')}"))

    def _is_of_numbers(self) -> bool:
        r"""Tell whether a bracket with numbers alone follows at once, as in \varphi(12)."""
        ahead = 1
        token = self.peek()
        if token is None or token.kind != "(" or token.spaced:
            return False
        while (inner := self.peek(ahead)) is not None and inner.kind in {"number", ",", "-"}:
            ahead += 1
        return ahead > 1 and inner is not None and inner.kind == ")"

    def _argument(self) -> Node:
        """Return what a command of TeX takes: a group or one sign."""
        if self.at("{"):
            return self.group()
        token = self.next()
        if token.kind == "number" and token.text.isdigit() and len(token.text) > 1:
            self.place -= 1
            first, rest = token.text[0], token.text[1:]
            self.tokens[self.place] = token._replace(text=rest, value=Fraction(int(rest)), spaced=False)
            return Num(Fraction(int(first)))
        if token.kind == "number":
            return Num(value_of(token), token.places)
        if token.kind == "letter":
            return E if token.text == "e" else IMAGINARY if token.text == "i" else Name(token.text)
        if token.kind == "word":
            self.place -= 1
            self.tokens[self.place] = token._replace(
                text=token.text[1:], kind="word" if len(token.text) > 2 else "letter", spaced=False
            )
            first = token.text[0]
            return E if first == "e" else IMAGINARY if first == "i" else Name(first)
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
        return call("div", top, bottom)

    def _derivative(self) -> Node | None:
        """dy/dx is one thing by its name."""
        texts = [token.text for token in self.tokens[self.place : self.place + 12]]
        found = re.match(
            r"\{ (?:d|partial)(?: \^ (?:\{ )?(\d)(?: \})?)? ?(\S*) ?\} "
            r"\{ (?:d|partial) ?(\S+)(?: \^ (?:\{ )?(\d)(?: \})?)? \}",
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
            return call("root", self._argument() if self.at("{") else self.atom(), Num(Fraction(3)))
        degree: Node = Num(Fraction(2))
        if self.take("["):
            degree = self.sum()
            self.want("]")
        token = self.peek()
        if token and token.kind == "number":
            self.place += 1
            return call("root", Num(value_of(token), token.places), degree)
        if self.at("("):
            return call("root", self._bracketed(), degree)
        return call("root", self._argument(), degree)

    def _applied(self, name: str, *, is_plain: bool) -> Node:  # noqa: C901 - one case a line
        """Return a function and its argument: in brackets, or the product behind it."""
        if name in {"sqrt", "cbrt"} and is_plain:
            degree = Num(Fraction(2 if name == "sqrt" else 3))
            return call("root", self._in_brackets()[0], degree)
        base: Node | None = None
        exponent: Node | None = None
        for _ in range(2):
            if self.take("_"):
                base = self.exponent()
            elif self.at("^") and not self._is_degree_group():
                self.place += 1
                exponent = self.exponent()
        if name == "lg":
            name, base = "log", Num(Fraction(10))
        args = self._arguments(name)
        if name == "log":
            return self._logarithm(args, base, exponent)
        if base is not None:
            raise NotUnderstood(f"an index of {name}")
        if name not in _OF_SEVERAL and len(args) != 1:
            raise NotUnderstood(f"{name} of several")
        if name == "exp":
            node: Node = call("pow", E, args[0])
        else:
            node = Call(name, args)
        if exponent == Num(Fraction(-1)):
            if name not in _ODD:
                raise NotUnderstood(f"an inverse of {name}")
            return Call(_ODD[name], args)
        return node if exponent is None else call("pow", node, exponent)

    def _logarithm(self, args: tuple[Node, ...], base: Node | None, exponent: Node | None) -> Node:
        if len(args) != 1:
            raise NotUnderstood("a logarithm of several")
        node: Node = Call("ln", args) if base is None else Call("log", (args[0], base))
        if base is None:
            node = Call("log", args)
        return node if exponent is None else call("pow", node, exponent)

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
        """Return of sin 2x the 2x: factors up to the next sign, function or operation."""
        if self.take("-"):
            return call("neg", self._juxtaposed())
        node = self._mixed() or self.power()
        while (token := self.peek()) and self._begins_factor(token):
            is_function = (token.kind == "command" and token.text in FUNCTIONS) or (
                token.kind == "word" and token.text in FUNCTIONS
            )
            if is_function or token.kind in {"(", "[", "|"}:
                if token.kind in {"(", "["}:
                    self.is_ambiguous = True
                break
            node = call("mul", node, self.power())
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
        if isinstance(inner, Num):
            return Name(f"over {inner.value}")
        return call("conj", inner) if inner.__class__ is not Name else Name(f"over {inner.name}")

    def _big(self, name: str) -> Node:
        """Return a sum or product with bounds."""
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
        return call("abs", inner)

    def _angle(self, opening: str, closing: str) -> Node:
        if opening == "<":
            self.want("<")
        inner = self._between_angles(closing)
        return Seq("<>", inner)

    def _between_angles(self, closing: str) -> tuple[Node, ...]:
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
        """Return a matrix or a vector."""
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
