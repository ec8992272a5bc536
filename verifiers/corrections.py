"""Words by which somebody takes back what was just said: "B. Wait, actually C." Standard library only."""

from __future__ import annotations

from typing import Final

TAKES_BACK: Final = r"(?:sorry|wait|actually|correction|scratch\s+that|hold\s+on|oops|on\s+second\s+thought)"
