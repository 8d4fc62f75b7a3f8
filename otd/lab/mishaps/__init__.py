"""What goes wrong between a calendar and a screen, each made to go wrong over the real protocols, with the cause that
`otd explain` must name and the mend that must heal it."""

from __future__ import annotations

from otd.lab.mishaps import brake, calendars, endpoints, meetings, relays, rules
from otd.lab.mishaps.mishap import HEALED, Mishap

MISHAPS: tuple[Mishap, ...] = (
    *calendars.MISHAPS,
    *meetings.MISHAPS,
    *rules.MISHAPS,
    *brake.MISHAPS,
    *relays.MISHAPS,
    *endpoints.MISHAPS,
)

__all__ = ["HEALED", "MISHAPS", "Mishap"]
