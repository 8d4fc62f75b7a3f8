"""Titles that any endpoint can show: one line, no character that XML or a screen cannot take, 128 characters at most.

Emoji and every script are kept. Marks of direction that stand for themselves (LRM, RLM, ALM) are kept too; those that
open a span of text, and could swallow what an endpoint writes beside the title, are not.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 128
UNTITLED = "Meeting"

# Outlook's and other programs' marks for forwarded and answered mail. Single letters (Italian R: and I:) are left out:
# too many titles begin like that.
_PREFIXES = (
    *("FW", "FWD", "RE"),  # English, and most others
    *("AW", "WG"),  # German
    *("TR", "RÉF", "RÉP"),  # French
    *("RV", "RES", "ENC"),  # Spanish, Portuguese
    *("RIF", "INOLTRA"),  # Italian
    *("ANTW", "DOORST"),  # Dutch
    *("SV", "VB", "VS", "VL"),  # Swedish, Norwegian, Danish, Finnish
    *("ODP", "PD"),  # Polish
    *("VÁ", "TOVÁBBÍTÁS"),  # Hungarian
    *("YNT", "İLT"),  # Turkish
    *("ΑΠ", "ΠΡΘ", "ΣΧΕΤ"),  # Greek
    *("BLS", "TRS"),  # Indonesian
    *("返信", "転送"),  # Japanese
    *("回复", "答复", "转发", "回覆", "轉寄"),  # Chinese
    *("회신", "전달"),  # Korean
    *("תגובה", "השב", "הועבר"),  # Hebrew
    *("رد", "إعادة توجيه", "تحويل"),  # Arabic
)
_PREFIX = re.compile(
    r"[\u200e\u200f\u061c]*(?:"
    + "|".join(map(re.escape, _PREFIXES))
    + r")(?:\s?(?:\[\d{1,3}\]|\(\d{1,3}\)))?\s?[:：]\s*",
    re.IGNORECASE,
)
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What XML 1.0 does not admit, halves of surrogate pairs, noncharacters, and what is there without being seen.
_UNFIT = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffc\ufeff\u00ad\u2060-\u206f\u202a-\u202e"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def clean(text: str) -> str:
    """The text on one line, composed (NFC), without what cannot be shown."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return unicodedata.normalize("NFC", _BREAKS.sub(" ", _UNFIT.sub("", text))).strip()


def without_prefix(title: str) -> str:
    """The title without FW:, RE: and their translations at its head, unless there is nothing else in it."""
    rest = title
    while found := _PREFIX.match(rest):
        rest = rest[found.end() :]
    return rest or title


def is_forwarded(subject: str) -> bool:
    """Whether the subject begins with one of the marks."""
    return _PREFIX.match(clean(subject)) is not None


def cut(text: str, most: int = LONGEST) -> str:
    """At most so many characters, with an ellipsis where something was cut, never through what is seen as one.

    A base with its accents, an emoji with its colour, a joined family and a flag stay whole (after Unicode Standard
    Annex 29, without its rules for scripts that write a vowel before its consonant).
    """
    if len(text) <= most:
        return text
    at = most - 1
    while at > 0 and not _parts(text, at):
        at -= 1
    return (text[:at].rstrip() if at > 0 else text[: most - 1]) + "…"


def _parts(text: str, at: int) -> bool:
    """Whether text[:at] ends where one visible character ends and the next begins."""
    before, after = text[at - 1], text[at]
    if _extends(after) or before == "\u200d":
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        first = at
        while first > 0 and _is_flag_letter(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 0
    return not _is_jamo_pair(before, after)


def _extends(ch: str) -> bool:
    return (
        unicodedata.category(ch) in ("Mn", "Me", "Mc")  # accents, vowel signs, variation selectors, the keycap
        or ch in "\u200c\u200d\u0e33\u0eb3"  # the joiners, and the vowel am of Thai and Lao
        or "\U0001f3fb" <= ch <= "\U0001f3ff"  # skin colours
        or "\U000e0020" <= ch <= "\U000e007f"  # tags, as in the flag of Scotland
    )


def _is_flag_letter(ch: str) -> bool:
    return "\U0001f1e6" <= ch <= "\U0001f1ff"


def _is_jamo_pair(before: str, after: str) -> bool:
    """Korean syllables that are written in parts."""
    return "\u1160" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
