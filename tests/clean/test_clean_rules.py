"""Each rule of cleaning: what breaks it, and what only looks like it."""

from __future__ import annotations

import pytest

from tracemill.clean.question import question
from tracemill.clean.rules import RULES, Rules
from tracemill.core import Category
from tracemill.recipe.sections.clean import Clean
from verifiers.reference_reader import VerifiersReader

ALL = tuple(Category)
STRICT = Clean(
    incomplete=ALL, garbled=ALL, languages=("en", "zh"), url=ALL, table=ALL, figure=ALL, drawing=ALL, proof=ALL,
    multi_part=ALL, unusable_reference=(Category.MATH, Category.CHOICE),
)  # fmt: skip
KEPT = None

CASES = {
    "empty_prompt": ["", " \n\t "],
    "too_short": ["Hi there", "?!", "什么"],
    "garbled": [
        "What is the value of x \ufffd 3 when x is 5?",
        "Find the area of a circle \uf070 with radius 3.",
        "What is cafÃ© divided by two when it costs 4?",
        "▓▓▓▓▓▓ find ▒▒▒▒▒ the ░░░░ value",
    ],
    "url": [
        "What is 2 + 2? See https://example.org/a?b=1 for more.",
        "Read www.example.com/page and tell me how many apples there are.",
    ],
    "table": [
        "How many in all?\n| a | b |\n|---|---|\n| 1 | 2 |",
        "How many in all?\na | b\n--- | ---\n1 | 2",
        "How many in all?\n| a | b |\n| 1 | 2 |\n| 3 | 4 |",
        "What is the mean? \\begin{tabular}{l|l} 1 & 2 \\\\ 3 & 4 \\end{tabular}",
        "What is f(2)? $$\\begin{array}{c|cc} x & 1 & 2 \\\\ \\hline f(x) & 3 & 4 \\end{array}$$",
        "What is the sum? <table><tr><td>1</td></tr></table>",
        "What is the sum?\nname\tage\tsize\nAnn\t3\t4\nBob\t5\t6",
    ],
    "figure": [
        "What is the value of x in the figure?",
        "As shown, AB is parallel to CD. Find angle ABC.",
        "The graph of f is shown below. What is f(3)?",
        "Find the area of the triangle shown.",
        "What does the sign say? ![sign](sign.png)",
        "Find x. \\includegraphics[width=3cm]{fig1}",
        "Using the diagram, find the length of AB.",
        "What is the area of the trapezoid to the right, as pictured?",
        "如图，AB平行于CD，求角ABC的度数。",
        "根据下图，小明走了多少米？",
    ],
    "drawing": [
        "What is x? [asy] draw((0,0)--(1,1)); [/asy]",
        "In the diagram, what is x? \\begin{tikzpicture}\\draw (0,0);\\end{tikzpicture}",
    ],
    "proof": [
        "Prove that the square root of 2 is irrational.",
        "Let n be odd. Show that n squared minus 1 is divisible by 8.",
        "Let x > 0. Prove or disprove that x + 1/x is at least 2.",
        "Use induction to prove that the sum is n(n+1)/2.",
        "Give a proof of the theorem of Pythagoras.",
        "求证：三角形的内角和为180度。",
        "已知a大于b，证明a+c大于b+c。",
    ],
    "multi_part": [
        "A car drives 60 km in 2 hours. (a) What is its speed? (b) How far does it go in 5 hours?",
        "Let f(x) = x^2.\na) Find f(2).\nb) Compute f(3).",
        "(1) Find the value of x. (2) Find the value of y when x = 3.",
        "已知函数f(x)=x+1。(1) 求f(2)的值；(2) 求f(x)=0的解。",
        "设函数 $f(x)=x^2$.\n（Ⅰ）求 $f(2)$；\n（Ⅱ）解方程 $f(x)=4$。",
        "21. 曲线 $C: x=\\cos t$.\n\n( I ) 说明 $C$ 是哪种曲线;\n\n（II ) 若点 $(a,0)$ 在 $C$ 上, 求 $a$. \n",
        "(a) Name the two points.\n(b) State their distance, giving one reason.",
        "Part A: What is 2 + 3? Part B: What is 4 + 5?",
        "Let x = 1. (i) Find 2x. (ii) Find 3x.",
    ],
    "incomplete": [
        "A farmer has 12 sheep and sells 5 of them to the",
        "Find the value of x such that",
        "How many apples are there if Tom has 3 and",
        "Solve \\[x^2 + 3x = 4",
        "Solve \\begin{align*} x + y &= 3 \\\\ what is x?",
        "There are twelve sheep on the farm.",
        "Solve this: {{question}} and explain it.",
        "What does this do?\n```python\nprint(1)",
    ],
    "language": ["Quelle est la somme de tous les nombres entiers positifs qui divisent le nombre 12 sans reste?"],
}

NEAR_MISSES = [
    "What is it?",
    "1+1等于几？",
    "The bread takes 2 hours to prove and 30 minutes to bake. How many minutes is that?",
    "Records show that the team won 3 games. How many did it lose out of 10?",
    "He must prove his strength by lifting 50 kg. How many pounds is that?",
    "小明带了3份证明书和2份材料，一共有多少份？",
    "She tries to figure out how much 3 tickets at 4 dollars cost. How much is it?",
    "A toy shop sells 12 action figures at 5 dollars each. How much is that?",
    "The graph of y = 2x + 1 crosses the x-axis where? Find the x-coordinate.",
    "Tim draws a circle graph of 100 students. How many degrees are 25 students?",
    "A figure skater spins 3 times in 2 seconds. How many spins are that a minute?",
    "The picture on the wall is 3 feet wide. How many inches is it?",
    "The plot of land is 12 by 30 feet. What is its area?",
    "Mary put 3 maps on the table and 2 below it. How many maps are there?",
    "The cost is as shown by the formula $c = 3n$. What is c for n = 4?",
    "The prices are shown below:\n- apple 2\n- pear 3\nHow much are both?",
    "小明去图书馆借了3本书和2张地图，一共借了多少？",
    "What is the distance between (a) and (b) if a = 3 and b = 5 on the line?",
    "If f(a) = 2 and f(b) = 3, what is f(a) + f(b) when (a, b) = (1, 2)?",
    "A survey asks:\n(a) Were you born here?\n(b) Do you like tea?\n\nHow many different answers are possible?",
    "Let $f(i-1, 1) = 2$ and $f(i, 2) = 3$. What is $f(2, 2)$?",
    "Let $|a| = 2,$ $|b| = 3$ and\n\\[|a - b| + |a + b| = 8.\\]Find $|ab|.$",
    "Find the determinant of $\\begin{array}{cc} 1 & 2 \\\\ 3 & 4 \\end{array}$.",
    "Compute $\\text{{D}}(2,4)$ for D(a,b) = ab.",
    "What is 2 + 3 =",
    "How much is he up by",
    "In triangle ABC, find angle A",
    "Solve for $x$: $2x=8$",
    "计算：$3+5=$",
    "已知集合 $A=\\{1,2\\}, B=\\{2,3\\}$，则 $A \\cap B=(\\quad$ ）\nA. $\\{1\\}$\nB. $\\{2\\}$\nC. $\\{3\\}$",
    "Jane’s café sells 3 cakes at 2 € each — how much is that?",
    "What is $\\tan 45^\\circ$?",
    "The number www is made of three letters. How many are vowels?",
]


@pytest.mark.parametrize(("reason", "prompt"), [(reason, prompt) for reason in CASES for prompt in CASES[reason]])
def test_a_broken_rule_names_the_reason(reason: str, prompt: str) -> None:
    """The prompt is dropped for this reason, and the evidence says where or how much."""
    fault = Rules(STRICT, VerifiersReader()).fault_of(question(prompt, "math", "1"))
    assert fault is not None
    assert fault.reason == reason
    if "text" in fault.evidence and "parts" not in fault.evidence:
        assert prompt[fault.evidence["at"] :].lstrip().startswith(fault.evidence["text"][:5].lstrip())


@pytest.mark.parametrize("prompt", NEAR_MISSES)
def test_what_only_looks_like_it_is_kept(prompt: str) -> None:
    """Words and signs of a rule that mean something else break no rule."""
    assert Rules(STRICT, VerifiersReader()).fault_of(question(prompt, "math", "1")) is KEPT


def test_every_rule_has_a_case() -> None:
    """No rule of the table goes untested."""
    assert {rule.reason for rule in RULES} == set(CASES)


@pytest.mark.parametrize(
    ("category", "prompt"),
    [
        ("code", "Write a function that fetches https://example.org and returns its length."),
        ("instruction", "Summarise https://example.org in a table:\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "Write a page with <input> and {{name}} that matches \\[a-z] and"),
        ("code", "Write a program. (a) What does it print? (b) How long does it run? As shown below"),
    ],
)
def test_rules_apply_to_their_categories(category: str, prompt: str) -> None:
    """What is a fault in mathematics is usual in programs and instructions."""
    maths = (Category.MATH, Category.CHOICE)
    only_maths = Clean(url=maths, table=maths, figure=maths, multi_part=maths, incomplete=ALL)
    rules = Rules(only_maths, VerifiersReader())
    assert rules.fault_of(question(prompt, category, None)) is None
    assert rules.fault_of(question(prompt, "math", "1")) is not None


def test_nothing_but_length_is_asked_unless_the_recipe_says_so() -> None:
    """By default only empty and short prompts are dropped."""
    rules = Rules(Clean(), VerifiersReader())
    faults = [rules.fault_of(question(prompt, "math", None)) for reason in CASES for prompt in CASES[reason]]
    assert {fault.reason for fault in faults if fault} == {"empty_prompt", "too_short"}


@pytest.mark.parametrize(
    ("category", "reference", "usable"),
    [
        ("math", "42", True),
        ("math", "\\frac{1}{2}", True),
        ("math", "no solution", True),
        ("math", None, False),
        ("math", "proof", False),
        ("math", "The correct answer would involve integrating both sides of it.", False),
        ("choice", "B", True),
        ("choice", "E", False),
        ("choice", "four", True),
        ("choice", "notfound", False),
        ("code", None, True),
    ],
)
def test_unusable_references(category: str, reference: str | None, *, usable: bool) -> None:
    """A reference that no verifier can use is a fault where references judge, and nowhere else."""
    asked = question("What is two plus two?\nA. three\nB. four\nC. five", category, reference)
    fault = Rules(STRICT, VerifiersReader()).fault_of(asked)
    assert (fault is None) is usable
    if fault:
        assert fault.reason == "unusable_reference"
        assert fault.evidence["reference"] == reference
        assert fault.evidence["why"]


def test_readable_share_is_measured() -> None:
    """The Unicode ratio is in the evidence, and its limit is the recipe's."""
    prompt = "★★ find the value of x"
    asked = question(prompt, "math", "1")
    strict, lax = (Clean(garbled=(Category.MATH,), min_readable=share) for share in (0.95, 0.8))
    fault = Rules(strict, VerifiersReader()).fault_of(asked)
    n_chars = len(prompt.replace(" ", ""))
    assert fault is not None
    assert fault.evidence == {"readable": round(1 - 2 / n_chars, 3), "min_readable": 0.95}
    assert Rules(lax, VerifiersReader()).fault_of(asked) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        "|",
        "|a",
        "-",
        " ",
        "\n",
        " \n",
        "a\tb\n",
        "(",
        "(a) find ",
        "(a)\n\n",
        "\\begin{",
        "\\begin{array}{l",
        "![",
        "<img ",
    ],
)
def test_long_prompts_of_one_mark_hang_no_rule(piece: str) -> None:
    """Every rule is done with 100,000 characters of what its pattern begins with: patterns do not go back and forth."""
    rules = Rules(STRICT, VerifiersReader())
    asked = question(f"Find {piece * (100_000 // len(piece))}", "math", "1")
    assert rules.fault_of(asked) == rules.fault_of(asked)
