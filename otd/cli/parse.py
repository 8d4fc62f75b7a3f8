"""`otd parse`: what an invitation holds, what would be dialled, and by which rule; or why nothing would."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from otd.cli.invitations import Desk, Reader, desk, with_optional_config
from otd.cli.options import examples, with_json

if TYPE_CHECKING:
    from datetime import tzinfo

    from otd.model import Alternative, Dialled, Evidence, JoinInfo, Meeting, NoJoin, Window


@click.command(
    epilog=examples(
        "otd parse invitation.eml",
        "otd parse --json calendar.ics event.json",
        "otd parse - < mail.eml",
        "otd parse --window 2026-01-05/2026-01-12 series.ics",
    ),
    short_help="Say what an invitation file holds and what would be dialled.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@with_json
@click.option("--window", metavar="START/END", help="Expand series, and show what takes place from START until END.")
@click.option("--room", metavar="NAME", default="", help="Read it as this room would: its zone, the rules for it.")
@with_optional_config
def parse(files: tuple[str, ...], as_json: bool, window: str | None, room: str, config: str | None) -> int:
    """Say what each meeting in invitation files says about joining, and what would be dialled.

    FILE is an .ics, .eml, .html or .txt file, a Graph event or calendarView as .json, an EWS answer as .xml, a folder
    of such files, or - for standard input. There is one record for each meeting as written: a series is one, each of
    its exceptions another. Where nothing would be dialled the record says why. The exit code is 2 when a file could
    not be read.
    """
    found = desk(config, room)
    reader = Reader(found.zone, _window(window, found.zone) if window else None)
    records = [record(meeting, found, name) for name, meetings in reader.meetings(files) for meeting in meetings]
    if as_json:
        from otd.cli.output import print_json

        print_json(records)
    elif records or not reader.failed:
        _print(records, found.zone)
    return 2 if reader.failed else 0


def _window(text: str, zone: tzinfo) -> Window:
    from datetime import UTC

    from otd.errors import BadSetting
    from otd.model import Window

    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in text.split("/"))
        start, end = (time if time.tzinfo else time.replace(tzinfo=zone) for time in (start, end))
        return Window(start=start.astimezone(UTC), end=end.astimezone(UTC))
    except (ValueError, OverflowError):
        why = "it is not two dates or times with a slash between them, the earlier one first"
        raise BadSetting(f"--window {text[:80]}", why, "--window 2026-01-05/2026-01-12") from None


# --- the record -----------------------------------------------------------------------------------------------------


def record(meeting: Meeting, at: Desk, file: str) -> dict[str, Any]:
    """All about one meeting as plain values. Times are ISO 8601 in UTC, null when the file does not state them."""
    join, dialled = at.dialled(meeting)
    return {
        "file": file,
        "uid": meeting.uid,
        "kind": meeting.kind,
        "subject": meeting.subject,
        "start": _time(meeting, meeting.start),
        "end": _time(meeting, meeting.end),
        "all_day": meeting.all_day,
        "cancelled": meeting.cancelled,
        **_said(join),
        "dial": _dial(dialled),
        "alternatives": [_alternative(one) for one in getattr(join, "alternatives", ())],
        "rule": dialled.rule,
        "evidence": [_evidence(one) for one in join.evidence],
        "reason": dialled.reason,
    }


def _time(meeting: Meeting, time: datetime) -> str | None:
    from otd.model import EPOCH

    if meeting.start == meeting.end == EPOCH:  # what formats put where nothing is stated
        return None
    return time.isoformat().replace("+00:00", "Z")


def _said(join: JoinInfo | NoJoin) -> dict[str, Any]:
    return {
        "platform": getattr(join, "platform", ""),
        "partner": getattr(join, "partner", ""),
        "ids": dict(getattr(join, "ids", ())),
        "join_url": getattr(join, "join_url", ""),
    }


def _dial(dialled: Dialled) -> dict[str, Any] | None:
    if dialled.dial is None:
        return None
    return {"protocol": dialled.dial.protocol, "uri": dialled.dial.uri, "allowed": dialled.allowed}


def _alternative(one: Alternative) -> dict[str, Any]:
    join = one.join
    return {
        **_said(join),
        "sip": join.sip,
        "h323": join.h323,
        "evidence": [_evidence(piece) for piece in join.evidence],
        "reason": one.reason,
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {"source": one.source, "detail": one.detail, "wrappers": list(one.wrappers)}


# --- for people -----------------------------------------------------------------------------------------------------


def _print(records: list[dict[str, Any]], zone: tzinfo) -> None:
    from otd.cli.output import is_drawn, plain

    drawn = is_drawn()
    for number, one in enumerate(records):
        if number:
            click.echo()
        title = plain(one["subject"]) or "(no subject)"
        click.echo(f"{click.style(title, bold=True) if drawn else title}  [{plain(one['file'])}]")
        for name, text in _lines(one, zone):
            click.echo(f"  {name:<10}{plain(text)}")
    if not records:
        click.echo("There is no meeting in it.")


def _lines(one: dict[str, Any], zone: tzinfo) -> list[tuple[str, str]]:
    from otd.invites.reasons import REASONS

    lines = [("when", _when(one, zone)), ("platform", " by ".join(filter(None, (one["platform"], one["partner"]))))]
    lines += [("id", f"{name} {value}") for name, value in one["ids"].items()]
    lines += [("link", one["join_url"])]
    if one["dial"]:
        lines += [("dial", f"{one['dial']['protocol']}:{one['dial']['uri']}"), ("rule", one["rule"])]
    else:
        lines += [("dial", "nothing"), ("rule", one["rule"])]
    lines += [("read from", _place(piece)) for piece in one["evidence"]]
    lines += [("also", f"{_brief(other)} ({_why_lost(other['reason'])})") for other in one["alternatives"]]
    if reason := REASONS.get(one["reason"]):
        lines += [("reason", f"{reason.code}: {reason.sentence}"), ("mend", _mend(one, reason.mend))]
    return [(name, text) for name, text in dict.fromkeys(lines) if text]


def _when(one: dict[str, Any], zone: tzinfo) -> str:
    if one["start"] is None:
        return "not stated" + (", cancelled" if one["cancelled"] else "")
    start, end = (datetime.fromisoformat(one[key]).astimezone(zone) for key in ("start", "end"))
    if one["all_day"]:
        text = f"{start:%Y-%m-%d}, all day"
    else:
        until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
        text = f"{start:%Y-%m-%d %H:%M} to {until} {start.tzname()}"
    marks = ("a series" if one["kind"] == "series" else "", "cancelled" if one["cancelled"] else "")
    return ", ".join(filter(None, (text, *marks)))


def _place(piece: dict[str, Any]) -> str:
    place = " ".join(filter(None, (piece["source"], piece["detail"])))
    return place + (f" (inside {', '.join(piece['wrappers'])})" if piece["wrappers"] else "")


def _brief(other: dict[str, Any]) -> str:
    known = other["sip"] or other["h323"] or next(iter(other["ids"].values()), "") or other["join_url"]
    return " ".join(filter(None, (other["platform"], other["partner"], known)))


def _why_lost(code: str) -> str:
    from otd.invites.reasons import LOST

    return LOST.get(code, code)


def _mend(one: dict[str, Any], mend: str) -> str:
    """The mend; for a domain that may not be dialled with the very line to add."""
    if one["reason"] == "domain_not_allowed" and one["dial"]:
        from otd.dialplan import host_of

        return f'{mend} [dialplan] allowed_domains = ["{host_of(one["dial"]["uri"], one["dial"]["protocol"])}"]'
    return mend
