"""Procedural arithmetic problems, each with a reasoning trace, a solution and its integer answer.

What the demo's sources are made of and what its teacher learns. Pure: a problem is a function of the random generator
handed in, so the same seed gives the same text everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from demo import wording
from demo.arithmetic import addition_lines, multiplication_lines, subtraction_lines

Slots = dict[str, str]


@dataclass(frozen=True)
class Problem:
    """One problem with a worked response.

    `operands` are the numbers in the order they are used and `operators` what is done with them, left to right, so
    that an answer can be checked without reading the text.
    """

    family: str
    prompt: str
    think: str
    solution: str
    answer: int
    operands: tuple[int, ...]
    operators: str

    @property
    def response(self) -> str:
        """The teacher's whole reply, in the shape DeepSeek-R1 gives its own."""
        return f"<think>\n{self.think}\n</think>\n\n{self.solution}"


def draw_slots(rng: Random) -> Slots:
    """Return the words of one story; names, days and places that appear together differ."""
    name, friend = rng.sample(wording.NAMES, 2)
    day, day2 = rng.sample(wording.DAYS, 2)
    place, place2 = rng.sample(wording.PLACES, 2)
    noun = rng.choice(wording.NOUNS)
    items = f"{rng.choice(wording.ADJECTIVES)} {noun}" if rng.random() < 0.5 else noun
    return {
        "name": name, "friend": friend, "day": day, "day2": day2, "place": place, "place2": place2,
        "noun": noun, "items": items, "town": rng.choice(wording.TOWNS), "event": rng.choice(wording.EVENTS),
        "weather": rng.choice(wording.WEATHERS), "boxes": rng.choice(wording.CONTAINERS),
    }  # fmt: skip


def draw_number(rng: Random, digits: int) -> int:
    """Return a number of exactly that many digits, the last one seldom zero in practice."""
    return rng.randrange(10 ** (digits - 1), 10**digits)


def _sum_operands(rng: Random, hard: bool) -> tuple[int, int]:
    """Return two summands: two or three digits each, or three or four when hard."""
    low, high = (3, 4) if hard else (2, 3)
    return draw_number(rng, rng.randint(low, high)), draw_number(rng, rng.randint(low, high))


def _difference_operands(rng: Random, hard: bool) -> tuple[int, int]:
    """Minuend and subtrahend, the larger first."""
    a, b = _sum_operands(rng, hard)
    if a == b:
        a += 1
    return max(a, b), min(a, b)


def _product_operands(rng: Random, hard: bool) -> tuple[int, int]:
    """Return two digits by one digit, or by two when hard; no factor has a zero in its ones."""
    a = draw_number(rng, 2)
    if not hard:
        return a, rng.randint(2, 9)
    return a, 10 * rng.randint(1, 9) + rng.randint(1, 9)


def _tell(rng: Random, sentences: list[str]) -> str:
    """Join the sentences of a story, with an aside before the last one or two in half of the stories."""
    *story, aside = sentences
    if rng.random() < 0.5:
        story.insert(rng.randint(0, len(story) - 1), aside)
    return " ".join(story)


def _solve(rng: Random, choices: tuple[str, ...], slots: Slots, answer: int) -> str:
    return rng.choice(choices).format(answer=answer, **slots)


def _step(a: int, operator: str, b: int) -> tuple[list[str], int]:
    """Return the lines of one step and its result."""
    if operator == "+":
        return addition_lines(a, b), a + b
    if operator == "-":
        return subtraction_lines(a, b), a - b
    return multiplication_lines(a, b), a * b


def work(operands: tuple[int, ...], operators: str) -> tuple[list[str], int]:
    """Return the operators worked off left to right: the lines of all steps, and the result."""
    lines: list[str] = []
    value = operands[0]
    for operator, operand in zip(operators, operands[1:], strict=True):
        step, value = _step(value, operator, operand)
        lines += step
    return lines, value


def _bare(
    rng: Random,
    family: str,
    prompts: tuple[str, ...],
    operands: tuple[int, int],
    operator: str,
) -> Problem:
    """Return a problem that names its operation, with no story around it."""
    a, b = operands
    slots = draw_slots(rng)
    lines, answer = work(operands, operator)
    return Problem(
        family=family,
        prompt=rng.choice(prompts).format(a=a, b=b, **slots),
        think="\n".join(lines),
        solution=_solve(rng, wording.SOLVED_BARE, slots, answer),
        answer=answer,
        operands=operands,
        operators=operator,
    )


def _story(
    rng: Random,
    family: str,
    sentences: list[str],
    slots: Slots,
    operands: tuple[int, ...],
    operators: str,
) -> Problem:
    """Return a word problem; its trace opens with what is asked, then works the operators off left to right."""
    openings = {"+": wording.THINK_ADD, "-": wording.THINK_SUBTRACT, "*": wording.THINK_MULTIPLY}
    opening = rng.choice(openings[operators] if len(operators) == 1 else wording.THINK_TWO_STEPS)
    lines, value = work(operands, operators)
    return Problem(
        family=family,
        prompt=_tell(rng, [*sentences, rng.choice(wording.ASIDES).format(**slots)]),
        think="\n".join([opening, *lines]),
        solution=_solve(rng, wording.SOLVED_STORY, slots, value),
        answer=value,
        operands=operands,
        operators=operators,
    )


def addition(rng: Random, hard: bool) -> Problem:
    """Return a bare sum."""
    return _bare(rng, "addition", wording.BARE_ADD, _sum_operands(rng, hard), "+")


def subtraction(rng: Random, hard: bool) -> Problem:
    """Return a bare difference of natural numbers, never negative."""
    return _bare(rng, "subtraction", wording.BARE_SUBTRACT, _difference_operands(rng, hard), "-")


def multiplication(rng: Random, hard: bool) -> Problem:
    """Return a bare product: two digits by one, or by two when hard."""
    return _bare(rng, "multiplication", wording.BARE_MULTIPLY, _product_operands(rng, hard), "*")


def _change_sentences(
    rng: Random, slots: Slots, a: int, b: int, events: tuple[str, ...], at_once: tuple[str, ...]
) -> list[str]:
    """Return a story of one change: told in three sentences, or at once."""
    if rng.random() < 0.4:
        return [rng.choice(at_once).format(a=a, b=b, **slots)]
    return [
        rng.choice(wording.START).format(n=a, **slots),
        rng.choice(events).format(n=b, **slots),
        rng.choice(wording.ASK_NOW).format(**slots),
    ]


def word_addition(rng: Random, hard: bool) -> Problem:
    """Return a story in which something is added."""
    slots = draw_slots(rng)
    a, b = _sum_operands(rng, hard)
    sentences = _change_sentences(rng, slots, a, b, wording.GAIN, wording.ADD_AT_ONCE)
    return _story(rng, "word_addition", sentences, slots, (a, b), "+")


def word_subtraction(rng: Random, hard: bool) -> Problem:
    """Return a story in which something is taken away or compared."""
    slots = draw_slots(rng)
    a, b = _difference_operands(rng, hard)
    sentences = _change_sentences(rng, slots, a, b, wording.LOSS, wording.SUBTRACT_AT_ONCE)
    return _story(rng, "word_subtraction", sentences, slots, (a, b), "-")


def word_multiplication(rng: Random, hard: bool) -> Problem:
    """Return a story of equal groups."""
    slots = draw_slots(rng)
    a, b = _product_operands(rng, hard)
    sentences = [
        rng.choice(wording.MULTIPLY).format(a=a, b=b, **slots),
        rng.choice(wording.ASK_PRODUCT).format(**slots),
    ]
    return _story(rng, "word_multiplication", sentences, slots, (a, b), "*")


def two_steps(rng: Random, hard: bool) -> Problem:
    """Return a story of two changes: equal groups then a change, or (when hard) a gain and then a loss."""
    slots = draw_slots(rng)
    if hard and rng.random() < 0.5:
        a, b = _sum_operands(rng, hard=False)
        c = rng.randint(2, a + b - 1)
        middle = [wording.START, wording.GAIN]
        opening = [rng.choice(kind).format(n=n, **slots) for kind, n in zip(middle, (a, b), strict=True)]
        operators = "+-"
    else:
        a, b = draw_number(rng, 2), rng.randint(2, 9)
        c = rng.randint(2, a * b - 1)
        opening = [rng.choice(wording.MULTIPLY).format(a=a, b=b, **slots)]
        operators = "*" + rng.choice("+-")
    events = wording.GAIN if operators[1] == "+" else wording.LOSS
    sentences = [
        *opening,
        rng.choice(events).format(n=c, **slots),
        rng.choice(wording.ASK_NOW).format(**slots),
    ]
    return _story(rng, "two_steps", sentences, slots, (a, b, c), operators)


FAMILIES: dict[str, Callable[[Random, bool], Problem]] = {
    "addition": addition,
    "subtraction": subtraction,
    "multiplication": multiplication,
    "word_addition": word_addition,
    "word_subtraction": word_subtraction,
    "word_multiplication": word_multiplication,
    "two_steps": two_steps,
}


def draw(rng: Random, hard_share: float = 0.3) -> Problem:
    """Return a problem of any family, hard with the given probability."""
    make = FAMILIES[rng.choice(list(FAMILIES))]
    return make(rng, rng.random() < hard_share)
