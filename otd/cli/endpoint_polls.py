"""`otd endpoints polls`: who fetches a list from the relays' faces, who was refused, and what was asked for first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, settings_of, with_config, with_json
from otd.cli.output import print_json, print_table
from otd.cli.spans import ago

if TYPE_CHECKING:
    from otd.settings import Settings

TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Faces", "faces", ("relay", "address", "certificate until", "warning")),
    (
        "Endpoints",
        "endpoints",
        ("endpoint", "last", "relay", "address", "operation", "user agent", "version", "requests"),
    ),
    ("Refused logins", "refused", ("address", "endpoint", "why", "count", "last", "relay", "mend")),
    ("First sights", "sights", ("at", "operation", "user agent", "version", "answered", "structure")),
)
SOON = timedelta(days=30)  # a certificate that runs out sooner is warned of


@click.command(epilog=examples("otd endpoints polls", "otd endpoints polls --sights", "otd endpoints polls --json"))
@click.option("--sights", is_flag=True, help="Also the requests that were seen for the first time, as structure.")
@with_config
@with_json
def polls(sights: bool, config: str, as_json: bool) -> int:
    """Show the faces of this machine's relays: their certificates, when each endpoint last polled, and refused logins.

    For endpoints that fetch their list (Polycom). An endpoint whose login is refused shows no meetings: its address
    says which one it is. The exit code is 1 when a login was refused lately or a certificate ends within 30 days.
    """
    found = report(settings_of(config), datetime.now(UTC))
    if as_json:
        print_json(found)
    else:
        _print(found, sights=sights)
    return 1 if found["refused"] or any(face["warning"] for face in found["faces"]) else 0


def report(settings: Settings, now: datetime) -> dict[str, Any]:
    """What the faces noted, as plain values."""
    from otd.placing import KINDS
    from otd.relay.face.sightings import Sightings
    from otd.relay.face.visits import WORDS, read
    from otd.wiring import face_notes

    faces = [relay.name for relay in settings.relays.values() if relay.face is not None]
    noted = {name: read(face_notes(settings.run.state, name)[0]) for name in faces}
    last: dict[str, tuple[str, Any]] = {}
    for name, (came, _) in noted.items():
        for poll in came:
            if poll.endpoint not in last or last[poll.endpoint][1].at < poll.at:
                last[poll.endpoint] = (name, poll)
    fetching = [endpoint.name for endpoint in settings.endpoints.values() if endpoint.kind in KINDS]
    return {
        "at": now.isoformat(timespec="seconds"),
        "faces": [_face(settings, name, now) for name in faces],
        "endpoints": [_row(name, *last.get(name, ("", None))) for name in fetching],
        "refused": [
            {
                "relay": name,
                "address": one.address,
                "endpoint": one.endpoint,
                "why": WORDS[one.why],
                "count": one.count,
                "since": one.since.isoformat(timespec="seconds"),
                "last": one.at.isoformat(timespec="seconds"),
                "mend": f"otd endpoints credentials {one.endpoint}" if one.endpoint else "look at its calendar page",
            }
            for name, (_, refused) in noted.items()
            for one in reversed(refused)
        ],
        "sights": [
            {
                "relay": name,
                "at": one.at,
                "operation": one.operation,
                "user_agent": one.user_agent,
                "version": one.version,
                "answered": one.known,
                "structure": one.structure,
            }
            for name in faces
            for one in Sightings(face_notes(settings.run.state, name)[1]).all()
        ],
    }


def _face(settings: Settings, relay: str, now: datetime) -> dict[str, Any]:
    from otd.certificates import Certificate, CertificateFiles
    from otd.errors import BadSetting
    from otd.wiring import secrets

    access = settings.relays[relay].face
    row: dict[str, Any] = {"relay": relay, "address": "", "certificate_until": None, "warning": ""}
    if access is None:
        return row
    row["address"] = f"{access.address}:{access.port}"
    if access.certificate is None:
        return row
    try:
        password = secrets(settings).get(access.passphrase) if access.passphrase else ""
        files = CertificateFiles(certificate=access.certificate, key=access.key, password=password)
        until = Certificate(files).expires
    except BadSetting as error:
        return row | {"warning": f"{error.why} ({error.mend})"}
    left = until - now
    soon = "it ran out" if left <= timedelta(0) else f"it runs out in {left.days} days" if left < SOON else ""
    return row | {"certificate_until": until.isoformat(timespec="seconds"), "warning": soon}


def _row(endpoint: str, relay: str, poll: Any) -> dict[str, Any]:
    if poll is None:
        return {"endpoint": endpoint, "relay": "", "last": None}
    return {
        "endpoint": endpoint,
        "relay": relay,
        "last": poll.at.isoformat(timespec="seconds"),
        "address": poll.address,
        "operation": poll.operation,
        "user_agent": poll.user_agent,
        "version": poll.version,
        "answered": poll.answered,
        "requests": poll.requests,
    }


def _print(found: dict[str, Any], *, sights: bool) -> None:
    now = datetime.fromisoformat(found["at"])
    if not found["faces"]:
        click.echo("No relay has a face; only endpoints of kind polycom need one.")
        return
    for title, key, heads in TABLES[: None if sights else -1]:
        _table(title, heads, found[key], now)


def _table(title: str, heads: tuple[str, ...], rows: list[dict[str, Any]], now: datetime) -> None:
    """A column for each head, whose key is the same with underscores; nothing where there are no rows."""
    if rows:
        print_table(heads, [[_cell(row, head, now) for head in heads] for row in rows], title=title)
        click.echo()


def _cell(row: dict[str, Any], head: str, now: datetime) -> Any:
    value = row.get(head.replace(" ", "_"))
    if head == "last":
        return ago(value, now)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else value
