"""`otd relays list`: every relay that was let in or stands in the settings, and how it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import coloured, print_json, print_table

if TYPE_CHECKING:
    from otd.model import RelayState
    from otd.pairing import Member

SHOWN = {"grey": "white", "green": "green", "red": "red"}  # as terminals call them
CLOCK = timedelta(seconds=10)  # an offset that is a fault


@click.command("list", epilog=examples("otd relays list", "otd relays list --json"))
@with_config
@with_json
def list_(config: str, as_json: bool) -> int:
    """List the relays. Grey: let in, and not heard of yet, or shut out. Green: at work. Red: something is wrong.

    The exit code is 1 when one is red.
    """
    from otd.cli.reaching import opened_store

    settings = settings_of(config)
    with opened_store(settings) as store:
        now, members = store.now(), {one.relay: one for one in store.members.all()}
        heard = {one.name: one for one in store.relays()}
        endpoints, ways = store.endpoints(), {(one.endpoint, one.relay): one for one in store.reach()}
    rows = []
    for name in sorted({*members, *settings.relays, *heard}):
        state, member = heard.get(name), members.get(name)
        pool = member.pool if member else state.pool if state else settings.relays[name].pool
        its = [one.endpoint.name for one in endpoints if one.endpoint.pool == pool and not one.removed]
        tried = {one: ways[one, name].works for one in its if (one, name) in ways}
        reached, missed = [one for one in tried if tried[one]], [one for one in tried if not tried[one]]
        more = {"endpoints": len(its), "reaches": reached, "does_not_reach": missed}
        rows.append(_row(name, pool, member, state, now) | more)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("There are no relays. `otd relay pair` on a relay's machine shows a code for `otd relays add`.")
    else:
        print_table(("relay", "pool", "status", "version", "last seen", "reaches", "why"), [_cells(r) for r in rows])
    return 1 if any(row["status"] == "red" for row in rows) else 0


def status(member: Member | None, state: RelayState | None, now: datetime) -> tuple[str, str]:
    """grey, green or red, and why it is not green."""
    from otd.deliveries import is_alive

    if member is not None and member.revoked_at is not None:
        return "grey", "shut out" + ("" if member.removed_at or member.by_hand else ", its broker user is not gone yet")
    if state is None:
        waits = member is not None and not member.is_ready
        return "grey", "its user at the broker is not made yet" if waits else "let in, never heard of"
    if not is_alive(state, now):
        return "red", "it was stopped" if state.leaving else "not heard of any more"
    if state.cloned:
        return "red", "a second machine runs under its identity, and rests: pair that one anew, under another name"
    if member is not None and member.maintenance:
        return "grey", "in maintenance" + (f": {member.maintenance_why}" if member.maintenance_why else "")
    if abs(state.clock_offset) > CLOCK:
        ahead = "ahead" if state.clock_offset > timedelta(0) else "behind"
        return "red", f"its clock is {abs(state.clock_offset).total_seconds():.0f} s {ahead}: is NTP at work there?"
    return "green", ""


def _row(name: str, pool: str, member: Member | None, state: RelayState | None, now: datetime) -> dict[str, Any]:
    colour, why = status(member, state, now)
    seen = state.last_seen if state else None
    return {
        "name": name,
        "pool": pool,
        "status": colour,
        "why": why,
        "version": state.version if state else "",
        "last_seen": seen.isoformat(timespec="seconds") if seen else None,
        "seconds_since": int((now - seen).total_seconds()) if seen else None,
        "let_in_at": member.admitted_at.isoformat(timespec="seconds") if member else None,
        "let_in_by": member.admitted_by if member else "",
        "by_hand": member.by_hand if member else False,
        "password_at": member.password_at.isoformat(timespec="seconds") if member and member.password_at else None,
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    seen = f"{row['seconds_since']} s ago" if row["seconds_since"] is not None else "never"
    reaches = f"{len(row['reaches'])} of {row['endpoints']}"
    colour = coloured(row["status"], SHOWN[row["status"]])
    return row["name"], row["pool"], colour, row["version"] or "-", seen, reaches, row["why"] or "-"
