"""What is done to the demo's rows on purpose: repeats, near repeats, leaks from the benchmark, damage.

Each function makes one text or value; `make_sources.py` decides how many and where.
"""

from __future__ import annotations

from random import Random

from demo.layouts import Trace
from demo.problems import Problem, work
from demo.similarity import jaccard

# A near duplicate keeps at least this share of its five-word runs, safely above the usual threshold of 0.7.
NEAR_SIMILARITY = 0.75
OPENERS = ("Well, ", "Now, ", "Listen: ", "Imagine this. ", "Here is a puzzle. ")
CLOSERS = (" Please answer.", " Think carefully.", " Give a number.")
SWAPS = ((" another ", " a further "), ("Then ", "Afterwards "), ("Find ", "Determine "), (" many ", " very many "))

LEAK_PREFIXES = ("Homework for tomorrow. ", "Here is question seven of the paper. ", "Solve this for me: ")
LEAK_SUFFIXES = (" Show how you got there.", " Explain it to a child.", " Only the number counts.")

SHORT_PROMPTS = ("2+2", "Why?", "7 + 5", "Solve.", "x = ?", "12")
NO_ANSWERS = ("proof", "", "notfound", "see the solution")


def repeated(prompt: str, rng: Random) -> str:
    """Return the same prompt: verbatim, or differing in case or white space alone."""
    ways = (
        prompt,
        prompt.upper(),
        prompt.lower(),
        f"  {prompt}\n",
        prompt.replace(" ", "  "),
        prompt.replace(". ", ".\n"),
    )
    return rng.choice(ways)


def reworded(prompt: str, rng: Random) -> str | None:
    """The same prompt with a word or two added or changed and its numbers kept; None when it is too short for that."""
    candidates = [opener + prompt for opener in OPENERS] + [prompt + closer for closer in CLOSERS]
    candidates += [prompt.replace(old, new, 1) for old, new in SWAPS if old in prompt]
    near = [text for text in candidates if jaccard(prompt, text) >= NEAR_SIMILARITY]
    return rng.choice(near) if near else None


def leaked(item: str, rng: Random) -> str:
    """Return a benchmark item as it turns up in training data: as it is, or with a sentence before or after it."""
    ways = (item, rng.choice(LEAK_PREFIXES) + item, item + rng.choice(LEAK_SUFFIXES))
    return rng.choice(ways)


def wrong_answer(answer: int, rng: Random) -> int:
    """Return a believable wrong answer: off by one, by ten, or with two digits exchanged."""
    digits = str(answer)
    swapped = int(digits[:-2] + digits[-1] + digits[-2]) if len(digits) > 1 else answer + 2
    return rng.choice([value for value in (answer + 1, answer - 1, answer + 10, swapped) if value not in (answer, 0)])


def right_trace(problem: Problem) -> Trace:
    """Return the problem's own reasoning and solution."""
    return Trace(problem.think, problem.solution)


def wrong_trace(problem: Problem, rng: Random) -> Trace:
    """Return a trace that misreads the last number, so that its steps are sound and its answer is wrong."""
    *kept, last = problem.operands
    misread = (*kept, last + rng.choice((1, 2, -1) if last > 1 else (1, 2)))
    lines, value = work(misread, problem.operators)
    return Trace("\n".join(lines), problem.solution.replace(str(problem.answer), str(value)))


def truncated_trace(problem: Problem, rng: Random) -> Trace:
    """Return a trace cut off while thinking."""
    cut = rng.randint(len(problem.think) // 3, len(problem.think) - 2)
    return Trace(problem.think[:cut], None)


def trace(kind: str, problem: Problem, rng: Random) -> Trace:
    """Return the trace of one of the kinds trace_right, trace_wrong, trace_truncated."""
    if kind == "trace_right":
        return right_trace(problem)
    if kind == "trace_wrong":
        return wrong_trace(problem, rng)
    if kind == "trace_truncated":
        return truncated_trace(problem, rng)
    raise KeyError(f"no kind of trace is called {kind!r}")


# Questions with no answer to check, each with a reply; written for this demo.
CHATS = (
    ("Suggest a name for a small bakery that also repairs bicycles.", "Crust and Chain."),
    ("Write one sentence that makes a rainy Monday sound pleasant.", "The rain taps the window and asks for nothing."),
    ("My neighbour waters his plants at night. Is there a reason for that?", "Less water is lost to the sun at night."),
    ("Which is the better present for a friend who moves abroad, a book or a lamp?", "A book: it travels well."),
    ("Give me three words that describe the sound of a train.", "Steady, low and far away."),
    ("How would you explain the colour blue to somebody who never saw it?", "As the cool of a shaded room."),
    ("Invent a polite excuse for leaving a party early.", "I promised my cat to be home before the news."),
    ("What could a lighthouse keeper write in a letter to the sea?", "You never sleep, so I keep you company."),
)
