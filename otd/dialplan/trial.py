"""What another dial plan would do to the meetings of a site, before it is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from otd.model import Dialled, DialString

Effect = Literal["same", "gain", "lose", "change"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one meeting's dial string was and would be."""

    before: Dialled
    after: Dialled

    @property
    def effect(self) -> Effect:
        """What a person in front of the endpoint would see of it: only what may be dialled counts."""
        before, after = _shown(self.before), _shown(self.after)
        if before == after:
            return "same"
        if before is None:
            return "gain"
        return "lose" if after is None else "change"


def _shown(dialled: Dialled) -> DialString | None:
    return dialled.dial if dialled.allowed else None
