"""The form of a mishap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otd.lab.office import Office

Act = Callable[[Office], object]
HEALED = ("nothing_wrong", "join_later")
"""What `otd explain` says when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """One thing that goes wrong in a room. `happens` ends when it has taken effect; `mend` does what `otd explain` says
    to do, and ends when that has taken effect. `healed` are the causes of which one must be named then."""

    name: str
    room: str
    cause: str
    happens: Act
    mend: Act
    healed: tuple[str, ...] = HEALED
