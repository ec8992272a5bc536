"""Benchmark items as they turn up in training sets: copied, wrapped, set otherwise, reordered, reworded. Seeded.

Paraphrases are made by rules (synonyms, turns of phrase, names), which a language model's would exceed in variety; the
pairs of ``benchmarks/curation/paraphrases.jsonl`` were written by hand.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

PREFIXES = [
    "Solve the following problem. Put your final answer within \\boxed{}.\n\n",
    "Return your final response within \\boxed{}. ",
    "You are a careful assistant. Read the question twice, think step by step, and only then answer.\n\nQuestion: ",
    "### Instruction:\n",
    "Generate an executable Python function generated from the given prompt. Return the function body.",
    "Here is a question that a student of mine could not answer yesterday. Please help him, and be patient.\n\n",
]
SUFFIXES = [
    "\n\nLet's think step by step and output the final answer within \\boxed{}.",
    "\n\nPresent the answer in LaTex format: \\boxed{Your answer}",
    "\n\n### Response:\n",
    " Answer with a single number, and explain every step of your reasoning in plain words.",
    "\nA. 12\nB. 15\nC. 20\nD. none of these",
]


def verbatim(text: str, _: random.Random) -> str:
    """As it is."""
    return text


def wrapped(text: str, rng: random.Random) -> str:
    """Between instructions."""
    return rng.choice(PREFIXES) + text + rng.choice(SUFFIXES)


def buried(text: str, rng: random.Random) -> str:
    """After 150 words about something else."""
    words = ("the harbour was quiet while old boats lay in rows and nobody asked about weather or price " * 9).split()
    return " ".join(rng.sample(words, 150)) + ".\n\n" + text


_TYPESET = [
    (r"\\dfrac|\\frac(?=\{)", r"\\tfrac"),
    (r"\$\$(.+?)\$\$", r"\\[\1\\]"),
    (r"\$(.+?)\$", r"\\( \1 \\)"),
    (r"\\left|\\right", ""),
    (r"\\cdot|\\times", "×"),
    (r"\\leq?\b", "≤"),
    (r"\\geq?\b", "≥"),
    (r"\^\{?\\circ\}?", "°"),
    (r"\\pi\b", "π"),
    (r"\\theta\b", "θ"),
    (r"\\infty\b", "∞"),
    (r"\\sqrt\{(\w+)\}", r"√\1"),
    (r"\^\{?2\}?(?!\d)", "²"),
    (r"\\text\{([^}]*)\}", r"\\mathrm{\1}"),
    (r"(\d)%", r"\1\\%"),
    (r"(?<!\\)\$(?=\d)", r"\\$"),
    (r"\b(\d)(\d{3})\b", r"\1,\2"),
    (r"'", "’"),
    (r"\n+", "\n\n  "),
]


def typeset(text: str, rng: random.Random) -> str:
    """Return the same mathematics in other commands and signs, other white space, Markdown."""
    for pattern, form in _TYPESET:
        text = re.sub(pattern, form, text, flags=re.DOTALL)
    words = text.split(" ")
    for place in rng.sample(range(len(words)), len(words) // 8):
        words[place] = rng.choice(["\n", " ", "\t"]) + words[place]
    return f"**Problem.** {' '.join(words)}"


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.?!])\s+", text.strip()) if part]


def reordered(text: str, rng: random.Random) -> str:
    """Return the sentences in another order; a text of one sentence has its clauses swapped at a comma."""
    parts = _sentences(text)
    if len(parts) == 1:
        head, comma, tail = text.rstrip(" .?!").partition(", ")
        return f"{tail}, {head}?" if comma else text
    first = list(parts)
    while parts == first:
        rng.shuffle(parts)
    return " ".join(parts)


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_UNIT = dict(enumerate(_UNITS.split()))
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TEN = dict(enumerate(_TENS.split(), 2))


def in_words(number: int) -> str:
    """English for 0 to 999,999."""
    if number < 20:
        return _UNIT[number]
    if number < 100:
        return _TEN[number // 10] + (f"-{_UNIT[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{_UNIT[number // 100]} hundred{rest}"
    rest = f" {in_words(number % 1000)}" if number % 1000 else ""
    return f"{in_words(number // 1000)} thousand{rest}"


def renumbered(text: str, _: random.Random) -> str:
    """Return the numbers of the prose in digits as words, and numbers in words as digits."""
    as_digits = {word: str(value) for value, word in _UNIT.items() if value > 1}
    marked = re.sub(
        r"(?<=[A-Za-z] )\d{1,6}(?=[.,;?!]?(?: [A-Za-z]|$))", lambda found: f"\0{in_words(int(found.group()))}\0", text
    )
    swapped = re.sub(
        r"\0[^\0]*\0|(?<![-\w])[a-z]+\b(?!-)", lambda found: as_digits.get(found.group(), found.group()), marked
    )
    return swapped.replace("\0", "")


_TABLE = """
find=determine; compute=calculate; evaluate=work out; determine=find; what is=give;
how many=what is the number of; how much=what amount of; buys=purchases; bought=purchased; sells=vends;
makes=earns; gives=hands; gave=handed; gets=receives; got=received; total=overall; each=every; every=each;
day=day of the week; if=supposing that; then=next; let=suppose; such that=for which; suppose=assume;
real numbers=reals; has=owns; have=own; costs=is priced at; cost=price; kids=children; children=kids; house=home;
car=vehicle; people=persons; friends=pals; uses=employs; using=by means of; also=in addition; but=yet;
because=since; starts=begins; ends=finishes; wants=wishes; needs=requires; takes=requires;
positive=greater than zero; integers=whole numbers; integer=whole number; value=size; return=give back;
returns=gives back; given=provided with; list=sequence; string=text; check=test; number=count; equation=relation;
express=write; simplify=reduce; all=all of the; whose=of which the; when=at the time that; after=following;
before=prior to; two=a pair of; decides=makes up his mind; more than=in excess of; less than=below;
students=pupils; his=their; her=their; he=this person; she=this person
"""
_SYNONYMS = dict(pair.strip().split("=") for pair in _TABLE.replace("\n", " ").split(";"))
_SYNONYM = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, _SYNONYMS), key=len, reverse=True))})\b", re.IGNORECASE)
_NAMES = ["Olga", "Bashir", "Wen", "Ximena", "Tariq", "Noor", "Pavel", "Amara", "Jonas", "Leilani"]


def reworded(text: str, _: random.Random) -> str:
    """Synonyms and turns of phrase wherever the table has one."""

    def other(found: re.Match[str]) -> str:
        form = _SYNONYMS[found.group().lower()]
        return form.capitalize() if found.group()[0].isupper() else form

    return _SYNONYM.sub(other, text)


def renamed(text: str, rng: random.Random) -> str:
    """Other names of persons and places: capitalised words inside sentences, and wherever else they stand."""
    found = sorted(set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", text)))
    names = dict(zip(found, rng.sample(_NAMES, min(len(found), len(_NAMES))), strict=False))
    return re.sub(r"\b[A-Z][a-z]+\b", lambda word: names.get(word.group(), word.group()), text)


def paraphrased(text: str, rng: random.Random) -> str:
    """Reworded, renamed and, every other time, reordered."""
    changed = renamed(reworded(text, rng), rng)
    return reordered(changed, rng) if rng.random() < 0.5 else changed


def everything(text: str, rng: random.Random) -> str:
    """Set otherwise, numbers translated, and wrapped."""
    return wrapped(typeset(renumbered(text, rng), rng), rng)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": verbatim,
    "prefix and suffix": wrapped,
    "after a long text": buried,
    "typesetting": typeset,
    "sentences reordered": reordered,
    "numbers <-> words": renumbered,
    "set, numbers, wrapped": everything,
    "names": renamed,
    "reworded": reworded,
    "paraphrase by rules": paraphrased,
}


def planted(items: list[str], kind: str, seed: int = 0) -> list[str]:
    """Return each item as it would turn up."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - seeded on purpose
    return [KINDS[kind](item, rng) for item in items]
