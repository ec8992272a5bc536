"""The address of a model server: the OpenAI base URL, as people write it and as it is used."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator

from tracemill.core.secrets import holds_password

_SCHEMES: Final = ("http", "https")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What clients append themselves; some take the address of a request for the server's.
_ENDPOINTS: Final = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/models",
    "/classify",
    "/pooling",
    "/responses",
)
_IN_PLACE_OF_USER: Final = re.compile(r"(?<=://)env:[A-Za-z_][A-Za-z0-9_]*@")
_EXAMPLE: Final = "expected a base URL, such as http://localhost:8000/v1"


def base_url(given: object) -> object:
    """Return the base URL: with scheme, without trailing slash and endpoint; ``/v1`` where it names no path.

    Raises:
        ValueError: it is no such URL, or could be meant two ways.
    """
    if not isinstance(given, str):
        return given
    if holds_password(given) or "@" in _IN_PLACE_OF_USER.sub("", given):
        raise ValueError(
            "a user or password in a URL is shown in logs; write http://env:NAME@host…, "
            "where the environment variable NAME holds user:password, or set api_key"
        )
    text = given.strip()
    parts = _split(text if _SCHEME.match(text) else _with_scheme(text))
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    endpoint = next((each for each in _ENDPOINTS if path.lower().endswith(each)), "")
    path = path[: len(path) - len(endpoint)].rstrip("/")
    if endpoint in _ENDPOINTS[:4] and not path:
        raise ValueError(f"is the address of a request, and names no version; {_EXAMPLE}")
    return f"{parts.scheme.lower()}://{parts.netloc}{path or '/v1'}"


def _with_scheme(text: str) -> str:
    """http:// for this machine and private networks, where nobody has certificates; elsewhere it has to be said."""
    if not re.fullmatch(r"[^\s/:@]+(:[0-9]+)?(/\S*)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?(/\S*)?", text):
        raise ValueError(f"is no URL; {_EXAMPLE}")
    host = urlsplit(f"//{text}").hostname or ""
    try:
        near = ipaddress.ip_address(host).is_private
    except ValueError:
        near = host == "localhost" or host.endswith(".localhost")
    if not near:
        raise ValueError(f"has no scheme: write http:// or https:// before it; {_EXAMPLE}")
    return f"http://{text}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"is no URL; {_EXAMPLE}") from None
    if parts.scheme.lower() not in _SCHEMES:
        raise ValueError(f"has scheme {parts.scheme}; expected http or https")
    if not parts.hostname or port == 0 or re.search(r"[\s,]", text):
        raise ValueError(f"is no URL; {_EXAMPLE}")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError(f"has something behind a ? or #, which cannot be part of it; {_EXAMPLE}")
    return parts


BaseUrl = Annotated[str, BeforeValidator(base_url)]
