"""Relays that were let in: their keys, what they still have to be given, and those that were shut out again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, or_, select, update

from otd.errors import Denied, Missing
from otd.pairing import Keys, Member, Pairing
from otd.store import claims
from otd.store.database import Database
from otd.store.tables import at, at_or_none, lanes, members
from otd.store.transaction import Transaction, line
from otd.store.vault import Vault


class Members:
    """Members by relay. Every method is one transaction."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def all(self) -> tuple[Member, ...]:
        """Those that were shut out included."""
        with self._database.reading_once() as connection:
            rows = connection.execute(select(members).order_by(members.c.relay)).all()
        return tuple(_member(row) for row in rows)

    def get(self, relay: str) -> Member:
        """Raises Missing for one that was never let in."""
        with self._database.reading_once() as connection:
            return _get(connection, relay)

    def adopt(self, relay: str, pool: str, keys: Keys, *, administrator: str) -> None:
        """Let in a relay that was set up by hand. Raises Denied when the name is taken."""
        with self._database.in_turn() as connection:
            tx = self._transaction(connection)
            must_be_free(connection, relay)
            now = tx.clock()
            _put(connection, relay, pool, keys, now, line(administrator, 128), by_hand=True, password_at=now)

    def revoke(self, relay: str, *, lane: str) -> Member:
        """Shut it out: nothing of it is believed from now on, and work of kind provision takes its broker user away."""
        with self._database.in_turn() as connection:
            tx = self._transaction(connection)
            found = _get(connection, relay)
            if found.revoked_at is None:
                values = {"revoked_at": tx.clock(), "identity": None}
                connection.execute(update(members).where(members.c.relay == relay).values(values))
            if not found.by_hand:
                _provision(tx, relay, lane)
            return _get(connection, relay)

    def renew(self, relay: str, *, lane: str) -> Member:
        """Have its broker user given a new password, unless that is under way. Raises Denied for one that was shut out
        or is looked after by hand."""
        with self._database.in_turn() as connection:
            tx = self._transaction(connection)
            found = _get(connection, relay)
            if found.revoked_at is not None:
                raise Denied(f"relay {relay}", "it was shut out")
            if found.by_hand:
                raise Denied(f"relay {relay}", "its broker user is looked after by hand")
            if found.is_ready:
                connection.execute(update(members).where(members.c.relay == relay).values(wanted_at=tx.clock()))
            _provision(tx, relay, lane)
            return _get(connection, relay)

    def provisioned(self, member: Member, identity: bytes) -> bool:
        """Its broker user has the password that stands in `identity`; False when it was shut out meanwhile, or let in
        anew with other keys."""
        same = members.c.relay == member.relay, members.c.signing_key == member.keys.signing
        with self._database.writing_once() as connection:
            done = connection.execute(
                update(members)
                .where(*same, members.c.revoked_at.is_(None))
                .values(password_at=self._database.now, identity=identity)
            )
        return done.rowcount == 1

    def removed(self, relay: str) -> None:
        """Its broker user is gone."""
        with self._database.writing_once() as connection:
            gone = members.c.relay == relay, members.c.revoked_at.is_not(None)
            connection.execute(update(members).where(*gone).values(removed_at=self._database.now))

    def identity(self, relay: str) -> bytes | None:
        """Sealed for the relay; None when there is none, or it was shut out."""
        with self._database.reading_once() as connection:
            return identity_of(connection, relay)

    def rest(self, relay: str, resting: bool, why: str = "") -> None:
        """Put it in maintenance, or take it out. Raises Missing for one that was never let in."""
        with self._database.writing() as connection:
            _get(connection, relay)
            values = {"maintenance": resting, "maintenance_why": line(why) if resting else ""}
            connection.execute(update(members).where(members.c.relay == relay).values(values))

    def _transaction(self, connection: Any) -> Transaction:
        return Transaction(connection, self._database.now, self._vault)


def admit(tx: Transaction, pairing: Pairing, administrator: str, lane: str) -> None:
    """A confirmed request becomes a member, and its broker user is to be made."""
    if pairing.keys is None:
        raise Denied("pairing", "the relay has not shown its keys")
    must_be_free(tx.connection, pairing.name)
    now = tx.clock()
    _put(tx.connection, pairing.name, pairing.pool, pairing.keys, now, administrator, wanted_at=now)
    _provision(tx, pairing.name, lane)


def must_be_free(connection: Any, relay: str) -> None:
    """Raises Denied when there is a relay of this name that was not shut out, or whose broker user is not gone yet."""
    row = connection.execute(select(members).where(members.c.relay == relay)).one_or_none()
    if row is None or (row.revoked_at is not None and (row.removed_at is not None or row.by_hand)):
        return
    if row.revoked_at is None:
        raise Denied(f"relay {relay}", "there is a relay of this name", f"`otd relays revoke {relay}` shuts it out")
    raise Denied(f"relay {relay}", "it was revoked, and its broker user is not gone yet", "try again in a moment")


def identity_of(connection: Any, relay: str) -> bytes | None:
    """Sealed for the relay; None when there is none, or it was shut out."""
    found = connection.execute(
        select(members.c.identity).where(
            members.c.relay == relay,
            members.c.revoked_at.is_(None),
            or_(members.c.wanted_at.is_(None), members.c.wanted_at <= members.c.password_at),
        )
    ).scalar()
    return bytes(found) if found is not None else None


def _put(connection: Any, relay: str, pool: str, keys: Keys, now: int, by: str, **more: Any) -> None:
    former = connection.execute(select(members.c.relay).where(members.c.relay == relay)).scalar()
    values = {
        "pool": pool,
        "signing_key": keys.signing,
        "sealing_key": keys.sealing,
        "admitted_at": now,
        "admitted_by": by,
        "by_hand": False,
        "maintenance": False,
        "maintenance_why": "",
        **dict.fromkeys(("wanted_at", "password_at", "identity", "revoked_at", "removed_at")),
        **more,
    }
    if former is None:
        connection.execute(insert(members).values(relay=relay, **values))
    else:
        connection.execute(update(members).where(members.c.relay == relay).values(values))


def _provision(tx: Transaction, relay: str, lane: str) -> None:
    if tx.connection.execute(select(lanes.c.name).where(lanes.c.name == lane)).first() is None:
        raise Missing("the database", "nobody has worked on it yet", "start `otd run` or a worker once")
    claims.ensure(tx, "provision", relay, lane)
    claims.revive(tx, "provision", relay)


def _get(connection: Any, relay: str) -> Member:
    row = connection.execute(select(members).where(members.c.relay == relay)).one_or_none()
    if row is None:
        raise Missing(f"relay {relay}", "no relay of this name was let in", "`otd relays list` names them")
    return _member(row)


def _member(row: Any) -> Member:
    return Member(
        relay=row.relay,
        pool=row.pool,
        keys=Keys(signing=row.signing_key, sealing=row.sealing_key),
        admitted_at=at(row.admitted_at),
        admitted_by=row.admitted_by,
        by_hand=row.by_hand,
        wanted_at=at_or_none(row.wanted_at),
        password_at=at_or_none(row.password_at),
        revoked_at=at_or_none(row.revoked_at),
        removed_at=at_or_none(row.removed_at),
        maintenance=row.maintenance,
        maintenance_why=row.maintenance_why,
    )
