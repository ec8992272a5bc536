"""Secrets in a recipe: where they are, and the one place where they are looked up.

``env:NAME`` names an environment variable, and is what travels: in settings, in pickles to a cluster's workers, in the
record of a failed task. Its value is looked up where a request is sent, and nowhere before. A literal secret may stand
in a recipe's file; it is shown nowhere, and is no flow parameter, since Prefect keeps those.
"""

from __future__ import annotations

import base64
import difflib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BeforeValidator, SecretStr

from tracemill.core.errors import RecipeError
from tracemill.core.settings import Section

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
# As people write a variable elsewhere: env:NAME, env: NAME, ${NAME}, $NAME, ${env:NAME}.
_IN_ENVIRONMENT: Final = re.compile(rf"(?:env: *|\$)({_NAME})|\$\{{(?:env:)?({_NAME})\}}", re.IGNORECASE)
_PLACE: Final = re.compile(rf"env:({_NAME})")
_BLOCK: Final = re.compile(r"secret:[a-z0-9-]+")
_OTHER_PLACE: Final = re.compile(r"(env|secret|block|file|vault|keyring):.*|\$.*", re.IGNORECASE | re.DOTALL)
_IN_URL: Final = re.compile(r"(?<=://)[^/\s?#@]*(?:@[^/\s?#@]*)*(?=@)")
_BEFORE_AT: Final = re.compile(r"(?<=://)\S*(?=@)")
_LEAST_SCRUBBED: Final = 8  # characters; shorter ones, as EMPTY, stand in messages by chance
HIDDEN: Final = "(not shown)"
_HEADERS: Final = "headers"  # of a server: what stands below it may be a secret, whatever its name
_SECRET_KEYS: Final = (_HEADERS, "apikey", "token", "secret", "password", "accesskey", "secretkey", "authorization")


def _read(value: Any) -> Any:
    """Return a secret as it is kept: ``env:NAME``, or the literal one; messages never hold it."""
    if value is None or isinstance(value, SecretStr):
        return value
    if isinstance(value, Mapping) and len(value) == 1 and "env" in value:
        value = f"env:{value['env']}"
    if not isinstance(value, str):
        raise ValueError("should be text: env:NAME, or the secret in quotes")  # noqa: TRY004 - pydantic's way
    text = value.strip()
    if not text:
        return None
    if found := _IN_ENVIRONMENT.fullmatch(text):
        return SecretStr(f"env:{found[1] or found[2]}")
    if _OTHER_PLACE.fullmatch(text):
        raise ValueError("names a place that is not known; expected env:NAME, the name of an environment variable")
    _require_printable(text, "it")
    return SecretStr(text)


Secret = Annotated[SecretStr | None, BeforeValidator(_read)]


def _read_header(value: Any) -> Any:
    """Return the value of a header as it is kept: ``env:NAME``, or the literal one, in which blanks may stand."""
    if isinstance(value, str) and " " in value.strip() and not _IN_ENVIRONMENT.fullmatch(value.strip()):
        if not (value.isascii() and value.isprintable()):
            raise ValueError("holds characters that no HTTP header can carry")
        return SecretStr(value.strip())
    read = _read(value)
    if read is None:
        raise ValueError("should be text: env:NAME, or the header's value")
    return read


Header = Annotated[SecretStr, BeforeValidator(_read_header)]


def _require_printable(text: str, what: str) -> None:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{what} holds blanks or characters that no HTTP header can carry")


def is_secret_place(text: str) -> bool:
    """Whether a text says where a secret is: ``env:NAME``, or ``secret:NAME`` for a block of Prefect's; or is empty."""
    return not text.strip() or bool(_IN_ENVIRONMENT.fullmatch(text.strip()) or _BLOCK.fullmatch(text.strip()))


def variable_of(secret: SecretStr | None) -> str | None:
    """Return the environment variable that holds a secret; None for a literal one, or none at all."""
    found = _PLACE.fullmatch(secret.get_secret_value()) if secret is not None else None
    return found[1] if found else None


def revealed(secret: SecretStr, key: str, *, blanks: bool = False) -> str:
    """Return the secret itself. Called where it is used, and its result is kept nowhere.

    Args:
        secret: as the recipe has it.
        key: of the recipe, for the error.
        blanks: it may hold some, as ``Basic …`` in a header.

    Raises:
        RecipeError: the environment variable is not set, or holds no secret.
    """
    name = variable_of(secret)
    return secret.get_secret_value() if name is None else looked_up(name, key, blanks=blanks)


def looked_up(name: str, key: str, *, blanks: bool = False) -> str:
    """Return what an environment variable holds; see :func:`revealed`.

    Raises:
        RecipeError: it is not set, is empty, or holds what no header can carry.
    """
    value = os.environ.get(name, "").strip()
    try:
        _require_printable(value.replace(" ", "") if blanks else value, f"the value of {name}")
    except ValueError as error:
        raise RecipeError(f"{key}: env:{name} is no secret", got=str(error), remedy=f"set {name} anew") from None
    if not value:
        raise RecipeError(
            f"{key}: env:{name} names an environment variable that is not set; nothing has run",
            expected="the secret in it, in every process that uses it",
            remedy=f"export {name}=… where the run, the worker or the cluster's workers are started",
        )
    return value


class Found(NamedTuple):
    """A secret of a recipe.

    Attributes:
        key: where it stands, dotted.
        name: of the environment variable that holds it; None for a literal one.
    """

    key: str
    name: str | None


def secrets_in(section: Section, path: str = "") -> Iterator[Found]:
    """Every secret of a section and of those in it: its key, and the environment variable; None for a literal one."""
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{path}.{name}".lstrip(".")
        for inner, item in _items(value, key):
            if isinstance(item, Section):
                yield from secrets_in(item, inner)
            elif isinstance(item, SecretStr):
                yield Found(inner, variable_of(item))
            elif isinstance(item, str) and (place := url_secret(item)):
                yield Found(inner, place)


def _items(value: object, key: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, tuple):
        yield from ((f"{key}.{index}", item) for index, item in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"{key}.{name}", item) for name, item in value.items())
    else:
        yield key, value


def refuse_unset(section: Section, path: str = "") -> None:
    """Raise if an environment variable that a recipe names is not set here.

    Raises:
        RecipeError: naming the first such key.
    """
    for found in secrets_in(section, path):
        if found.name is not None:
            looked_up(found.name, found.key, blanks=is_header(found.key))


def is_header(key: str) -> bool:
    """Tell whether a dotted key is that of a server's header."""
    return _HEADERS in key.split(".")[:-1]


def url_secret(url: str) -> str | None:
    """Return the environment variable that ``http://env:NAME@host`` names; it holds user:password."""
    found = _IN_URL.search(url)
    place = _PLACE.fullmatch(found[0]) if found else None
    return place[1] if place else None


def holds_password(text: str) -> bool:
    """Tell whether there is a URL in it with a literal user or password."""
    return any(not _PLACE.fullmatch(found[0]) for found in _IN_URL.finditer(text))


def without_password(text: str) -> str:
    """Return the text with all that may be users and passwords of URLs left out, also such as hold a slash."""
    return _BEFORE_AT.sub(lambda found: found[0] if _PLACE.fullmatch(found[0]) else HIDDEN, text)


def opened(url: str, key: str) -> tuple[str, dict[str, str]]:
    """Return a URL without user and password, and the header that says them instead.

    Raises:
        RecipeError: its environment variable is not set.
    """
    name = url_secret(url)
    if name is None:
        return url, {}
    user = looked_up(name, key).encode()
    bare = urlsplit(url)
    host = bare.netloc.rpartition("@")[2]
    return urlunsplit(bare._replace(netloc=host)), {"Authorization": f"Basic {base64.b64encode(user).decode()}"}


def scrubbed(raw: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a server's words without the secret that was sent to it: some repeat a wrong key in what they answer."""
    sent = {part for value in headers.values() for part in (value, value.partition(" ")[2])}
    forms = sorted({form for part in sent for form in (part, quote(part, safe=""))}, key=len, reverse=True)
    for form in forms:
        if len(form) >= _LEAST_SCRUBBED:
            raw = raw.replace(form.encode(), HIDDEN.encode())
    return raw


def is_secret_key(name: str) -> bool:
    """Tell whether a key of a recipe is, or was meant to be, one that holds a secret."""
    folded = re.sub("[^a-z]", "", name.lower())
    return folded in _SECRET_KEYS or bool(difflib.get_close_matches(folded, _SECRET_KEYS, n=1, cutoff=0.8))


def shown_override(text: str) -> str:
    """A ``section.key=value`` setting for messages: without the value where its key, or one in it, holds a secret."""
    key, _, value = text.partition("=")
    words = re.findall(r"[A-Za-z_-]+", text)
    if any(map(is_secret_key, words)):
        named = next((word for word in re.findall(r"[\w.-]+", key) if is_secret_key(word.rpartition(".")[2])), "")
        return f"{key.strip() if value else named}={HIDDEN}"
    return without_password(text)
