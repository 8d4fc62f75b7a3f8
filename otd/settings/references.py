"""What the tables say of each other: names that must exist, and things that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from otd.model import HOUSE
from otd.settings.documents import Merged
from otd.settings.inbound import check_told
from otd.settings.kinds import folder_mistake, host_and_port, mailbox_mistake
from otd.settings.lines import Path as KeyPath
from otd.settings.mistakes import did_you_mean
from otd.settings.tables import EwsTable, FilesTable, GraphTable
from otd.settings.validation import UNKNOWN, Tables

_OF_ACCOUNT, _OF_APPLICATION = ("username", "password"), ("tenant", "client_id")
_OF_CREDENTIAL = ("secret", "certificate", "pfx", "passphrase", "secret_expires", "authority")


def check_references(merged: Merged, tables: Tables, folder: Path) -> None:
    """Note every mistake between tables, and warn of what is probably not meant. Paths are relative to `folder`."""
    _calendars(merged, tables, folder)
    _rooms(merged, tables)
    _relays(merged, tables)
    _bus(merged, tables)
    _endpoints(merged, tables)
    _rules(merged, tables)
    _serve(merged, tables, folder)
    _alerts(merged, tables)
    _metrics(merged, tables)
    _notified(merged, tables)
    _budgets(merged, tables)
    for name, file in tables.cas.items():
        if not (folder / file).is_file():
            merged.mistake(("cas", name), f"there is no file {folder / file}", "look at its name and folder")


def _must_exist(merged: Merged, path: KeyPath, section: str, name: str) -> None:
    known = merged.tables.get(section, {})
    if name == UNKNOWN:
        return
    if isinstance(known, dict) and name not in known:
        add = f"add [{section}.{name}]" if section != "cas" else f'add {name} = "file.pem" under [cas]'
        merged.mistake(
            path, f"there is no {section.removesuffix('s')} {name!r}", did_you_mean(name, known) if known else add
        )


def _calendars(merged: Merged, tables: Tables, folder: Path) -> None:
    used = {room.calendar for room in tables.rooms.values()}
    for name, table in tables.calendars.items():
        path = ("calendars", name)
        if not isinstance(table, FilesTable) and table.ca:
            _must_exist(merged, (*path, "ca"), "cas", table.ca)
        if isinstance(table, GraphTable) or (isinstance(table, EwsTable) and table.auth == "oauth"):
            _application(merged, path, table, folder)
        if isinstance(table, EwsTable):
            _account(merged, path, table)
        if not isinstance(table, FilesTable):
            _moved_to(merged, path, table.moved_to or (), tables)
        if name == HOUSE:
            merged.mistake(path, f"{HOUSE} is the lane of OTD's own work", "call the calendar otherwise")
        if name not in used:
            merged.mistake(path, "no room uses this calendar", f'give a room calendar = "{name}"', warning=True)


def _moved_to(merged: Merged, path: KeyPath, others: Iterable[str], tables: Tables) -> None:
    for other in others:
        _must_exist(merged, (*path, "moved_to"), "calendars", other)
        if other == path[1] or isinstance(tables.calendars.get(other), FilesTable):
            mend = "name other calendars of kind graph or ews"
            merged.mistake((*path, "moved_to"), f"no mailbox moves from here to {other}", mend)


def _account(merged: Merged, path: KeyPath, table: EwsTable) -> None:
    """What each way to sign in takes, and nothing else."""
    needed = {"ntlm": _OF_ACCOUNT, "basic": _OF_ACCOUNT, "kerberos": (), "oauth": _OF_APPLICATION}.get(table.auth)
    if needed is None:
        return  # a mistake of its own
    for key in needed:
        if not getattr(table, key).strip():
            merged.mistake(path, f"the key {key} is missing", f'auth = "{table.auth}" needs it')
    used = (*needed, *_OF_CREDENTIAL) if table.auth == "oauth" else needed
    for key in (*_OF_ACCOUNT, *_OF_APPLICATION, *_OF_CREDENTIAL):
        if getattr(table, key) and key not in used:
            merged.mistake((*path, key), f'auth = "{table.auth}" does not use it', "remove it, or change auth")


def _application(merged: Merged, path: KeyPath, table: GraphTable | EwsTable, folder: Path) -> None:
    ways = [key for key in ("secret", "certificate", "pfx") if getattr(table, key)]
    if len(ways) != 1:
        why = "it needs a secret, a certificate or a pfx" if not ways else f"{' and '.join(ways)} exclude each other"
        merged.mistake((*path, *ways[1:2]), why, "give exactly one of secret, certificate and pfx")
    if table.passphrase and table.secret:
        merged.mistake(
            (*path, "passphrase"), "a secret has no passphrase", "remove it; it opens a certificate or a pfx"
        )
    if table.pfx not in ("", UNKNOWN) and not (folder / table.pfx).is_file():
        merged.mistake((*path, "pfx"), f"there is no file {folder / table.pfx}", "look at its name and folder")


def _rooms(merged: Merged, tables: Tables) -> None:
    first: dict[tuple[str, str], str] = {}
    for name, table in tables.rooms.items():
        path = ("rooms", name)
        _must_exist(merged, (*path, "calendar"), "calendars", table.calendar)
        calendar = tables.calendars.get(table.calendar)
        mailbox = table.mailbox or name
        if UNKNOWN in (table.mailbox, table.calendar):
            continue
        if isinstance(calendar, FilesTable):
            if said := folder_mistake(mailbox):
                merged.mistake((*path, "mailbox"), *said)
        elif calendar and not table.mailbox:
            merged.mistake(path, "the key mailbox is missing", 'add mailbox = "room1@example.com"')
        elif calendar and (said := mailbox_mistake(table.mailbox)):
            merged.mistake((*path, "mailbox"), *said)
        other = first.setdefault((table.calendar, mailbox.casefold()), name)
        if other != name:
            mend = "give each room its own; an endpoint may show several rooms"
            merged.mistake((*path, "mailbox"), f"the room {other} has this mailbox already", mend)
    shown = {room for endpoint in tables.endpoints.values() for room in endpoint.rooms}
    for name in (name for name in tables.rooms if name not in shown):
        mend = "add it to the rooms of an endpoint"
        merged.mistake(("rooms", name), "no endpoint shows this room", mend, warning=True)
    if not merged.tables["rooms"]:
        merged.mistake((), "there are no rooms", "add [rooms.NAME], or otd rooms import FILE.csv", warning=True)


def _relays(merged: Merged, tables: Tables) -> None:
    for name, table in tables.relays.items():
        _must_exist(merged, ("relays", name, "pool"), "pools", table.pool)
        check_told(merged, ("relays", name, "feedback"), table.feedback, table.feedback_host)
    alive = {table.pool for table in tables.relays.values()}
    used = {endpoint.pool for endpoint in tables.endpoints.values()}
    for name in tables.pools:
        path = ("pools", name)
        if name in (*tables.calendars, HOUSE):
            who = "OTD itself" if name == HOUSE else "a calendar"
            merged.mistake(path, f"{who} has this name, and each has a lane of its own", "call the pool otherwise")
        if name not in alive and not tables.bus.broker:
            mend = f'add [relays.{name}-1] with pool = "{name}"'
            merged.mistake(path, "no relay is in this pool, so nothing reaches its endpoints", mend, warning=True)
        if name not in used:
            merged.mistake(
                path, "no endpoint is in this pool", "give an endpoint this pool, or remove it", warning=True
            )


def _serve(merged: Merged, tables: Tables, folder: Path) -> None:
    table = tables.serve
    for key in ("certificate", "key"):
        file = getattr(table, key)
        if file not in ("", UNKNOWN) and not (folder / file).is_file():
            merged.mistake(("serve", key), f"there is no file {folder / file}", "look at its name and folder")
    if table.certificate or UNKNOWN in (table.address, *table.proxies):
        return
    host = host_and_port(table.address)[0]
    if not table.proxies and not (host == "localhost" or host.startswith("127.") or host == "::1"):
        merged.mistake(
            ("serve", "address"),
            "without a certificate everybody on the way could read and change what is said there",
            "give it a certificate, or name the reverse proxies in front of it in proxies",
        )


def _alerts(merged: Merged, tables: Tables) -> None:
    table = tables.alerts
    for key in ("mail_ca", "webhook_ca"):
        if name := getattr(table, key):
            _must_exist(merged, ("alerts", key), "cas", name)
    for key in ("mail_from", "mail_to"):
        if table.mail_server and not getattr(table, key):
            example = '["it@example.com"]' if key == "mail_to" else '"otd@example.com"'
            merged.mistake(("alerts",), f"the key {key} is missing", f"add {key} = {example}")
    if table.mail_to and not table.mail_server:
        merged.mistake(("alerts",), "the key mail_server is missing", 'add mail_server = "smtp.example.com:587"')
    if table.mail_login and table.mail_tls == "none":
        merged.mistake(("alerts", "mail_login"), "without TLS the password would go in clear", "set mail_tls")
    if table.webhook and table.webhook_secret:
        mend = "keep webhook, or webhook_secret when the address itself is a secret"
        merged.mistake(("alerts", "webhook_secret"), "webhook and webhook_secret exclude each other", mend)
    if table.webhook_token and not (table.webhook or table.webhook_secret):
        merged.mistake(("alerts", "webhook_token"), "there is no webhook to send it to", "add webhook")
    for index, thing in enumerate(table.mute):
        kind, colon, name = thing.partition(":")
        if colon and kind != "channel":
            _must_exist(merged, ("alerts", "mute", index), f"{kind}s", name)


def _notified(merged: Merged, tables: Tables) -> None:
    """Exchange Online must know where to call."""
    for name, table in tables.calendars.items():
        if isinstance(table, GraphTable) and table.notifications and not tables.serve.public_url:
            merged.mistake(
                ("calendars", name, "notifications"),
                "nothing says where Exchange Online can call us",
                'write [serve] public_url = "https://otd.example.com", and run `otd serve` behind it',
            )


def _metrics(merged: Merged, tables: Tables) -> None:
    table = tables.metrics
    if table.listen in ("", UNKNOWN) or table.token:
        return
    host = host_and_port(table.listen)[0]
    if not (host in ("localhost", "::1") or host.startswith("127.")):
        mend = "name a secret in token, which Prometheus shows (authorization: credentials), or listen on 127.0.0.1"
        merged.mistake(("metrics", "listen"), "without a token only this machine may ask", mend)


def _budgets(merged: Merged, tables: Tables) -> None:
    """Whether even quiet rooms would have to be read more seldom than they are to be."""
    run = tables.run
    if not (isinstance(run.refresh, timedelta) and isinstance(run.refresh_idle, timedelta)):
        return  # another mistake in [run] is reported already
    quiet = run.refresh_idle or 4 * run.refresh
    for name, table in tables.calendars.items():
        if isinstance(table, FilesTable) or not isinstance(table.requests_per_day, int):
            continue
        rooms = sum(room.calendar == name for room in tables.rooms.values())
        needed = rooms * round(timedelta(days=1) / quiet)
        if 0 < table.requests_per_day < needed:
            every = round(86_400 * rooms / table.requests_per_day)
            merged.mistake(
                ("calendars", name, "requests_per_day"),
                f"{rooms} rooms take {needed:,} requests a day while nothing happens in them; with "
                f"{table.requests_per_day:,} a room can be read every {every} s at the most often",
                f"set requests_per_day = {2 * needed}, or 0 for no limit",
                warning=True,
            )


def _bus(merged: Merged, tables: Tables) -> None:
    bus = tables.bus
    if bus.ca:
        _must_exist(merged, ("bus", "ca"), "cas", bus.ca)
    if not bus.broker and merged.tables.get("bus"):
        merged.mistake(("bus",), "the key broker is missing", 'add broker = "NAME": the secret with its amqps:// url')
    if bus.broker and bus.work_vhost == bus.relays_vhost:
        merged.mistake(("bus", "relays_vhost"), "work and relays share a virtual host", "give each one of its own")
    for name in tables.relays if bus.broker else ():
        mend = "remove it; relays are processes of their own, `otd relays add` makes them known"
        merged.mistake(("relays", name), "with [bus] no relay runs in this process", mend)


def _endpoints(merged: Merged, tables: Tables) -> None:
    first: dict[str, str] = {}
    faces = {relay.pool for relay in tables.relays.values() if relay.face}
    for name, table in tables.endpoints.items():
        path = ("endpoints", name)
        _must_exist(merged, (*path, "pool"), "pools", table.pool)
        if not table.rooms:
            merged.mistake((*path, "rooms"), "it shows no room", "name at least one room")
        for index, room in enumerate(table.rooms):
            _must_exist(merged, (*path, "rooms", index), "rooms", room)
            if room != UNKNOWN and room in table.rooms[:index]:
                merged.mistake((*path, "rooms", index), f"{room} is named twice", "remove one")
        if table.kind in ("cisco", "webex") and not table.credential:
            merged.mistake(path, "the key credential is missing", 'add credential = "..." with the name of a secret')
        if table.trust.startswith("ca:"):
            _must_exist(merged, (*path, "trust"), "cas", table.trust.removeprefix("ca:"))
        if table.kind == "polycom" and bool(table.address) != bool(table.credential):
            mend = "its own interface is looked at by both, or by none: add the other, or remove it"
            merged.mistake(path, "address and credential go together", mend)
        if table.kind == "webex" and not table.device:
            merged.mistake(path, "the key device is missing", 'add device = "..." with its id from Control Hub')
        if table.kind == "webex" and table.trust not in ("pin", "ca") and not table.trust.startswith("ca:"):
            merged.mistake((*path, "trust"), "a cloud is known by a CA only", 'remove it, or use "ca:NAME"')
        if table.kind == "cisco" and not table.address:
            merged.mistake(path, "the key address is missing", 'add address = "codec.example.com"')
        if table.kind == "polycom" and table.pool not in faces and not tables.bus.broker:
            mend = f'give a relay of pool {table.pool} a face = "192.0.2.10:443"'
            merged.mistake((*path, "pool"), "no relay of this pool has a face to serve it", mend, warning=True)
        other = first.setdefault(table.address.casefold(), name) if table.address != UNKNOWN else name
        if table.kind == "cisco" and other != name:
            mend = "one endpoint may show several rooms: put them all into its rooms"
            merged.mistake((*path, "address"), f"the endpoint {other} has this address already", mend)


def _rules(merged: Merged, tables: Tables) -> None:
    raw = merged.tables.get("dialplan", {})
    numbers = {table.get("name"): number for number, table in enumerate(raw.get("rules", []))} if tables.rules else {}
    for rule in tables.rules:
        path = ("dialplan", "rules", numbers[rule.name])
        _all_exist(merged, (*path, "rooms"), "rooms", rule.rooms)
        _all_exist(merged, (*path, "endpoints"), "endpoints", rule.endpoints)


def _all_exist(merged: Merged, path: KeyPath, section: str, names: Iterable[str]) -> None:
    for name in names:
        _must_exist(merged, path, section, name)
