"""Spans of time as people read them: how long ago, and in how long."""

from __future__ import annotations

from datetime import datetime, timedelta


def ago(time: str | None, now: datetime) -> str:
    """ "5 min ago" of a time in ISO 8601, "never" of none."""
    return f"{short(now - datetime.fromisoformat(time))} ago" if time else "never"


def until(time: str | None, now: datetime) -> str:
    """ "in 5 min" of a time in ISO 8601, "now" of one that has passed, "-" of none."""
    if not time:
        return "-"
    left = datetime.fromisoformat(time) - now
    return f"in {short(left)}" if left > timedelta(0) else "now"


def short(span: timedelta) -> str:
    """In its largest whole unit."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
