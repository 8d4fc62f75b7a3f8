"""What may stand in otd.toml: one frozen dataclass per table, its fields the keys. pydantic checks the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, ConfigDict, Strict, StrictBool, with_config

from otd.calendars.access import Cloud
from otd.model import Mode
from otd.settings.kinds import (
    Address,
    Database,
    Domain,
    Domains,
    Hosts,
    Ip,
    Label,
    LogForm,
    Mailbox,
    Mailboxes,
    Muted,
    Name,
    Names,
    Networks,
    Partners,
    SecretName,
    Text,
    Trust,
    Url,
    Vhost,
    Zone,
    between,
    dated,
    listed,
)

_STRICT = ConfigDict(extra="forbid")
Strategy = Annotated[tuple[Literal["token", "token-split", "sip", "location", "html"], ...], BeforeValidator(listed)]
MinimumTls = Literal["1.0", "1.2", "1.3"]
AtOnce = Annotated[int, Strict(), Ge(1), Le(1000)]
PerDay = Annotated[int, Strict(), Ge(0), Le(1_000_000_000)]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphTable:
    """[calendars.NAME] with kind = "graph": Exchange Online."""

    kind: Literal["graph"]
    tenant: Text
    client_id: Text
    secret: SecretName = ""
    certificate: SecretName = ""
    pfx: str = ""
    passphrase: SecretName = ""
    secret_expires: Annotated[date | None, BeforeValidator(dated)] = None
    cloud: Cloud = "global"
    authority: Url = ""
    root: Url = ""
    ca: Name = ""
    at_once: AtOnce = 8
    at_once_most: AtOnce = 64
    requests_per_day: PerDay = 1_000_000
    moved_to: Names | None = None
    notifications: StrictBool = False
    label: Label = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class EwsTable:
    """[calendars.NAME] with kind = "ews": Exchange Server."""

    kind: Literal["ews"]
    url: Url
    username: str = ""
    password: SecretName = ""
    auth: Literal["ntlm", "basic", "kerberos", "oauth"] = "ntlm"
    tenant: str = ""
    client_id: str = ""
    secret: SecretName = ""
    certificate: SecretName = ""
    pfx: str = ""
    passphrase: SecretName = ""
    secret_expires: Annotated[date | None, BeforeValidator(dated)] = None
    authority: Url = ""
    right: Literal["impersonation", "delegate"] = "impersonation"
    build: Literal["15.0", "15.1", "15.2"] = "15.2"
    ca: Name = ""
    at_once: AtOnce = 4
    streams: AtOnce = 3
    requests_per_day: PerDay = 1_000_000
    moved_to: Names | None = None
    label: Label = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class FilesTable:
    """[calendars.NAME] with kind = "files": a folder with a folder of invitations for each room."""

    kind: Literal["files"]
    folder: Text
    at_once: AtOnce = 4
    label: Label = ""


CALENDARS: dict[str, type[GraphTable] | type[EwsTable] | type[FilesTable]] = {
    "graph": GraphTable,
    "ews": EwsTable,
    "files": FilesTable,
}


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTable:
    """[pools.NAME]"""

    at_once: AtOnce = 64
    mode: Mode = "deliver"
    label: Label = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTable:
    """[relays.NAME]"""

    pool: Name
    label: Label = ""
    face: Address = ""
    face_certificate: str = ""
    face_key: str = ""
    face_passphrase: SecretName = ""
    face_minimum_tls: MinimumTls = "1.2"
    face_host: str = ""
    reach: Networks = ()
    feedback: Address = ""
    feedback_certificate: str = ""
    feedback_key: str = ""
    feedback_passphrase: SecretName = ""
    feedback_minimum_tls: MinimumTls = "1.2"
    feedback_host: Address = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTable:
    """[rooms.NAME]"""

    calendar: Name
    mailbox: str = ""
    label: Label = ""
    timezone: Zone = "UTC"


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTable:
    """[endpoints.NAME]"""

    kind: Literal["cisco", "webex", "polycom", "memory"]
    address: Address = ""
    pool: Name
    rooms: Names
    credential: SecretName = ""
    label: Label = ""
    trust: Trust = "pin"
    interface: Literal["auto", "bookingsputxml", "put"] = "auto"
    tls: Literal["", "legacy"] = ""
    session: StrictBool = False
    device: str = ""
    mode: Literal["", "deliver", "observe"] = ""
    model: Literal["", "hdx", "gs", "videoos", "trio"] = ""
    strategy: Strategy = ()
    mailbox: str = ""
    domain: str = ""
    username: str = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class DialplanTable:
    """[dialplan], without its [[dialplan.rules]]"""

    own_domains: Domains = ()
    allowed_domains: Domains = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTable:
    """[site]: hosts that belong to this organisation, which invitations name"""

    partner_domains: Partners = field(default_factory=dict)
    skype_hosts: Domains = ()
    pexip_hosts: Domains = ()
    cms_hosts: Hosts = field(default_factory=dict)
    meet_domain: Domain = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """[policy]: how bookings are shown"""

    ahead: Annotated[timedelta, BeforeValidator(between("1h", "365d"))] = timedelta(days=7)
    start_buffer: Annotated[timedelta, BeforeValidator(between("0s", "24h"))] = timedelta(minutes=5)
    end_buffer: Annotated[timedelta, BeforeValidator(between("0s", "24h"))] = timedelta(0)
    title: Literal["subject", "organizer"] = "subject"
    keep_prefix: StrictBool = False
    private_title: Annotated[Label, Text] = "Private meeting"
    private_dial: StrictBool = True
    without_video: StrictBool = True
    tentative: StrictBool = True
    free: StrictBool = False
    all_day: StrictBool = True


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """[run]: how this installation works"""

    database: Database = "otd.db"
    database_password: SecretName = ""
    state: Text = "state"
    refresh: Annotated[timedelta, BeforeValidator(between("1s", "1h"))] = timedelta(seconds=30)
    refresh_idle: Annotated[timedelta, BeforeValidator(between("0s", "24h"))] = timedelta(0)
    verify: Annotated[timedelta, BeforeValidator(between("10s", "24h"))] = timedelta(minutes=5)
    silence: Annotated[timedelta, BeforeValidator(between("1m", "7d"))] = timedelta(minutes=15)
    reassert: Annotated[timedelta, BeforeValidator(between("1m", "7d"))] = timedelta(hours=1)
    threads: Annotated[int, Strict(), Ge(1), Le(256)] = 16
    log: LogForm = "console"


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class BusTable:
    """[bus]: the broker, when relays are processes of their own"""

    broker: SecretName = ""
    ca: str = ""
    work_vhost: Vhost = "otd"
    relays_vhost: Vhost = "otd-relays"
    relays_address: Address = ""
    management: SecretName = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingsTable:
    """[readings]: what is kept of calendars' answers for replay"""

    keep: Annotated[timedelta, BeforeValidator(between("1d", "365d"))] = timedelta(days=14)
    bodies: StrictBool = True


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTable:
    """[audit]: what is kept of deliveries, of what they found, of changes of the rules and of what people did"""

    keep: Annotated[timedelta, BeforeValidator(between("1d", "3650d"))] = timedelta(days=90)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsTable:
    """[alerts]: when people are told that something is wrong, and how"""

    before: Annotated[timedelta, BeforeValidator(between("1m", "24h"))] = timedelta(minutes=15)
    patience: Annotated[timedelta, BeforeValidator(between("1s", "1h"))] = timedelta(minutes=1)
    expiring: Annotated[timedelta, BeforeValidator(between("1d", "365d"))] = timedelta(days=30)
    mute: Muted = ()
    mail_server: Address = ""
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_from: Mailbox = ""
    mail_to: Mailboxes = ()
    mail_login: SecretName = ""
    mail_ca: Name = ""
    webhook: Url = ""
    webhook_secret: SecretName = ""
    webhook_token: SecretName = ""
    webhook_ca: Name = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsTable:
    """[metrics]: where Prometheus finds `otd run` and each worker, and what it has to show"""

    listen: Address = ""
    token: SecretName = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsTable:
    """[secrets]: the places where secrets are looked for, besides the environment"""

    file: str = "secrets.toml"
    folder: str = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ServeTable:
    """[serve]: what the network may call"""

    address: Address = "127.0.0.1:8480"
    certificate: str = ""
    key: str = ""
    passphrase: SecretName = ""
    minimum_tls: Literal["1.2", "1.3"] = "1.2"
    proxies: Annotated[tuple[Ip, ...], BeforeValidator(listed)] = ()
    public_url: Url = ""


NAMED: dict[str, type] = {"pools": PoolTable, "relays": RelayTable, "rooms": RoomTable, "endpoints": EndpointTable}
"""Sections of tables by name, besides [calendars], whose form depends on their kind."""
SINGLE: dict[str, type] = {
    "site": SiteTable,
    "policy": PolicyTable,
    "run": RunTable,
    "bus": BusTable,
    "readings": ReadingsTable,
    "audit": AuditTable,
    "alerts": AlertsTable,
    "metrics": MetricsTable,
    "secrets": SecretsTable,
    "serve": ServeTable,
}
SECTIONS = ("calendars", *NAMED, "dialplan", *SINGLE, "cas")
