"""`otd endpoints show` and `compare`: what endpoints should hold beside what they hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import named, print_fields, print_json, print_table, progress

if TYPE_CHECKING:
    from otd.model import Booking, Endpoint, EndpointState
    from otd.ports import Seen
    from otd.settings import Settings

AT_ONCE = 16


@click.command(epilog=examples("otd endpoints show boardroom-codec", "otd endpoints show boardroom-codec --json"))
@click.argument("name")
@with_config
@with_json
def show(name: str, config: str, as_json: bool) -> None:
    """Show how the endpoint NAME is configured, what it is, and its list as it should be beside what it holds.

    Titles and numbers are shown. It is read, never written. Marks: = as it should be, ~ differs, + is missing there,
    - is there and should not be.
    """
    settings = settings_of(config)
    found = shown(settings, named("endpoint", name, settings.endpoints))
    if as_json:
        print_json(found)
        return
    rows, notes = found.pop("list"), found.pop("notes")
    print_fields({key: "-" if value is None else value for key, value in found.items()})
    for note in notes:
        click.echo(f"\n{note['text']}\n  {note['mend']}")
    if rows:
        click.echo()
        heads = ("", "start", "end", "title", "number", "differs")
        cells = [(r["mark"], r["start"], r["end"], r["title"], _number(r), r["differs"]) for r in rows]
        print_table(heads, cells)


def _number(row: dict[str, Any]) -> str:
    """What it dials; some Polycom endpoints only say whether they can."""
    return str(row.get("number", {"yes": "(can be dialled)"}.get(row.get("join", ""), "")))


def shown(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    """All that is known of the endpoint, as plain values."""
    from otd.cli.endpoint_actions import facts_row
    from otd.cli.endpoints import row
    from otd.deliveries import condition
    from otd.findings import notes

    found = row(settings, endpoint)
    state = _states(settings).get(endpoint.name)
    if state is None:
        return found | {"state": "not run yet", "notes": [], "list": []}
    found |= {
        "state": condition(state),
        "running_mode": state.mode,
        "confirmed_at": state.confirmed_at.isoformat(timespec="seconds") if state.confirmed_at else None,
        "last_found": f"{state.found} at {state.found_at:%Y-%m-%d %H:%M} UTC" if state.found_at else "",
    }
    if state.facts is not None:
        found |= {("presents_as" if k == "mode" else k): v for k, v in facts_row(state.facts).items()}
    rows, error = _rows(settings, state)
    return found | {
        "reading_it_now": error or "worked",
        "notes": [{"code": n.code, "text": n.text, "mend": n.mend} for n in notes(state)],
        "list": rows,
    }


def _rows(settings: Settings, state: EndpointState) -> tuple[list[dict[str, Any]], str]:
    """Each booking of either side, and why the endpoint's side is not there, if it is not."""
    from otd.cli.reaching import WITHIN, looking
    from otd.errors import OtdError
    from otd.wiring import SystemClock

    bookings = state.desired.list.bookings if state.desired else ()
    try:
        with looking(settings, state.endpoint) as (driver, _), progress(f"reading {state.endpoint.address}"):
            wanted = driver.seen(state.endpoint, _due(state.endpoint, bookings))
            held = driver.read(state.endpoint, within=WITHIN)
    except OtdError as error:
        return [], f"{error.why}" + (f" ({error.mend})" if error.mend else "")
    return _beside(wanted, held, SystemClock().now()), ""


def _due(endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[Booking, ...]:
    """What it should show when it is looked at now."""
    from otd.placing import KINDS, coming
    from otd.wiring import SystemClock

    return coming(bookings, SystemClock().now()) if endpoint.kind in KINDS else bookings


def _beside(wanted: tuple[Seen, ...], held: tuple[Seen, ...], now: datetime) -> list[dict[str, Any]]:
    from otd.relay.service import compare

    differences = {d.id: d.fields for d in compare(wanted, held, now)}
    both = {seen.id: seen for seen in (*held, *wanted) if seen.end > now}
    marks: dict[tuple[str, ...], str] = {("missing",): "+", ("foreign",): "-"}
    rows = []
    for seen in sorted(both.values(), key=lambda seen: dict(seen.fields)["start"]):
        fields = differences.get(seen.id)
        mark = "=" if fields is None else marks.get(fields, "~")
        rows.append({"mark": mark, **dict(seen.fields), "id": seen.id, "differs": " ".join(fields or ())})
    return rows


def _states(settings: Settings) -> dict[str, EndpointState]:
    """What the database knows; nothing before `otd run` was started for the first time."""
    from otd.cli.reaching import opened_store
    from otd.wiring import has_database

    if not has_database(settings):
        return {}
    with opened_store(settings) as store:
        return {state.endpoint.name: state for state in store.endpoints()}


# --- compare ------------------------------------------------------------------------------------------------------


@click.command(epilog=examples("otd endpoints compare", "otd endpoints compare --pool branch --json"))
@click.option("--pool", metavar="NAME", help="Only the endpoints of this pool.")
@with_config
@with_json
def compare(pool: str | None, config: str, as_json: bool) -> int:
    """Compare, room by room, what OTD would show with what is on the endpoints now, and count over the fleet.

    For the time in which another system still puts the bookings (mode = "observe"). Reads only; shows no titles and no
    numbers. same: both show it alike. better: only OTD shows it, or only OTD gives it Join. worse: the other way
    round. other: both give it Join and dial differently. The exit code is 1 when something is worse or unread.
    """
    settings = settings_of(config)
    if pool:
        named("pool", pool, settings.pools)
    states = [s for s in _states(settings).values() if not s.removed and (not pool or s.endpoint.pool == pool)]
    with progress(f"reading {len(states)} endpoints"), ThreadPoolExecutor(AT_ONCE) as threads:
        rooms = [row for rows in threads.map(lambda state: _compared(settings, state), states) for row in rows]
    total = {verdict: sum(room[verdict] for room in rooms) for verdict in ("same", "better", "worse", "other")}
    total["unread"] = sum(1 for room in rooms if room["verdict"] == "unread")
    if as_json:
        print_json({"rooms": rooms, "total": total})
    else:
        _print_comparison(rooms, total)
    return 1 if total["worse"] or total["unread"] else 0


def _compared(settings: Settings, state: EndpointState) -> list[dict[str, Any]]:
    """A row for each room of the endpoint. What is there that OTD does not have counts to its first room."""
    from otd import comparing
    from otd.cli.reaching import WITHIN, looking
    from otd.errors import Missing, OtdError
    from otd.wiring import SystemClock

    endpoint, rooms = state.endpoint, state.endpoint.rooms
    try:
        if state.desired is None:
            raise Missing(endpoint.name, "its rooms have not been read yet", "see `otd status`")
        with looking(settings, endpoint) as (driver, _):
            wanted = driver.seen(endpoint, _due(endpoint, state.desired.list.bookings))
            lines = comparing.compare(wanted, driver.read(endpoint, within=WITHIN), SystemClock().now())
    except OtdError as error:
        return [_room_row(state, room, "unread", [], error.why) for room in rooms]
    room_of = {booking.id: booking.room for booking in state.desired.list.bookings}
    by_room = {room: [line for line in lines if room_of.get(line.id, rooms[0]) == room] for room in rooms}
    return [_room_row(state, room, comparing.worst(its), its, "") for room, its in by_room.items()]


def _room_row(state: EndpointState, room: str, verdict: str, lines: list[Any], why: str) -> dict[str, Any]:
    from otd import comparing

    reasons = sorted({line.why for line in lines if line.verdict == verdict and line.why})
    return {
        "room": room,
        "endpoint": state.endpoint.name,
        "mode": state.mode,
        "verdict": verdict,
        **{str(verdict): number for verdict, number in comparing.counted(lines).items()},
        "why": why or "; ".join(reasons),
        "lines": [
            {"start": line.start, "end": line.end, "verdict": line.verdict, "why": line.why}
            for line in lines
            if line.verdict != "same"
        ],
    }


def _print_comparison(rooms: list[dict[str, Any]], total: dict[str, int]) -> None:
    heads = ("room", "endpoint", "mode", "verdict", "same", "better", "worse", "other", "why")
    print_table(heads, [[room[head] for head in heads] for room in rooms])
    click.echo("\nfleet: " + ", ".join(f"{number} {verdict}" for verdict, number in total.items()))
