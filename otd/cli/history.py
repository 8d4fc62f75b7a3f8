"""`otd history`: what happened to an endpoint, a room or the rules, and who did what, by the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json

if TYPE_CHECKING:
    from datetime import tzinfo

    from otd.model import AuditLine
    from otd.settings import Settings


@click.command(
    epilog=examples(
        "otd history boardroom-codec", 'otd history boardroom --since "tue 08:00"', "otd history", "otd history rules"
    )
)
@click.argument("name", required=False)
@click.option("--since", metavar="TIME", help="Nothing older.")
@click.option("--until", metavar="TIME", help="Nothing newer.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest so many.")
@with_config
@with_json
def history(name: str | None, since: str | None, until: str | None, limit: int, config: str, as_json: bool) -> int:
    """Show what happened to NAME: an endpoint, a room, a pool, a calendar, a relay, `rules` or `settings`.

    Of an endpoint: its lists by revision, what was sent, what was found, and what it is. Only changes are told: a
    read-back that found what the last one found is no line. Of a room: since when it could not be read, the brake, and
    what people did. Without NAME: what people did, and how rules changed.
    """
    from zoneinfo import ZoneInfo

    from otd.cli.output import print_json, print_table
    from otd.cli.reaching import opened_store
    from otd.cli.times import understood
    from otd.model import EPOCH

    settings = settings_of(config)
    things, zone = _things(settings, name), ZoneInfo("UTC")
    endpoint = settings.endpoints.get(name or "")
    room = settings.rooms.get(endpoint.rooms[0] if endpoint else name or "")
    if room is not None:
        zone = ZoneInfo(room.timezone)
    with opened_store(settings) as store:
        now = store.now()
        lines = store.audit(
            things,
            kinds=() if name else ("act", "rules"),
            since=understood(since, "--since", now, zone) if since else EPOCH,
            until=understood(until, "--until", now, zone) if until else None,
            limit=limit,
        )
    if as_json:
        print_json([_plain(line) for line in lines])
    elif lines:
        heads = ("time", "thing", "what", "revision", "by", "said")
        print_table(heads, [_cells(line, zone) for line in lines])
    else:
        click.echo("Nothing is kept of it in that time.")
    if name and name in settings.rooms and not as_json and (shown_on := _endpoints_of(settings, name)):
        click.echo(f"What its screens were told: {', '.join(f'otd history {one}' for one in shown_on)}")
    return 0


def _endpoints_of(settings: Settings, room: str) -> list[str]:
    """The endpoints that show it and have another name."""
    return [one.name for one in settings.endpoints.values() if room in one.rooms and one.name != room]


def _things(settings: Settings, name: str | None) -> tuple[str, ...]:
    """Every thing of this name. Raises BadSetting for a name that nothing has."""
    if name is None:
        return ()
    known = {
        "endpoint": settings.endpoints,
        "room": settings.rooms,
        "pool": settings.pools,
        "calendar": settings.calendars,
        "relay": settings.relays,
    }
    found = tuple(f"{kind}:{name}" for kind, names in known.items() if name in names)
    if name in ("rules", "settings"):
        found = (*found, name)
    if ":" in name:  # such as endpoint:NAME, of one that is not configured any more
        found = (name,)
    if not found:
        from otd.errors import BadSetting
        from otd.settings.mistakes import did_you_mean

        names = [one for every in known.values() for one in every]
        mend = f"{did_you_mean(name, names)}; of one that was removed: otd history endpoint:{name}"
        raise BadSetting(name, "nothing in the settings has this name", mend)
    return found


def _cells(line: AuditLine, zone: tzinfo) -> tuple[object, ...]:
    by = line.who or line.relay
    return (
        f"{line.at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}",
        line.thing,
        f"{line.kind} {line.word}" if line.kind not in ("receipt", "act", "rules") else line.word,
        line.revision or "",
        by,
        _said(line),
    )


def _said(line: AuditLine) -> str:
    if line.kind == "list":
        return f"{line.put} bookings new or changed, {line.gone} gone"
    if line.facts is not None:
        hides = f", hides {', '.join(line.facts.hides)}" if line.facts.hides else ""
        return f"{line.facts.product} {line.facts.software}{hides}".strip()
    differs = [f"{one.id}: {' '.join(one.fields)}" for one in line.differences]
    return "; ".join([*([line.why] if line.why else []), *differs])


def _plain(line: AuditLine) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(timespec="milliseconds"),
        "kind": line.kind,
        "thing": line.thing,
        "word": line.word,
        "revision": line.revision,
        "relay": line.relay,
        "who": line.who,
        "why": line.why,
        "mend": line.mend,
        "differences": [{"id": one.id, "fields": list(one.fields)} for one in line.differences],
        "bookings": {"put": line.put, "gone": line.gone} if line.kind == "list" else None,
    }
