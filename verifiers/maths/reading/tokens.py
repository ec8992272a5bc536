r"""An answer as tokens: numbers as they are grouped, commands, letters, words; what only sets text is left out.

Strict: what cannot be told raises :class:`NotUnderstood`, with what it was. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Final, NamedTuple

from tracemill.text.boxes import closing_brace
from verifiers.maths.reading.units import unit_of


class NotUnderstood(Exception):  # noqa: N818 - a finding, not an error
    """What in a text is beyond this reader.

    Attributes:
        is_words: it is words beside mathematics, which say something that nobody here understands.
    """

    def __init__(self, what: str, *, is_words: bool = False) -> None:
        super().__init__(what)
        self.is_words = is_words


SIDE_BY_SIDE: Final = "two numbers side by side"


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: number, letter, word, text, command, or the sign itself.
        text: as written, without the backslash.
        spaced: whether a blank stands before it.
        value: of a number.
        places: of a number with a point: digits behind it.
        upright: of a letter set upright: e and i are the constants then.
    """

    kind: str
    text: str
    spaced: bool = False
    value: Fraction | None = None
    places: int | None = None
    upright: bool = False


# How commas and points between digits are read.
GROUPED, LISTED, DECIMAL_COMMA, EUROPEAN, INDIAN = "grouped", "listed", "decimal comma", "european", "indian"

_SIGNS: Final = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "﹣": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ",
        "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
        "≡": r"\equiv ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ",
        "°": r"^\circ ", "º": r"^\circ ", "′": "'", "’": "'", "″": "''", "…": r"\ldots ", "√": r"\sqrt ",
        "∛": r"\cbrt ",
        "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ",
        "⋃": r"\cup ", "∨": r"\lor ", "∧": r"\land ", "∑": r"\sum ", "∏": r"\prod ", "ℝ": r"\mathbb{R}",
        "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "θ": r"\theta ",
        "λ": r"\lambda ", "μ": r"\mu ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\varphi ",
        "ϕ": r"\phi ", "ω": r"\omega ", "Δ": r"\Delta ", "Σ": r"\Sigma ", "Ω": r"\Omega ", "ℎ": "h",
        "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
        "⅕": r"\frac{1}{5}", "⅛": r"\frac{1}{8}", "\u00a0": " ", "\u202f": r"\,", "\u2009": r"\,", "\u3000": " ",
        "、": ", ", "，": ", ", "；": "; ", "：": ":", "（": "(", "）": ")", "％": "%", "〈": r"\langle ",
        "〉": r"\rangle ",
        "\u200b": "", "\ufeff": "",
    }
)  # fmt: skip
_RAISED: Final = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ", "0123456789-n", strict=True))
_RAISED_RUN: Final = re.compile(f"[{''.join(_RAISED)}]+")
_LOWERED_RUN: Final = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SILENT: Final = re.compile(
    r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?|\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits"
    r"|big|bigg|bf|rm|it)(?![a-zA-Z])|\\phantom\s*\{[^{}]*\}|\\(?:hspace|vspace)\*?\s*\{[^{}]*\}|\\(?:null|strut|relax)\b"
    r"|\\(?:blacksquare|square|qed|Box)(?![a-zA-Z])\s*$"
)
_BLANK: Final = re.compile(r"(?:\s|\\[,;:> ]|\\!|\\q?quad(?![a-zA-Z])|~|\\\\(?=\s*$)|\\$)+")
_DIGITS: Final = r"\d+(?:\.\d+)?|\.\d+"
_GROUPS: Final = (
    r"(?:\{,\s*\}|,\s*\\!|\\!|\\,|'|,(?:\\,|\s)(?=0))"  # a blank behind a comma makes a list, but of 1, 000
)
_NUMBER: Final = re.compile(
    rf"(?P<hex>0[xXbo][0-9A-Fa-f]+)"
    rf"|(?P<repeat>(?P<before>\d*\.\d*?)(?:\\(?:overline|bar|dot|overset\{{\.\}})\s*(?P<brace>\{{)?(?P<block>\d+)(?(brace)\}})|\((?P<round>\d+)\))"
    rf"(?:(?P<mid>\d*)\\dot\s*\{{?(?P<last>\d)\}}?)?)"
    rf"|(?P<ellipsis>\d*\.\d+)\s*(?:\\[lcd]?dots[cb]?(?![a-zA-Z])|\.\.\.+)"
    rf"|(?P<strict>\d{{1,3}}(?:{_GROUPS}\s?\d{{3}})+(?!\d)(?:\.\d+)?)"
    rf"|(?P<spaced>\d{{1,3}}(?: \d{{3}})+(?![\d/])(?:\.\d+)?(?!\s*\\frac))"
    rf"|(?P<commas>\d+(?:[.,]\d+)+)"
    rf"|(?P<plain>{_DIGITS}|\d+\.(?!\d))"
)
_EXPONENT: Final = re.compile(r"[eE]([+-]?\d+)(?![\d.a-zA-Z])")
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+)(?:(?<=operatorname)\*)?|\\([{}|%$#&_\-\\])")
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_TEXT_COMMANDS: Final = frozenset(
    [
        "text",
        "textbf",
        "textit",
        "textrm",
        "textsf",
        "texttt",
        "textnormal",
        "mbox",
        "hbox",
        "emph",
        "mathrm",
        "operatorname",
        "mathop",
    ]
)
_BOLD: Final = frozenset(
    [
        "mathbf",
        "boldsymbol",
        "bm",
        "vec",
        "hat",
        "mathbb",
        "mathcal",
        "widehat",
        "underline",
        "tilde",
        "pmb",
        "overrightarrow",
    ]
)
_MARKING: Final = frozenset(["vec", "hat", "widehat", "tilde", "overrightarrow"])  # what they stand on is no number
_SLANTED: Final = frozenset(["mathit", "mathsf", "mathnormal", "ensuremath", "mathtt"])
_TWO_SIGNS: Final = {"<=": "le", ">=": "ge", "!=": "ne", "=>": "implies", "->": "to", "**": "^", "==": "="}
_MATHS_IN_TEXT: Final = re.compile(r"[-+\d\s.,/()%=:]*\d[-+\d\s.,/()%=:]*")


def tokens_of(text: str, mode: str = GROUPED) -> list[Token]:
    """Return the tokens of an answer.

    Args:
        text: LaTeX or plain text, without the box.
        mode: how digits with commas or points between them are read.

    Raises:
        NotUnderstood: a sign that is no mathematics.
    """
    text = re.sub(r"^\s*\*\*(.*)\*\*\s*$", r"\1", text, flags=re.DOTALL)
    text = re.sub(r"\+\s?/\s?-|^\s*\+-", r"\\pm ", text)
    text = _RAISED_RUN.sub(_raised, text)
    text = _LOWERED_RUN.sub(lambda run: "_{" + unicodedata.normalize("NFKC", run.group()) + "}", text)
    text = text.translate(_SIGNS)
    if not text.isascii():
        text = "".join(unicodedata.normalize("NFKC", char) if "\uff01" <= char <= "\uff5e" else char for char in text)
    if r"^{-" in text or "^-" in text:
        text = _UPRIGHT.sub(_with_slashes, text)
    return _Scanner(_SILENT.sub(" ", text), mode).run()


_UPRIGHT: Final = re.compile(r"(?<=[\d})])(?:\s|~|\\[,;: ])*\\(?:text|mathrm|mbox|textrm)\s*\{.*$", re.DOTALL)
_UNWRAPPED: Final = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_APART: Final = re.compile(r"\\[,;:! ]|\\(?:cdot|times)(?![a-zA-Z])|~|\*")
_POWERED: Final = re.compile(r"([A-Za-z]+)(?:\^\{?(-?)([1-3])\}?)?")


def _with_slashes(match: re.Match[str]) -> str:
    r"""Return ``\mathrm{m\,s^{-2}}`` behind a number as ``\text{m/s^2}``, and whatever else as it is."""
    plain = re.sub(r"\s+(?=\^)", "", _APART.sub(" ", _UNWRAPPED.sub(r" \1 ", match.group())))
    parts = [_POWERED.fullmatch(part) for part in plain.split()]
    powers = [(part.group(1), part.group(2) or "", part.group(3)) for part in parts if part is not None]
    above, below = ([(name, power) for name, sign, power in powers if sign == here] for here in ("", "-"))
    if None in parts or len(above) != 1 or not below or any(unit_of(name) is None for name, _, _ in powers):
        return match.group()
    units = (name if power in {None, "1"} else f"{name}^{power}" for name, power in [*above, *below])
    return rf"\text{{ {'/'.join(units)}}}"


def _raised(run: re.Match[str]) -> str:
    return "^{" + "".join(_RAISED[char] for char in run.group()) + "}"


class _Scanner:
    """Goes through a text once."""

    def __init__(self, text: str, mode: str) -> None:
        self.text, self.mode = text, mode
        self.place, self.depth, self.spaced = 0, 0, False
        self.found: list[Token] = []

    def run(self) -> list[Token]:
        while self.place < len(self.text):
            blank = _BLANK.match(self.text, self.place)
            if blank:
                self.place, self.spaced = blank.end(), True
                continue
            self._step()
            self.spaced = False
        return self.found

    def _add(self, kind: str, text: str, end: int, **more: object) -> None:
        self.found.append(Token(kind, text, self.spaced, **more))  # type: ignore[arg-type]
        self.place = end

    def _step(self) -> None:  # noqa: PLR0911 - one case a line
        text, place = self.text, self.place
        number = _NUMBER.match(text, place)
        if number and number.group():
            self._number(number)
            return
        command = _COMMAND.match(text, place)
        if command:
            self._command(command)
            return
        letters = _LETTERS.match(text, place)
        if letters:
            self._add("word" if letters.end() - place > 1 else "letter", letters.group(), letters.end())
            return
        cjk = _CJK.match(text, place)
        if cjk:
            self._add("text", cjk.group(), cjk.end())
            return
        sign = text[place]
        two = text[place : place + 2]
        if two in _TWO_SIGNS:
            kind = _TWO_SIGNS[two]
            self._add("command" if kind.isalpha() else kind, kind, place + 2)
            return
        if sign == "$":
            self._dollar(place)
            return
        if sign in "€£¥₹":
            self._add("currency", {"€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"}[sign], place + 1)
            return
        if sign not in "+-*/^_=<>()[]{},;:|!%'.&":
            raise NotUnderstood(f"the sign {sign!r}")
        self.depth += (sign in "([") - (sign in ")]")
        self._add(sign, sign, place + 1)

    def _dollar(self, place: int) -> None:
        """A currency before a number where nothing closes it; else it only sets mathematics."""
        if self.text.count("$") % 2 and re.match(r"\$\s*[\d.]", self.text[place:]):
            self._add("currency", "dollar", place + 1)
        else:
            self.place = place + 1

    def _number(self, match: re.Match[str]) -> None:
        if match.group("hex"):
            raise NotUnderstood("a number of another base")
        if match.group("repeat"):
            self._repeating(match)
        elif match.group("ellipsis"):
            self._going_on(match)
        elif match.group("commas"):
            self._with_commas(match)
        else:
            plain = re.sub(rf"{_GROUPS}|\s", "", match.group())
            self._plain(plain, match.end())

    def _plain(self, digits: str, end: int) -> None:
        exponent = _EXPONENT.match(self.text, end)
        whole, _, decimals = digits.partition(".")
        if len(whole) > 1 and whole.startswith("0"):
            raise NotUnderstood("a number that begins with zero")
        if len(digits) > 20_000 or (exponent and len(exponent.group(1)) > 6):
            raise NotUnderstood("a number of that many digits")
        value, places = (
            Fraction(int((whole or "0") + decimals), 10 ** len(decimals)),
            len(decimals) if decimals else None,
        )
        if exponent:
            value *= Fraction(10) ** int(exponent.group(1))
            places = None if places is None else places - int(exponent.group(1))
            end = exponent.end()
        self._add("number", digits, end, value=value, places=places)

    def _repeating(self, match: re.Match[str]) -> None:
        whole, _, fixed = match.group("before").partition(".")
        block = match.group("block") or match.group("round")
        if match.group("last"):
            block += match.group("mid") + match.group("last")
        self._block(whole, fixed, block, match.end())

    def _block(self, whole: str, fixed: str, block: str, end: int) -> None:
        value = Fraction(int((whole or "0") + fixed), 10 ** len(fixed))
        value += Fraction(int(block), 10 ** len(fixed) * (10 ** len(block) - 1))
        self._add("number", f"{whole}.{fixed}({block})", end, value=value)

    def _going_on(self, match: re.Match[str]) -> None:
        """0.333..., 0.6060...; 3.14159... is a decimal that was cut."""
        whole, _, digits = match.group("ellipsis").partition(".")
        repeated = re.fullmatch(r"(\d*?)(?:(\d)\2\2+|(\d{2,}?)\3+\3?)", digits)
        if repeated and (repeated.group(2) or len(set(repeated.group(3))) > 1):
            self._block(whole, repeated.group(1), repeated.group(2) or repeated.group(3), match.end())
        else:
            self._plain(match.group("ellipsis"), match.end())

    def _with_commas(self, match: re.Match[str]) -> None:
        """Digits with commas and points between them: one number or several, by the mode."""
        run = match.group()
        one = _as_one(run, self.mode, is_inside=self.depth > 0)
        if one is not None:
            self._plain(one, match.end())
            return
        start, end = match.span()
        for place, part in enumerate(run.split(",")):
            if not re.fullmatch(r"\d+(?:\.\d+)?", part):
                raise NotUnderstood(f"a number with such points: {run}")
            if place:
                self._add(",", ",", start)
            last = self.place = start + len(part)
            self._plain(part, last)
            start = last + 1
        self.place = max(end, self.place)

    def _command(self, match: re.Match[str]) -> None:
        name, sign = match.group(1), match.group(2)
        if sign is not None:
            if sign == "$":
                self._add("currency", "dollar", match.end())
            elif sign == "%":
                self._add("%", "%", match.end())
            elif sign == "|":
                raise NotUnderstood("a norm")
            elif sign == "-":
                self.place = match.end()
            elif sign == "\\":
                self._add("row", sign, match.end())
            elif sign in "{}":
                self.depth += 1 if sign == "{" else -1
                self._add("\\" + sign, sign, match.end())
            else:
                raise NotUnderstood(f"the sign \\{sign}")
            return
        if name in _TEXT_COMMANDS | _BOLD | _SLANTED:
            self._group(name, match.end())
            return
        self._add("command", name, match.end())

    def _group(self, name: str, start: int) -> None:
        """A command that sets its argument in another way."""
        opening = re.compile(r"\s*\{").match(self.text, start)
        if opening is None:
            single = re.compile(r"\s*(\\[a-zA-Z]+|[A-Za-z0-9])").match(self.text, start)
            if single is None:
                raise NotUnderstood(f"\\{name} of nothing")
            content, end = single.group(1), single.end()
        else:
            close = closing_brace(self.text, opening.end() - 1)
            if close is None:
                raise NotUnderstood("a brace that is never closed")
            content, end = self.text[opening.end() : close], close + 1
        if name in _SLANTED:
            self._splice(content, end)
        elif name in _BOLD:
            self._dressed(name, content, end)
        else:
            self._told(name, content, end)

    def _splice(self, content: str, end: int) -> None:
        inner = _Scanner(content, self.mode)
        inner.spaced = self.spaced
        self.found += inner.run()
        self.place = end

    def _dressed(self, name: str, content: str, end: int) -> None:
        plain = re.sub(r"\\(?:imath|jmath)", lambda found: found.group()[1], content)
        plain = re.sub(r"\\(?:math|text)(?:bf|rm|it|sf|normal)?\s*\{([^{}]*)\}", r"\1", plain).strip(" {}")
        if re.fullmatch(r"[\d.,+\-\s]+", plain) and name not in _MARKING:
            self._splice(plain, end)
            return
        dress = "blackboard" if (name in {"mathbb", "mathbf"} and plain in set("RNZQC")) else "bold"
        if name in {"mathcal", "underline", "tilde", "widehat"}:
            dress = name
        self._add("dressed", f"{dress} {plain}", end)

    def _told(self, name: str, content: str, end: int) -> None:
        r"""``\text{…}`` and its kin: a number, a function, a constant, or words."""
        plain = re.sub(r"\\[,;:! ]|~", " ", content)
        words = " ".join(plain.split())
        if not words:
            self.place, self.spaced = end, True
        elif re.fullmatch(r"[A-Z](?:\s*,\s*[A-Z])+", words) or (
            _MATHS_IN_TEXT.fullmatch(words)
            or (re.fullmatch(r"[-+=<>,;:.]|-?\d*\\?[a-z]*\{?\}?", words) is not None and not words.isalpha())
        ):
            self._splice(plain, end)
        elif len(words) == 1 and words.isalpha() and words.isascii():
            upright = words in "ei"
            kind = "letter" if upright or name in {"mathrm", "operatorname"} else "text"
            if kind == "letter" and not upright:
                kind = "text"
            self._add(kind, words, end, upright=upright)
        elif "\\" in words or "$" in words or "{" in words:
            inner = words.replace("$", "")
            if re.fullmatch(r"\\[a-zA-Z]+", inner):
                self._splice(inner, end)
            else:
                raise NotUnderstood(f"the words {words!r}", is_words=True)
        else:
            spaced = self.spaced or plain[:1].isspace()
            self.found.append(Token("text", words, spaced))
            self.place = end


def _as_one(run: str, mode: str, *, is_inside: bool) -> str | None:
    """Digits with commas and points as one number in plain digits, or None where they are several."""
    grouped = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", run)
    is_number = grouped is not None and (not is_inside or re.search(r",000(?!\d)|\.\d", run) is not None)
    if mode == EUROPEAN and re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", run):
        return run.replace(".", "").replace(",", ".")
    if mode == DECIMAL_COMMA and re.fullmatch(r"\d+,\d+", run):
        return run.replace(",", ".")
    if mode == INDIAN and re.fullmatch(r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?", run):
        return run.replace(",", "")
    if mode != LISTED and is_number:
        return run.replace(",", "")
    return run if re.fullmatch(r"\d+\.\d+", run) else None
