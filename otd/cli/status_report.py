"""What `otd status` tells, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otd.model import EndpointState, RelayState, RoomState, StateCount, WorkState
    from otd.settings import Settings
    from otd.store.sql import SqlStore

FEW = 25  # rooms or endpoints; of more only those that need a look are told one by one
OVERDUE = timedelta(minutes=1)
MOST = 100  # of those that need a look, so many are told one by one
BY_ITS_WORK = ("waiting", "unread", "leaving", "placed", "observed", "overwritten", "refused elsewhere")
"""Conditions in which the work row, and not the last receipt, says what is wrong, if anything is."""


def report(store: SqlStore, *, whole: bool = True) -> dict[str, Any]:
    """The state of everything as plain values; times as ISO 8601 in UTC. Without `whole`, of a big fleet only what
    needs a look, and numbers of the rest."""
    from otd.cli.alerts import row as alert
    from otd.deliveries import is_alive

    now, counts = store.now(), store.counts()
    rows = store.work()
    work = {(row.kind, row.name): row for row in rows}
    relays = store.relays()
    told = store.subscribed()
    in_numbers = {lane.name: lane for lane in counts.lanes}
    few = whole or sum(count.number for count in counts.endpoints) <= FEW
    endpoints = store.endpoints() if few else store.unsettled(MOST)
    rooms = store.rooms()
    if not whole and len(rooms) > FEW:
        rooms = tuple(room for room in rooms if _needs_a_look(room))[:MOST]
    due = [row.due for row in rows if not row.leased and not row.parked]
    return {
        "at": now.isoformat(timespec="seconds"),
        "idle_since": _iso(idle_since(rows, {lane.name for lane in store.lanes() if lane.paused_until}, now)),
        "counts": {
            "rooms": _summed(counts.rooms),
            "endpoints": _summed(counts.endpoints),
            "relays": {
                "alive": sum(is_alive(relay, now) for relay in relays),
                "gone": sum(not is_alive(relay, now) for relay in relays),
            },
            "next_due": _iso(min(due, default=None)),
        },
        "alerts": [alert(state) for state in store.alerts()],
        "rooms": [_room(state, work.get(("refresh", state.room.name)), now) for state in rooms],
        "endpoints": [_endpoint(state, work.get(("deliver", state.endpoint.name)), relays, now) for state in endpoints],
        "relays": [
            {
                "name": relay.name,
                "pool": relay.pool,
                "state": "alive" if is_alive(relay, now) else "gone",
                "version": relay.version,
                "last_seen": _iso(relay.last_seen),
                "clock_offset": relay.clock_offset.total_seconds(),
            }
            for relay in relays
        ],
        "held": [
            {
                "name": brake.name,
                "since": brake.since.isoformat(timespec="seconds"),
                "things": brake.things,
                "why": brake.why,
                "mend": _let_go(brake.name),
            }
            for brake in store.brakes()
        ],
        "lanes": [
            {
                "name": lane.name,
                "at_once": lane.cap,
                "at_once_most": lane.most or lane.cap,
                "requests_today": lane.asked,
                "requests_per_day": lane.budget,
                **_telling(lane.name, rows, told),
                "running": lane.leased,
                "paused_until": _iso(lane.paused_until if lane.paused_until and lane.paused_until > now else None),
                "why": lane.why,
                "due": in_numbers[lane.name].due if lane.name in in_numbers else 0,
                "late": in_numbers[lane.name].lateness if lane.name in in_numbers else 0.0,
            }
            for lane in store.lanes()
        ],
    }


def idle_since(rows: Iterable[WorkState], paused: Collection[str], now: datetime) -> datetime | None:
    """Since when nobody takes what is due; None while somebody works, and while nothing is overdue but in lanes that
    are paused."""
    if any(row.leased for row in rows):
        return None
    due = min((row.due for row in rows if not row.parked and row.lane not in paused), default=now)
    return due if due <= now - OVERDUE else None


def _telling(lane: str, rows: tuple[WorkState, ...], told: Mapping[str, int]) -> dict[str, Any]:
    """Of how many rooms the calendar tells the changes, of how many it should, and why it does not."""
    wanted = [row for row in rows if row.kind == "subscribe" and row.lane == lane]
    failing = next((row for row in wanted if row.error), None)
    return {
        "rooms_told": told.get(lane, 0) if wanted else 0,
        "rooms_to_tell": len(wanted),
        "telling_error": failing.error if failing else "",
        "telling_mend": failing.mend if failing else "",
    }


def _needs_a_look(room: RoomState) -> bool:
    return room.failing_since is not None or room.read_at is None or bool(room.problems)


def _summed(counts: tuple[StateCount, ...]) -> dict[str, int]:
    """Over all lanes, by state."""
    found: Counter[str] = Counter()
    for count in counts:
        found[count.state] += count.number
    return dict(sorted(found.items()))


def credentials(settings: Settings) -> list[dict[str, Any]]:
    """When each calendar's credential ends; `near` when it is time to make a new one, or when it cannot be read."""
    from otd.errors import OtdError
    from otd.wiring import SystemClock, credential_expiry

    now, found = SystemClock().now(), []
    for name in settings.calendars:
        try:
            expiry = credential_expiry(settings, name)
        except OtdError as error:
            found.append({"calendar": name, "what": "credential", "ends": None, "near": True, "why": error.why})
            continue
        if expiry is not None:
            near = expiry.is_near(now)
            found.append({"calendar": name, "what": expiry.what, "ends": _iso(expiry.at), "near": near, "why": ""})
    return found


def _room(state: RoomState, work: WorkState | None, now: datetime) -> dict[str, Any]:
    from otd import causes

    word, mend = "unread" if state.read_at is None else "read", state.mend
    if state.read_at is not None and state.read_on not in ("", state.room.calendar):
        word, mend = "moved", f'its mailbox is on {state.read_on} now: write calendar = "{state.read_on}" for the room'
    if state.failing_since is not None:
        word = "needs a person" if work is not None and work.parked else "failing"
    cause = causes.of_room(state)
    return {
        "name": state.room.name,
        "calendar": state.room.calendar,
        "read_on": state.read_on or state.room.calendar,
        "state": word,
        "meetings": state.meetings,
        "read_at": _iso(state.read_at),
        "failing_since": _iso(state.failing_since),
        "cause": cause.code if cause else "",
        "error": state.error,
        "mend": state.mend or mend,
        "problems": list(state.problems),
        "due": _iso(work.due if work else None),
    }


def _endpoint(
    state: EndpointState, work: WorkState | None, relays: Sequence[RelayState], now: datetime
) -> dict[str, Any]:
    from otd import causes
    from otd.deliveries import condition
    from otd.findings import notes

    receipt, word = state.receipt, condition(state)
    failing = receipt is not None and receipt.outcome != "confirmed" and word not in BY_ITS_WORK
    error = (receipt.detail or receipt.outcome) if failing and receipt else (work.error if work else "")
    if word == "overwritten" and not error:
        error = "another system puts its own bookings there"
    cause = causes.of_endpoint(state, relays, now)
    return {
        "name": state.endpoint.name,
        "kind": state.endpoint.kind,
        "rooms": list(state.endpoint.rooms),
        "pool": state.endpoint.pool,
        "state": word,
        "revision": state.desired.revision if state.desired else 0,
        "confirmed_revision": state.confirmed_revision,
        "confirmed_at": _iso(state.confirmed_at),
        "bookings": len(state.desired.list.current(now).bookings) if state.desired else 0,
        "relay": receipt.relay if receipt else "",
        "failing_since": _iso(state.failing_since),
        "failures": state.failures,
        "cause": cause.code if cause else "",
        "error": error,
        "mend": (receipt.mend if failing and receipt else "") or (work.mend if work else ""),
        "parked": bool(work and work.parked),
        "due": _iso(work.due if work else None),
        "mode": state.mode,
        "notes": [{"code": note.code, "text": note.text, "mend": note.mend} for note in notes(state)],
    }


def _let_go(name: str) -> str:
    if name == "rules":
        return "look with `otd rules try`; `otd release rules` lets them go, `otd rules revert` goes back"
    return f"is the calendar read with all its rights? `otd release {name}` lets the rooms go empty"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
