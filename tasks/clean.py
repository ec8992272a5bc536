"""Cleaning, per shard: rewrites and rules on each problem, and equal ids within the shard."""

from __future__ import annotations

from collections import Counter

from tasks.stage import Produced, Work, stage
from tracemill.cleaning import clean
from tracemill.schema import Category, Dropped, digest, table_of
from verifiers import verifier_versions
from verifiers.reference_reader import VerifiersReader

# Which references can be used is the verifiers' knowledge: a new version of theirs is one of this stage.
VERSION = f"4-{digest([verifier_versions()[category] for category in (Category.MATH, Category.CHOICE)])[:8]}"


@stage("clean", version=VERSION, rows="problems", drops=True)
def clean_shard(work: Work) -> Produced:
    """Rewrites and rules on each problem; references are read as the verifiers will read them."""
    problems = work.table("problems")
    kept, dropped = clean(problems, work.section, VerifiersReader())
    return Produced(
        {"kept": kept, "dropped": table_of(Dropped, dropped)},
        problems.num_rows,
        kept.num_rows,
        dict(Counter(f"{row.stage}/{row.reason}" for row in dropped)),
    )
