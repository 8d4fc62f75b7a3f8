"""What Microsoft Graph calls: that a mailbox changed, or what became of a subscription.

    POST /graph/notifications?validationToken=...    200, the token as plain text: how Graph finds out that it is us
    POST /graph/notifications  {"value": [...]}      202, whoever it is of and whatever it says
    POST /graph/lifecycle                            the same two, about subscriptions

It writes hints only, so that Graph has its answer within the three seconds that it waits. A notification counts when it
repeats the client state of a subscription that we know; nothing else in it is believed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from otd.model import ChangeEvent, ChangeNotice
from otd.serve.bodies import body
from otd.subscribing import CHANGES, LIFECYCLE

LIMIT = 1024 * 1024  # of one call, which carries the notifications of many rooms
AT_ONCE = 1000  # notifications of one call that are looked at; the rooms of the others are read at their period
LONGEST = 2048  # characters of a token or a client state
_EVENTS: dict[str, ChangeEvent] = {
    "reauthorizationRequired": "reauthorize",
    "subscriptionRemoved": "removed",
    "missed": "missed",
}
log = structlog.get_logger(__name__)


def notifications(take: Callable[[Iterable[ChangeNotice]], int]) -> list[Route]:
    """The two addresses; `take` is otd.ports.Store.notified."""

    async def answer(request: Request) -> Response:
        if "validationToken" in request.query_params:
            return _shaken(request.query_params["validationToken"])
        notices = _notices(await body(request, limit=LIMIT))
        known = await run_in_threadpool(take, notices) if notices else 0
        if known < len(notices):
            log.info("notifications of no subscription of ours", count=len(notices) - known)
        return Response(status_code=202)

    return [Route(path, answer, methods=["POST"]) for path in (CHANGES, LIFECYCLE)]


def _shaken(token: str) -> Response:
    """Strictly as text: whoever calls this from a browser must not be able to run anything in it."""
    if len(token) > LONGEST:
        raise HTTPException(400, "the validation token is too long")
    return PlainTextResponse(token, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})


def _notices(content: bytes) -> tuple[ChangeNotice, ...]:
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError):
        stated = None
    values = stated.get("value") if isinstance(stated, dict) else None
    if not isinstance(values, list):
        raise HTTPException(400, "this is not a collection of notifications")
    found = (_notice(value) for value in values[:AT_ONCE])
    return tuple(dict.fromkeys(notice for notice in found if notice is not None))


def _notice(value: Any) -> ChangeNotice | None:
    """None for one that can be of no subscription of ours, or says something of it that we do not know."""
    if not isinstance(value, dict):
        return None
    identity, state = value.get("subscriptionId"), value.get("clientState")
    if not isinstance(identity, str) or not isinstance(state, str) or max(len(identity), len(state)) > LONGEST:
        return None
    stated = value.get("lifecycleEvent")
    event = "changed" if stated is None else _EVENTS.get(stated) if isinstance(stated, str) else None
    return None if event is None else ChangeNotice(subscription=identity, client_state=state, event=event)
