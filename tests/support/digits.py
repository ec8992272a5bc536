"""Digits of every script."""

from __future__ import annotations

import unicodedata

ZEROS = {  # of each script, by its name in Unicode
    name: ord(unicodedata.lookup(f"{name} DIGIT ZERO"))
    for name in (
        "ARABIC-INDIC",
        "EXTENDED ARABIC-INDIC",
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
        "GUJARATI",
        "ORIYA",
        "TAMIL",
        "TELUGU",
        "KANNADA",
        "MALAYALAM",
        "THAI",
        "LAO",
        "TIBETAN",
        "MYANMAR",
        "KHMER",
        "MONGOLIAN",
        "NKO",
        "BALINESE",
        "JAVANESE",
        "FULLWIDTH",
        "MATHEMATICAL BOLD",
        "MATHEMATICAL DOUBLE-STRUCK",
        "MATHEMATICAL MONOSPACE",
        "OSMANYA",
        "CHAKMA",
        "ADLAM",
    )
}


def in_digits_of(text: str, zero: int) -> str:
    """The text with its digits in another script."""
    return "".join(chr(zero + int(sign)) if sign.isdigit() and sign.isascii() else sign for sign in text)
