"""Work of kind `provision`: a relay that was let in gets its user at the broker, one that was shut out loses it.

Whatever happened before, one run ends with the broker as the rows say: killed in the middle it makes another password,
and the relay is only ever given one that was remembered. It runs in a worker or `otd run`, which alone hold the
administrator's password; the identity is sealed for the relay before it becomes a row.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from otd import wiring
from otd.bus import seal
from otd.bus.broker import Broker
from otd.bus.identity import user_of
from otd.errors import BadSetting
from otd.model import Settled
from otd.outbound import Http, public_trust
from otd.pairing import Member
from otd.settings import Settings
from otd.settings.kinds import host_and_port

if TYPE_CHECKING:
    from otd.store.sql import SqlStore

LOOK_AGAIN = timedelta(hours=6)  # whether the broker still knows the user: it may have been set up anew
GONE = timedelta(days=30)
log = structlog.get_logger(__name__)


class Users(Protocol):
    """Relays' users at the broker: otd.bus.management.Management."""

    def admit(self, relay: str, pool: str, password: str) -> None: ...

    def permit(self, relay: str, pool: str) -> None: ...

    def knows(self, relay: str) -> bool: ...

    def expel(self, relay: str) -> None: ...

    def close(self) -> None: ...


class Provision:
    """Makes and removes relays' users."""

    def __init__(
        self, store: SqlStore, users: Callable[[], Users], address: Callable[[], Broker], signing: str
    ) -> None:
        """`address` is the broker as relays reach it, without a user; `signing` the centre's private key."""
        self._store, self._users, self._address, self._signing = store, users, address, signing

    def relay(self, name: str) -> Settled:
        """See above. Raises what the broker's management raises."""
        member = self._store.members.get(name)
        if member.by_hand:
            return Settled(after=GONE)
        with closing(self._users()) as users:
            if member.revoked_at is not None:
                return self._expel(users, member)
            if member.is_ready and users.knows(name):
                users.permit(name, member.pool)
                return Settled(after=LOOK_AGAIN)
            return self._admit(users, member)

    def _admit(self, users: Users, member: Member) -> Settled:
        password = secrets.token_urlsafe(32)
        users.admit(member.relay, member.pool, password)
        broker = self._address()
        broker = replace(broker, user=user_of(broker.vhost, member.relay), password=password)
        said = {"relay": member.relay, "pool": member.pool, "broker": asdict(broker)}
        sealed = seal.seal_order(json.dumps(said).encode(), self._signing, {member.relay: member.keys.sealing})
        if not self._store.members.provisioned(member, sealed):
            return Settled(after=timedelta(0))  # shut out meanwhile, or let in anew: the rows say what is to be done
        log.info("relay has its user at the broker", relay=member.relay, pool=member.pool)
        return Settled(after=LOOK_AGAIN)

    def _expel(self, users: Users, member: Member) -> Settled:
        if member.removed_at is None:
            users.expel(member.relay)
            self._store.members.removed(member.relay)
            log.info("relay has no user at the broker any more", relay=member.relay, pool=member.pool)
        return Settled(after=GONE)


def provision(settings: Settings, store: SqlStore) -> Provision:
    """As the settings say. Nothing is asked of the broker yet."""

    def users() -> Users:
        from otd.bus.management import Management

        bus = settings.bus
        if bus is None or not bus.management:
            why = "[bus] management is not set, so nobody makes its user at the broker"
            raise BadSetting("relays", why, "set it, or set the relay up by hand: `otd relays adopt --help`")
        url = wiring.secrets(settings).get(bus.management)
        http = Http(trust=public_trust(bus.ca_file), connections=1)
        return Management(http, url, bus.relays_vhost, where=f"secret {bus.management}")

    return Provision(store, users, lambda: broker_for_relays(settings), wiring.signing_key(store))


def broker_for_relays(settings: Settings) -> Broker:
    """The broker as relays reach it: nobody's, and with the text of its CA in place of a file of this machine."""
    found, bus = wiring.relays_broker(settings), settings.bus
    host, port = found.host, found.port
    if bus is not None and bus.relays_address:
        host, given = host_and_port(bus.relays_address)
        port = given or (5671 if found.tls else 5672)
    pem = ""
    if found.ca_file:
        try:
            with open(found.ca_file, encoding="ascii") as file:
                pem = file.read()
        except (OSError, UnicodeDecodeError):
            raise BadSetting(found.ca_file, "it cannot be read as a PEM file", "set [bus] ca right") from None
    return replace(found, host=host, port=port, user="", password="", ca_file="", ca_pem=pem)
