"""How long another side asks us to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(hours=1)  # whatever is asked: a pause holds for a whole calendar
FORBIDDEN = timedelta(minutes=30)  # Exchange sees a change of rights that late, and later the more it is asked
NOT_THERE = timedelta(hours=1)  # an address does not become right by asking
REFUSED = timedelta(minutes=5)  # a token or a sign-in that is refused is refused for every room


def retry_after(stated: str, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (seconds or an HTTP date, RFC 9110 section 10.2.3), at most an hour.

    None when there is none, or none that can be understood.
    """
    stated = stated.strip()
    if stated.isascii() and stated.isdigit():
        return timedelta(seconds=min(int(stated[:9]), LONGEST.total_seconds()))
    try:
        at = parsedate_to_datetime(stated)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST)


def back_off(seconds: float | None, usual: timedelta) -> timedelta:
    """A number of seconds that may be missing or mad, as a pause of at most an hour."""
    if seconds is None or not 0 <= seconds < float("inf"):
        return usual
    return timedelta(seconds=min(seconds, LONGEST.total_seconds()))
