"""`otd endpoints show` and `compare`: what endpoints should hold beside what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, span_of, with_config, with_json, with_within
from otd.cli.output import named, print_fields, print_json, print_table

if TYPE_CHECKING:
    from otd.asking import Look
    from otd.errors import OtdError
    from otd.model import Endpoint, EndpointState
    from otd.ports import Seen
    from otd.settings import Settings


@click.command(epilog=examples("otd endpoints show boardroom-codec", "otd endpoints show boardroom-codec --json"))
@click.argument("name")
@with_within("How long to wait for an answer.", "30s")
@with_config
@with_json
def show(name: str, within: str, config: str, as_json: bool) -> None:
    """Show how the endpoint NAME is configured, what it is, and its list as it should be beside what it holds.

    Titles and numbers are shown. It is read, never written. Marks: = as it should be, ~ differs, + is missing there,
    - is there and should not be.
    """
    settings = settings_of(config)
    found = shown(settings, named("endpoint", name, settings.endpoints), span_of(within))
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


def shown(settings: Settings, endpoint: Endpoint, within: timedelta) -> dict[str, Any]:
    """All that is known of the endpoint, as plain values."""
    from otd.cli.endpoint_actions import facts_row
    from otd.cli.endpoints import row
    from otd.cli.reaching import look_at
    from otd.deliveries import condition
    from otd.findings import notes

    found = row(settings, endpoint)
    state = _states(settings).get(endpoint.name)
    if state is None:
        return found | {"state": "not run yet", "notes": [], "list": []}
    rows, error = _rows(look_at(settings, [state], within=within)[endpoint.name])
    state = _states(settings).get(endpoint.name, state)  # a relay that looked has told the centre, too
    found |= {
        "state": condition(state),
        "running_mode": state.mode,
        "confirmed_at": state.confirmed_at.isoformat(timespec="seconds") if state.confirmed_at else None,
        "last_found": f"{state.found} at {state.found_at:%Y-%m-%d %H:%M} UTC" if state.found_at else "",
    }
    if state.facts is not None:
        found |= {("presents_as" if k == "mode" else k): v for k, v in facts_row(state.facts).items()}
    return found | {
        "reading_it_now": error or "worked",
        "notes": [{"code": n.code, "text": n.text, "mend": n.mend} for n in notes(state)],
        "list": rows,
    }


def _rows(seen: Look | OtdError) -> tuple[list[dict[str, Any]], str]:
    """Each booking of either side, or why the endpoint's side is not there."""
    from otd.errors import OtdError
    from otd.wiring import SystemClock

    if isinstance(seen, OtdError):
        return [], f"{seen.why}" + (f" ({seen.mend})" if seen.mend else "")
    return _beside(seen.wanted, seen.held, SystemClock().now()), ""


def _beside(wanted: Sequence[Seen], held: Sequence[Seen], now: datetime) -> list[dict[str, Any]]:
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
@with_within("How long to wait for an answer of each.", "30s")
@with_config
@with_json
def compare(pool: str | None, within: str, config: str, as_json: bool) -> int:
    """Compare, room by room, what OTD would show with what is on the endpoints now, and count over the fleet.

    For the time in which another system still puts the bookings (mode = "observe"). Reads only; shows no titles and no
    numbers. same: both show it alike. better: only OTD shows it, or only OTD gives it Join. worse: the other way
    round. other: both give it Join and dial differently. The exit code is 1 when something is worse or unread.
    """
    from otd.cli.reaching import look_at

    settings = settings_of(config)
    if pool:
        named("pool", pool, settings.pools)
    states = [s for s in _states(settings).values() if not s.removed and (not pool or s.endpoint.pool == pool)]
    seen = look_at(settings, [state for state in states if state.desired], within=span_of(within))
    rooms = [row for state in states for row in _compared(state, seen.get(state.endpoint.name))]
    total = {verdict: sum(room[verdict] for room in rooms) for verdict in ("same", "better", "worse", "other")}
    total["unread"] = sum(1 for room in rooms if room["verdict"] == "unread")
    if as_json:
        print_json({"rooms": rooms, "total": total})
    else:
        _print_comparison(rooms, total)
    return 1 if total["worse"] or total["unread"] else 0


def _compared(state: EndpointState, seen: Look | OtdError | None) -> list[dict[str, Any]]:
    """A row for each room of the endpoint. What is there that OTD does not have counts to its first room."""
    from otd import comparing
    from otd.errors import OtdError
    from otd.wiring import SystemClock

    rooms = state.endpoint.rooms
    if state.desired is None or seen is None or isinstance(seen, OtdError):
        why = seen.why if isinstance(seen, OtdError) else "its rooms have not been read yet"
        return [_room_row(state, room, "unread", [], why) for room in rooms]
    lines = comparing.compare(seen.wanted, seen.held, SystemClock().now())
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
