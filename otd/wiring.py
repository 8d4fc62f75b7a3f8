"""Settings -> running parts. The only place that chooses implementations."""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from otd import __version__, guarding
from otd.bus.local import LocalBus, LocalRelayBus
from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.files import FilesCalendar
from otd.calendars.files_watch import FilesWatch
from otd.deliveries import Timing
from otd.dialplan.ruling import Ruling
from otd.errors import BadSetting, Unsupported
from otd.judging import settle_rules
from otd.metrics import Metrics
from otd.model import HOUSE, Hello, LaneSize, Receipt, Settled
from otd.model import Expiry as RunsOut
from otd.pipeline import Pipeline, Rulebook, no_provision
from otd.ports import Bookable, Bus, Calendar, Clock, Directory, EndpointDriver, Executor, Hooks, Pins, Secrets, Store
from otd.relay.memory import Memory
from otd.settings import BusSettings, FaceAccess, FeedbackAccess, Settings
from otd.subscribing import Subscribing, hook
from otd.watching import Stream, groups

if TYPE_CHECKING:
    from otd.bus.broker import Broker
    from otd.calendars.expiry import Expiry
    from otd.certificates import CertificateFiles
    from otd.inbound import Server
    from otd.relay.feedback import Feedback
    from otd.relay.lists import Lists
    from otd.relay.service import Relay
    from otd.store.sql import SqlStore

DATABASE_KEY = "database-key"
_IMPORTING = threading.Lock()  # two threads that import libraries which import each other find them half made


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def secrets(settings: Settings) -> Secrets:
    """The secrets, looked up by name when they are needed."""
    return settings.secrets(os.environ)


def calendar(settings: Settings, name: str, clock: Clock | None = None) -> Calendar:
    """One configured Calendar. Nothing is asked of the calendar system yet."""
    access, clock = settings.calendars[name].access, clock or SystemClock()
    with _IMPORTING:
        if isinstance(access, GraphAccess):
            from otd.calendars.graph import GraphCalendar

            return GraphCalendar(name, access, secrets=secrets(settings), clock=clock)
        if isinstance(access, EwsAccess):
            from otd.calendars.ews import EwsCalendar

            return EwsCalendar(name, access, secrets=secrets(settings), clock=clock)
    return FilesCalendar(name, access.folder, clock=clock)


def bookable(calendar: Calendar) -> Bookable | None:
    """The calendar as one in which a meeting can be booked, None where that cannot be."""
    from otd.calendars.graph import GraphCalendar

    return calendar if isinstance(calendar, FilesCalendar | GraphCalendar) else None


def credential_expiry(settings: Settings, name: str) -> Expiry | None:
    """When this calendar's credential ends; None for a kind of calendar whose credential has no end. Raises
    BadSetting when it cannot be read."""
    access = settings.calendars[name].access
    if not isinstance(access, GraphAccess | EwsAccess) or not access.client_id:
        return None
    from otd.calendars.expiry import credential_expiry as of_graph

    return of_graph(name, access, secrets(settings))


def credential_expiries(settings: Settings) -> Iterator[RunsOut]:
    """What is known of the end of calendars' credentials; one that cannot be read is said by its calendar."""
    for name in settings.calendars:
        with suppress(BadSetting):
            found = credential_expiry(settings, name)
            if found is not None and found.at is not None:
                yield RunsOut(cause="secret_expires", thing=f"calendar:{name}", at=found.at)


def streams(settings: Settings, store: Store) -> tuple[dict[str, Callable[[], Stream]], dict[str, int]]:
    """What makes the streaming connections of each Exchange Server, by a name; and how many rooms of a calendar are too
    many for them. A room is watched where its mailbox was last found."""
    from otd.calendars.ews_stream import ROOMS, EwsStream

    found: dict[str, Callable[[], Stream]] = {}
    left_out: dict[str, int] = {}
    states = store.rooms()
    for name, one in settings.calendars.items():
        if not isinstance(access := one.access, EwsAccess):
            continue
        rooms = [state.room for state in states if (state.read_on or state.room.calendar) == name]
        for number, group in enumerate(groups(rooms, ROOMS, access.streams), 1):
            found[f"{name}-{number}"] = partial(
                EwsStream, name, access, group, secrets=secrets(settings), clock=SystemClock()
            )
        if len(rooms) > ROOMS * access.streams:
            left_out[name] = len(rooms) - ROOMS * access.streams
    return found, left_out


def directory(settings: Settings, name: str) -> Directory:
    """The rooms that the system of one configured Calendar knows of. Raises Unsupported for a folder of files."""
    access, clock = settings.calendars[name].access, SystemClock()
    if isinstance(access, GraphAccess):
        from otd.calendars.graph_places import GraphPlaces

        return GraphPlaces(name, access, secrets(settings), clock)
    if isinstance(access, EwsAccess):
        from otd.calendars.ews_rooms import EwsRooms

        return EwsRooms(name, access, secrets(settings), clock)
    raise Unsupported(f"calendar {name}", "it is a folder of files", "its rooms are the folders in it")


def drivers(settings: Settings, pins: Pins, hooks: Hooks | None = None) -> Mapping[str, EndpointDriver]:
    """The drivers that a relay of this installation uses, by kind of endpoint."""
    return drivers_with(secrets(settings), pins, settings.cas, hooks)


def drivers_with(
    known: Secrets, pins: Pins, cas: Mapping[str, Path], hooks: Hooks | None = None
) -> Mapping[str, EndpointDriver]:
    """The same, from these secrets and files of CAs."""
    from otd.endpoints.cisco import CiscoDriver
    from otd.endpoints.memory import MemoryDriver
    from otd.endpoints.polycom import PolycomDriver
    from otd.endpoints.webex import WebexDriver
    from otd.relay.face.ids import item_id

    ca_files = {name: str(path) for name, path in cas.items()}
    return {
        "cisco": CiscoDriver(secrets=known, pins=pins, ca_files=ca_files, hooks=hooks),
        "polycom": PolycomDriver(secrets=known, pins=pins, id_of=item_id, ca_files=ca_files),
        "webex": WebexDriver(secrets=known, ca_files=ca_files),
        "memory": MemoryDriver(),
    }


def memory(settings: Settings, relay: str) -> Memory:
    """What this relay must not forget; its file is made when it is not there."""
    folder = settings.run.state
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(str(folder), f"the state folder cannot be made: {error.strerror}", "set [run] state") from None
    return Memory(folder / f"{relay}.db")


def face_lists(settings: Settings, relay: str) -> Lists | None:
    """What this relay serves to endpoints that fetch, kept on disk; None for a relay without a face."""
    if settings.relays[relay].face is None:
        return None
    from otd.relay.lists import Lists

    return Lists(settings.run.state / f"{relay}-lists.db", database_key(settings))


def serve_face(settings: Settings, name: str, lists: Lists, relay: Relay, clock: Clock) -> Server:
    """Serve a relay's face. Raises BadSetting when its address or certificate cannot be used."""
    access = settings.relays[name].face
    if access is None:
        raise BadSetting(f"relay {name}", "it has no face", "set face in its settings")
    return face_at(access, secrets(settings), lists, relay, clock, settings.run.state)


def face_notes(folder: Path, relay: str) -> tuple[Path, Path]:
    """Where a relay's face keeps who came to it, and what was asked for the first time."""
    return folder / f"{relay}-polls.jsonl", folder / f"{relay}-sights.jsonl"


def face_at(access: FaceAccess, known: Secrets, lists: Lists, relay: Relay, clock: Clock, folder: Path) -> Server:
    """The same, where `access` says; what it notes of its visitors goes into the folder."""
    from otd.inbound import serve
    from otd.relay.face.app import Face, FaceSettings
    from otd.relay.face.sightings import Sightings
    from otd.relay.face.visits import Visits

    polls, sights = face_notes(folder, relay.name)
    face = Face(
        lists,
        on_fetch=relay.fetched,
        clock=clock,
        settings=FaceSettings(host=access.host),
        sightings=Sightings(sights),
        visits=Visits(polls),
    )
    server = serve(face, name="face", address=access.address, port=access.port, certificate=_files(access, known))
    relay.shows(lambda: server.expires)
    return server


def _files(access: FaceAccess | FeedbackAccess, known: Secrets) -> CertificateFiles | None:
    from otd.certificates import CertificateFiles

    if access.certificate is None:
        return None
    password = known.get(access.passphrase) if access.passphrase else ""
    return CertificateFiles(
        certificate=access.certificate, key=access.key, password=password, minimum=access.minimum_tls
    )


def feedback(settings: Settings, relay: str, remembered: Memory) -> Feedback:
    """The addresses at which endpoints may tell a relay of this process that they restarted."""
    from otd.relay.feedback import Feedback

    key, pool = database_key(settings), settings.relays[relay].pool
    return Feedback(key=key + relay.encode(), shared=key, pool=pool, registered=remembered)


def feedback_at(access: FeedbackAccess, known: Secrets, feedback: Feedback) -> Server:
    """Listen there for endpoints that restarted. Raises BadSetting when the address or certificate cannot be used."""
    from otd.inbound import serve
    from otd.relay.feedback import FeedbackApp

    app, files = FeedbackApp(feedback), _files(access, known)
    server = serve(app, name="feedback", address=access.address, port=access.port, certificate=files)
    feedback.listening(access.root, self_signed=lambda: server.self_signed)
    return server


def store(settings: Settings, *, exclusive: bool = False, migrate: bool = True) -> SqlStore:
    """The database of this installation, its tables brought up to date unless told otherwise; `exclusive`
    for the one process that works."""
    from otd.store.sql import SqlStore

    run = settings.run
    password = secrets(settings).get(run.database_password) if run.database_password else ""
    key = database_key(settings)
    return SqlStore(run.database, key, migrate, password=password, exclusive=exclusive, actor=user())


def has_database(settings: Settings) -> bool:
    """Whether there is a database to look into; one on a server is tried by opening it."""
    file = settings.run.database_file
    return file is None or file.exists()


def user() -> str:
    """Who runs this process, for the audit: the user of the operating system, not what the environment says."""
    import pwd

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)  # in a container, there may be no name for it


def database_key(settings: Settings) -> bytes:
    """32 bytes, from the secret `database-key`. Raises BadSetting."""
    import base64
    import binascii

    text = secrets(settings).get(DATABASE_KEY)
    try:
        key = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise BadSetting(f"secret {DATABASE_KEY}", "it is not 32 bytes in base64", "`otd init` writes one")
    return key


def rulebook(settings: Settings) -> Rulebook:
    """What decides how a meeting becomes a booking."""
    policy, run = settings.policy, settings.run
    ruling = Ruling(
        version=__version__, rules=settings.rules, site=settings.site, private_dial=settings.policy.private_dial
    )
    return Rulebook(
        plan=ruling.plan,
        site=settings.site,
        policy=policy,
        ruling=ruling,
        keep=settings.readings.keep,
        audited=settings.audit.keep,
        bodies=settings.readings.bodies,
        timing=Timing(verify=run.verify, reassert=run.reassert, silence=run.silence),
        refresh=run.refresh,
        idle=run.idle,
    )


def settings_digest(settings: Settings, key: bytes) -> str:
    """Changes when a setting changes, or the value of a secret that is used: a new password un-parks what the old one
    parked. Keyed, so that it tells nothing about the secrets."""
    digest = hmac.new(key, settings.digest.encode(), "sha256")
    known = secrets(settings)
    names = settings.secret_names()
    for name in sorted((*names, *(f"{name}-next" for name in names))):
        try:
            digest.update(f"\0{name}\0{known.get(name)}".encode())
        except BadSetting:
            digest.update(f"\0{name}".encode())
    return digest.hexdigest()


def bus(settings: Settings, store: SqlStore, clock: Clock) -> Bus:
    """The way to the relays: over the broker when there is one, else within this process."""
    if settings.bus is None:
        return LocalBus()
    from otd.bus.amqp import AmqpBus

    return AmqpBus(
        relays_broker(settings),
        signing=signing_key(store),
        registry=store.members.all,
        pools=tuple(settings.pools),
        clock=clock,
    )


def relays_broker(settings: Settings) -> Broker:
    """The broker in the virtual host that relays may enter, as the centre enters it. Raises BadSetting."""
    return _broker(settings, lambda bus: bus.relays_vhost)


def work_broker(settings: Settings) -> Broker:
    """The broker in the virtual host in which workers share the work. Raises BadSetting."""
    return _broker(settings, lambda bus: bus.work_vhost)


def _broker(settings: Settings, vhost: Callable[[BusSettings], str]) -> Broker:
    from otd.bus.broker import broker_at

    found = settings.bus
    if found is None:
        raise BadSetting(str(settings.path), "it names no broker", "add [bus] with broker")
    url = secrets(settings).get(found.broker)
    return broker_at(url, where=f"secret {found.broker}", vhost=vhost(found), ca_file=found.ca_file)


def provision(settings: Settings, store: SqlStore) -> Callable[[str], Settled]:
    """What makes relays' users at the broker, and removes them."""
    if settings.bus is None:
        return no_provision
    from otd.provisioning import provision as of_settings

    return of_settings(settings, store).relay


def signing_key(store: SqlStore) -> str:
    """The centre's private key, by which relays know its orders; made when it is first asked for."""
    from otd.bus.seal import new_key

    return store.kept_secret("signing", new_key)


class Centre:
    """The whole of OTD in one process: the store, the executor, the calendars, the bus, and the relays on it."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        executor: Callable[[SqlStore, Pipeline], Executor] | None = None,
    ) -> None:
        """Builds everything and touches the outside with nothing but the database. `executor` makes another one than
        that of this process. Raises BadSetting."""
        from otd.executor import LocalExecutor

        self.settings = settings
        self._clock = clock or SystemClock()
        self.store = store(settings, exclusive=settings.bus is None)
        self.bus: Bus = bus(settings, self.store, self._clock)
        self.calendars = {name: calendar(settings, name, self._clock) for name in settings.calendars}
        self.rules = rulebook(settings)
        self.metrics = Metrics()
        self._listening: Server | None = None
        self.guard = guarding.guard(settings, self.store, secrets(settings), lambda: credential_expiries(settings))
        subscribing = Subscribing(
            store=self.store,
            calendars=self.calendars,
            rooms=settings.rooms,
            told=self._told(),
            hook=hook(settings.serve.public_url),
        )
        self.pipeline = Pipeline(
            store=self.store,
            calendars=self.calendars,
            bus=self.bus,
            rooms=settings.rooms,
            endpoints=settings.endpoints,
            rules=self.rules,
            provision=provision(settings, self.store),
            more={**self.guard.work, "subscribe": subscribing.room},
            elsewhere=settings.elsewhere(),
            metrics=self.metrics,
            wake=lambda: self.executor.wake(),
        )
        self.executor: Executor = (
            executor(self.store, self.pipeline)
            if executor is not None
            else LocalExecutor(
                self.store, self.pipeline.carry_out, threads=settings.run.threads, owner=f"run-{os.getpid()}"
            )
        )
        self.relays: dict[str, tuple[Relay, LocalRelayBus, Memory]] = {}
        self._faces: dict[str, tuple[Lists, Server]] = {}
        self._listeners: dict[str, Server] = {}
        self._watch = FilesWatch(self._folders(), self._changed)

    def start(self) -> None:
        """Adopt the settings, start the relays, then the work. Without a broker, leases of a former process are given
        back first: it is dead, or the database would not have opened. With one, others may be at work."""
        settings = self.settings
        lanes: dict[str, int | LaneSize] = {c.name: c.lane for c in settings.calendars.values()}
        lanes |= {pool.name: pool.at_once for pool in settings.pools.values()} | {HOUSE: settings.run.threads}
        if settings.bus is None:
            self.store.release("")
        key = database_key(settings)
        self.store.adopt(
            settings.rooms.values(),
            settings.endpoints.values(),
            lanes,
            settings_digest(settings, key),
            subscribed=self._told(),
        )
        self.store.add_work("tidy", HOUSE, HOUSE)
        guarding.add_work(settings, self.store)
        settle_rules(self.store, settings.rooms, settings.endpoints, self.rules)
        self.bus.listen(self._receipt, self._hello)
        for name in settings.relays:
            self.start_relay(name)
        self._watch.start()  # before the first reading: what changes from here on is seen by one or the other
        self.executor.start()
        if settings.metrics.listen is not None:
            from otd.measuring import listen

            self._listening = listen(settings, self.store, self.metrics, secrets(settings))

    def start_relay(self, name: str) -> None:
        """Start one of the configured relays."""
        from otd.relay.service import Relay

        pool = self.settings.relays[name].pool
        if not isinstance(self.bus, LocalBus):
            raise BadSetting(f"relay {name}", "with [bus] it is a process of its own", "otd relay run")
        side, remembered = self.bus.relay(name, pool), memory(self.settings, name)
        lists, told = face_lists(self.settings, name), feedback(self.settings, name, remembered)
        relay = Relay(
            name=name,
            pool=pool,
            bus=side,
            drivers=drivers(self.settings, remembered, told),
            memory=remembered,
            clock=self._clock,
            lists=lists,
            reach=self.settings.relays[name].reach,
            feedback=told,
        )
        self.relays[name] = (relay, side, remembered)
        access = self.settings.relays[name].feedback
        if access is not None:
            self._listeners[name] = listener = feedback_at(access, secrets(self.settings), told)
            relay.shows(lambda: listener.expires)
        if lists is not None:
            self._faces[name] = (lists, serve_face(self.settings, name, lists, relay, self._clock))
        relay.start()

    def cut_relay(self, name: str) -> None:
        """Stop a relay as a power failure would: without a goodbye, in the middle of whatever it does."""
        relay, side, _ = self.relays[name]
        side.cut()
        relay.abandon()

    def stop(self, *, within: timedelta = timedelta(seconds=20)) -> None:
        """Claim nothing more, end what runs, say goodbye, close. What was not done is done after the next start."""
        if self._listening is not None:
            self._listening.stop()
        self._watch.stop()
        self.executor.stop(within=within)
        for relay, side, remembered in self.relays.values():
            if not side.is_cut:
                relay.stop()
            remembered.close()
        for lists, face in self._faces.values():
            face.stop()
            lists.close()
        for listener in self._listeners.values():
            listener.stop()
        self.bus.close()
        for one in self.calendars.values():
            one.close()
        self.guard.close()
        self.store.close()

    def _told(self) -> set[str]:
        """The rooms of whose changes we want to be told."""
        settings = self.settings
        return {room.name for room in settings.rooms.values() if settings.calendars[room.calendar].notifications}

    def _receipt(self, receipt: Receipt) -> None:
        self.pipeline.apply_receipt(receipt)
        self.executor.wake()

    def _hello(self, hello: Hello) -> None:
        self.pipeline.apply_hello(hello)
        self.executor.wake()

    def _folders(self) -> dict[str, Path]:
        """The folders of the rooms whose calendars are folders."""
        found: dict[str, Path] = {}
        for room in self.settings.rooms.values():
            read_by = self.calendars[room.calendar]
            if isinstance(read_by, FilesCalendar):
                found[room.name] = read_by.folder(room)
        return found

    def _changed(self, room: str) -> None:
        """Something changed in a room's folder: a hint to read it at once."""
        self.store.hint("refresh", room)
        self.executor.wake()
