"""Cleaning, per shard: rewrites and rules on each problem, and equal ids within the shard."""

from __future__ import annotations

from collections import Counter

from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.clean.clean import clean
from tracemill.core import Category, Dropped, digest, table_of
from tracemill.text.language.guess import VERSION as LANGUAGE_VERSION
from verifiers import verifier_versions
from verifiers.reference_reader import VerifiersReader

# Which references can be used is the verifiers' knowledge: a new version of theirs is one of this stage.
_READERS = digest([verifier_versions()[category] for category in (Category.MATH, Category.CHOICE)])[:8]
VERSION = f"4-{LANGUAGE_VERSION}-{_READERS}"


@task(name="clean", task_run_name="clean {label}", version=VERSION, retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
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
