"""F-strings as Python 3.12 reads them, made into ones that older versions read: quotes, backslashes within braces.

Only for programs that do not compile as they are. What is within braces is never changed, only what is around it:
``f"{d["a"]}"`` becomes ``f'''{d["a"]}'''``, or ``"{}".format(d["a"])`` where no quotes fit.
"""

from __future__ import annotations

import re

_STRING = re.compile(r"([A-Za-z]{0,3})(\"\"\"|'''|\"|')")
_QUOTES = ('"', "'", '"""', "'''")
_OPEN, _CLOSE = "([{", ")]}"


class Unreadable(Exception):  # noqa: N818 - says what was met
    """The text is no Python of any version."""


def older(source: str) -> str:
    """Return the source with its f-strings as older versions read them; itself where it cannot be read."""
    try:
        return _code(source, 0, "")[0]
    except (Unreadable, RecursionError):
        return source


def _code(text: str, start: int, closing: str) -> tuple[str, int]:
    """Code up to a bracket, comma-like end or the end of the text, rewritten, and where it ends.

    Args:
        text: of the program.
        start: place of the first character.
        closing: "" for a whole program; "}" within braces, where ``!``, ``:`` and ``=`` at the outermost level end it
        too.
    """
    parts: list[str] = []
    place, depth = start, 0
    while place < len(text):
        found = _STRING.match(text, place)
        if found and not (place and (text[place - 1].isalnum() or text[place - 1] == "_")):
            part, place = _string(text, place, found.group(1), found.group(2))
            parts.append(part)
            continue
        char = text[place]
        if char == "#" and not closing:
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            parts.append(text[place:end])
            place = end
            continue
        if closing and depth == 0 and _ends(text, place):
            return "".join(parts), place
        depth += (char in _OPEN) - (char in _CLOSE)
        parts.append(char)
        place += 1
    if closing:
        raise Unreadable("a brace that is never closed")
    return "".join(parts), place


def _ends(text: str, place: int) -> bool:
    char = text[place]
    if char in "!=<>" and text[place : place + 2] in ("!=", "==", "<=", ">="):
        return False
    if char == "=":
        return text[place - 1] not in "!=<>" and re.match(r"=\s*[!:}]", text[place:]) is not None
    return char in "}!:"


def _string(text: str, start: int, prefix: str, quote: str) -> tuple[str, int]:
    """Return a string from its prefix on, rewritten if it is an f-string, and where it ends."""
    place = start + len(prefix) + len(quote)
    if "f" not in prefix.lower():
        end = _end_of_plain(text, place, quote)
        return text[start:end], end
    pieces, place = _pieces(text, place, quote, is_raw="r" in prefix.lower())
    fields = [piece for piece in pieces if isinstance(piece, tuple)]
    inside = "".join("".join(field) for field in fields)
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    if not re.search(r"[\\\n#]", inside):
        for new in (quote, *_QUOTES):
            fits = new not in inside and (new == quote or new not in literal)
            if (
                fits
                and (len(new) == 3 or "\n" not in literal)
                and not literal.endswith(new[0] if new != quote else "\0")
            ):
                joined = "".join(piece if isinstance(piece, str) else "{" + "".join(piece) + "}" for piece in pieces)
                return f"{prefix}{new}{joined}{new}", place
    return _formatted(prefix, quote, pieces), place


def _formatted(prefix: str, quote: str, pieces: list[str | tuple[str, str, str]]) -> str:
    texts: list[str] = []
    values: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        code, conversion, spec = piece
        if code.rstrip().endswith("="):
            texts.append(code.replace("{", "{{").replace("}", "}}"))
            code, conversion = code.rstrip()[:-1], conversion or ("" if spec else "!r")
        texts.append("{" + str(len(values)) + conversion + spec + "}")
        values.append(f"({code.strip()})")
        if "{" in spec:
            raise Unreadable("a width that is computed, where no quotes fit")
    plain = prefix.replace("f", "").replace("F", "")
    return f"({plain}{quote}{''.join(texts)}{quote}.format({', '.join(values)}))"


def _end_of_plain(text: str, place: int, quote: str) -> int:
    while place < len(text):
        if text[place] == "\\":
            place += 2
        elif text.startswith(quote, place):
            return place + len(quote)
        else:
            place += 1
    raise Unreadable("a string that is never closed")


def _pieces(text: str, place: int, quote: str, *, is_raw: bool) -> tuple[list[str | tuple[str, str, str]], int]:
    """Literal texts, and fields as (code, conversion, format), up to the closing quote; and where that ends."""
    pieces: list[str | tuple[str, str, str]] = []
    literal = place
    while place < len(text):
        if text.startswith(quote, place):
            pieces.append(text[literal:place])
            return pieces, place + len(quote)
        if (text[place] == "\\" and not is_raw) or text.startswith(("{{", "}}"), place):
            place += 2
        elif text[place] == "{":
            pieces.append(text[literal:place])
            field, place = _field(text, place + 1)
            pieces.append(field)
            literal = place
        else:
            place += 1
    raise Unreadable("an f-string that is never closed")


def _field(text: str, place: int) -> tuple[tuple[str, str, str], int]:
    code, place = _code(text, place, "}")
    if text[place] == "=":
        end = place + 1
        while text[end].isspace():
            end += 1
        code, place = code + text[place:end], end
    conversion = spec = ""
    if text[place] == "!":
        conversion, place = text[place : place + 2], place + 2
    if text[place] == ":":
        start, depth = place, 0
        while text[place] != "}" or depth:
            depth += (text[place] == "{") - (text[place] == "}")
            place += 1
        spec = text[start:place]
    if text[place] != "}":
        raise Unreadable("a field that does not end")
    return (code, conversion, spec), place + 1
