"""relay.toml and an identity -> a running relay, in a process of its own at the site."""

from __future__ import annotations

import hmac
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from otd import __version__, wiring
from otd.bus.amqp import AmqpRelayBus
from otd.bus.broker import AMQPS, HTTPS, Broker
from otd.bus.identity import Identity, granted, load, save
from otd.bus.seal import open_order
from otd.errors import BadSetting, Denied, OtdError
from otd.outbound import Http, public_trust
from otd.pairing import RENEW_AFTER
from otd.relay.feedback import Feedback
from otd.relay.memory import Memory
from otd.relay.pairing import Door, renewed
from otd.relay.service import Relay
from otd.settings.relay import SiteRelay

if TYPE_CHECKING:
    from otd.inbound import Server
    from otd.relay.lists import Lists

_ASK_AGAIN = 60.0  # seconds between two questions to the centre about a password
_MADE_WITHIN = 20.0  # seconds that a new password is waited for
_NOTE_EVERY = 5.0  # seconds between two notes of how it is
log = structlog.get_logger(__name__)


class Site:
    """The relay with its bus, drivers, memory and face: `start`, then `stop`."""

    def __init__(self, settings: SiteRelay) -> None:
        """Connects to nothing yet. Raises BadSetting."""
        self.settings = settings
        self.identity = load(settings.identity)
        self._clock = wiring.SystemClock()
        known = settings.secrets(os.environ)
        self._lists: Lists | None = None
        self._face: Server | None = None
        self._metrics: Server | None = None
        self._listener: Server | None = None
        self._memory = Memory(settings.state / "relay.db")
        if settings.face is not None:
            from otd.relay.lists import Lists

            key = hmac.digest(self.identity.sealing.encode(), b"lists", "sha256")
            self._lists = Lists(settings.state / "lists.db", key)
        self._feedback = Feedback(
            key=self.identity.sealing.encode(),
            shared=self.identity.centre.encode(),
            pool=self.identity.pool,
            registered=self._memory,
        )
        credential = Credential(settings, self.identity)
        self.bus = AmqpRelayBus(replace(self.identity, broker=credential.broker), concurrency=settings.concurrency)
        credential.is_connected = lambda: self.bus.is_connected
        self.relay = Relay(
            name=self.identity.relay,
            pool=self.identity.pool,
            bus=self.bus,
            drivers=wiring.drivers_with(known, self._memory, settings.cas, self._feedback),
            memory=self._memory,
            clock=self._clock,
            lists=self._lists,
            reach=settings.reach,
            feedback=self._feedback,
        )
        self._known = known
        self._stopping = threading.Event()
        self._noting = threading.Thread(target=self._note, name="otd-note", daemon=True)

    def start(self) -> None:
        """Serve endpoints that fetch from what is on disk, then take orders as soon as the centre is reached. Raises
        BadSetting when the face, or what endpoints call, cannot be served."""
        access = self.settings.face
        if access is not None and self._lists is not None:
            self._face = wiring.face_at(access, self._known, self._lists, self.relay, self._clock, self.settings.state)
        if self.settings.feedback is not None:
            self._listener = listener = wiring.feedback_at(self.settings.feedback, self._known, self._feedback)
            self.relay.shows(lambda: listener.expires)
        self.relay.start()
        self._noting.start()
        if self.settings.metrics is not None:
            self._metrics = self._measured(*self.settings.metrics)

    def stop(self) -> None:
        """End what was begun, say goodbye, close."""
        self._stopping.set()
        if self._noting.is_alive():  # it is what starts last
            self.relay.stop()
            self._noting.join()
        else:
            self.bus.close()
        for server in (self._metrics, self._face, self._listener):
            if server is not None:
                server.stop()
        if self._lists is not None:
            self._lists.close()
        self._memory.close()

    def _measured(self, address: str, port: int) -> Server:
        """Where Prometheus asks how it is; only from this machine."""
        from otd.inbound import serve
        from otd.serve.app import application
        from otd.serve.metrics import RelayCollector, metrics, registry

        began = datetime.now(UTC)
        app = application(metrics(registry(RelayCollector(lambda: self._how_it_is(began)))))
        return serve(app, name="metrics", address=address, port=port, certificate=None)

    def _note(self) -> None:
        began = datetime.now(UTC)
        while True:
            write_note(self.settings.state, self._how_it_is(began))
            if self._stopping.wait(_NOTE_EVERY):
                write_note(self.settings.state, self._how_it_is(began) | {"stopped": True})
                return

    def _how_it_is(self, began: datetime) -> dict[str, Any]:
        now, lists, face, listener = self._clock.now(), self._lists, self._face, self._listener
        return {
            "relay": self.identity.relay,
            "pool": self.identity.pool,
            "version": __version__,
            "pid": os.getpid(),
            "started_at": began.isoformat(timespec="seconds"),
            "at": now.isoformat(timespec="seconds"),
            "stopped": False,
            "broker": {
                "where": f"{self.identity.broker.host}:{self.identity.broker.port}",
                "connected": self.bus.is_connected,
            },
            "resting": self.relay.resting,
            "orders": self.relay.counts,
            "clock_offset": self.relay.clock_offset.total_seconds(),
            "face": None
            if lists is None
            else {
                "url": face.url if face else "",
                "lists": len(lists.all()),
                "missing": len(lists.missing(now)),
                "complete": lists.is_complete(now),
                "certificate_until": face.expires.isoformat() if face and face.expires else None,
            },
            "feedback": None
            if listener is None
            else {
                "url": listener.url,
                "certificate_until": listener.expires.isoformat() if listener.expires else None,
            },
        }


class Credential:
    """The password at the broker, asked for at each connection. When it is older than thirty days a new one is fetched
    first; when the last attempt led to no connection, the centre may know a newer one."""

    def __init__(self, settings: SiteRelay, identity: Identity) -> None:
        self.is_connected: Callable[[], bool] = lambda: False
        self._settings, self._identity = settings, identity
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._attempts = 0

    @property
    def broker(self) -> Broker:
        """The broker as this relay reaches it: through its proxy, trusting its CA, with the password of the day."""
        settings = self._settings
        ca_file = str(settings.ca_file or "")
        proxy = settings.proxy_with(os.environ)
        known = self._identity.broker
        other = HTTPS if known.tls and known.port == AMQPS else 0
        return replace(known, renewal=self.password, ca_file=ca_file, proxy=proxy, other_port=other)

    def password(self) -> str:
        with self._lock:
            self._attempts = 0 if self.is_connected() else self._attempts + 1
            old = _age(self._settings.identity) > RENEW_AFTER
            # the consumer and the publisher have a connection each: a third attempt means that one has failed
            if self._settings.centre and (old or self._attempts > 2) and self._asked_at + _ASK_AGAIN < time.monotonic():
                self._asked_at = time.monotonic()
                self._ask(renew=old)
            return self._identity.broker.password

    def _ask(self, *, renew: bool) -> None:
        try:
            found = fetched(self._settings, self._identity, renew=renew)
        except OtdError as error:
            if renew or isinstance(error, Denied):  # else the centre is away, as the broker is, and that is said
                log.warning("identity not renewed", why=error.why, mend=error.mend)
            return
        if found is not None and found.broker.password != self._identity.broker.password:
            self._identity = found
            log.info("identity renewed", relay=found.relay)


def fetched(settings: SiteRelay, identity: Identity, *, renew: bool) -> Identity | None:
    """The identity as the centre has it now, kept on disk; with `renew` with a new password. None when it is not ready
    in time. Raises what the centre answers."""
    trust, proxy = public_trust(str(settings.ca_file or "")), settings.proxy_with(os.environ)
    end = time.monotonic() + _MADE_WITHIN
    with Http(trust=trust, proxy=proxy, connections=1) as http:
        door = Door(http, settings.centre)
        sealed = renewed(door, relay=identity.relay, signing=identity.signing, renew=renew)
        while sealed is None and time.monotonic() < end:
            time.sleep(1.0)
            sealed = renewed(door, relay=identity.relay, signing=identity.signing, renew=False)
    if sealed is None:
        return None
    said = open_order(sealed, identity.relay, identity.sealing, identity.centre)
    found = granted(said, centre=identity.centre, signing=identity.signing, sealing=identity.sealing)
    if (found.relay, found.pool) != (identity.relay, identity.pool):
        raise BadSetting("the centre", "it gives the identity of another relay", "pair this relay anew")
    save(found, settings.identity)
    return found


def write_note(state: Path, how: dict[str, Any]) -> None:
    """How the relay is, for `otd relay status`; whole or not at all. A full disk is no reason to stop."""
    fresh = state / "status.json.new"
    try:
        fresh.write_text(json.dumps(how), encoding="utf-8")
        fresh.replace(state / "status.json")
    except OSError as error:
        log.warning("note not written", why=error.strerror)


def _age(path: Path) -> timedelta:
    """How long ago the file was written."""
    try:
        return timedelta(seconds=max(0.0, time.time() - path.stat().st_mtime))
    except OSError:
        return timedelta(0)
