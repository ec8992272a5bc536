r"""An answer as a tree: the strict reader of LaTeX and plain-text mathematics.

What it cannot read for certain raises :class:`verifiers.maths.reading.tokens.NotUnderstood`; nothing is guessed, and
nothing is left out. What can be read in two ways (1/2x) is marked, so that a difference is no wrong answer. Standard
library only.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from verifiers.maths.reading.terms import WORDS_AND, WORDS_OR, Terms
from verifiers.maths.reading.tokens import GROUPED, NotUnderstood, tokens_of
from verifiers.maths.reading.tree import Call, Logic, Node, Ratio, Relation, Seq, Sets

MAX_CHARS: Final = 2_000
_RELATIONS: Final = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "approx": "~", "simeq": "~", "sim": "~", "doteq": "~", "in": "in",
    "equiv": "eqv", "mid": "mid", "to": "to",
}  # fmt: skip
_SETS: Final = {"cup": "cup", "bigcup": "cup", "cap": "cap", "setminus": "minus", "backslash": "minus"}
_LEAD_IN: Final = re.compile(r"(?:the )?(?:final )?answer(?: is)?[:.]?", re.IGNORECASE)


class Reading(NamedTuple):
    """An answer as it was read.

    Attributes:
        is_ambiguous: it may be read otherwise, so that a difference says nothing.
    """

    node: Node
    is_ambiguous: bool


def read(text: str, mode: str = GROUPED, told: frozenset[str] = frozenset()) -> Reading:
    """Return the tree of an answer.

    Args:
        text: the answer, LaTeX or plain.
        mode: of digits with commas: see :func:`verifiers.maths.reading.tokens.tokens_of`.
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


class _Parser(Terms):
    """The whole answer; each method reads as far as its kind of phrase goes."""

    def whole(self) -> Node:
        self._lead_in()
        node = self.several()
        while self.at(".", ",", ";", "!"):
            self.place += 1
        if self.peek() is not None:
            self._stuck()
        return node

    def _lead_in(self) -> None:
        """Skips "Answer:" and "=" before the answer; "about" before a decimal."""
        token = self.peek()
        if token and token.kind in {"text", "word"} and _LEAD_IN.fullmatch(token.text):
            self.place += 1
            self.take(":")
        if self.at("=") or self.at_command("approx", "therefore", "implies", "Rightarrow"):
            self.place += 1

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
        if words in WORDS_AND or (token.kind == "command" and token.text in {"land", "wedge"}) or token.kind == "&":
            self.place += 1
            return "and"
        if words in WORDS_OR or (token.kind == "command" and token.text in {"lor", "vee"}):
            self.place += 1
            return "or"
        return None

    def clause(self) -> Node:
        """Return a chain of relations, or one thing."""
        self._deeper()
        parts, ops = [self.ratio()], []
        while (op := self._relation()) is not None:
            ops.append(op)
            parts.append(self.ratio())
        node = Relation(tuple(ops), tuple(parts)) if ops else parts[0]
        node = self._modulus(node)
        self.nesting -= 1
        return node

    def _relation(self) -> str | None:
        token = self.peek()
        if token is None or (token.kind not in "=<>" and token.kind != "command"):
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
        r"""With the divisor that follows: "\pmod 7", "(mod 7)", "\bmod 7"."""
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

    def sets(self) -> Node:
        node = self.sum()
        while (token := self.peek()) and token.kind == "command" and token.text in _SETS:
            op = _SETS[token.text]
            self.place += 1
            right = self.sum()
            same = isinstance(node, Sets) and node.op == op and op != "minus"
            node = Sets(op, (*node.items, right)) if same and isinstance(node, Sets) else Sets(op, (node, right))
        return node


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
