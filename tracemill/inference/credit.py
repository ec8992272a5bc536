"""Whether a reply says that the account is out of credit, which no waiting fixes. Pure functions.

Collected from the public error pages of OpenAI, Anthropic, DeepSeek, OpenRouter, Together, Fireworks, Groq, xAI,
Moonshot, Zhipu, SiliconFlow, DashScope, Hugging Face and LiteLLM. A rate limit, which passes, often speaks of plans and
billing too; and the error of a bad request may quote a question about somebody's balance. So words count for little
beside a code, and differently by status.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import TeacherUnpaidError
from tracemill.inference.dialects import parsed, server_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracemill.recipe.sections.server import ModelServer

_PAYMENT_REQUIRED: Final = 402
_TOO_MANY: Final = 429
# Statuses of the account rather than of the request: words anywhere in the message are believed.
_OF_THE_ACCOUNT: Final = frozenset({401, 403, 412, _TOO_MANY})
_CODES: Final = frozenset(
    {
        "402", "1113", "accountoverdueerror", "arrearage", "billing_error", "billing_hard_limit_reached",
        "billing_limit_reached", "billing_not_active", "budget_exceeded", "credit_limit", "credit_limit_exceeded",
        "credits_exhausted", "exceeded_current_quota_error", "insufficient_balance", "insufficient_credit",
        "insufficient_credits", "insufficient_funds", "insufficient_quota", "insufficient_user_quota",
        "out_of_credits", "payment_required", "spend_limit_reached",
    }
)  # fmt: skip
_WORDS: Final = re.compile(
    r"exceeded (?:your|the) (?:current|monthly|free|total|included)\b.{0,20}\b(?:quota|credits?|spend)"
    r"|insufficient[ _](?:account[ _]|user[ _]|api[ _])?(?:balance|credits?|funds|quota)"
    r"|\b(?:balance|credits?|funds|quota) (?:is |are |has been |have been )?"
    r"(?:too low|insufficient|not (?:enough|sufficient)|exhausted|depleted|used up|ran out)"
    r"|\b(?:not|n't have) enough (?:balance|credits?|funds)|\b(?:no|out of|used all(?: available)?) credits?\b"
    r"|have any credits|more credits\b|credit limit|billing|\bspend(?:ing)? limit|budget has been exceeded|over budget"
    r"|specified api usage limits|usage limits?\b.{0,40}\bregain access|key limit exceeded|call volume quota"
    r"|payment required|payment method|overdue|arrear|in good standing|余额不足|欠费|额度不足|额度已用尽",
    re.IGNORECASE | re.DOTALL,
)
# What no question begins with: providers that answer 400 to an empty account. A wrapper's name may stand before it.
_BEGINS: Final = re.compile(
    r"(?:[\w.]*(?:Error|Exception):\s*)*(?:your credit balance is too low|insufficient (?:balance|credits?|funds|quota)"
    r"|you exceeded your current quota|you have reached your specified api usage limits|billing hard limit"
    r"|(?:exceededbudget|budget has been exceeded)|access denied, please make sure your account is in good standing"
    r"|organization has (?:reached|exceeded) its? spend)",
    re.IGNORECASE,
)
_PASSES: Final = re.compile(
    r"(?:try again|retry) (?:in|after)\b|retry ?delay|rate.?limit|too many requests"
    r"|\bper (?:second|min(?:ute)?|hour|day)\b|\b[tr]p[md]\b",
    re.IGNORECASE,
)


def out_of_credit(status: int, headers: Mapping[str, str], raw: bytes) -> bool:
    """Tell whether a reply of any status says that nothing more is answered until somebody pays, or raises a limit."""
    if status == _PAYMENT_REQUIRED:
        return True
    words = server_words(raw)
    if any(code in _CODES for code in _codes(raw)):
        return True
    if status not in _OF_THE_ACCOUNT:
        return _BEGINS.match(words) is not None
    passes = status == _TOO_MANY and ("Retry-After" in headers or _PASSES.search(words) is not None)
    return not passes and _WORDS.search(words) is not None


def unpaid(url: str, status: int, raw: bytes, settings: ModelServer) -> TeacherUnpaidError:
    """Return the error that ends the run: what, the provider's words, and what to do."""
    return TeacherUnpaidError(
        f"the account of the {settings.role} at {url} is out of credit",
        got=f"HTTP {status}: {server_words(raw)}",
        expected="an account that can pay; waiting does not help",
        remedy="top the account up or raise its limit at the provider, or set another key in"
        f" {settings.place}.api_key; then run again: answers had before are kept and will not be asked again",
    )


def _codes(raw: bytes) -> Iterator[str]:
    """Yield the codes and types in a body, in whatever layout; in lower case."""
    try:
        payload = parsed(raw)
    except ValueError:
        return
    for place in (payload, *_errors(payload)):
        if isinstance(place, dict):
            yield from (str(place[name]).lower() for name in ("code", "type") if isinstance(place.get(name), str | int))


def _errors(payload: Any) -> Iterator[Any]:
    error = payload.get("error") if isinstance(payload, dict) else None
    yield error
    yield error.get("error") if isinstance(error, dict) else None
