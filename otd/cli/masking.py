"""Dial strings at a terminal: what may be a passcode is shown only when a person asks for it."""

from __future__ import annotations

import re

HIDDEN = "…"
_BEHIND = re.compile(r"(?<=[0-9A-Za-z])(\.|\*{1,2}|##|#)[^@]*")


def masked(dial: str) -> str:
    """The dial string with everything left out that stands behind the meeting's number: passcodes stand there, and a
    number too much that is left out does no harm."""
    user, at, host = dial.rpartition("@")
    if not at:
        number, sign, _ = dial.partition("##")
        return f"{number}{sign}{HIDDEN}" if sign else dial
    return f"{_BEHIND.sub(lambda found: found[1] + HIDDEN, user, count=1)}@{host}"
