"""What a person has to know of now: a pure decision on what is known, as otd.deliveries is for endpoints.

The same function is asked every few seconds and says all that is wrong; what of it is new, and what is over, is the
store's to find out. So nothing has to be remembered between two calls but the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from otd import causes, deliveries
from otd.causes import CAUSES, Found
from otd.model import Alert, Brake, EndpointState, Expiry, Joinless, RelayState, RoomState

DISPUTED = timedelta(hours=1)  # for so long it is told that two relays saw an endpoint differently
SOON_OVER = timedelta(minutes=10)  # a meeting that began less than this ago still has people looking for Join
FETCHING = timedelta(minutes=5)  # an endpoint that fetches asks every so often; until then a new list is not late
CLOCK = timedelta(seconds=10)  # DESIGN, Fencing: a relay whose clock is further off is at fault
FORGOTTEN = timedelta(days=7)  # a relay that was gone for so long was probably taken out of service
EXPECTED = frozenset({"no_link", "link_only", "cancelled", "private"})
"""Reasons that say how a meeting is, and not that something is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What is worth an alert. `mute` holds causes and things that are not."""

    before: timedelta = timedelta(minutes=15)  # this long before a meeting its button must be confirmed
    patience: timedelta = timedelta(minutes=1)  # what passes within this is nobody's concern
    expiring: timedelta = timedelta(days=30)
    mute: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is looked at, of one moment."""

    now: datetime
    watched: Sequence[EndpointState] = ()
    joinless: Sequence[Joinless] = ()
    rooms: Sequence[RoomState] = ()
    relays: Sequence[RelayState] = ()
    brakes: Sequence[Brake] = ()
    expiries: Sequence[Expiry] = ()
    failing: Sequence[tuple[str, str, datetime]] = ()  # channels that cannot be told, why and since when
    pools: Mapping[str, int] = field(default_factory=dict)  # how many endpoints each has
    things: frozenset[str] = frozenset()  # what is configured; of others nothing runs out


def of(picture: Picture, concern: Concern) -> tuple[Alert, ...]:
    """All alerts, each key once, in a fixed order."""
    found = {
        (alert.cause, alert.thing): alert
        for alert in (
            *_expiring(picture, concern),
            *_relays(picture, concern),
            *_joinless(picture),
            *_calendars(picture, concern),
            *_brakes(picture),
            *_channels(picture, concern),
            *_endpoints(picture, concern),
            *_disputes(picture),
        )
        if not concern.mute & {alert.cause, alert.thing}
    }
    return tuple(found[key] for key in sorted(found))


def _alert(found: Found, thing: str, detail: str = "") -> Alert:
    said = "; ".join(filter(None, (detail, found.detail)))
    return Alert(cause=found.code, thing=thing, detail=said, mend=found.mend or found.cause.mend)


# --- buttons ------------------------------------------------------------------------------------------------------


def _endpoints(picture: Picture, concern: Concern) -> Iterable[Alert]:
    zones = {state.room.name: state.room.timezone for state in picture.rooms}
    for state in picture.watched:
        found = causes.of_endpoint(state, picture.relays, picture.now)
        if found is None or found.code in ("hidden", "observed", "leaving", "no_relay"):
            continue  # it is in place, or another's business; the last is the pool's
        meeting = _next_join(state, picture.now, concern)
        if meeting is None and not (state.receipt and state.receipt.outcome in deliveries.PERMANENT):
            continue
        if picture.now - _since(state, picture.now) < _patience(found, concern):
            continue
        at = f"a meeting with Join starts at {_local(meeting[1], zones.get(meeting[0], 'UTC'))}" if meeting else ""
        yield _alert(found, f"endpoint:{state.endpoint.name}", at)


def _disputes(picture: Picture) -> Iterable[Alert]:
    for state in picture.watched:
        if state.disputed_at is not None and picture.now - state.disputed_at < DISPUTED:
            saw, did_not = (*state.disputed_by, "?", "?")[:2]
            detail = f"relay {saw} saw the list in place, relay {did_not} did not"
            yield _alert(Found(code="relays_disagree"), f"endpoint:{state.endpoint.name}", detail)


def _next_join(state: EndpointState, now: datetime, concern: Concern) -> tuple[str, datetime] | None:
    """Room and start of the next booking with Join for which people will be there soon, or are."""
    for booking in state.desired.list.bookings if state.desired else ():
        if booking.dial is not None and now - SOON_OVER <= booking.start <= now + concern.before:
            return booking.room, booking.start
    return None


def _since(state: EndpointState, now: datetime) -> datetime:
    """Since when the endpoint is not as it should be: it failed, or there is a newer list."""
    return state.failing_since or (state.desired.since if state.desired else now)


def _patience(found: Found, concern: Concern) -> timedelta:
    return max(concern.patience, FETCHING) if found.code == "list_not_fetched" else concern.patience


def _joinless(picture: Picture) -> Iterable[Alert]:
    """Meetings that should have had a button: by room, as the mend is the room's or the invitation's."""
    zones = {state.room.name: state.room.timezone for state in picture.rooms}
    for one in sorted(picture.joinless, key=lambda one: one.start, reverse=True):  # the soonest is what is said
        if one.reason in CAUSES and one.reason not in EXPECTED:
            at = f"a meeting at {_local(one.start, zones.get(one.room, 'UTC'))} has no Join"
            yield _alert(Found(code=one.reason), f"room:{one.room}", at)


def _local(time: datetime, zone: str) -> str:
    return f"{time.astimezone(ZoneInfo(zone)):%H:%M} ({zone})"


# --- calendars, the brake -----------------------------------------------------------------------------------------


def _calendars(picture: Picture, concern: Concern) -> Iterable[Alert]:
    """Rooms that cannot be read for long; when it is all of a calendar, it is the calendar's alert."""
    by_calendar: dict[str, list[RoomState]] = {}
    for state in picture.rooms:
        by_calendar.setdefault(state.room.calendar, []).append(state)
    for calendar, states in by_calendar.items():
        failing = [(state, found) for state in states if (found := causes.of_room(state)) and state.failing_since]
        long = [
            (s, found) for s, found in failing if s.failing_since and picture.now - s.failing_since >= concern.before
        ]
        if not long:
            continue
        if len(states) > 2 and len(failing) == len(states) and len({found.code for _, found in failing}) == 1:
            yield _alert(long[0][1], f"calendar:{calendar}", f"none of its {len(states)} rooms can be read")
        else:
            yield from (_alert(found, f"room:{state.room.name}") for state, found in long)


def _brakes(picture: Picture) -> Iterable[Alert]:
    for brake in picture.brakes:
        if brake.name == "rules":
            yield _alert(Found(code="brake_rules"), "rules", brake.why)
        else:
            mend = f"Is the calendar read with all its rights? `otd release {brake.name}` lets the rooms go empty."
            yield _alert(Found(code="brake_calendar", mend=mend), f"calendar:{brake.name}", brake.why)


def _channels(picture: Picture, concern: Concern) -> Iterable[Alert]:
    for name, why, since in picture.failing:
        if picture.now - since >= concern.patience:
            yield _alert(Found(code="alert_unsent", detail=why), f"channel:{name}")


# --- relays, what runs out ----------------------------------------------------------------------------------------


def _relays(picture: Picture, concern: Concern) -> Iterable[Alert]:
    living = {relay.pool for relay in picture.relays if deliveries.is_alive(relay, picture.now)}
    for pool, endpoints in picture.pools.items():
        if pool not in living and endpoints:
            last = max((r.last_seen for r in picture.relays if r.pool == pool and r.last_seen), default=None)
            if last is None or picture.now - last >= concern.patience:
                yield _alert(Found(code="no_relay"), f"pool:{pool}", f"{endpoints} endpoints cannot be reached")
    for relay in picture.relays:
        thing = f"relay:{relay.name}"
        if deliveries.is_alive(relay, picture.now):
            if relay.cloned:
                yield _alert(Found(code="relay_cloned"), thing)
            if abs(relay.clock_offset) > CLOCK:
                ahead = round(relay.clock_offset.total_seconds())
                yield _alert(
                    Found(code="relay_clock"), thing, f"it is {abs(ahead)} s {'fast' if ahead > 0 else 'slow'}"
                )
        elif relay.last_seen and not relay.leaving and relay.pool in living:
            silent = picture.now - relay.last_seen
            if concern.patience <= silent < FORGOTTEN:
                yield _alert(Found(code="relay_gone"), thing)


def _expiring(picture: Picture, concern: Concern) -> Iterable[Alert]:
    for expiry in picture.expiries:
        left = expiry.at - picture.now
        if left < concern.expiring and expiry.thing in picture.things:
            yield _alert(Found(code=expiry.cause), expiry.thing, f"it runs out on {expiry.at:%Y-%m-%d}")


# --- why an alert is over -----------------------------------------------------------------------------------------


def note(alert: Alert, found: Sequence[Alert], state: EndpointState | None) -> str:
    """One line on why it is cleared; `state` is that of its endpoint, if it is about one."""
    others = [CAUSES[other.cause].sentence for other in found if other.thing == alert.thing]
    if others:
        return f"instead: {others[0]}"
    if state is None:
        return "it is so no longer"
    if deliveries.condition(state) == "confirmed":
        return "its list is confirmed"
    return "no meeting with Join starts soon"
