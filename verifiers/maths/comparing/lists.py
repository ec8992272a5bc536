"""Lists, sets and tuples, with or without names for their members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from verifiers.maths.comparing.names import are_of_one_letter, label_text, named
from verifiers.maths.comparing.sameness import DIFFERENT, EQUAL, Finding, Found, unsure
from verifiers.maths.comparing.values import letters_of
from verifiers.maths.reading.tree import Node, Relation, Seq

_UNORDERED: Final = frozenset(["", "{}"])
_MAX_ITEMS: Final = 60


class Lists:
    """Compares lists.

    Args:
        compared: compares two members of them, which may be lists again.
    """

    def __init__(self, compared: Callable[[Node, Node], Finding | None]) -> None:
        self._compared = compared

    def one_and_several(self, one: Node, several: Seq) -> Finding | None:
        """Compare one value with a list."""
        if any(name.startswith("bold ") for name in letters_of(one)):
            return unsure("a vector told by other vectors, and its components")
        findings = [self._compared(one, item) for item in several.items]
        if len(several.items) == 1 and several.brackets in _UNORDERED:
            return findings[0]
        if findings[0] == EQUAL and all(isinstance(item, Relation) for item in several.items[1:]):
            return unsure("a value and conditions of it")
        if all(finding is not None and finding.found == Found.EQUAL for finding in findings):
            return unsure("one value and several")
        if any(finding is None or finding.found == Found.UNSURE for finding in findings):
            return unsure("one value and several")
        return DIFFERENT

    def sequences(self, gold: Seq, target: Seq) -> Finding | None:  # noqa: PLR0911 - one case a line
        """Compare two lists, sets or tuples."""
        if max(len(gold.items), len(target.items)) > _MAX_ITEMS:
            return None
        if gold.brackets == target.brackets == "{|}":
            return None
        assigned = self._assignments(gold, target)
        if assigned is not None:
            return assigned
        gold, target = _without_names(gold), _without_names(target)
        kinds = gold.brackets, target.brackets
        if kinds[0] in _UNORDERED and kinds[1] in _UNORDERED:
            return self._unordered(gold.items, target.items)
        if {kinds[0], kinds[1]} & _UNORDERED:
            return self._list_and_tuple(gold, target)
        finding = self.in_order(gold.items, target.items)
        if finding != EQUAL or kinds[0] == kinds[1]:
            return finding
        if "<>" in kinds or len(gold.items) != 2:
            return EQUAL if set(kinds) <= {"<>", "()", "[]"} else unsure("other brackets")
        return DIFFERENT  # [1, 2) and [1, 2]

    def _list_and_tuple(self, gold: Seq, target: Seq) -> Finding | None:
        in_order = self.in_order(gold.items, target.items)
        if "{}" in (gold.brackets, target.brackets):
            return unsure("a set and a tuple or interval")
        if in_order is None or in_order.found != Found.DIFFERENT:
            return in_order
        if {gold.brackets, target.brackets} & {"(]", "[)"}:
            return DIFFERENT
        if gold.brackets == "" and self._unordered(gold.items, target.items) == EQUAL:
            return unsure("the same values in another order")
        return DIFFERENT

    def in_order(self, gold: Sequence[Node], target: Sequence[Node]) -> Finding | None:
        """Compare member by member."""
        if len(gold) != len(target):
            return DIFFERENT if not self._equal_as_sets(gold, target) else unsure("the numbers of elements differ")
        findings = [self._compared(a, b) for a, b in zip(gold, target, strict=True)]
        return _all_of(findings)

    def _equal_as_sets(self, gold: Sequence[Node], target: Sequence[Node]) -> bool:
        def holds(one: Node, others: Sequence[Node]) -> bool:
            return any(self._compared(one, other) == EQUAL for other in others)

        return all(holds(one, target) for one in gold) and all(holds(one, gold) for one in target)

    def _unordered(self, gold: Sequence[Node], target: Sequence[Node]) -> Finding | None:
        if len(gold) != len(target):
            return unsure("the numbers of elements differ") if self._equal_as_sets(gold, target) else DIFFERENT
        left, doubt = list(target), None
        for one in gold:
            findings = [(other, self._compared(one, other)) for other in left]
            match = next((other for other, finding in findings if finding == EQUAL), None)
            if match is not None:
                left.remove(match)
                continue
            doubts = [finding for _, finding in findings if finding is None or finding.found == Found.UNSURE]
            if not doubts:
                return DIFFERENT
            doubt = doubts[0] or unsure("elements that cannot be compared")
        return doubt or EQUAL

    def _assignments(self, gold: Seq, target: Seq) -> Finding | None:
        """Of x = 1, y = 2 on one side at least; None where names decide nothing."""
        golds, targets = _by_label(gold), _by_label(target)
        if golds is not None and targets is not None:
            if golds.keys() == targets.keys():
                return self._named_alike(golds, targets)
            finding = self.in_order(list(golds.values()), list(targets.values()))
            return (
                DIFFERENT
                if finding is not None and finding.found == Found.DIFFERENT
                else unsure("values of other unknowns")
            )
        if golds is None and targets is None:
            return None
        assigned, other = (golds, target) if golds is not None else (targets, gold)
        return self._names_and_values(assigned or {}, other, are_golds=golds is not None)

    def _named_alike(self, golds: dict[str, Node], targets: dict[str, Node]) -> Finding | None:
        finding = _all_of([self._compared(golds[label], targets[label]) for label in golds])
        if finding is None or finding.found != Found.DIFFERENT or not are_of_one_letter(golds):
            return finding
        is_reordered = self._unordered(list(golds.values()), list(targets.values())) == EQUAL
        return unsure("the same values under other names") if is_reordered else DIFFERENT

    def _names_and_values(self, assigned: dict[str, Node], other: Seq, *, are_golds: bool) -> Finding | None:
        """X = 1, y = 2 beside (1, 2): in the order in which they are written, or in that of the alphabet."""
        values = list(assigned.values())
        by_name = [assigned[label] for label in sorted(assigned)]
        findings = [
            self.in_order(order, other.items) if are_golds else self.in_order(other.items, order)
            for order in (values, by_name)
        ]
        if EQUAL in findings:
            return EQUAL
        if findings[0] is None or findings[0].found != Found.DIFFERENT:
            return findings[0]
        if are_of_one_letter(assigned) and self._unordered(values, other.items) == EQUAL:
            return EQUAL if other.brackets in _UNORDERED else unsure("the same values in another order")
        return DIFFERENT


def _all_of(findings: Sequence[Finding | None]) -> Finding | None:
    if any(finding is not None and finding.found == Found.DIFFERENT for finding in findings):
        return DIFFERENT
    if None in findings:
        return None
    return next((finding for finding in findings if finding is not None and finding.found == Found.UNSURE), EQUAL)


def _without_names(seq: Seq) -> Seq:
    """Return the values without "x =" where the names say no more: all the same, or one tuple of names."""
    items = [named(item) for item in seq.items]
    labels = [label for label, _, fault in items if label is not None and not fault]
    if not labels or any(fault for _, _, fault in items):
        return seq
    return Seq(seq.brackets, tuple(value for _, value, _ in items))


def _by_label(seq: Seq) -> dict[str, Node] | None:
    """Return the values by their names, of a list of nothing but values under different names."""
    found: dict[str, Node] = {}
    for item in seq.items:
        if not (isinstance(item, Relation) and set(item.ops) <= {"=", "~"}):
            return None
        label, value, fault = named(item)
        if label is None or fault or isinstance(label, Seq):
            return None
        found[label_text(label)] = value
    return found if len(found) == len(seq.items) > 1 else None
