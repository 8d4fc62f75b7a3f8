"""Why a screen shows no Join button: the closed list, by where a cause lies, and which one a state shows. Pure."""

from __future__ import annotations

from otd.causes.deciding import of_calendar, of_endpoint, of_room
from otd.causes.listed import CAUSES, Cause, Found

__all__ = ["CAUSES", "Cause", "Found", "of_calendar", "of_endpoint", "of_room"]
