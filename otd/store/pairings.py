"""Relays that ask to be let in: the rows of pairing. Every method is one transaction."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from otd.errors import Busy, Denied, Missing, Untrusted
from otd.pairing import (
    PENDING,
    PENDING_OF_ONE,
    VALID,
    WRONG_CODES,
    WRONG_WITHIN,
    Keys,
    Pairing,
    keeps_promise,
)
from otd.store import members
from otd.store.database import Database
from otd.store.tables import at, pairings, span, wrong_codes
from otd.store.transaction import Transaction, line
from otd.store.vault import Vault

_KEPT = timedelta(days=1)  # a request that is over is remembered as long, so that it can be said what became of it
_OVER = ("collected", "refused")


class Pairings:
    """Requests by id, and by code for administrators."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    def ask(self, *, id: str, code: str, commitment: bytes, address: str, host: str, version: str) -> Pairing:
        """A new request, valid for fifteen minutes. Raises Busy when too many wait, from this address or in all."""
        with self._database.in_turn() as connection:
            now = self._now(connection)
            connection.execute(delete(pairings).where(pairings.c.expires_at < now - span(_KEPT)))
            open_now = (pairings.c.expires_at > now, pairings.c.state.not_in(_OVER))
            waiting = [_home(row.address) for row in connection.execute(select(pairings.c.address).where(*open_now))]
            if waiting.count(_home(address)) >= PENDING_OF_ONE:
                raise Busy(f"address {address}", f"{PENDING_OF_ONE} requests from it wait already", VALID)
            if len(waiting) >= PENDING:
                raise Busy("pairing", f"{PENDING} requests wait already", timedelta(minutes=1))
            connection.execute(
                insert(pairings).values(
                    id=id,
                    code=code,
                    state="asked",
                    asked_at=now,
                    expires_at=now + span(VALID),
                    address=line(address, 64),
                    host=line(host, 255),
                    version=line(version, 64),
                    commitment=commitment,
                )
            )
            return self._of(connection, id)

    def get(self, id: str) -> Pairing:
        """Raises Missing for one that is unknown, Denied for one whose time is over."""
        with self._database.reading() as connection:
            return self._of(connection, id)

    def waiting(self) -> tuple[Pairing, ...]:
        """All that are neither over nor out of time, the oldest first."""
        with self._database.reading() as connection:
            open_now = (pairings.c.expires_at > self._database.now, pairings.c.state.not_in(_OVER))
            rows = connection.execute(select(pairings).where(*open_now).order_by(pairings.c.asked_at)).all()
            return tuple(_pairing(row) for row in rows)

    def name(self, code: str, *, administrator: str, name: str, pool: str, nonce: bytes) -> Pairing:
        """An administrator typed the code: this is to become relay `name` of `pool`. Typed again with the same names it
        changes nothing. Raises Missing for a code that nobody was given (counted against him), Busy when he typed too
        many of those, Denied when it was named otherwise, is over, or the name is taken."""
        administrator = line(administrator, 128)
        with self._database.in_turn() as connection:
            now = self._now(connection)
            self._not_guessing(connection, administrator, now)
            row = connection.execute(
                select(pairings).where(pairings.c.code == code, pairings.c.expires_at > now)
            ).one_or_none()
            if row is not None:
                connection.execute(delete(wrong_codes).where(wrong_codes.c.administrator == administrator))
                return self._named(connection, row, administrator, name, pool, nonce)
            self._count_wrong(connection, administrator, now)
        raise Missing(f"the code {code}", "no relay was given it, or its 15 minutes are over", "look at the relay")

    def show(self, id: str, keys: Keys, nonce: bytes) -> Pairing:
        """The relay shows the keys that it committed to. Shown again they are the same. Raises Untrusted, and the
        request is over, for others: somebody is in between."""
        with self._database.writing() as connection:
            found = self._of(connection, id)
            if found.keys == keys and found.relay_nonce == nonce:
                return found
            broken = not keeps_promise(found, keys, nonce)
            if not broken and found.state != "named":
                raise Denied("pairing", "keys are shown when the code was typed, and once")
            values: dict[str, Any] = {"state": "refused"} if broken else _shown(keys, nonce)
            connection.execute(update(pairings).where(pairings.c.id == id).values(values))
            if not broken:
                return self._of(connection, id)
        raise Untrusted("pairing", "these are not the keys that were committed to", "start again on the relay")

    def confirm(self, id: str, *, administrator: str, challenge: bytes, lane: str) -> Pairing:
        """The administrator compared the fingerprints: the relay is a member now, and work of kind provision makes its
        broker user. Confirmed again it changes nothing. Raises Denied when it cannot be, or not any more."""
        with self._database.in_turn() as connection:
            found = self._of(connection, id)
            if found.state in ("confirmed", "collected"):
                return found
            if found.state != "shown" or found.keys is None:
                raise Denied(f"the code {found.code}", f"it cannot be confirmed: it is {found.state}")
            members.admit(
                Transaction(connection, self._database.now, self._vault), found, line(administrator, 128), lane
            )
            values = {"state": "confirmed", "challenge": challenge}
            connection.execute(update(pairings).where(pairings.c.id == id).values(values))
            return self._of(connection, id)

    def refuse(self, id: str) -> None:
        """The administrator will not have it."""
        undecided = ("asked", "named", "shown")
        with self._database.writing_once() as connection:
            connection.execute(
                update(pairings).where(pairings.c.id == id, pairings.c.state.in_(undecided)).values(state="refused")
            )

    def collect(self, id: str) -> bytes:
        """The identity, sealed for the relay; once. Raises Denied the second time, and before it is there."""
        with self._database.writing() as connection:
            found = self._of(connection, id)
            taken = connection.execute(
                update(pairings).where(pairings.c.id == id, pairings.c.state == "confirmed").values(state="collected")
            )
            if taken.rowcount != 1:
                raise Denied("pairing", f"there is no identity to collect: the request is {found.state}")
            sealed = members.identity_of(connection, found.name)
            if sealed is None:
                raise Denied("pairing", "the identity is not there yet")
            return sealed

    def _named(self, connection: Any, row: Any, administrator: str, name: str, pool: str, nonce: bytes) -> Pairing:
        found = _pairing(row)
        if found.state in ("named", "shown") and (found.name, found.pool) == (name, pool):
            return found
        if found.state != "asked":
            used = f"it was used already, for relay {found.name} of pool {found.pool}" if found.name else "it is over"
            raise Denied(f"the code {found.code}", used, "start again on the relay")
        members.must_be_free(connection, name)
        taken = select(func.count()).where(
            pairings.c.name == name,
            pairings.c.expires_at > self._database.now,
            or_(pairings.c.state == "named", pairings.c.state == "shown"),
        )
        if connection.execute(taken).scalar_one():
            raise Denied(f"relay {name}", "another relay is being paired under this name", "choose another name")
        values = {
            "state": "named",
            "administrator": administrator,
            "name": name,
            "pool": pool,
            "centre_nonce": nonce,
        }
        connection.execute(update(pairings).where(pairings.c.id == found.id).values(values))
        return self._of(connection, found.id)

    def _not_guessing(self, connection: Any, administrator: str, now: int) -> None:
        row = connection.execute(select(wrong_codes).where(wrong_codes.c.administrator == administrator)).one_or_none()
        if row is not None and row.number >= WRONG_CODES and row.since > now - span(WRONG_WITHIN):
            again = timedelta(milliseconds=row.since + span(WRONG_WITHIN) - now)
            raise Busy(
                f"administrator {administrator}",
                f"{row.number} wrong codes were typed",
                again,
                f"wait {-(-again // timedelta(minutes=1))} minutes, then read the code from the relay's screen",
            )

    def _count_wrong(self, connection: Any, administrator: str, now: int) -> None:
        mine = wrong_codes.c.administrator == administrator
        connection.execute(delete(wrong_codes).where(mine, wrong_codes.c.since <= now - span(WRONG_WITHIN)))
        counted = connection.execute(update(wrong_codes).where(mine).values(number=wrong_codes.c.number + 1))
        if not counted.rowcount:
            connection.execute(insert(wrong_codes).values(administrator=administrator, number=1, since=now))

    def _of(self, connection: Any, id: str) -> Pairing:
        row = connection.execute(select(pairings).where(pairings.c.id == id)).one_or_none()
        if row is None:
            raise Missing("pairing", "there is no such request (any more)", "start again on the relay")
        found = _pairing(row)
        if row.expires_at <= self._now(connection) and found.state not in (*_OVER, "confirmed"):
            raise Denied("pairing", "the 15 minutes of its code are over", "start again on the relay")
        return found

    def _now(self, connection: Any) -> int:
        return int(connection.execute(select(self._database.now)).scalar_one())


def _home(address: str) -> str:
    """Whom an address belongs to: of IPv6 everybody has a whole /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{address}/64", strict=False)) if found.version == 6 else address


def _shown(keys: Keys, nonce: bytes) -> dict[str, Any]:
    return {"state": "shown", "signing_key": keys.signing, "sealing_key": keys.sealing, "relay_nonce": nonce}


def _pairing(row: Any) -> Pairing:
    keys = Keys(signing=row.signing_key, sealing=row.sealing_key) if row.signing_key else None
    return Pairing(
        id=row.id,
        code=row.code,
        state=row.state,
        asked_at=at(row.asked_at),
        expires_at=at(row.expires_at),
        address=row.address,
        host=row.host,
        version=row.version,
        commitment=bytes(row.commitment),
        administrator=row.administrator,
        name=row.name,
        pool=row.pool,
        centre_nonce=bytes(row.centre_nonce or b""),
        relay_nonce=bytes(row.relay_nonce or b""),
        keys=keys,
        challenge=bytes(row.challenge or b""),
    )
