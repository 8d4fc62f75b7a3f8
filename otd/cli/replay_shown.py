"""What `otd replay` prints: the bookings that differ, and what it all came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from otd.model import Booking
    from otd.replay import Change, Replayed


@dataclass(slots=True)
class Count:
    """What a replay gave so far."""

    readings: int = 0
    meetings: int = 0
    unknown: int = 0
    last: str = ""  # the id of the last reading
    effects: Counter[str] = field(default_factory=Counter)
    affected: dict[str, set[str]] = field(default_factory=dict)  # endpoint -> the rooms it differs in

    def add(self, one: Replayed) -> None:
        self.readings, self.meetings, self.last = self.readings + 1, self.meetings + one.meetings, one.id
        self.unknown += one.unknown
        self.effects["same"] += one.same
        for change in one.changes:
            self.effects[change.effect] += 1
            self.affected.setdefault(change.endpoint, set()).add(one.room)


@contextmanager
def document(as_json: bool) -> Iterator[Any]:
    """One JSON document, written as its readings come, so that nothing has to be remembered. `print_end` closes it."""
    first = True

    def put(value: Any) -> None:
        nonlocal first
        click.echo(("" if first else ",\n") + json.dumps(value, ensure_ascii=True), nl=False)
        first = False

    if as_json:
        click.echo('{"readings": [')
    yield put


def print_end(count: Count, as_json: bool, delivered: list[str], asked: bool, stopped: bool) -> None:
    from otd.replay import EFFECTS

    if as_json:
        end = {
            "counts": {one: count.effects[one] for one in EFFECTS} | {"unknown": count.unknown},
            "replayed": {"readings": count.readings, "meetings": count.meetings},
            "last": count.last,
            "stopped": stopped,
            "delivered": delivered,
        }
        click.echo(f"\n], {json.dumps(end)[1:]}")
        return
    said = {"gain": "would gain a dial string", "lose": "would lose theirs", "change": "would change it"}
    said |= {"appear": "would appear", "vanish": "would vanish", "other": "would be shown otherwise"}
    found = [f"{count.effects[one]} {words}" for one, words in said.items() if count.effects[one]]
    found += [f"{count.effects['same']} would stay as they are"]
    found += [f"{count.unknown} cannot be told, since a body or a list is not kept"] if count.unknown else []
    many = "reading" if count.readings == 1 else "readings"
    click.echo(f"{count.readings} {many}, {count.meetings} meetings in all; bookings: {', '.join(found)}.")
    if stopped and not count.last:
        click.echo("Stopped before the first one.")
    elif stopped:
        untold = "; nothing was delivered, and what was found so far is not looked at again" if asked else ""
        click.echo(f"Stopped. The same with --after {count.last} goes on from here{untold}.")
    elif asked:
        click.echo(f"Told anew: {', '.join(delivered)}" if delivered else "Nothing has to be delivered.")


def print_replayed(one: Replayed, passcodes: bool) -> None:
    """The bookings of one reading that differ, in the time of its room."""
    from zoneinfo import ZoneInfo

    from otd.cli.output import plain

    zone = ZoneInfo(one.timezone)
    click.echo(f"{one.room}, read at {one.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}")
    for change in one.changes:
        booking = change.booking
        when = f"{booking.start.astimezone(zone):%a %d %H:%M}"
        click.echo(f"  {change.effect:<7} {change.endpoint}, {when} “{plain(booking.title)}”")
        click.echo(f"          then  {plain(_side(change.before, passcodes))}")
        click.echo(f"          now   {plain(_side(change.after, passcodes))}")


def _side(booking: Booking | None, passcodes: bool) -> str:
    if booking is None:
        return "not on the list"
    rule = f" ({booking.rule})" if booking.rule else ""
    if booking.dial is None:
        return f"no Join, {booking.reason}{rule}"
    return f"{booking.dial.protocol}:{_dial(booking.dial.uri, passcodes)}{rule}"


def _dial(uri: str, passcodes: bool) -> str:
    from otd.cli.masking import masked

    return uri if passcodes else masked(uri)


def plain_of(one: Replayed, passcodes: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "room": one.room,
        "at": one.at.isoformat(timespec="milliseconds"),
        "changes": [_plain_change(change, passcodes) for change in one.changes],
        "same": one.same,
        "unknown": one.unknown,
    }


def _plain_change(change: Change, passcodes: bool) -> dict[str, Any]:
    booking = change.booking
    return {
        "endpoint": change.endpoint,
        "id": change.id,
        "effect": change.effect,
        "title": booking.title,
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
        "before": _plain_side(change.before, passcodes),
        "after": _plain_side(change.after, passcodes),
    }


def _plain_side(booking: Booking | None, passcodes: bool) -> dict[str, Any] | None:
    if booking is None:
        return None
    dial = booking.dial
    shown = {"protocol": dial.protocol, "uri": _dial(dial.uri, passcodes)} if dial else None
    return {"rule": booking.rule, "dial": shown, "reason": booking.reason}
