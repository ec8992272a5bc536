"""Section ``push`` of the recipe, off unless given: the Hub repository that a finished dataset goes to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.config import JsonDict

from tracemill.core import Section

_HOW: JsonDict = {"operational": True}  # where a dataset goes changes nothing in it
Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", max_length=96)]
# A token (hf_…) has no colon, so that one in the token's stead is refused, and stays out of files and logs.
TokenPlace = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|secret:[a-z0-9-]+)$")]


class Push(Section):
    """To the Hub at the end of every build; the run only says what it would send unless ``really`` is set."""

    repo: Repository = Field(description="Dataset repository, ORG/NAME; made if there is none.", json_schema_extra=_HOW)
    private: bool = Field(
        default=True,
        description="Of a repository that is made; one that is there stays as it is.",
        json_schema_extra=_HOW,
    )
    branch: str = Field(default="main", description="Branch to send to; made if there is none.", json_schema_extra=_HOW)
    really: bool = Field(
        default=False, description="Send it. Otherwise the run says what it would send.", json_schema_extra=_HOW
    )
    token: TokenPlace = Field(
        default="env:HF_TOKEN",
        description="Where the token is, never the token: env:NAME, or secret:NAME for a Prefect Secret block.",
        json_schema_extra=_HOW,
    )
