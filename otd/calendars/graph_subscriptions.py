"""Microsoft Graph's change notifications for one mailbox: asking for them, and asking again before they end.

Without resource data, since a notification is only a hint to read: what it says about the change is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from otd.calendars.graph_line import Call, GraphLine
from otd.errors import BadSetting, Garbled, OtdError, Unreachable, Unsupported
from otd.model import Hook, Room, Subscription

# Graph allows less than seven days for events; older documents say 4,230 minutes, which every cloud allows.
LIFE = timedelta(minutes=4200)
NOT_CALLED = timedelta(minutes=10)  # until Graph is asked again after it could not call us
Found = TypeVar("Found")


def subscribe(line: GraphLine, room: Room, hook: Hook, client_state: str, call: Call, now: datetime) -> Subscription:
    """A new subscription. Graph calls both addresses before it answers. Raises OtdError."""
    document = {
        "changeType": "created,updated,deleted",
        "notificationUrl": hook.changes,
        "lifecycleNotificationUrl": hook.lifecycle,
        "resource": f"users/{quote(room.mailbox, safe='@')}/events",
        "expirationDateTime": _stamp(now + LIFE),
        "clientState": client_state,
        "latestSupportedTlsVersion": "v1_2",
    }
    try:
        stated = _in_time(call, lambda: line.send("POST", "/v1.0/subscriptions", document, call))
    except Unsupported as error:
        failed = BadSetting(
            call.where,
            f"Graph gives no notifications: {error.why}",
            f"Graph must be able to call {hook.changes}, and get an answer within 10 seconds: does `otd serve` run, is "
            "public_url right, and does it show a certificate of a public CA?",
            rest=NOT_CALLED,
        )
        failed.requests = call.requests
        raise failed from None
    identity = stated.get("id")
    if not isinstance(identity, str) or not 0 < len(identity) <= 128:
        raise Garbled(call.where, "Graph's subscription has no id")
    return Subscription(
        room=room.name, id=identity, client_state=client_state, since=now, expires_at=_ends(stated, call)
    )


def renew(line: GraphLine, subscription: Subscription, call: Call, now: datetime) -> Subscription:
    """It holds for longer, and is authorised anew. Raises Missing when Graph does not know it any more, OtdError."""
    path = f"/v1.0/subscriptions/{quote(subscription.id, safe='')}"
    document = {"expirationDateTime": _stamp(now + LIFE)}
    stated = _in_time(call, lambda: line.send("PATCH", path, document, call))
    return replace(subscription, since=now, expires_at=_ends(stated, call), renew=False)


def unsubscribe(line: GraphLine, subscription: Subscription, call: Call) -> None:
    """Nothing is told any more. Raises Missing when Graph does not know it any more, OtdError."""
    path = f"/v1.0/subscriptions/{quote(subscription.id, safe='')}"
    _in_time(call, lambda: line.remove(path, call))


def _in_time(call: Call, ask: Callable[[], Found]) -> Found:
    try:
        return ask()
    except TimeoutError:
        error: OtdError = Unreachable(call.where, "no whole answer within the time")
        error.requests = call.requests
        raise error from None
    except OtdError as error:
        error.requests = call.requests
        raise


def _ends(stated: dict[str, Any], call: Call) -> datetime:
    """When it ends, by Graph: it may have given less than was asked for."""
    text = stated.get("expirationDateTime")
    try:
        ends = datetime.fromisoformat(text[:19]) if isinstance(text, str) else None
    except ValueError:
        ends = None
    if ends is None:
        raise Garbled(call.where, "Graph's subscription does not say when it ends")
    return ends.replace(tzinfo=UTC)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
