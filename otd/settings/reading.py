"""From the files and the environment to Settings, with every mistake on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from otd.alerting.access import MailAccess, WebhookAccess
from otd.alerts import Concern
from otd.calendars.access import EwsAccess, GraphAccess
from otd.invites.site import Site
from otd.model import Endpoint, Policy, Room
from otd.reach import reach_of
from otd.settings.documents import Merged, read_files
from otd.settings.inbound import FaceTable, FeedbackTable, face_access, feedback_access, of_relay
from otd.settings.kinds import WEBEX, host_and_port
from otd.settings.mistakes import BadSettings, Mistake
from otd.settings.references import check_references
from otd.settings.tables import (
    AlertsTable,
    EndpointTable,
    EwsTable,
    FilesTable,
    GraphTable,
    MetricsTable,
    ServeTable,
)
from otd.settings.validation import Tables, validated
from otd.settings.values import (
    AlertSettings,
    AuditSettings,
    BusSettings,
    CalendarSettings,
    FilesAccess,
    MetricsSettings,
    Pool,
    ReadingSettings,
    RelaySettings,
    RunSettings,
    ServeSettings,
    Settings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The settings, None when something is wrong with them, and every mistake and warning, in the order of the file."""

    settings: Settings | None
    mistakes: tuple[Mistake, ...]


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """The settings in this file, the files beside it and the environment. Raises BadSettings with every mistake."""
    found = read(path, environment)
    if found.settings is None:
        raise BadSettings(mistake for mistake in found.mistakes if not mistake.warning)
    return found.settings


def read(path: Path, environment: Mapping[str, str], instead: Mapping[str, str] | None = None) -> Found:
    """The same as `load`, but mistakes and warnings are returned.

    `instead` holds texts for files in the folder beside, by name, as if they were written there already: so that a
    change can be tried before it is made.
    """
    path = path.absolute()
    merged = read_files(path, instead or {})
    if merged.main is None:
        return Found(settings=None, mistakes=tuple(merged.mistakes))
    tables = validated(merged, environment)
    check_references(merged, tables, path.parent)
    mistakes = _in_order(merged)
    wrong = tuple(mistake for mistake in mistakes if not mistake.warning)
    if wrong:  # warnings of what nobody uses would only mislead when the user may be what is wrong
        return Found(settings=None, mistakes=wrong)
    return Found(settings=_settings(path, tables, mistakes), mistakes=mistakes)


def _in_order(merged: Merged) -> tuple[Mistake, ...]:
    """Each mistake once, file by file and line by line; those without a line come last."""

    def place(mistake: Mistake) -> tuple[bool, str, int]:
        file, line, number = mistake.where.rpartition(" line ")
        main = merged.main is not None and file == merged.main.name
        return (not line, "" if main else file, int(number) if line else 0)

    return tuple(sorted(dict.fromkeys(merged.mistakes), key=place))


def _settings(path: Path, tables: Tables, mistakes: tuple[Mistake, ...]) -> Settings:
    folder = path.parent
    cas = {name: folder / file for name, file in tables.cas.items()}
    plan, run, secrets = tables.dialplan, tables.run, tables.secrets
    site = _keys(tables.site)
    site |= {key: tuple(sorted(site[key].items())) for key in ("partner_domains", "cms_hosts")}
    server = "://" in run.database
    domains: dict[str, Any] = {"own_domains": plan.own_domains, "allowed_domains": plan.allowed_domains}
    return Settings(
        path=path,
        calendars=MappingProxyType(
            {
                name: CalendarSettings(
                    name=name,
                    access=_access(table, folder, cas),
                    at_once=table.at_once,
                    most=_most(table),
                    notifications=isinstance(table, GraphTable) and table.notifications,
                    budget=0 if isinstance(table, FilesTable) else table.requests_per_day,
                    moved_to=() if isinstance(table, FilesTable) else table.moved_to,
                    label=table.label,
                )
                for name, table in tables.calendars.items()
            }
        ),
        pools=MappingProxyType({name: Pool(name=name, **_keys(table)) for name, table in tables.pools.items()}),
        relays=MappingProxyType(
            {
                name: RelaySettings(
                    name=name,
                    pool=table.pool,
                    label=table.label,
                    face=face_access(of_relay(table, "face", FaceTable), folder),
                    feedback=feedback_access(of_relay(table, "feedback", FeedbackTable), folder),
                    reach=reach_of(table.reach) if table.reach else None,
                )
                for name, table in tables.relays.items()
            }
        ),
        rooms=MappingProxyType(
            {
                name: Room(name=name, **(_keys(table) | {"mailbox": table.mailbox or name}))
                for name, table in tables.rooms.items()
            }
        ),
        endpoints=MappingProxyType({name: _endpoint(name, table, tables) for name, table in tables.endpoints.items()}),
        rules=tables.rules,
        site=Site(**site, **domains),
        policy=Policy(**_keys(tables.policy), **domains),
        run=RunSettings(
            database=run.database if server else f"sqlite:///{folder / run.database}",
            database_file=None if server else folder / run.database,
            database_password=run.database_password,
            state=folder / run.state,
            refresh=run.refresh,
            idle=run.refresh_idle or 4 * run.refresh,
            verify=run.verify,
            silence=run.silence,
            reassert=run.reassert,
            threads=run.threads,
            log=run.log,
            secrets_file=folder / secrets.file if secrets.file else None,
            secrets_folder=folder / secrets.folder if secrets.folder else None,
        ),
        bus=_bus(tables, cas),
        readings=ReadingSettings(**_keys(tables.readings)),
        alerts=_alerts(tables.alerts, cas),
        metrics=_metrics(tables.metrics),
        serve=_serve(tables.serve, folder),
        audit=AuditSettings(**_keys(tables.audit)),
        cas=MappingProxyType(cas),
        warnings=mistakes,
    )


def _keys(table: Any) -> dict[str, Any]:
    """The table's keys and values, as they are."""
    return {key.name: getattr(table, key.name) for key in fields(table)}


def _access(
    table: GraphTable | EwsTable | FilesTable, folder: Path, cas: Mapping[str, Path]
) -> GraphAccess | EwsAccess | FilesAccess:
    if isinstance(table, FilesTable):
        return FilesAccess(folder=folder / table.folder)
    ca_file = str(cas[table.ca]) if table.ca else ""
    if isinstance(table, EwsTable):
        return EwsAccess(
            url=table.url,
            username=table.username,
            password=table.password,
            auth=table.auth,
            tenant=table.tenant,
            client_id=table.client_id,
            secret=table.secret,
            certificate=table.certificate,
            pfx=str(folder / table.pfx) if table.pfx else "",
            passphrase=table.passphrase,
            secret_expires=table.secret_expires,
            authority=table.authority,
            right=table.right,
            build=table.build,
            ca_file=ca_file,
            connections=table.at_once,
            streams=table.streams,
        )
    return GraphAccess(
        tenant=table.tenant,
        client_id=table.client_id,
        secret=table.secret,
        certificate=table.certificate,
        pfx=str(folder / table.pfx) if table.pfx else "",
        passphrase=table.passphrase,
        secret_expires=table.secret_expires,
        cloud=table.cloud,
        authority=table.authority,
        root=table.root,
        ca_file=ca_file,
    )


def _bus(tables: Tables, cas: Mapping[str, Path]) -> BusSettings | None:
    if not tables.bus.broker:
        return None
    keys = _keys(tables.bus)
    ca = keys.pop("ca")
    return BusSettings(**keys, ca_file=str(cas[ca]) if ca else "")


def _most(table: GraphTable | EwsTable | FilesTable) -> int:
    """How far a calendar's cap may grow: Exchange Server states its limits, Exchange Online's have to be found."""
    if isinstance(table, GraphTable):
        return max(table.at_once, table.at_once_most)
    return table.at_once if isinstance(table, EwsTable) else 0


def _alerts(table: AlertsTable, cas: Mapping[str, Path]) -> AlertSettings:
    concern = Concern(before=table.before, patience=table.patience, expiring=table.expiring, mute=frozenset(table.mute))
    mail = webhook = None
    if table.mail_server:
        host, port = host_and_port(table.mail_server)
        usual = {"starttls": 587, "tls": 465, "none": 25}
        mail = MailAccess(
            host=host,
            port=usual[table.mail_tls] if port is None else port,
            sender=table.mail_from,
            to=table.mail_to,
            tls=table.mail_tls,
            login=table.mail_login,
            ca_file=str(cas[table.mail_ca]) if table.mail_ca else "",
        )
    if table.webhook or table.webhook_secret:
        webhook = WebhookAccess(
            url=table.webhook,
            secret_url=table.webhook_secret,
            token=table.webhook_token,
            ca_file=str(cas[table.webhook_ca]) if table.webhook_ca else "",
        )
    return AlertSettings(concern=concern, mail=mail, webhook=webhook)


def _metrics(table: MetricsTable) -> MetricsSettings:
    if not table.listen:
        return MetricsSettings(token=table.token)
    host, port = host_and_port(table.listen)
    return MetricsSettings(listen=(host, 9464 if port is None else port), token=table.token)


def _serve(table: ServeTable, folder: Path) -> ServeSettings:
    host, port = host_and_port(table.address)
    return ServeSettings(
        address=host,
        port=443 if port is None else port,
        certificate=folder / table.certificate if table.certificate else None,
        key=folder / table.key if table.key else None,
        passphrase=table.passphrase,
        minimum_tls=table.minimum_tls,
        proxies=table.proxies,
        public_url=table.public_url,
    )


def _endpoint(name: str, table: EndpointTable, tables: Tables) -> Endpoint:
    """One that fetches is known by its first room's mailbox and logs in by its own name, unless told otherwise."""
    endpoint = Endpoint(name=name, pool_mode=tables.pools[table.pool].mode, **_keys(table))
    if table.kind == "webex":  # a cloud renews its certificate: a pin would not hold
        trust = "ca" if table.trust == "pin" else table.trust
        return replace(endpoint, trust=trust, address=table.address or WEBEX)
    if table.kind != "polycom":
        return endpoint
    room = table.rooms[0]
    mailbox = table.mailbox or tables.rooms[room].mailbox or room
    zone = tables.rooms[room].timezone
    return replace(endpoint, mailbox=mailbox, username=table.username or name, timezone=zone)
