"""Readings that a careful reader would leave open, and those that look alike and are not."""

from __future__ import annotations

import pytest

from verifiers.maths.verifier import judge

CORRECT = [
    (r"5 \text{ m/s}", r"5\ \text{m s}^{-1}"),
    (r"5\,\mathrm{m\,s^{-1}}", r"5 \text{ m/s}"),
    (r"9.8 \text{ m/s}^2", r"9.8\ \mathrm{m\,s^{-2}}"),
    (r"5 \text{ m/s}", r"5\ \text{m}\cdot\text{s}^{-1}"),
    (r"3 \text{ kg/m}^3", r"3 \text{ kg m}^{-3}"),
    (r"5 \text{ m/s}", r"18\,\mathrm{km\,h^{-1}}"),
    ("5", r"5\,\mathrm{m\,s^{-1}}"),
    ("2", r"2\text{ real roots}"),
    (r"3 \text{ distinct solutions}", "3"),
    (r"\overrightarrow{AB}", r"\vec{AB}"),
    ("101", "101_{10}"),
    ("101_2", "101_{2}"),
    ("100200", "100,200"),
    ("100, 200", "100,200"),
]
OPEN = [
    (r"5 \text{ m/s}", r"5 m s^{-1}"),  # m and s may be letters
    ("5", "5 m s^{-1}"),
    ("101", "101_2"),
    ("101_2", "101"),
    (r"\vec v", "v"),
    (r"2\vec a", "2a"),
    ("c_1 e^x + c_2 e^{-x}", "A e^x + B e^{-x}"),
    ("c_1 e^x + c_2 e^{-x}", "c_2 e^x + c_1 e^{-x}"),
    (r"A\sin x+B\cos x", r"c_1\cos x+c_2\sin x"),
    ("100,200", "100, 200"),
]
INCORRECT = [
    (r"5 \text{ m/s}", r"6\,\mathrm{m\,s^{-1}}"),
    (r"5 \text{ m/s}", "6 m s^{-1}"),
    ("3", r"2\text{ real roots}"),
    (r"\vec v", r"\vec w"),
    (r"\vec v", r"-\vec v"),
    ("c_1 e^x + c_2 e^{-x}", "A e^x + B e^{-2x}"),
    (r"\frac{A}{2}", r"\frac{C}{2}"),  # of angles
    ("A + 2B", "2A + B"),
    ("A x + B y", "B x + A y"),  # given letters, in other places
    ("101_2", "110"),
    ("100200", "100,201"),
]


@pytest.mark.parametrize(
    ("outcome", "reference", "box"),
    [
        (name, *row)
        for name, rows in (("correct", CORRECT), ("unverifiable", OPEN), ("incorrect", INCORRECT))
        for row in rows
    ],
)  # fmt: skip
def test_what_is_open_and_what_is_not(outcome: str, reference: str, box: str) -> None:
    """Of two notations of one thing nothing is wrong; what may be another thing is open."""
    assert judge(f"So $\\boxed{{{box}}}$.", reference).outcome == outcome


@pytest.mark.parametrize(
    ("prompt", "outcome"),
    [
        ("Write 5 in base 2.", "correct"),
        ("Find the binary form of 5.", "correct"),
        ("Add $11_2$ and $10_2$.", "correct"),
        ("Find the number.", "unverifiable"),
    ],
)
def test_a_base_is_left_out_where_the_problem_names_it(prompt: str, outcome: str) -> None:
    """A number without its base is one to that base only where the problem speaks of one."""
    assert judge(r"It is $\boxed{101}$.", "101_2", prompt).outcome == outcome
    assert judge(r"It is $\boxed{101_2}$.", "101", prompt).outcome == outcome


@pytest.mark.parametrize("behind", [r"\,", r"\;.", r"\quad", r"\!", " ", ""])
def test_a_blank_behind_a_box_is_no_part_of_it(behind: str) -> None:
    """What only sets text stands behind right and wrong boxes alike."""
    answer = f"So $x = \\boxed{{35}}{behind}$ in all."
    assert (judge(answer, "35").outcome, judge(answer, "36").outcome) == ("correct", "incorrect")
    assert judge(answer, "35").extracted == "35"


@pytest.mark.parametrize("sign", ["%", r"\%", r"$\%"])
@pytest.mark.parametrize("reference", ["5", r"5\%"])
def test_a_sign_of_percent_behind_a_box_is_of_the_answer(sign: str, reference: str) -> None:
    """A wrong number stays wrong, though its sign stands outside of the box."""
    before = "$" if sign.startswith("$") else ""
    outcomes = [judge(f"So {before}\\boxed{{{box}}}{sign} of them.", reference).outcome for box in (5, 6)]
    assert outcomes == ["correct", "incorrect"]
