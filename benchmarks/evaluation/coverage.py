"""How often a 95 % interval holds the true score: ours, and those by which others tell theirs.

``python -m benchmarks.evaluation.coverage [--simulations 2000]``

A simulation draws the difficulty of each item from a beta distribution, samples answers, and sees whether the interval
holds the mean of that distribution. *Across runs* is the standard error over repetitions (NeMo-Skills, evalchemy),
*binomial* takes all samples for independent. The share should be 95 %.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracemill.evaluate.statistics import bootstrap_interval, score_interval, t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Setting(NamedTuple):
    """A benchmark: items, samples of each, and the beta distribution of the items' pass rates."""

    name: str
    items: int
    samples: int
    alpha: float
    beta: float


SETTINGS = (
    Setting("AIME24", 30, 16, 1.0, 0.4),
    Setting("GPQA-Diamond", 198, 4, 0.9, 0.55),
    Setting("LiveCodeBench", 279, 4, 0.6, 0.42),
    Setting("MATH-500", 500, 4, 2.4, 0.1),
)
_BOOTSTRAPS = 300  # simulations in which the bootstrap is looked at: it takes ten times as long as all the others


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000)
    simulations: int = parser.parse_args().simulations
    began = time.monotonic()
    for number, setting in enumerate(SETTINGS):
        shares = covered(setting, simulations, seed=number)
        told = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
        print(f"{setting.name} {setting.items} x {setting.samples}: {told}")
    print(f"{simulations} simulations each, {time.monotonic() - began:.1f} s")


def covered(setting: Setting, simulations: int, seed: int) -> dict[str, float]:
    """Return the share of intervals that hold the true mean, by kind of interval."""
    rng = np.random.default_rng(seed)
    truth = setting.alpha / (setting.alpha + setting.beta)
    hits = {"t over items": 0, "bootstrap": 0, "across runs": 0, "binomial": 0}
    n_bootstraps = min(simulations, _BOOTSTRAPS) if setting.items < 100 else 0
    for number in range(simulations):
        rates = rng.beta(setting.alpha, setting.beta, setting.items)
        right = rng.random((setting.items, setting.samples)) < rates[:, None]
        means = right.mean(axis=1).tolist()
        interval = score_interval(means)
        hits["t over items"] += interval is not None and interval.low <= truth <= interval.high
        hits["across runs"] += _across_runs(right, truth)
        hits["binomial"] += _binomial(right, truth)
        if number < n_bootstraps:
            drawn = bootstrap_interval([means], resamples=2000)
            hits["bootstrap"] += drawn.low <= truth <= drawn.high
    shares = {name: count / simulations for name, count in hits.items() if name != "bootstrap"}
    return shares | ({"bootstrap": hits["bootstrap"] / n_bootstraps} if n_bootstraps else {})


def _across_runs(right: NDArray[np.bool_], truth: float) -> bool:
    scores = right.mean(axis=0)
    half = t_quantile(len(scores) - 1, 0.975) * scores.std(ddof=1) / math.sqrt(len(scores))
    return bool(abs(scores.mean() - truth) <= half)


def _binomial(right: NDArray[np.bool_], truth: float) -> bool:
    mean = right.mean()
    return bool(abs(mean - truth) <= 1.96 * math.sqrt(mean * (1 - mean) / right.size))


if __name__ == "__main__":
    main()
