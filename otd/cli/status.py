"""`otd status`: rooms, endpoints, relays, what is due, what fails and since when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, with_config, with_json

if TYPE_CHECKING:
    from otd.model import EndpointState, RoomState, WorkState
    from otd.settings import Settings
    from otd.store.sql import SqlStore

BY_ITS_WORK = ("waiting", "unread", "leaving", "placed", "observed", "overwritten", "refused elsewhere")
"""Conditions in which the work row, and not the last receipt, says what is wrong, if anything is."""


@click.command(epilog=examples("otd status", "otd status --json"))
@with_config
@with_json
def status(config: str, as_json: bool) -> int:
    """Show rooms, endpoints, relays, what is due, and what fails and since when.

    Looks into the database only, so it works beside a running `otd run` and after it was stopped. The exit code is 1
    when an endpoint or a room fails or needs a person, or when the brake holds something.
    """
    import os
    from pathlib import Path

    from otd import settings as otd_settings
    from otd.cli.output import print_json
    from otd.wiring import store

    settings = otd_settings.load(Path(config), os.environ)
    database = store(settings)
    try:
        found = report(database) | {"credentials": credentials(settings)}
    finally:
        database.close()
    if as_json:
        print_json(found)
    else:
        _print(found)
    failing = any(row["error"] for kind in ("rooms", "endpoints") for row in found[kind])
    return 1 if failing or found["held"] else 0


def report(store: SqlStore) -> dict[str, Any]:
    """The state of everything as plain values; times as ISO 8601 in UTC."""
    from otd.deliveries import is_alive

    now = store.now()
    work = {(row.kind, row.name): row for row in store.work()}
    relays = store.relays()
    return {
        "at": now.isoformat(timespec="seconds"),
        "rooms": [_room(state, work.get(("refresh", state.room.name)), now) for state in store.rooms()],
        "endpoints": [_endpoint(state, work.get(("deliver", state.endpoint.name)), now) for state in store.endpoints()],
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
                "running": lane.leased,
                "paused_until": _iso(lane.paused_until if lane.paused_until and lane.paused_until > now else None),
                "why": lane.why,
            }
            for lane in store.lanes()
        ],
    }


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
    word, mend = "unread" if state.read_at is None else "read", state.mend
    if state.read_at is not None and state.read_on not in ("", state.room.calendar):
        word, mend = "moved", f'its mailbox is on {state.read_on} now: write calendar = "{state.read_on}" for the room'
    if state.failing_since is not None:
        word = "needs a person" if work is not None and work.parked else "failing"
    return {
        "name": state.room.name,
        "calendar": state.room.calendar,
        "read_on": state.read_on or state.room.calendar,
        "state": word,
        "meetings": state.meetings,
        "read_at": _iso(state.read_at),
        "failing_since": _iso(state.failing_since),
        "error": state.error,
        "mend": state.mend or mend,
        "problems": list(state.problems),
        "due": _iso(work.due if work else None),
    }


def _endpoint(state: EndpointState, work: WorkState | None, now: datetime) -> dict[str, Any]:
    from otd.deliveries import condition
    from otd.findings import notes

    receipt, word = state.receipt, condition(state)
    failing = receipt is not None and receipt.outcome != "confirmed" and word not in BY_ITS_WORK
    error = (receipt.detail or receipt.outcome) if failing and receipt else (work.error if work else "")
    if word == "overwritten" and not error:
        error = "another system puts its own bookings there"
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


def _print(found: dict[str, Any]) -> None:
    from otd.cli.output import print_table

    now = datetime.fromisoformat(found["at"])
    print_table(
        ("Room", "Calendar", "State", "Meetings", "Read", "Next", "Why"),
        [
            (
                r["name"],
                r["calendar"],
                r["state"],
                r["meetings"],
                ago(r["read_at"], now),
                _in(r["due"], now),
                _why(r, now),
            )
            for r in found["rooms"]
        ],
        title="Rooms",
    )
    click.echo()
    print_table(
        ("Endpoint", "Rooms", "State", "Bookings", "Confirmed", "Relay", "Next", "Why"),
        [
            (
                e["name"],
                " ".join(e["rooms"]),
                e["state"] + (", needs a person" if e["parked"] else ""),
                e["bookings"],
                ago(e["confirmed_at"], now),
                e["relay"] or "-",
                _in(e["due"], now),
                _why(e, now),
            )
            for e in found["endpoints"]
        ],
        title="Endpoints",
    )
    click.echo()
    print_table(
        ("Relay", "Pool", "State", "Version", "Last seen"),
        [(r["name"], r["pool"], r["state"], r["version"], ago(r["last_seen"], now)) for r in found["relays"]],
        title="Relays",
    )
    _print_calendars(found, now)
    for brake in found["held"]:
        what = "The rules are" if brake["name"] == "rules" else f"{brake['things']} rooms of {brake['name']} are"
        click.echo(f"\n{what} held by the brake since {ago(brake['since'], now)}: {brake['why']}\n  {brake['mend']}")
    for lane in found["lanes"]:
        if lane["paused_until"]:
            click.echo(f"\nLane {lane['name']} is paused {_in(lane['paused_until'], now)}: {lane['why']}")
    for row in (*found["rooms"], *found["endpoints"]):
        if row["mend"]:
            click.echo(f"\n{row['name']}: {row['mend']}")
        for problem in row.get("problems", ()):
            click.echo(f"\n{row['name']}: {problem}")
        for note in row.get("notes", ()):
            click.echo(f"\n{row['name']}: {note['text']} ({note['mend']})")


def _print_calendars(found: dict[str, Any], now: datetime) -> None:
    """What the calendars were asked today, and the credentials that end."""
    from otd.cli.output import print_table

    paced = [lane for lane in found["lanes"] if lane["requests_today"] or lane["requests_per_day"]]
    if paced:
        click.echo()
        print_table(
            ("Calendar", "Running", "At once", "Requests today", "Of"),
            [
                (
                    lane["name"],
                    lane["running"],
                    f"{lane['at_once']} (up to {lane['at_once_most']})",
                    lane["requests_today"],
                    lane["requests_per_day"] or "no limit",
                )
                for lane in paced
            ],
            title="Calendars",
        )
    for one in found["credentials"]:
        if one["near"] and one["ends"]:
            ends = f"ends {_in(one['ends'], now)}, on {one['ends'][:10]}; make a new one in Entra ID before it does"
            click.echo(f"\nThe {one['what']} of {one['calendar']} {ends}")
        elif one["near"]:
            click.echo(f"\nThe credential of {one['calendar']} cannot be used: {one['why']} (run `otd check`)")


def _why(row: dict[str, Any], now: datetime) -> str:
    since = f", since {ago(row['failing_since'], now)}" if row["failing_since"] else ""
    return f"{row['error']}{since}" if row["error"] else "-"


def ago(time: str | None, now: datetime) -> str:
    """ "5 min ago" of a time in ISO 8601, "never" of none."""
    return f"{_short(now - datetime.fromisoformat(time))} ago" if time else "never"


def _in(time: str | None, now: datetime) -> str:
    if not time:
        return "-"
    left = datetime.fromisoformat(time) - now
    return f"in {_short(left)}" if left > timedelta(0) else "now"


def _short(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
