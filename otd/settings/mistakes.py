"""What is wrong in the settings: every mistake with its place, what is wrong and the mend; all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from otd.errors import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong (or, as a `warning`, probably not meant): where, what, and what to do."""

    where: str  # "otd.toml line 12", "environment variable OTD_LOG"
    key: str  # "rooms.board.mailbox", "" when it is not about a key
    why: str
    mend: str
    warning: bool = False
    path: tuple[str | int, ...] = field(default=(), repr=False)  # the key's parts

    def __str__(self) -> str:
        key = f", {self.key}" if self.key else ""
        return f"{self.where}{key}: {self.why}" + (f" ({self.mend})" if self.mend else "")


class BadSettings(BadSetting):
    """All mistakes of the settings at once; the text has one line for each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        first = self.mistakes[0]
        super().__init__(first.where, first.why, first.mend)

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A mend for an unknown word: the nearest known one, else all of them."""
    choices = list(known)
    near = get_close_matches(word.casefold().replace("_", "-"), [c.casefold().replace("_", "-") for c in choices], n=1)
    if near:
        return "did you mean " + next(c for c in choices if c.casefold().replace("_", "-") == near[0]) + "?"
    if not choices:
        return "there are none yet"
    return "known here: " + ", ".join(choices[:20]) + (", ..." if len(choices) > 20 else "")
