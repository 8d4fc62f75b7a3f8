"""Why a screen does not show a Join button: the closed list, from the calendar to the endpoint. Pure.

Each cause has a code that never changes its meaning (alerts, `otd explain`, metrics and webhooks state it), the stage
of the way at which it stands, one sentence and one mend. What an invitation lacks is among them: its codes are those
of otd.invites.reasons. What was found in a case at hand (a time, a relay, an address) is the detail of a `Found`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from otd.causes import centre, site, upkeep
from otd.causes.row import Stage
from otd.invites.reasons import REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One entry of the list."""

    code: str
    stage: Stage
    sentence: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A cause in a case at hand. `mend` is that of the case where it says more than the list's, else ""."""

    code: str
    detail: str = ""
    mend: str = ""

    def __post_init__(self) -> None:
        if self.code not in CAUSES:
            raise ValueError(f"{self.code!r} is not in the list of causes")

    @property
    def cause(self) -> Cause:
        return CAUSES[self.code]


CAUSES: MappingProxyType[str, Cause] = MappingProxyType(
    {
        reason.code: Cause(code=reason.code, stage="invitation", sentence=reason.sentence, mend=reason.mend)
        for reason in REASONS.values()
    }
    | {
        code: Cause(code=code, stage=stage, sentence=sentence, mend=mend)
        for code, stage, sentence, mend in (*centre.ROWS, *site.ROWS, *upkeep.ROWS)
    }
)
