r"""What the answer part of a response states as its answer: the final box with what stands around it, or the claim.

With a box: several boxes joined by commas, "and" or "or" are one list; what stands beside a box in its formula (a sign,
a factor, a root) belongs to the answer; a box that only remarks ("verified") is none, and one that is called wrong says
nothing. Without a box: the line behind ``####``, what is said to be the answer, or the one value of the last sentence.
Words that change a number ("not 8", "at least 8", "7 or 8") leave the answer open. Standard library only.
"""

from __future__ import annotations

from typing import Final

from verifiers.maths.boxes import NO_ANSWER as NO_ANSWER  # noqa: PLC0414 - one place for what is stated
from verifiers.maths.boxes import Stated as Stated  # noqa: PLC0414 - the same
from verifiers.maths.boxes import boxed
from verifiers.maths.claims import claimed

SEARCHED_CHARS: Final = 5_000  # of an answer part without a box, its end; a hostile text of these takes 0.3 s


def stated(answer: str, reference: str = "") -> Stated:
    """Return what an answer part states.

    Args:
        answer: what follows the think part.
        reference: the known answer, which says whether a word may be an answer.
    """
    return boxed(answer.replace("\\Boxed", "\\boxed"), reference) or claimed(answer[-SEARCHED_CHARS:], reference)
