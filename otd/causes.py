"""Why a screen does not show a Join button: the closed list, from the calendar to the endpoint. Pure.

Each cause has a code that never changes its meaning (alerts, `otd explain`, metrics and webhooks state it), the stage
of the way at which it stands, one sentence and one mend. What an invitation lacks is among them: its codes are those
of otd.invites.reasons. What was found in a case at hand (a time, a relay, an address) is the detail of a `Found`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from otd import deliveries
from otd.invites.reasons import REASONS
from otd.model import EndpointState, RelayState, RoomState

Stage = Literal["calendar", "invitation", "booking", "brake", "relay", "delivery", "endpoint", "expiry", "alert"]


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


_OWN: tuple[tuple[str, Stage, str, str], ...] = (
    # the calendar
    (
        "calendar_unread",
        "calendar",
        "The room's calendar has not been read yet.",
        "Wait for the first reading; if none comes, is `otd run` running?",
    ),
    (
        "calendar_unreachable",
        "calendar",
        "The calendar does not answer.",
        "Check the way to it: name, firewall, proxy. Screens keep what they show.",
    ),
    (
        "calendar_busy",
        "calendar",
        "The calendar asks to wait.",
        "Nothing to do when it passes; if not, lower at_once or raise refresh.",
    ),
    (
        "calendar_garbled",
        "calendar",
        "The calendar's answers cannot be read, or are not whole.",
        "Look for a proxy or a sign-in page on the way; screens keep what they show.",
    ),
    (
        "calendar_denied",
        "calendar",
        "The calendar refuses the account, or its right to this mailbox.",
        "Renew the secret, or give the application or account its right again; `otd check` tries it.",
    ),
    (
        "calendar_missing",
        "calendar",
        "The calendar knows no such mailbox.",
        "Correct the room's mailbox in otd.toml, or create it.",
    ),
    (
        "calendar_untrusted",
        "calendar",
        "The calendar's certificate is not trusted.",
        "Name its CA with ca = ... in the calendar's settings.",
    ),
    (
        "calendar_setting",
        "calendar",
        "A setting or secret of the calendar is wrong.",
        "`otd check` names it with its line.",
    ),
    (
        "calendar_late",
        "calendar",
        "The room's calendar is read too late.",
        "Are enough workers running, and is the calendar's lane neither paused nor too narrow? See `otd status`.",
    ),
    (
        "room_unknown",
        "calendar",
        "The database does not know the room yet.",
        "Start `otd run` with these settings once.",
    ),
    (
        "work_stopped",
        "calendar",
        "Nobody works on what is due.",
        "Start `otd run`, or the workers; `otd status` shows what is due since when.",
    ),
    (
        "lane_paused",
        "calendar",
        "The work of this calendar or pool is paused.",
        "It goes on by itself; `otd status` shows when, and what the pause was asked for.",
    ),
    (
        "not_kept",
        "calendar",
        "What was known at that time is not kept, or not any more.",
        "Ask for a later time; keep under [readings] and under [audit] says how long it is kept.",
    ),
    # the way of a meeting into the list
    (
        "room_without_endpoint",
        "booking",
        "No endpoint shows the room.",
        "Name the room in the rooms of an endpoint in otd.toml.",
    ),
    (
        "meeting_gone",
        "booking",
        "The meeting was in the room's calendar, and is not any more.",
        "It was moved or removed there: ask its organiser, or book the room again.",
    ),
    (
        "join_later",
        "booking",
        "Everything is in place; Join appears shortly before the meeting.",
        "Wait, or raise start_buffer under [policy].",
    ),
    (
        "meeting_not_found",
        "booking",
        "No reading of the room's calendar holds such a meeting.",
        "Was the room invited, and did it accept? Look into the room's calendar in Outlook.",
    ),
    ("meeting_declined", "booking", "The room declined the meeting.", "Book the room again at a time that is free."),
    (
        "meeting_hidden",
        "booking",
        "The policy keeps meetings of this kind off the screens.",
        "Change tentative, free, all_day or without_video under [policy].",
    ),
    (
        "meeting_outside",
        "booking",
        "The meeting lies outside the days that are shown.",
        "Wait, or raise ahead under [policy].",
    ),
    (
        "meeting_over",
        "booking",
        "The meeting is over.",
        "Nothing to do.",
    ),
    # the brake
    (
        "brake_calendar",
        "brake",
        "The brake holds the rooms of a calendar, since too many would go from bookings to none at once.",
        "Is the calendar read with all its rights? `otd release CALENDAR` lets the rooms go empty.",
    ),
    (
        "brake_rules",
        "brake",
        "The brake holds changed rules, since they would take away or change too many dial strings.",
        "Look with `otd rules try`; `otd release rules` lets them go, `otd rules revert` goes back.",
    ),
    # relays
    (
        "no_relay",
        "relay",
        "No relay of the endpoint's pool is alive.",
        "Start a relay of the pool, and see that it reaches the centre.",
    ),
    (
        "relay_gone",
        "relay",
        "A relay was not heard of for a while; others of its pool stand in.",
        "Start it again; if it was taken out of service, remove it from the settings.",
    ),
    (
        "relay_clock",
        "relay",
        "A relay's clock is wrong.",
        "Give its machine a working NTP server.",
    ),
    (
        "relay_cloned",
        "relay",
        "Two machines run under one relay's identity; the one that came later rests.",
        "Stop the later one, and pair it anew under a name of its own: `otd relay pair --again`.",
    ),
    # delivery
    (
        "delivery_waiting",
        "delivery",
        "The newest list is on its way.",
        "Wait some seconds; if it stays so, is `otd run` running?",
    ),
    (
        "delivery_unanswered",
        "delivery",
        "The relay that took the list does not answer.",
        "It is sent again by itself, to another relay where there is one; look at the relay's log.",
    ),
    (
        "delivery_expired",
        "delivery",
        "The list could not be put in place in time.",
        "It is tried again; if it stays so, the endpoint or the way to it is slow.",
    ),
    (
        "delivery_stale",
        "delivery",
        "The relay has seen a newer list than the centre's, as after a restored backup.",
        "It is numbered anew by itself.",
    ),
    (
        "credential_unknown",
        "delivery",
        "The relay does not know the endpoint's secret.",
        "Add the secret of this name where the relay looks for its secrets.",
    ),
    (
        "credential_refused",
        "delivery",
        "The endpoint is not tried, since others refuse the same password.",
        "Set the right secret and restart, or `otd endpoints retry` one of those that refuse it.",
    ),
    # the endpoint
    (
        "endpoint_unreachable",
        "endpoint",
        "No relay reaches the endpoint.",
        "Is it switched on, and is its address right? `otd endpoints probe` tries it.",
    ),
    ("endpoint_busy", "endpoint", "The endpoint asks to wait.", "It is tried again by itself."),
    (
        "password_refused",
        "endpoint",
        "The endpoint refuses the password.",
        "Set the right secret, then `otd endpoints retry`; it is not tried before, so that no account is locked.",
    ),
    (
        "role_missing",
        "endpoint",
        "The endpoint's user may not write bookings.",
        "Give that user the role Admin on the endpoint.",
    ),
    (
        "certificate_changed",
        "endpoint",
        "The endpoint shows another certificate than the one that is trusted.",
        "If it was renewed, `otd endpoints pin` shows both and takes the new one.",
    ),
    (
        "teams_mode",
        "endpoint",
        "The endpoint runs as a Microsoft Teams Room, whose calendar is Microsoft's.",
        "Remove it here, or switch it back to RoomOS.",
    ),
    (
        "list_refused",
        "endpoint",
        "The endpoint refuses this list.",
        "`otd endpoints probe` says what it can do; a list with other bookings is tried again by itself.",
    ),
    (
        "endpoint_unsupported",
        "endpoint",
        "The endpoint cannot take bookings.",
        "`otd endpoints probe` says what it can do.",
    ),
    (
        "list_differs",
        "endpoint",
        "The endpoint does not hold the list that was put there.",
        "`otd endpoints compare` shows what differs.",
    ),
    (
        "list_drifted",
        "endpoint",
        "The endpoint's list was changed by somebody; it is put again.",
        "`otd endpoints compare` shows what differs; who else writes there?",
    ),
    (
        "relays_disagree",
        "endpoint",
        "One relay saw the list in place and another did not, a moment apart; it was put again.",
        "Look at the endpoint; do both relays reach the same one? `otd relays revoke` shuts out one that tells lies.",
    ),
    ("list_rebooted", "endpoint", "The endpoint restarted and lost its list; it is put again.", "Nothing to do."),
    (
        "list_overwritten",
        "endpoint",
        "Another system puts its own bookings on the endpoint.",
        'Stop the other system for this endpoint, or set mode = "observe"; then `otd endpoints retry` it.',
    ),
    (
        "list_not_fetched",
        "endpoint",
        "The endpoint has not asked for its list.",
        "Check the calendar service and the network settings on the endpoint.",
    ),
    (
        "login_missing",
        "endpoint",
        "The endpoint was never given a password with which to fetch its list.",
        "`otd endpoints credentials` makes one; type it on the endpoint's calendar page.",
    ),
    (
        "nothing_wrong",
        "endpoint",
        "The endpoint holds the booking with its Join, and nothing that is known hides it.",
        "Look at the screen itself; `otd endpoints show` reads what the endpoint holds now.",
    ),
    (
        "observed",
        "endpoint",
        "The endpoint is only observed; another system is in charge of it.",
        "`otd pools cutover` puts OTD in charge.",
    ),
    (
        "leaving",
        "endpoint",
        "The endpoint was removed or moved to another pool.",
        "Nothing to do: the new pool writes as soon as the old one has let go.",
    ),
    (
        "hidden",
        "endpoint",
        "The endpoint's own settings hide bookings, or parts of them.",
        "Set UserInterface Bookings Visibility on the endpoint to Auto.",
    ),
    (
        "clock_wrong",
        "endpoint",
        "The endpoint's clock is wrong, so that Join comes at the wrong time.",
        "Give it a working NTP server.",
    ),
    # OTD itself
    (
        "alert_unsent",
        "alert",
        "A channel for alerts cannot be told; what is to be told waits.",
        "`otd alerts test` tries each channel and says what is wrong.",
    ),
    # what runs out
    (
        "secret_expires",
        "expiry",
        "A calendar's credential runs out soon.",
        "Make a new one, store it under NAME-next beside the old one, and restart.",
    ),
    (
        "face_expires",
        "expiry",
        "The certificate of a relay's face runs out soon.",
        "Put a renewed one into its file; it is taken up without a restart.",
    ),
    (
        "endpoint_expires",
        "expiry",
        "The certificate of an endpoint runs out soon.",
        "Renew it on the endpoint; with a pin, accept the new one with `otd endpoints pin`.",
    ),
)

CAUSES: MappingProxyType[str, Cause] = MappingProxyType(
    {
        reason.code: Cause(code=reason.code, stage="invitation", sentence=reason.sentence, mend=reason.mend)
        for reason in REASONS.values()
    }
    | {code: Cause(code=code, stage=stage, sentence=sentence, mend=mend) for code, stage, sentence, mend in _OWN}
)

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
    """Why the newest list is not confirmed on the endpoint; None when it is."""
    condition = deliveries.condition(state)
    match condition:
        case "confirmed":
            return None
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
