"""Model servers in a recipe: where they are, what they serve, and how patient we are with them."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from tracemill.core import Section, digest
from tracemill.core.secrets import Header, Secret, holds_password, is_secret_key, url_secret
from tracemill.core.settings import Fraction, Name, Positive, Seconds
from tracemill.recipe.prompt_template import is_file, require_sound
from tracemill.recipe.sections.money import Price
from tracemill.recipe.server_url import BaseUrl

SYSTEM_PROMPT_NAMES: Final = ("none", "am")
Template = Literal["boxed@1", "none@1", "am-eval@1", "lcb@1", "mcq@1"]
_FEW: Final = 8  # requests at once, at a server whose limits are not known yet
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110, section 5.6.2
_OWN_HEADERS: Final = frozenset(
    {"content-type", "content-length", "content-encoding", "transfer-encoding", "host", "connection", "accept-encoding"}
)
# Fields of a request's body that other settings decide, or that would break what is kept of an answer.
_SET_BY: Final = {
    "model": "set distill.teacher.model",
    "messages": "set distill.teacher.system_prompt or .prompt_template",
    "prompt": "set distill.teacher.prompt_template",
    "temperature": "set distill.teacher.temperature",
    "top_p": "set distill.teacher.top_p",
    "max_tokens": "set distill.teacher.max_tokens",
    "max_completion_tokens": "set distill.teacher.max_tokens, and max_tokens_field: max_completion_tokens",
    "n": "set distill.samples_per_round: each sample is a request, paid for once",
    "best_of": "set distill.samples_per_round: each sample is a request, paid for once",
    "stream": "answers are recorded whole; leave it out",
    "stream_options": "answers are recorded whole; leave it out",
    "continue_final_message": "set distill.teacher.force_think or distill.truncation",
    "add_generation_prompt": "set distill.teacher.force_think or distill.truncation",
    "tools": "a call of a tool is no answer; leave it out",
    "tool_choice": "a call of a tool is no answer; leave it out",
    "functions": "a call of a function is no answer; leave it out",
    "function_call": "a call of a function is no answer; leave it out",
}


def _prompt_name(given: object) -> object:
    """Return a system prompt's name however it is written, or its text; nothing is none."""
    if given is None:
        return SYSTEM_PROMPT_NAMES[0]
    if isinstance(given, str) and given.strip().lower() in SYSTEM_PROMPT_NAMES:
        return given.strip().lower()
    return given


def _require_json(value: object, path: str) -> None:
    """Raise ValueError unless a request's body and its key can hold it, and it holds no secret."""
    if isinstance(value, dict):
        for name, item in value.items():
            inner = f"{path}.{name}".lstrip(".")
            if is_secret_key(str(name)):
                raise ValueError(
                    f"{inner} would hold a secret, and extra_body is part of keys and cards; set api_key or headers"
                )
            _require_json(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _require_json(item, f"{path}.{index}")
    elif isinstance(value, str):
        if holds_password(value):
            raise ValueError(f"{path} holds a URL with a password, and extra_body is part of keys and cards")
    elif value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
        raise ValueError(f"{path} is no JSON value: {type(value).__name__}")


class ModelServer(Section):
    """One or more servers of one model.

    Attributes:
        place: where the section stands in a recipe, for messages.
        role: what the model is to us, for messages.
    """

    place: ClassVar[str] = "server"
    role: ClassVar[str] = "server"

    base_urls: tuple[BaseUrl, ...] = Field(
        default=("http://127.0.0.1:8000/v1",),
        min_length=1,
        description="Servers of the same model; requests are spread over them.",
        json_schema_extra={"operational": True},
    )
    api_key: Secret = Field(
        default=None,
        description="Sent as bearer token: env:NAME, where the environment variable NAME holds it.",
        json_schema_extra={"operational": True},
    )
    headers: dict[str, Header] = Field(
        default_factory=dict,
        description="Own headers of every request, such as {X-Title: mine, api-key: env:NAME}.",
        json_schema_extra={"operational": True},
    )
    model: str = Field(description="Name under which the server serves the model.")
    revision: str = Field(default="", description="Weights revision: part of every request's key.")
    max_in_flight: Positive = Field(
        default=256, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )
    start_in_flight: Positive | None = Field(
        default=None,
        description="Of those, to begin with; more while the server answers and refuses none. Unless given: all for "
        "servers of yours, 8 for one that wants a key, own headers or https.",
        json_schema_extra={"operational": True},
    )
    request_timeout_s: Seconds = Field(
        default=1800, description="How long one answer may take.", json_schema_extra={"operational": True}
    )
    give_up_after_s: Seconds = Field(
        default=600,
        description="How long no server may answer before the shard fails.",
        json_schema_extra={"operational": True},
    )
    refused_share: Fraction = Field(
        default=0.05,
        description="Requests that are refused, or failed at again and again: the run does without, and the next asks"
        " them again, up to this share of all (a few in a small run); above it the run fails. 0: on the first.",
        json_schema_extra={"operational": True},
    )

    @field_validator("base_urls")
    @classmethod
    def _each_once(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(urls))

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in headers:
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an HTTP header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is set by tracemill itself; leave it out")
        folded = [name.lower() for name in headers]
        if twice := sorted({name for name in folded if folded.count(name) > 1}):
            raise ValueError(f"given twice, since case does not count: {', '.join(twice)}")
        return headers

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.authorizes_itself and (self.api_key is not None or any(map(url_secret, self.base_urls))):
            raise ValueError("needs one of headers.Authorization, api_key and env:NAME@ in base_urls")
        if self.api_key is not None and any(map(url_secret, self.base_urls)):
            raise ValueError("needs one of api_key and env:NAME@ in base_urls: a request carries one authorization")
        return self

    def __hash__(self) -> int:
        """Return of what tells servers apart in most cases: mappings among the fields have no hash of their own."""
        return hash((type(self), self.base_urls, self.model, self.revision))

    @property
    def authorizes_itself(self) -> bool:
        """Whether one of the recipe's own headers is the authorization."""
        return "authorization" in map(str.lower, self.headers)

    @property
    def first_in_flight(self) -> int:
        """How many requests at once to begin with: few where a server is likely to limit them."""
        is_hosted = (
            self.api_key is not None or bool(self.headers) or any(url.startswith("https:") for url in self.base_urls)
        )
        return min(self.max_in_flight, self.start_in_flight or (_FEW if is_hosted else self.max_in_flight))

    @property
    def adds_fields(self) -> bool:
        """Whether requests have fields that not every server knows."""
        return False

    @property
    def answer_tokens(self) -> int:
        """How many tokens an answer may take: the least context that makes sense."""
        return 1

    @property
    def named(self) -> str:
        """Model and revision, as they stand in a verdict's provenance."""
        return f"{self.model}@{self.revision}" if self.revision else self.model


class PricedServer(ModelServer):
    """A server whose answers are paid for, and stay in the ledger."""

    price: Price | None = Field(
        default=None,
        description="What its answers cost, so that the run says what it spends and distill.budget can end it.",
        json_schema_extra={"operational": True},
    )

    @property
    def paid(self) -> Price | None:
        """Its price as it is asked."""
        return self.price

    @property
    def account(self) -> str:
        """Return under which name its money is counted: a judge may be the teacher's model, at another price."""
        return f"{self.named} ({self.place})"


class ChatServer(PricedServer):
    """A server of the OpenAI chat protocol."""

    max_tokens: Positive = Field(default=16384, description="Peers generate with 12k to 16k.")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens",
        description="What the server calls max_tokens: OpenAI's models that reason take max_completion_tokens alone.",
        json_schema_extra={"operational": True},
    )

    @property
    def adds_fields(self) -> bool:
        """Whether the limit has another name than everywhere."""
        return self.max_tokens_field != "max_tokens"

    @property
    def answer_tokens(self) -> int:
        """All that may be generated."""
        return self.max_tokens


class Batch(Section):
    """How requests are asked in batches. All of it is operational."""

    poll_s: Seconds = Field(
        default=30, description="Between two looks at a batch.", json_schema_extra={"operational": True}
    )
    gather_s: Seconds = Field(
        default=5,
        description="A batch is sent when no more requests have come for so long.",
        json_schema_extra={"operational": True},
    )
    most: Annotated[int, Field(gt=0, le=50_000)] = Field(
        default=50_000,
        description="Requests of one batch; OpenAI takes 50,000.",
        json_schema_extra={"operational": True},
    )
    window: str = Field(
        default="24h",
        pattern=r"^\d+[hdm]$",
        description="In which it is to be done; what is left then is asked again.",
        json_schema_extra={"operational": True},
    )
    discount: Fraction = Field(
        default=0.5,
        description="Off the price of tokens: half, at most providers.",
        json_schema_extra={"operational": True},
    )
    folder: str | None = Field(
        default=None,
        description="Files instead of a provider: requests are left there as NAME.jsonl, and answers awaited as "
        "NAME.out.jsonl, as vllm run-batch writes them.",
        json_schema_extra={"operational": True},
    )
    command: str | None = Field(
        default=None,
        description="Answers a file; with folder: vllm run-batch -i {input} -o {output} --model {model}. Unless given, "
        "somebody else does.",
        json_schema_extra={"operational": True},
    )

    @model_validator(mode="after")
    def _command_of_files(self) -> Batch:
        if self.command is not None and self.folder is None:
            raise ValueError("command is of files: name their folder")
        if self.command is not None and not ("{input}" in self.command and "{output}" in self.command):
            raise ValueError("command needs {input} and {output}, where the two files are to stand")
        return self


class Teacher(ChatServer):
    """An OpenAI-compatible chat server and how to sample from it."""

    place: ClassVar[str] = "distill.teacher"
    role: ClassVar[str] = "teacher"

    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=0.6, description="P1 evaluates with 0.6. null: not sent, for servers that take none."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=0.95, description="P1 evaluates with 0.95. null: not sent."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Further fields of every request, such as {top_k: 20, chat_template_kwargs: {enable_thinking: "
        "true}}; part of its key.",
        json_schema_extra={"silent": True},
    )
    system_prompt: Annotated[str, BeforeValidator(_prompt_name)] = Field(
        default="none",
        description="none (DeepSeek's advice for R1), am (the paper's, verbatim), or an own one: jinja2 text, or a "
        "file that ends in .j2.",
    )
    prompt_template: str | None = Field(
        default=None,
        description="Own prompt in place of template: jinja2 text, or a file that ends in .j2. docs/teachers.md has "
        "its variables.",
        json_schema_extra={"silent": True},
    )
    force_think: bool = Field(
        default=False,
        description="Begin the answer with <think> (DeepSeek's advice for R1, where its template does not; vLLM only).",
    )
    name: Name | None = Field(
        default=None,
        description="What logs, report and rows call it; model@revision unless given.",
        json_schema_extra={"operational": True},
    )
    mode: Literal["online", "batch"] = Field(
        default="online",
        description="batch: by a provider's /v1/batches, or by files for vllm run-batch; same ledger, same keys.",
        json_schema_extra={"operational": True},
    )
    batch: Batch = Field(default=Batch(), description="How, in mode: batch.", json_schema_extra={"operational": True})
    order: Literal["longest_first", "shuffled", "as_given"] = Field(
        default="longest_first",
        description="In which order shards start and their requests are sent: so that no long answer comes last and "
        "keeps the servers for itself. See tracemill/generate/order.py.",
        json_schema_extra={"operational": True},
    )
    template: Template = Field(
        default="boxed@1",
        description="Prompt template and its version. none@1 adds nothing; the others are for evaluations.",
    )

    @property
    def adds_fields(self) -> bool:
        """Whether the recipe adds or leaves out fields."""
        return bool(self.extra_body) or self.temperature is None or self.top_p is None or super().adds_fields

    @model_validator(mode="after")
    def _batches_as_said(self) -> Self:
        if self.mode == "online" and self.batch != Batch():
            raise ValueError("batch is of mode: batch; say so, or leave it out")
        if self.mode == "batch" and self.force_think:
            raise ValueError("force_think goes on with an answer that is begun, which batches do not; leave one out")
        return self

    @property
    def paid(self) -> Price | None:
        """Its price as it is asked: in batches tokens are cheaper."""
        if self.price is None or self.mode == "online" or not self.price.by_tokens:
            return self.price
        return self.price.times(1 - self.batch.discount)

    @property
    def named(self) -> str:
        """Its name; model and revision where the recipe gives it none."""
        return self.name or super().named

    @property
    def account(self) -> str:
        """Its name."""
        return self.named

    @property
    def template_version(self) -> str:
        """The prompt template's name in the key of every request: of an own one, a digest of its text."""
        return f"own@{digest(self.prompt_template)[:16]}" if self.prompt_template else self.template

    @property
    def system_prompt_version(self) -> str:
        """The system prompt's name, for people: of an own one, a digest of its text."""
        is_named = self.system_prompt in SYSTEM_PROMPT_NAMES
        return self.system_prompt if is_named else f"own@{digest(self.system_prompt)[:16]}"

    @field_validator("extra_body")
    @classmethod
    def _ours_left_out(cls, body: dict[str, Any]) -> dict[str, Any]:
        for name in body:
            if name in _SET_BY:
                raise ValueError(f"{name} is not for extra_body: {_SET_BY[name].replace(Teacher.place, cls.place)}")
        _require_json(body, "")
        return body

    @field_validator("system_prompt")
    @classmethod
    def _sound_system_prompt(cls, text: str) -> str:
        if text in SYSTEM_PROMPT_NAMES or is_file(text):
            return text
        if re.fullmatch(r"\S*/\S*|\S+\.\w{1,5}|\w+", text):
            raise ValueError(f"should be {' or '.join(SYSTEM_PROMPT_NAMES)}, a text, or a file that ends in .j2")
        require_sound(text, uses_prompt=False)
        return text

    @field_validator("prompt_template")
    @classmethod
    def _sound_template(cls, text: str | None) -> str | None:
        if text is not None and not is_file(text):
            require_sound(text, uses_prompt=True)
        return text


class TeacherInTurn(Teacher):
    """One of several teachers, as it is asked."""

    place: ClassVar[str] = "distill.teachers"


class OneOfSeveral(TeacherInTurn):
    """One of several teachers, in a recipe."""

    samples: Annotated[int, Field(gt=0, le=1000)] = Field(
        default=1, description="Samples of each unsolved problem in a round."
    )

    @property
    def in_turn(self) -> TeacherInTurn:
        """The teacher alone: a request's key and a task's know nothing of how many there are."""
        fields = {name: getattr(self, name) for name in Teacher.model_fields}
        return TeacherInTurn.model_construct(_fields_set=self.model_fields_set - {"samples"}, **fields)
