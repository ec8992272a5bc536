"""Verdicts by kind of fault: what may be right (C), wrong (I) or open (U), in values of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracemill.recipe.sections.verify import Verify
from verifiers import Attempt, VerifierSet, WorkerPool, verify
from verifiers.sandbox.protocol import NoSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

Table = list[tuple[str, str, str]]
OUTCOMES = {"C": "correct", "I": "incorrect", "U": "unverifiable"}
BIRDS = "Which is a bird?\n\nA. Trout\nB. Lion\nC. Heron\nD. Frog"

# Reference, what is boxed, which verdicts are right.
BOXED: dict[str, Table] = {
    "words that are no unit": [
        ("7", r"7 \text{ thirds}", "IU"), ("7", r"7 \text{ tenths}", "IU"), ("7", r"7 \text{ quarters}", "IU"),
        ("7", r"7 \text{ and a quarter}", "IU"), ("7", r"7 \text{ cubed}", "IU"),
        ("7", r"7 \text{ factorial}", "IU"), ("7", r"7 \text{ million}", "IU"),
        ("7", r"7 \text{ billion}", "IU"), ("7", r"7 \text{ trillion}", "IU"),
        ("7", r"7 \text{ thousand}", "IU"), ("7", r"7 \text{ hundred}", "IU"), ("7", r"7 \text{ dozen}", "IU"),
        ("7", r"7 \text{ or more}", "IU"), ("7", r"7 \text{ or fewer}", "IU"),
        ("7", r"7 \text{ or less}", "IU"), ("7", r"7 \text{ at least}", "IU"),
        ("7", r"7 \text{ at most}", "IU"), ("7", r"7 \text{ below zero}", "IU"),
        ("7", r"7 \text{ under par}", "IU"), ("7", r"7 \text{ (rejected)}", "IU"),
        ("7", r"7 \text{ excluded}", "IU"), ("7", r"7 \text{ maybe}", "IU"),
        ("7", r"7 \text{ remainder three}", "IU"), ("7", r"7 \text{ hundredths}", "IU"),
        ("7", r"7 \text{ k}", "IU"), ("7", r"7 \text{ lakh}", "IU"), ("7", r"7 \text{ crore}", "IU"),
        ("7", r"7 \text{ score}", "IU"), ("7", r"7 \text{ gross}", "IU"),
        ("7", r"7 \text{ percent of x}", "IU"), ("7", r"7 \text{ times x}", "IU"),
        ("7", r"7 \text{ more than y}", "IU"), ("7", r"7 \text{ pi}", "IU"), ("7", r"7 \text{ e5}", "IU"),
        ("7", r"7 \text{ plus one}", "IU"), ("7", r"7 \text{ minus 2}", "IU"),
        ("7", r"7 \text{ choose 2}", "IU"), ("7", r"7 \text{ mod 9}", "IU"), ("7", r"7 \text{ base 6}", "IU"),
        ("7", r"7 \text{ over 3}", "IU"), ("7", r"7 \text{ in binary}", "IU"), ("7", r"7 \text{ or 9}", "IU"),
        ("7", r"7 \text{ and 9}", "IU"), ("7", r"7 \text{ to 9}", "IU"), ("7", r"7 \text{ if x > 0}", "IU"),
        ("7", r"7 \text{ halves}", "IU"), ("7", r"7 \text{ pairs}", "IU"), ("7", r"7 \text{ double}", "IU"),
        ("7", r"7 \text{ inverse}", "IU"), ("7", r"7 \text{ squared}", "IU"), ("7", r"7 \text{ i}", "IU"),
        ("7", r"7 \text{ x}", "IU"), ("7", r"7 \text{ theta}", "IU"), ("7", r"7 \text{ arctan x}", "IU"),
        ("7", r"7 \text{ log x}", "IU"), ("7", r"7 \text{ is wrong}", "IU"), ("7", r"7 \text{ not}", "IU"),
        ("7", r"7 \text{ never}", "IU"), ("7", r"7 \text{ approx}", "IU"), ("7", r"7 \text{ infinity}", "IU"),
        ("7", r"7 \text{ to the power of 3}", "IU"), ("7", r"7 \text{ th root of 2}", "IU"),
        ("7", r"7 \text{ ?}", "IU"), ("7", r"7 \text{ 亿}", "IU"), ("7", r"7 \text{ half}", "IU"),
    ],
    "units and counted things": [
        ("7", r"7 \text{ cm}", "CU"), ("8", r"7 \text{ cm}", "IU"), (r"7\text{ cm}", "7 cm", "CU"),
        ("7", r"7 \text{ kg}", "CU"), ("8", r"7 \text{ kg}", "IU"), (r"7\text{ kg}", "7 kg", "CU"),
        ("7", r"7 \text{ apples}", "CU"), ("8", r"7 \text{ apples}", "IU"),
        (r"7\text{ apples}", "7 apples", "CU"), ("7", r"7 \text{ students}", "CU"),
        ("8", r"7 \text{ students}", "IU"), (r"7\text{ students}", "7 students", "CU"),
        ("7", r"7 \text{ miles per hour}", "CU"), ("8", r"7 \text{ miles per hour}", "IU"),
        (r"7\text{ miles per hour}", "7 miles per hour", "CU"), ("7", r"7 \text{ square feet}", "CU"),
        ("8", r"7 \text{ square feet}", "IU"), (r"7\text{ square feet}", "7 square feet", "CU"),
        ("7", r"7 \text{ dollars}", "CU"), ("8", r"7 \text{ dollars}", "IU"),
        (r"7\text{ dollars}", "7 dollars", "CU"), ("7", r"7 \text{ units}", "CU"),
        ("8", r"7 \text{ units}", "IU"), (r"7\text{ units}", "7 units", "CU"), ("7", r"7 \text{ ways}", "CU"),
        ("8", r"7 \text{ ways}", "IU"), (r"7\text{ ways}", "7 ways", "CU"), ("7", r"7 \text{ km/h}", "CU"),
        ("8", r"7 \text{ km/h}", "IU"), (r"7\text{ km/h}", "7 km/h", "CU"),
    ],
    "scale words": [
        ("3200000", r"3.2 \text{ million}", "C"), ("3200000", "3.2 million", "C"),
        ("4500", "4.5 thousand", "C"), ("4500", r"4.5 \text{ thousand}", "C"), ("36", r"3 \text{ dozen}", "C"),
        (r"2.1 \text{ billion}", "2100000000", "C"), ("700", "7 hundred", "C"), ("420000", r"42\text{万}", "CU"),
        (r"\$1.2 \text{ million}", r"\$1{,}200{,}000", "C"),
        (r"1.2 \text{ million}", r"1.3 \text{ million}", "I"), ("5 million", "5", "I"), ("12", "1 dozen", "C"),
    ],
    "upright constants": [
        (r"5\mathrm{e}", "5e", "C"), ("5", r"5\mathrm{e}", "I"),
        (r"\frac{7}{3}\mathrm{i}", r"\frac{7i}{3}", "C"), (r"4-\mathrm{i}", "4-i", "C"),
        (r"\mathrm{e}^{3}", "e^3", "C"), (r"\mathrm{e}^3", "3", "I"), (r"6\mathrm{i}", "6", "I"),
        (r"\mathrm{e}^{\mathrm{i}\pi}", "-1", "C"),
        (r"5\mathbf{i}-2\mathbf{j}", r"-2\mathbf{j}+5\mathbf{i}", "C"),
        (r"5\mathbf{i}-2\mathbf{j}", r"-5\mathbf{j}+2\mathbf{i}", "IU"), (r"\ln \mathrm{e}", "1", "C"),
        (r"2\text{e}", "2", "IU"), (r"9\operatorname{i}", "9", "IU"),
        (r"-\frac{1}{\mathrm{e}}", "-e^{-1}", "C"), (r"[\mathrm{e},+\infty)", r"[e,\infty)", "C"),
        (r"(0,\mathrm{e})", "(0,1)", "I"),
    ],
    "lists of three digits": [
        ("4, 250", "250, 4", "C"), ("4, 250", "4250", "IU"), ("4250", "4, 250", "IU"),
        ("(4, 250)", "(4,250)", "C"), ("(4, 250)", r"(4,\,250)", "C"), (r"\{4, 250\}", "250, 4", "C"),
        ("110, 220, 330", "330, 220, 110", "C"), ("110, 220, 330", r"\{110,220,330\}", "C"),
        ("110,220,330", "330, 220, 110", "CU"), ("[-12, 345]", r"[-12,\,345]", "C"),
        ("(1, 234)", "(234, 1)", "I"), ("12,345", "12345", "C"), ("12{,}345", "12345", "C"),
        (r"12\,345", "12345", "C"), ("12 345", "12345", "C"), ("12'345", "12345", "C"),
        ("1,250,000", "1250000", "C"), ("1,250,000", "1 250 000", "C"), ("9, 100", "9, 101", "I"),
        ("(6, 144)", "6, 144", "C"),
    ],
    "degrees": [
        (r"\frac{1}{2}", r"\cos 60^\circ", "C"), (r"\tan 60^\circ", r"\sqrt3", "C"),
        ("4", r"8\sin 30^{\circ}", "C"), (r"\sqrt2", r"2\cos45^\circ", "C"),
        (r"8\sin 35^\circ", r"8\cos 55^\circ", "C"), (r"8\sin 35^\circ", r"8\cos 35^\circ", "I"),
        (r"\frac{\sqrt6-\sqrt2}{4}", r"\sin 15^\circ", "C"), (r"45^\circ, 135^\circ", "45, 135", "C"),
        (r"45^\circ", r"\frac{\pi}{4}", "CU"), (r"\frac{\pi}{6}", r"30^\circ", "CU"), (r"72^\circ", "72", "C"),
        (r"72^\circ", r"73^\circ", "I"), (r"\sin 35", r"\sin 35^\circ", "IU"),
        (r"\sin(180^\circ - x)", r"\sin x", "CU"), (r"120^\circ", r"120 \text{ degrees}", "C"),
        (r"(2, 45^\circ)", r"(2, \frac{\pi}{4})", "CU"),
    ],
    "plain text": [
        (r"7\pi", "7pi", "C"), (r"7\pi", "7*pi", "C"), (r"\sqrt{11}", "sqrt(11)", "C"),
        (r"3\sqrt{2}", "3sqrt(2)", "C"), (r"3\sqrt{2}", "3*sqrt(2)", "C"), (r"\cos x", "cos x", "C"),
        (r"\cos 2x", "cos(2x)", "C"), (r"\ln 5", "ln(5)", "C"), ("e^4", "exp(4)", "C"),
        ("450000", "4.5e5", "C"), ("0.0025", "2.5e-3", "C"), ("x^2+3x", "x**2+3*x", "C"),
        (r"\frac{2\pi}{3}", "2*pi/3", "C"), (r"\frac{2\pi}{3}", "2pi/3", "C"), ("2e-4", "0.0002", "C"),
        (r"\arctan 2", "arctan(2)", "C"), (r"\arctan 2", "atan(2)", "C"),
        (r"\frac{1}{\sqrt{2}}", "1/sqrt(2)", "C"), (r"7\pi", "8pi", "I"), (r"\sqrt{11}", "sqrt(13)", "I"),
        ("x^{10}", "x^10", "C"), ("2^{-3}", "2^(-3)", "C"), ("|x-1|", "abs(x-1)", "C"),
        (r"\infty", "infinity", "CU"), (r"\infty", "inf", "CU"), (r"-\infty", "-oo", "CU"),
        (r"\theta", "theta", "C"), (r"2\alpha", "2alpha", "CU"),
    ],
    "odd roots": [
        ("-4", r"\sqrt[3]{-64}", "C"), (r"-\sqrt[3]{7}", r"\sqrt[3]{-7}", "C"),
        (r"-\sqrt[5]{3}", r"\sqrt[5]{-3}", "C"), ("2", r"\sqrt[3]{20+14\sqrt2}+\sqrt[3]{20-14\sqrt2}", "IU"),
        ("4", r"\sqrt[3]{20+14\sqrt2}+\sqrt[3]{20-14\sqrt2}", "C"), ("(-27)^{1/3}", "-3", "CU"),
        ("x^{-2/5}", r"\frac{1}{\sqrt[5]{x^2}}", "C"), (r"\sqrt[3]{-7}", r"\sqrt[3]{7}", "I"),
        ("-7^{1/3}", r"\sqrt[3]{-7}", "C"), (r"x=-\sqrt[3]{4}", r"\sqrt[3]{-4}", "C"),
    ],
    "inequalities and intervals": [
        (r"x\in(2,7)", "2<x<7", "C"), ("2<x<7", "7>x>2", "C"), (r"x\in[2,7)", r"2\le x<7", "C"),
        (r"x\in[2,7)", r"2\le x\le7", "I"), ("(2,7)", r"x>2 \text{ and } x<7", "C"),
        (r"(-\infty,3)\cup(5,\infty)", r"x<3 \text{ or } x>5", "C"),
        (r"x<3\text{ or }x>5", r"(-\infty,3)\cup(5,+\infty)", "C"), ("|x|<4", "(-4,4)", "C"),
        (r"|x|\ge 4", r"(-\infty,-4]\cup[4,\infty)", "C"), (r"x\ge 3", r"[3,\infty)", "C"),
        (r"x \ne 3", r"(-\infty,3)\cup(3,\infty)", "C"), ("p>q>r", "r<q<p", "C"), ("p>q>r", "r<p<q", "IU"),
        (r"m\le -1", r"(-\infty,-1]", "C"), (r"m\le -1", r"(-\infty,-1)", "I"),
        (r"t \in (-\infty, 4]", r"t \leq 4", "C"), ("3, -5", r"x=3 \lor x=-5", "C"), ("x>2", "x<2", "I"),
        (r"x \geq \frac{1}{2}", r"[0.5,\infty)", "C"), (r"0 \le x \le 2\pi", r"[0,2\pi]", "C"),
        (r"x \leqslant 4", r"x \le 4", "C"), ("x>2", "y>2", "IU"), (r"\{x \mid x>2\}", r"(2,\infty)", "C"),
        (r"\{x|1<x<3\}", "(1,3)", "C"), ("a>1", "|a|>1", "I"), ("(-2,2)", "x^2<4", "CU"),
        (r"\mathbb{R}\setminus\{1\}", r"(-\infty,1)\cup(1,\infty)", "C"),
        (r"x\in\mathbb{R}, x\neq 1", r"(-\infty,1)\cup(1,\infty)", "CU"),
    ],
    "equal at every point": [
        (r"\sin 2x", r"2\sin x\cos x", "C"), (r"\cos 2x", r"1-2\sin^2 x", "C"),
        (r"\cot\frac{x}{2}", r"\frac{1+\cos x}{\sin x}", "C"), (r"\ln 3\cdot\ln 9", r"2\ln^2 3", "C"),
        (r"\ln 6", r"\ln 2+\ln 3", "C"), (r"\ln\frac{a}{b}", r"\ln a-\ln b", "CU"),
        (r"\log_3 x + \log_3 y", r"\log_3 xy", "CU"),
        (r"\lceil\frac{n}{2}\rceil", r"\lfloor\frac{n+1}{2}\rfloor", "CU"),
        (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}", "C"), (r"\sum_{i=1}^{n} b_i", r"\sum_{k=1}^{n} b_k", "CU"),
        (r"\cos n\pi", "(-1)^n", "CU"), (r"\min(a,b)", r"\frac{a+b-|a-b|}{2}", "CU"), ("7!!", "105", "CU"),
        (r"\sinh x", r"\frac{e^x-e^{-x}}{2}", "C"), (r"\sin 2x", r"2\sin x", "I"),
        (r"\tan\frac{x}{2}", r"\frac{1-\cos x}{2\sin x}", "I"), (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3", "C"),
        (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt5", "I"), ("xyz", r"z\cdot y\cdot x", "C"),
        (r"\binom{n}{2}", r"\frac{n(n-1)}{2}", "C"), (r"\frac{n!}{(n-2)!}", "n(n-1)", "C"),
        ("2^{n+1}", r"2\cdot2^n", "C"), ("(n+1)!", "n!(n+1)", "C"), ("x^2-y^2", "(x-y)(x+y)", "C"),
        (r"\arctan x", r"\tan^{-1} x", "C"), (r"\frac{1}{\tan x}", r"\cot x", "C"),
    ],
    "mixed and repeating numbers": [
        ("2.25", "2 1/4", "C"), ("2.25", r"2 1/4 \text{ hours}", "C"), (r"37.5\%", r"37 1/2\%", "C"),
        ("3 1/3, 4 1/2", r"\frac{10}{3}, \frac92", "C"), (r"\frac{5}{3}", r"1.\overline{6}", "C"),
        (r"\frac{5}{3}", r"1.\dot{6}", "C"), (r"\frac{5}{3}", "1.(6)", "C"),
        (r"\frac{5}{3}", r"1.666\ldots", "C"), (r"\frac{4}{11}", r"0.363636\ldots", "C"),
        (r"\frac{4}{11}", r"0.\overline{36}", "C"), (r"\frac{1}{7}", r"0.\dot14285\dot7", "CU"),
        (r"\frac{1}{7}", r"0.\dot{1}4285\dot{7}", "C"), (r"\frac{5}{12}", r"0.41\overline{6}", "C"),
        (r"\frac{5}{3}", "1.(7)", "I"), ("0", "0.(3)", "I"), (r"2\frac{1}{4}", r"\frac{9}{4}", "C"),
        (r"2\frac{1}{4}", r"\frac{2}{4}", "I"), (r"-1\frac12", r"-\frac32", "C"), ("1", r"0.\overline{9}", "C"),
    ],
    "decimal commas": [
        ("3.75", "3,75", "CU"), ("1234.5", "1.234,5", "CU"), ("7654321", "7.654.321", "CU"),
        ("7654321", "76,54,321", "CU"), ("7654321", "7 654 321", "C"), ("3.75", "3,76", "IU"),
        ("0.5", "0,5", "CU"),
    ],
    "upright functions": [
        (r"\arccos\frac14", r"\operatorname{arccos}\frac14", "C"),
        (r"\gcd(m,n)", r"\operatorname{gcd}(m,n)", "C"), ("24", r"\operatorname{lcm}(8,6)", "CU"),
        (r"\cot x", r"\operatorname{ctg} x", "C"), (r"\binom{8}{3}", "C_8^3", "CU"),
        ("56", r"\binom{8}{3}", "C"), ("56", "C_8^3", "CU"), (r"\ln 2", r"\operatorname{ln} 2", "C"),
        (r"\sin x", r"\text{sin}\,x", "C"), (r"\sin x", r"\mathrm{sin}\,x", "C"), (r"\max(2,3)", "3", "CU"),
        (r"\operatorname{arctg}2", r"\arctan 2", "C"), (r"\log_{10} 5", r"\lg 5", "C"),
        ("24", r"\text{lcm}(8,5)", "IU"),
    ],
    "what parsers lose": [
        ("2023-03-04", "2023-04-03", "IU"), ("5/6/2023", "10/12/2023", "IU"), ("2016", "2023-03-04", "IU"),
        ("a=5, b=7", "7, 5", "IU"), ("a=5, b=7", "5, 7", "C"), ("a=5, b=7", "b=7, a=5", "C"),
        ("a=5, b=7", "a=7, b=5", "I"), (r"\gcd(x,y)", r"\gcd(x,z)", "IU"),
        (r"\frac{dx}{dt}", r"\frac{dt}{dx}", "IU"), ("m!!", "(m!)!", "IU"),
        ("g^{-1}(x)", r"\frac1{g(x)}", "IU"), (r"\sigma", r"\Sigma", "IU"), ("0x1F", "0x2F", "IU"),
        (r"\cos 1", r"\cos 1^\circ", "IU"), (r"1.67\times10^{-27}", r"1.66\times10^{-27}", "IU"),
        (r"3.00\times10^8", r"3.01\times 10^8", "I"), (r"\sqrt{10^{80}+1}", "10^{40}", "IU"),
        ("(C) 15", "(C) 16", "IU"), ("(C) 15", "(C)", "C"), (r"\phi", r"\Phi", "IU"),
        (r"\frac{d^2y}{dx^2}", r"\frac{d^2x}{dy^2}", "IU"), (r"\overline{AB}", r"\overline{AC}", "IU"),
        ("x_1", "x_2", "IU"), (r"\vec{a}", r"\vec{b}", "IU"),
    ],
    "named values, vectors, ratios": [
        ("(4,9),(9,4)", r"(x,y)=(4,9) \text{ and } (9,4)", "C"), ("5:12", "S_1:S_2=5:12", "C"),
        ("S_1:S_2=5:12", "5:12", "C"), ("5:12", "12:5", "IU"),
        (r"(2,\frac{\pi}{3})", r"(r,\theta)=(2,\frac{\pi}{3})", "C"), (r"\{(1,5),(2,6)\}", "(2,6),(1,5)", "C"),
        (r"\begin{pmatrix}4\\-3\end{pmatrix}", "(4,-3)", "C"), (r"\langle4,-3\rangle", "(4,-3)", "C"),
        (r"\begin{pmatrix}4\\-3\end{pmatrix}", "(-3,4)", "I"), ("g(x)=3x-2", "g(t)=3t-2", "CU"),
        (r"\overline{2-5i}", "2+5i", "C"), ("(p,q)=(3,4)", "(3,4)", "C"), ("(3,4)", "(p,q)=(4,3)", "I"),
        ("x=3,y=4", "(3,4)", "C"), ("x=3,y=4", "(4,3)", "I"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", "C"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\4&3\end{bmatrix}", "I"),
        ("12:30", "12:30", "C"),
        (r"4,5,\frac{1\pm\sqrt{3}}{2}", r"\frac{1+\sqrt3}{2},\frac{1-\sqrt3}{2},5,4", "C"),
        (r"x=\pm 4", "4, -4", "C"), (r"\pm\sqrt{2}", r"\sqrt2, -\sqrt2", "C"), (r"\pm 4", "4", "IU"),
        ("(x-1)^2+y^2=4", "x^2-2x+y^2-3=0", "C"), ("y=3x-2", "3x-y=2", "C"), ("y=3x-2", "3x-y=3", "I"),
    ],
    "words and layout": [
        ("4", r"\text{four}", "CU"), ("5", r"\text{four}", "IU"), ("4", r"\text{Answer: }4", "CU"),
        ("4", r"\text{about }4", "CU"), (r"30\%", r"30\%\text{ decrease}", "CU"),
        ("-6", r"\text{negative }6", "CU"), ("-6", r"\text{minus } 6", "CU"),
        (r"3 \pmod 8", r"11\pmod 8", "CU"), (r"x\equiv 3\pmod 8", r"x \equiv 3 \pmod{8}", "C"),
        (r"\text{March 3}", r"\text{3 March}", "CU"),
        (r"90 \text{ minutes}", r"1\text{ hour }30\text{ minutes}", "CU"), ("6", "=6", "C"),
        ("6", "**6**", "C"), ("6", r"6\ ", "C"), ("6", r"6\\", "CU"), ("6", "x=6", "C"), ("6", "6=x", "C"),
        ("9.42", r"3\pi\approx9.42", "CU"), (r"3\pi", r"3\pi\approx9.42", "CU"), ("9.42", r"\approx 9.42", "C"),
        ("6", r"\$6/\text{hour}", "CU"), ("6", r"6\,", "C"), ("6", "{6}", "C"), ("6", r"\left(6\right)", "C"),
        ("6", "6.0", "C"), ("6", r"\textbf{6}", "C"), ("6", r"\mathbf{6}", "C"),
        (r"\text{Tuesday}", r"\text{tuesday}", "C"), (r"\text{Tuesday}", r"\text{Friday}", "I"),
        (r"\text{yes}", "Yes", "C"), (r"\text{no solution}", r"\text{no solutions}", "CU"),
        (r"\text{odd}", r"\text{even}", "I"), ("7", r"\text{none}", "IU"), ("7", r"\text{no solution}", "IU"),
        (r"\text{none}", "7", "IU"),
    ],
}  # fmt: skip

# Reference, the whole answer, which verdicts are right.
BOXED |= {
    "letters and their habits": [
        (r"\varphi(15)", "8", "CU"), (r"\Gamma(6)", "120", "CU"), ("A_6^2", "30", "CU"), (r"\phi", "φ", "C"),
        (r"\theta", r"\vartheta", "C"), ("x^3+C", "x^3+K", "CU"), ("x^3+C", "x^2+K", "I"), (r"\alpha", r"\beta", "I"),
        (r"\vec{u}\cdot\vec{v}", r"\vec{u}\times\vec{v}", "IU"), ("(2,5)", "(y,x)=(2,5)", "IU"),
        ("(2,5)", "(x,y)=(2,5)", "C"), ("g(x)=x^3", "g(t)=x^3", "IU"), ("g(x)=x^3", "g(t)=t^3", "C"),
        (r"\sqrt{a^2b}", r"a\sqrt{b}", "CU"), ("|a|", "a", "I"), ("9", r"\bar 9", "IU"), ("9", r"\hat{9}", "IU"),
    ],
    "numbers in dress": [
        ("9", r"\mathbf{\text{9}}", "C"), ("9", r"\underline{\text{9}}", "C"), ("9", "{9}", "C"),
        ("9", r"= 9 \\", "C"),
        (r"\text{Friday}", r"{\text{Friday}}", "C"), (r"\text{Friday}", r"= \text{Friday}", "C"),
        (r"\pm 4", "+-4", "C"), (r"\pm 4", "+/-4", "C"), (r"\frac{\pi^2}{8}", r"\frac{\pi**2}{8}", "C"),
        (r"\frac{8}{9}", ".888...", "C"), (r"\tan^{-1} y", "arctan y", "C"), ("5", "arctan y", "I"),
        (r"2\cos 31^\circ", r"2\cos 31 \text{ degrees}", "C"), ("45,310", r"45, \!310", "C"),
        (r"7 \frac{1}{4}", "7 (1/4)", "CU"),
        ("5300000", "5.3 million dollars", "C"), ("5.3", "5.3 million dollars", "IU"), ("9", r"9 \text{ kilo}", "IU"),
    ],
}  # fmt: skip

STATED: dict[str, Table] = {
    "claims without a box": [
        ("9", "The answer is not 9.", "IU"), ("9", "The answer is less than 9.", "IU"),
        ("9", "There are either 9 or 10 of them.", "IU"), ("9", "Some might say 9, but that is wrong.", "IU"),
        ("36", "The answer is 36. Check: 36/6 = 6.", "C"), ("6", "The answer is 36. Check: 36/6 = 6.", "IU"),
        ("15", "So there are 14 of them, not 15.", "IU"), ("14", "So there are 14 of them, not 15.", "C"),
        ("9", "The answer is 9x.", "IU"), ("9", "The answer is 9i.", "IU"), ("9", "The answer is 9e3.", "IU"),
        ("9", "The answer is 9 million.", "IU"), ("9", "Thus 3x = 9.", "IU"), ("9", "The answer is – 9.", "IU"),
        ("-9", "The answer is −9.", "C"), ("4", "minus 4", "IU"), ("-4", "The answer is minus 4.", "CU"),
        ("5", "The answer is log_2 5.", "IU"), ("77", "#### 77\nThis took 3 steps.", "C"),
        ("3", "#### 77\nThis took 3 steps.", "I"), ("77", "所以答案是77。", "C"), ("78", "所以答案是77。", "I"),
        ("x-4", "The answer is x-4.", "CU"), ("B", "The answer is B.", "CU"),
        (r"\infty", "The limit is ∞.", "CU"), ("14", "(14)", "C"),
        (r"\text{Friday}", "The day is Friday.", "CU"), ("9", "There are at least 9 of them.", "IU"),
        ("9", "The answer is between 9 and 12.", "IU"), ("9", "It is 9 or more.", "IU"),
        ("14", r"The length is $14 \text{ cm}$.", "C"), ("14", r"The length is $15 \text{ cm}$.", "I"),
        (r"\frac{2}{5} \text{ m}", r"The width is $\frac{2}{5} \text{ m}$.", "C"),
        ("9", "The answer is 9.", "C"), ("9", "The answer is 10.", "I"),
        ("9", "So the total is 4 + 5 = 9.", "C"), ("9", "The answer is $9$.", "C"), ("9", "**Answer:** 9", "C"),
        ("9", "Answer: 9", "C"), ("9", "Final answer: 9", "C"), ("9.5", "The answer is 9.5.", "C"),
        ("1,250", "The answer is 1,250.", "C"), ("1250", "The answer is $1,250.", "C"),
        ("9", "She has 9 apples left.", "C"), ("10", "She has 9 apples left.", "I"),
        (r"\frac{3}{4}", "The answer is 3/4.", "C"),
        (r"\frac{3}{4}", r"The probability is $\frac{3}{4}$.", "C"), ("9", "I do not know.", "I"),
        ("9", "Je pense que la réponse est 9.", "CU"), ("9", "Die Antwort ist 9.", "CU"),
        ("9", "La respuesta es 9.", "CU"), ("10", "Die Antwort ist 9.", "IU"),
        ("5, 8", "The answers are 5 and 8.", "CU"), ("5", "The answers are 5 and 8.", "IU"),
        ("9", "It costs 9 dollars.", "C"), ("9", "Hence x = 9.", "C"), ("9", "Hence $x = 9$.", "C"),
        ("9", "Hence $3x = 9$.", "IU"), ("9", "Step 9: nothing follows.", "IU"),
        (r"2+\sqrt3", r"The answer is $2+\sqrt3$.", "C"), ("9", "The answer is nine.", "CU"),
        ("9", "The answer is |9|.", "CU"), ("9", "The answer is 9 squared.", "IU"),
        ("9", "The answer is 3^2.", "CU"), ("9", "The answer is twice 9.", "IU"),
        ("9", "The answer is half of 9.", "IU"), ("9", "The answer would be 9 if x were positive.", "IU"),
        ("9", "The answer cannot be 9.", "IU"), ("9", "The answer isn't 9.", "IU"),
        ("9", "The answer is more than 9.", "IU"), ("9", "The answer is roughly 9.", "CU"),
    ],
    "around the box": [
        ("4, 9", r"The two solutions are \boxed{4} and \boxed{9}.", "CU"),
        ("9", r"The two solutions are \boxed{4} and \boxed{9}.", "IU"),
        ("(1,4), (4,1)", r"\boxed{(1,4)} \text{ and } \boxed{(4,1)}", "CU"),
        ("4, 9", r"x=\boxed{4}, x=\boxed{9}", "CU"), ("21", r"The answer is $-\boxed{21}$.", "IU"),
        ("-21", r"The answer is $-\boxed{21}$.", "CU"), ("21", r"$3\cdot\boxed{21}$", "IU"),
        ("21", r"$\boxed{21}\sqrt3$", "IU"), ("21", r"$\frac{\boxed{21}}{4}$", "IU"),
        ("21", r"The answer is not \boxed{21}.", "IU"), ("21", r"\boxed{21} is incorrect.", "IU"),
        ("21", r"The answer is greater than \boxed{21}.", "IU"),
        ("21", r"\boxed{21}. I put it in \boxed as requested.", "C"),
        ("21", "\\boxed{21}\n\nNote that \\boxed{20} would be wrong.", "CU"),
        ("20", "\\boxed{21}\n\nNote that \\boxed{20} would be wrong.", "IU"),
        ("21", r"\boxed{21} so \boxed{\text{verified}}", "CU"), ("21", r"The answer is $\boxed{21}$ cm.", "C"),
        ("21", r"$x=\boxed{21}$", "C"), ("21", r"\[x = 3\cdot 7=\boxed{21}\]", "C"),
        ("21", r"The answer is $\boxed{21}\text{ cm}$.", "C"),
        ("21", r"First \boxed{20}, wait, no. \boxed{21}", "C"),
        ("21", r"$\boxed{21}$. Therefore, the answer is 21.", "C"), ("21", r"(21): \boxed{21}", "C"),
        ("21", r"The answer is: $$\boxed{21}$$", "C"), ("21", r"- \boxed{21}", "CU"),
        ("21", r"**Answer** - \boxed{21}", "C"), ("21", r"$\boxed{21}^2$", "IU"),
        ("21", r"$2^{\boxed{21}}$", "IU"), ("21", r"$\sqrt{\boxed{21}}$", "IU"), ("21", r"$\boxed{21}i$", "IU"),
        ("21", r"$\boxed{21}\pi$", "IU"), ("21", r"\boxed{21} million", "IU"),
        ("21", r"$\log \boxed{21}$", "IU"), ("21", r"$|\boxed{21}|$", "CU"), ("21", r"$\boxed{21} + 4$", "IU"),
        ("21", r"$4-\boxed{21}$", "IU"), ("0.4", r"\boxed{40}\%", "CU"),
    ],
    "a range around the box": [
        (r"x \geq 21", r"So $x \geq \boxed{21}$.", "C"), (r"x \geq 21", r"So $x \leq \boxed{21}$.", "IU"),
        ("x > 21", r"so $x > \boxed{21}$", "C"), ("x > 21", r"so $x > \boxed{22}$", "IU"),
        (r"[21, \infty)", r"so $x \ge \boxed{21}$", "C"), (r"(21, \infty)", r"so $x \ge \boxed{21}$", "IU"),
        (r"2 < x \leq 21", r"Hence $2 < x \leq \boxed{21}$.", "C"), ("21", r"so $x > \boxed{21}$", "IU"),
        ("21", r"$\boxed{21} < x$", "IU"), ("21", r"$\boxed{21} \ne x$", "IU"),
        ("21", r"By AM-GM, $a + b \geq \boxed{21}$.", "CU"),
        ("21", r"so $x \ge 21$, and the least is $\boxed{21}$", "C"),
    ],
}  # fmt: skip

CHOICES: Table = [
    ("C", "Option C is correct.", "C"),
    ("C", "C is the correct answer.", "C"),
    ("C", "The answer is probably C.", "C"),
    ("C", "Final answer - C", "C"),
    ("C", "c. Heron", "C"),
    ("C", r"The answer is \(C\).", "C"),
    ("C", "正确的选项是 C", "C"),
    ("C", "不应选C", "IU"),
    ("B", "不应选C", "IU"),
    ("C", r"The answers are \boxed{B} and \boxed{C}", "IU"),
    ("C", r"\boxed{C}", "C"),
    ("C", r"\boxed{\text{C}}", "C"),
    ("D", r"\boxed{C}", "I"),
    ("C", "Option B is incorrect. Option C is correct.", "C"),
    ("C", "Option C is not correct.", "IU"),
    ("C", "The correct answer is not C.", "IU"),
    ("C", "**Answer**: C", "C"),
    ("C", "**Answer**: **C**", "C"),
    ("C", "Answer: (C) Heron", "C"),
    ("C", "Antwort: C", "C"),
    ("B", "Antwort: C", "I"),
    ("C", "I choose C", "CU"),
    ("C", "We get \\boxed{3}.\n\nAnswer: C", "CU"),
    ("C", "\\boxed{B}\n\nAnswer: C", "IU"),
    ("C", "答案：C", "C"),
    ("C", "应选C。", "C"),
    ("C", "Heron, because it flies.", "C"),
    ("C", "The best answer is C", "C"),
    ("C", "The answer is C, since herons fly.", "C"),
    ("C", "It is clearly C.", "CU"),
    ("C", "None of them.", "IU"),
    ("C", "(C)", "C"),
    ("C", "C)", "C"),
    ("C", "C: Heron", "C"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with (
        WorkerPool(1, wall_s=20, memory_mb=1024) as pool,
        VerifierSet(Verify(), pool=pool, sandbox=NoSandbox("none")) as verifier_set,
    ):
        yield verifier_set


def missed(
    table: Table, verifier_set: VerifierSet, category: str = "math", prompt: str = "Solve it.", shape: str = "{}"
) -> list[object]:
    """The rows whose verdict is none of the right ones, with what was found."""
    attempts = [
        Attempt("r", category, prompt, shape.replace("{}", answer), reference_answer=reference)
        for reference, answer, _ in table
    ]
    verdicts = verify(attempts, verifier_set)
    return [
        (*row, verdict.outcome, verdict.detail)
        for row, verdict in zip(table, verdicts, strict=True)
        if verdict.outcome not in [OUTCOMES[letter] for letter in row[2]]
    ]


@pytest.mark.parametrize("kind", BOXED)
def test_boxed_answers(kind: str, verifier_set: VerifierSet) -> None:
    """A boxed answer is right by its value alone, however it is written, and open where it is not understood."""
    assert missed(BOXED[kind], verifier_set, shape=r"So \[\boxed{{}}\]") == []


@pytest.mark.parametrize("kind", STATED)
def test_stated_answers(kind: str, verifier_set: VerifierSet) -> None:
    """What stands around a box belongs to the answer; without a box the claim counts, and not its last number."""
    assert missed(STATED[kind], verifier_set) == []


def test_choices(verifier_set: VerifierSet) -> None:
    """A choice is what is said to be right, in whatever words; a contradiction is open."""
    assert missed(CHOICES, verifier_set, "choice", BIRDS) == []


def test_what_the_problem_counts_is_a_unit(verifier_set: VerifierSet) -> None:
    """A noun that no list of units has is one where the problem speaks of it; what changes a number never is."""
    prompt = "How many zorks are there, or more?"
    assert (
        missed(
            [("5", r"\boxed{5\text{ zorks}}", "C"), ("5", r"\boxed{6\text{ zorks}}", "I")], verifier_set, prompt=prompt
        )
        == []
    )
    assert missed([("5", r"\boxed{5\text{ or more}}", "U")], verifier_set, prompt=prompt) == []
    assert missed([("5", r"\boxed{5\text{ zorks}}", "U")], verifier_set) == []
