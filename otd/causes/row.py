"""The form of a row in the lists: a code, the stage, one sentence, one mend."""

from __future__ import annotations

from typing import Literal

Stage = Literal["calendar", "invitation", "booking", "brake", "relay", "delivery", "endpoint", "expiry", "alert"]
Row = tuple[str, Stage, str, str]
