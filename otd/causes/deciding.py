"""Which cause an error, a room's state or an endpoint's state shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from otd import deliveries
from otd.causes.listed import Found
from otd.model import EndpointState, RelayState, RoomState

_OF_CALENDAR = {
    "unreachable": "calendar_unreachable",
    "busy": "calendar_busy",
    "garbled": "calendar_garbled",
    "truncated": "calendar_garbled",
    "denied": "calendar_denied",
    "missing": "calendar_missing",
    "unsupported": "calendar_garbled",
    "untrusted": "calendar_untrusted",
    "bad_setting": "calendar_setting",
}
"""An error's code (otd.errors) -> the cause, when it is a calendar's."""

_OF_RECEIPT = {
    "unreachable": "endpoint_unreachable",
    "busy": "endpoint_busy",
    "untrusted": "certificate_changed",
    "stale": "delivery_stale",
    "expired": "delivery_expired",
    "not_for_me": "credential_unknown",
}
_OF_REASON = {"password": "password_refused", "role": "role_missing", "teams": "teams_mode", "list": "list_refused"}
_OF_DIFFERENCE = {"rebooted": "list_rebooted", "drifted": "list_drifted", "overwritten": "list_overwritten"}


def of_calendar(code: str, why: str, mend: str) -> Found:
    """What an error of this code means that a calendar was read with."""
    return Found(code=_OF_CALENDAR.get(code, "calendar_unreachable"), detail=why, mend=mend)


def of_room(state: RoomState) -> Found | None:
    """Why nothing new is known of the room's calendar; None when it is read."""
    if state.failing_since is not None:
        return of_calendar(state.code, state.error, state.mend)
    return Found(code="calendar_unread") if state.read_at is None else None


def of_endpoint(state: EndpointState, relays: Sequence[RelayState], now: datetime) -> Found | None:
    """Why the newest list is not confirmed on the endpoint, or not to be seen there as it should; None when it is."""
    condition = deliveries.condition(state)
    match condition:
        case "confirmed":
            return None
        case "hidden":
            return Found(code="hidden", detail=f"by {', '.join(state.facts.hides)}" if state.facts else "")
        case "leaving" | "observed":
            return Found(code=condition)
        case "unread":
            return Found(code="calendar_unread")
        case "refused elsewhere":
            return Found(code="credential_refused")
        case "overwritten":
            return Found(code="list_overwritten")
    if not any(relay.pool == state.endpoint.pool and deliveries.is_alive(relay, now) for relay in relays):
        return Found(code="no_relay", detail=f"pool {state.endpoint.pool}")
    if condition == "placed":
        return Found(code="list_not_fetched")
    return _of_receipt(state)


def _of_receipt(state: EndpointState) -> Found:
    """By the last answer, unless it is about an older list than the one that is on its way."""
    receipt, sent = state.receipt, state.sent
    if receipt is None or receipt.outcome in ("confirmed", "placed", "fetched", "forgotten"):
        unanswered = sent is not None and (receipt is None or receipt.sequence < sent.sequence)
        return Found(code="delivery_unanswered" if unanswered else "delivery_waiting")
    said = receipt.detail
    if receipt.outcome == "differs":
        return Found(code=_OF_DIFFERENCE.get(state.found, "list_differs"), detail=said, mend=receipt.mend)
    if receipt.outcome in ("denied", "unsupported"):
        usual = "password_refused" if receipt.outcome == "denied" else "endpoint_unsupported"
        return Found(code=_OF_REASON.get(receipt.reason, usual), detail=said, mend=receipt.mend)
    return Found(code=_OF_RECEIPT[receipt.outcome], detail=said, mend=receipt.mend)
