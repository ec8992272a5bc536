"""What a comparison of students comes to: ``comparison.json``, and the same for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tracemill.evaluate.statistics import bounds, rounded
from tracemill.training.contrast import difference, seed_noise, sentence, two_way

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.students import Comparison
    from tracemill.training.contrast import Found
    from tracemill.training.held_out import HeldOutItems

BASE = "base"


def compared(
    recipe: Comparison,
    students: Sequence[Mapping[str, Any]],
    drawn: Mapping[int, Mapping[str, Mapping[str, int]]],
    held_out: HeldOutItems,
    noise: tuple[float | None, int | None],
) -> dict[str, Any]:
    """Return every figure of a comparison.

    Args:
        recipe: of it.
        students: each with ``arm``, ``seed``, ``scores`` by item (None: it has failed), ``told`` and ``outcomes``.
        drawn: rows, tokens, right and wrong ones of each arm, by seed.
        held_out: the items of the scores, and which of them each endpoint is over.
        noise: of one arm from seed to seed, and the seeds that it asks for.
    """
    tables = {arm.name: _scores(students, arm.name, held_out.primary) for arm in recipe.arms}
    ahead, behind = recipe.contrast.ahead, recipe.contrast.behind
    main = _difference(tables[ahead], tables[behind])
    failed = [f"{one['arm']} seed {one['seed']}: {one['told']['failed']}" for one in students if one["scores"] is None]
    told = sentence(ahead, behind, main) if main else f"Nothing is shown: no seed of {ahead} and {behind} is finished."
    noise_sd, needed = noise
    base = _scores(students, BASE, held_out.primary).get(0)
    return {
        "name": recipe.name,
        "description": recipe.description,
        "sentence": told,
        "items": int(held_out.primary.sum()),
        "contrast": {"ahead": ahead, "behind": behind, **(_difference_facts(main) if main else {})},
        "noise": {
            "arm": behind,
            "between_seeds": rounded(noise_sd),
            "between_two_equal_arms": rounded(None if noise_sd is None else noise_sd * math.sqrt(2)),
            "detect": recipe.seeds.detect,
            "seeds_needed": needed,
            "seeds_trained": len(drawn),
        },
        "base": None if base is None else rounded(float(base.mean())),
        "arms": [_arm(recipe, arm.name, tables[arm.name], students, drawn) for arm in recipe.arms],
        "against_base": {} if base is None else _against_base(tables, base),
        "against": {
            arm.name: _difference_facts(found)
            for arm in recipe.arms
            if arm.name != behind and (found := _difference(tables[arm.name], tables[behind])) is not None
        },
        **({"secondary": _secondary(recipe, students, held_out)} if recipe.secondary else {}),
        "failed": failed,
        "trainer": recipe.trainer.content(),
        "recipe": recipe.content(),
    }


def _secondary(
    recipe: Comparison, students: Sequence[Mapping[str, Any]], held_out: HeldOutItems
) -> dict[str, dict[str, Any]]:
    """Return score and contrast of every secondary endpoint."""
    found = {}
    for name, mask in held_out.secondary.items():
        tables = {arm: _scores(students, arm, mask) for arm in (BASE, *(arm.name for arm in recipe.arms))}
        main = _difference(tables[recipe.contrast.ahead], tables[recipe.contrast.behind])
        found[name] = {
            "items": int(mask.sum()),
            "contrast": _difference_facts(main) if main else {},
            "means": {arm: _mean_score(scores) for arm, scores in tables.items()},
        }
    return found


def _against_base(
    tables: Mapping[str, Mapping[int, NDArray[np.float64]]], base: NDArray[np.float64]
) -> dict[str, dict[str, Any]]:
    """Return by how much each arm is ahead of the base as it is, of which there is one."""
    found = {arm: _difference(scores, dict.fromkeys(scores, base)) for arm, scores in tables.items()}
    return {arm: _difference_facts(one) for arm, one in found.items() if one is not None}


def _mean_score(scores: Mapping[int, NDArray[np.float64]]) -> float | None:
    return rounded(float(np.mean(list(scores.values())))) if scores else None


def _scores(students: Sequence[Mapping[str, Any]], arm: str, mask: NDArray[np.bool_]) -> dict[int, NDArray[np.float64]]:
    """Return an arm's scores of the items of an endpoint, by seed."""
    return {one["seed"]: one["scores"][mask] for one in students if one["arm"] == arm and one["scores"] is not None}


def _difference(ahead: Mapping[int, NDArray[np.float64]], behind: Mapping[int, NDArray[np.float64]]) -> Found | None:
    """Return the difference over the seeds that both arms have; None of none."""
    both = sorted(ahead.keys() & behind.keys())
    return difference(np.array([ahead[s] for s in both]), np.array([behind[s] for s in both])) if both else None


def _difference_facts(found: Found) -> dict[str, Any]:
    return {
        "difference": rounded(found.mean),
        "interval": bounds(found.interval),
        "seeds": found.n_seeds,
        "detectable_difference": rounded(found.detectable),
        "difference_shown": found.is_shown,
    }


def _arm(
    recipe: Comparison,
    name: str,
    scores: Mapping[int, NDArray[np.float64]],
    students: Sequence[Mapping[str, Any]],
    drawn: Mapping[int, Mapping[str, Mapping[str, int]]],
) -> dict[str, Any]:
    arm = next(arm for arm in recipe.arms if arm.name == name)
    mine = [one for one in students if one["arm"] == name]
    table = np.array(list(scores.values()))
    found = two_way(table) if scores else None
    interval = found.interval() if found else None
    judged = [facts[name] for facts in drawn.values()]
    n_wrong, n_right = (sum(facts[kind] for facts in judged) for kind in ("wrong", "right"))
    outcomes = {key for one in mine for key in one["outcomes"]}
    return {
        "name": name,
        "traces": arm.traces,
        "matched": arm.matched,
        "rows": [facts["rows"] for facts in judged],
        "tokens": [facts["tokens"] for facts in judged],
        "wrong_share": rounded(n_wrong / (n_wrong + n_right)) if n_wrong + n_right else None,
        "mean": rounded(found.mean) if found else None,
        "interval": bounds(interval.within(0.0, 1.0) if interval else None),
        "between_seeds": rounded(seed_noise(table)) if scores else None,
        "by_seed": {str(seed): rounded(float(values.mean())) for seed, values in sorted(scores.items())},
        "outcomes": {key: sum(one["outcomes"].get(key, 0) for one in mine) for key in sorted(outcomes)},
        "updates": [one["told"]["updates"] for one in mine if "updates" in one["told"]],
        "curve": _curve([one["told"]["curve"] for one in mine if one["told"].get("curve")]),
    }


def _curve(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[list[float]]:
    """Return (step, mean loss over the seeds), where all of them have been."""
    shortest = min(map(len, curves), default=0)
    return [
        [curves[0][place]["step"], round(sum(curve[place]["loss"] for curve in curves) / len(curves), 4)]
        for place in range(shortest)
    ]


def points(share: float | None) -> str:
    """Return a share in points."""
    return "–" if share is None else f"{100 * share:.1f}"


def signed(share: float | None) -> str:
    """Return a difference in points."""
    return "–" if share is None else f"{100 * share:+.1f}"


def around(interval: Sequence[float] | None) -> str:
    """Return an interval in points."""
    return "–" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def render(found: Mapping[str, Any]) -> str:
    """Return the figures for a terminal."""
    lines = [f"{'arm':<16}{'rows':>8}{'tokens':>10}{'wrong':>8}{'score':>8}  {'95 %':<16}{'by seed'}"]
    for arm in found["arms"]:
        rows, tokens = (average(arm[name]) for name in ("rows", "tokens"))
        share = "–" if arm["wrong_share"] is None else f"{arm['wrong_share']:.0%}"
        seeds = " ".join(points(score) for score in arm["by_seed"].values())
        lines.append(
            f"{arm['name'][:15]:<16}{rows:>8}{tokens:>10}{share:>8}{points(arm['mean']):>8}  "
            f"{around(arm['interval']):<16}{seeds}"
        )
    noise = found["noise"]
    lines += ["", f"base as it is {points(found['base'])}, over {found['items']:,} held-out problems{_lift(found)}"]
    if noise["between_seeds"] is not None:
        lines.append(
            f"{noise['arm']} differs from seed to seed by {points(noise['between_seeds'])} points; to find "
            f"{points(noise['detect'])} takes {noise['seeds_needed']} seeds, {noise['seeds_trained']} were trained"
        )
    for name, second in found.get("secondary", {}).items():
        means = ", ".join(f"{arm} {points(mean)}" for arm, mean in second["means"].items())
        contrast = second["contrast"]
        told = f"{signed(contrast.get('difference'))} ({around(contrast.get('interval'))})"
        lines.append(f"secondary, {name} ({second['items']:,}): {means}; contrast {told}")
    lines += [f"failed: {each}" for each in found["failed"]]
    return "\n".join(lines)


def _lift(found: Mapping[str, Any]) -> str:
    ahead = found["contrast"]["ahead"]
    lift = found["against_base"].get(ahead)
    return f"; {ahead} is {signed(lift['difference'])} to it ({around(lift['interval'])})" if lift else ""


def average(numbers: Sequence[int]) -> str:
    """Return the mean of counts, one a seed."""
    return f"{sum(numbers) / len(numbers):,.0f}" if numbers else "–"
