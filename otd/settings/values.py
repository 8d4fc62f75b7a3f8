"""Settings: what otd.toml, the files beside it and the environment say, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

from otd.alerting.access import MailAccess, WebhookAccess
from otd.alerts import Concern
from otd.calendars.access import EwsAccess, GraphAccess
from otd.dialplan import Rule
from otd.invites.site import Site
from otd.model import Endpoint, LaneSize, Mode, Policy, Room
from otd.reach import Reach
from otd.settings.mistakes import Mistake
from otd.settings.secrets import NamedSecrets


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesAccess:
    """The folder that holds a folder of invitations for each room."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSettings:
    """A configured Calendar. `at_once` is the cap that its lane begins with, `most` how far that may grow (0: it stays,
    and its answers are not looked at), `budget` the requests for a day (0: no limit). `moved_to` are the calendars on
    which to look for a mailbox that is no longer on this one, None: every other Exchange."""

    name: str
    access: GraphAccess | EwsAccess | FilesAccess
    at_once: int
    most: int = 0
    budget: int = 0
    moved_to: tuple[str, ...] | None = None
    notifications: bool = False  # its system is asked to tell of changes
    label: str = ""

    @property
    def lane(self) -> LaneSize:
        """What its lane is to be."""
        return LaneSize(cap=self.at_once, most=self.most, budget=self.budget)

    @property
    def kind(self) -> Literal["graph", "ews", "files"]:
        match self.access:
            case GraphAccess():
                return "graph"
            case EwsAccess():
                return "ews"
            case _:
                return "files"

    @property
    def is_online(self) -> bool:
        """Whether its mailboxes are in Exchange Online: an application reads them."""
        return isinstance(self.access, GraphAccess) or (isinstance(self.access, EwsAccess) and bool(self.access.tenant))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""
        match self.access:
            case GraphAccess() as graph:
                return tuple(filter(None, (graph.secret, graph.certificate, graph.passphrase)))
            case EwsAccess() as ews:
                return tuple(filter(None, (ews.password, ews.secret, ews.certificate, ews.passphrase)))
            case _:
                return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Relays that can stand in for one another. `at_once` is the cap of its lane; `mode` that of its endpoints."""

    name: str
    at_once: int
    mode: Mode = "deliver"
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceAccess:
    """Where a relay serves endpoints that fetch, and the certificate that it shows: a PEM file with its key in it or in
    `key`, or a PFX file. `passphrase` names the secret that opens it. Without a certificate it speaks plain HTTP, for a
    proxy on the same machine."""

    address: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    passphrase: str = ""
    minimum_tls: str = "1.2"
    host: str = ""  # the name by which endpoints reach it, "" for the one that they used


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackAccess:
    """Where a relay listens for endpoints that tell it of their restarts, and the certificate that it shows, as a
    face's. Endpoints are told `root`."""

    address: str
    port: int
    root: str  # https://HOST:PORT
    certificate: Path | None = None
    key: Path | None = None
    passphrase: str = ""
    minimum_tls: str = "1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """A relay that runs in this process."""

    name: str
    pool: str
    label: str = ""
    face: FaceAccess | None = None
    feedback: FeedbackAccess | None = None
    reach: Reach | None = None  # None: anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """What is kept of calendars' answers for replay."""

    keep: timedelta = timedelta(days=14)
    bodies: bool = True  # of meetings that are not private


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How long the audit is kept; the lists in it, which hold titles, go with the readings."""

    keep: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How this installation works."""

    database: str  # its url, without the password
    database_file: Path | None  # the file of SQLite, None for a server
    database_password: str  # the name of a secret, "" for none
    state: Path  # a folder for what must outlive a restart besides the database: pins and revisions of relays
    refresh: timedelta  # a room with a meeting near is read this often
    idle: timedelta  # a room with nothing ahead today is read this often
    verify: timedelta  # a confirmed list is read back this often
    silence: timedelta  # an endpoint that fetches its list and did not for so long is said to be silent
    reassert: timedelta  # a list that keeps differing is put again this often
    threads: int
    log: Literal["console", "json"]
    secrets_file: Path | None
    secrets_folder: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where `otd serve` listens, and the certificate that it shows, as a face's. Without one it speaks plain HTTP to
    this machine and to `proxies`: reverse proxies, of which alone X-Forwarded-For is believed."""

    address: str = "127.0.0.1"
    port: int = 8480
    certificate: Path | None = None
    key: Path | None = None
    passphrase: str = ""
    minimum_tls: str = "1.2"
    proxies: tuple[str, ...] = ()
    public_url: str = ""  # how it is reached from the internet


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What is worth an alert, and how people are told besides the log."""

    concern: Concern
    mail: MailAccess | None = None
    webhook: WebhookAccess | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Where metrics are to be had from `otd run` and each worker, None: nowhere. `token` names a secret."""

    listen: tuple[str, int] | None = None
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """The broker between the centre and relays that are processes of their own."""

    broker: str  # the name of the secret that holds its url, with user and password
    ca_file: str  # "" for the system's CAs
    work_vhost: str
    relays_vhost: str
    relays_address: str  # host:port where relays reach it, "" for that of the url
    management: str = ""  # the name of the secret that holds the url of its management interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is configured. Mappings are by name, in the order of the files; nothing in here is secret."""

    path: Path
    calendars: Mapping[str, CalendarSettings]
    pools: Mapping[str, Pool]
    relays: Mapping[str, RelaySettings]
    rooms: Mapping[str, Room]
    endpoints: Mapping[str, Endpoint]
    rules: tuple[Rule, ...]
    site: Site
    policy: Policy
    run: RunSettings
    bus: BusSettings | None  # None: the relays are in this process
    readings: ReadingSettings
    alerts: AlertSettings
    metrics: MetricsSettings
    serve: ServeSettings
    audit: AuditSettings
    cas: Mapping[str, Path]  # files of certificate authorities; `trust = "ca:NAME"` of an endpoint names one
    warnings: tuple[Mistake, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """Changes when anything changes that decides what an endpoint should show or how it is reached."""
        said = (
            tuple(self.calendars.values()),
            tuple(self.rooms.values()),
            tuple(self.endpoints.values()),
            tuple(self.relays.values()),
            self.site,
            self.policy,
            tuple(tuple(getattr(rule, name) for name in type(rule).__slots__) for rule in self.rules),
        )
        return sha256(repr(said).encode()).hexdigest()

    def secrets(self, environment: Mapping[str, str]) -> NamedSecrets:
        """The secrets, from the places that the settings name."""
        return NamedSecrets(environment=environment, file=self.run.secrets_file, folder=self.run.secrets_folder)

    def elsewhere(self) -> dict[str, tuple[str, ...]]:
        """By calendar, the others on which to look for a mailbox that is no longer there."""
        exchanges = [name for name, one in self.calendars.items() if one.kind != "files"]
        return {
            name: tuple(n for n in exchanges if n != name) if (to := self.calendars[name].moved_to) is None else to
            for name in exchanges
        }

    def secret_names(self) -> dict[str, tuple[str, ...]]:
        """Each secret that is needed here -> what needs it, such as "calendar office" or "endpoint board-codec". Relays
        that are elsewhere have the endpoints' passwords."""
        users: dict[str, list[str]] = {"database-key": ["the database"]}
        if self.run.database_password:
            users.setdefault(self.run.database_password, []).append("the database")
        if self.bus is not None:
            users.setdefault(self.bus.broker, []).append("the bus")
            if self.bus.management:
                users.setdefault(self.bus.management, []).append("work that makes relays' users")
        for calendar in self.calendars.values():
            for name in calendar.secrets:
                users.setdefault(name, []).append(f"calendar {calendar.name}")
        for endpoint in self.endpoints.values():
            if endpoint.credential and self.bus is None:
                users.setdefault(endpoint.credential, []).append(f"endpoint {endpoint.name}")
        for relay in self.relays.values():
            if relay.face is not None and relay.face.passphrase:
                users.setdefault(relay.face.passphrase, []).append(f"relay {relay.name}")
            if relay.feedback is not None and relay.feedback.passphrase:
                users.setdefault(relay.feedback.passphrase, []).append(f"relay {relay.name}")
        mail, webhook = self.alerts.mail, self.alerts.webhook
        for name in (mail.login if mail else "", *((webhook.secret_url, webhook.token) if webhook else ())):
            if name:
                users.setdefault(name, []).append("alerts")
        if self.metrics.token:
            users.setdefault(self.metrics.token, []).append("metrics")
        if self.serve.passphrase:
            users.setdefault(self.serve.passphrase, []).append("otd serve")
        return {name: tuple(who) for name, who in users.items()}
