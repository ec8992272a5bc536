"""What an audit is made from: the part of a recipe that reads rows and judges them, without a teacher."""

from __future__ import annotations

from pydantic import Field

from tracemill.core import Section
from tracemill.core.settings import Name
from tracemill.recipe.recipe import Collect, Run
from tracemill.recipe.sections.verify import Verify
from tracemill.sources import Source


class Audit(Section):
    """A published dataset and how it is judged; its sections are a recipe's."""

    name: Name
    data_dir: str = Field(default=".", json_schema_extra={"operational": True})
    sources: tuple[Source, ...] = Field(min_length=1)
    collect: Collect = Collect()
    verify: Verify = Verify()
    run: Run = Run()
