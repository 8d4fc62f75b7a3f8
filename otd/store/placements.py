"""Endpoints that fetch their lists: what each relay holds for them, what they were last given, and their logins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from otd.errors import Missing
from otd.model import EndpointState, Placement, Receipt
from otd.store import audit, claims
from otd.store.configured import endpoint_in
from otd.store.tables import at_or_none, endpoints, fetches, logins, placements
from otd.store.transaction import Transaction, greatest

Held = Mapping[str, tuple[Placement, ...]]


def sent(tx: Transaction, endpoint: str, relay: str, revision: int) -> None:
    """Note that this relay is sent the list of this revision now."""
    which = (placements.c.endpoint == endpoint) & (placements.c.relay == relay)
    values = {"sent_revision": revision, "sent_at": tx.now}
    if tx.connection.execute(update(placements).where(which).values(values)).rowcount == 0:
        tx.connection.execute(insert(placements).values(endpoint=endpoint, relay=relay, revision=0, **values))


def apply(tx: Transaction, receipt: Receipt) -> bool:
    """A relay holds a list, or the endpoint was given one. What is older than what is known changes nothing."""
    row = tx.connection.execute(
        select(endpoints).where(endpoints.c.name == receipt.endpoint, endpoints.c.removed.is_(False)).with_for_update()
    ).one_or_none()
    if row is None or receipt.revision > row.revision:
        return False
    if receipt.pool != endpoint_in(tx, row).pool:
        return False
    return _placed(tx, receipt) if receipt.outcome == "placed" else _fetched(tx, receipt, row)


def _placed(tx: Transaction, receipt: Receipt) -> bool:
    which = (placements.c.endpoint == receipt.endpoint) & (placements.c.relay == receipt.relay)
    held = tx.connection.execute(select(placements.c.revision).where(which)).scalar()
    if held is not None and held < receipt.revision:
        _note(tx, receipt)
    noted = tx.connection.execute(
        update(placements)
        .where(which, placements.c.revision <= receipt.revision)
        .values(revision=receipt.revision, at=greatest(tx.now, placements.c.sent_at))
    )
    claims.hint(tx, "deliver", receipt.endpoint)
    return noted.rowcount == 1


def _fetched(tx: Transaction, receipt: Receipt, row: Any) -> bool:
    values = {"revision": receipt.revision, "at": tx.now, "relay": receipt.relay}
    which = fetches.c.endpoint == receipt.endpoint
    if tx.connection.execute(select(fetches.c.revision).where(which)).scalar() != receipt.revision:
        _note(tx, receipt)
    if tx.connection.execute(update(fetches).where(which).values(values)).rowcount == 0:
        tx.connection.execute(insert(fetches).values(endpoint=receipt.endpoint, **values))
    if receipt.revision == row.revision and row.confirmed_revision != row.revision:
        confirmed = {"confirmed_revision": row.revision, "confirmed_at": tx.now, "failures": 0, "failing_since": None}
        tx.connection.execute(update(endpoints).where(endpoints.c.name == row.name).values(confirmed))
        claims.hint(tx, "deliver", row.name)
    return True


def _note(tx: Transaction, receipt: Receipt) -> None:
    thing = f"endpoint:{receipt.endpoint}"
    audit.note(tx, "receipt", thing, receipt.outcome, revision=receipt.revision, relay=receipt.relay)


def set_login(tx: Transaction, endpoint: str, password_hash: str) -> None:
    """Keep the login's hash, "" for none, and have every relay given the endpoint anew."""
    known = select(endpoints.c.name).where(endpoints.c.name == endpoint, endpoints.c.removed.is_(False))
    if tx.connection.execute(known.with_for_update()).one_or_none() is None:
        raise Missing(f"endpoint {endpoint}", "the database does not know it yet", "start `otd run` once with it")
    tx.connection.execute(delete(logins).where(logins.c.endpoint == endpoint))
    if password_hash:
        sealed = tx.vault.seal(_login(endpoint), password_hash)
        tx.connection.execute(insert(logins).values(endpoint=endpoint, password_hash=sealed))
    tx.connection.execute(update(placements).where(placements.c.endpoint == endpoint).values(at=None, sent_at=None))
    claims.hint(tx, "deliver", endpoint)
    audit.act(tx, f"endpoint:{endpoint}", "password" if password_hash else "revoke password")


def joined(tx: Transaction, states: tuple[EndpointState, ...]) -> tuple[EndpointState, ...]:
    """The states with what is known of placements, fetches and logins."""
    if not any(state.endpoint.kind == "polycom" for state in states):
        return states
    one = states[0].endpoint.name if len(states) == 1 else ""
    held = _held(tx, one)
    given = {row.endpoint: row for row in _of(tx, fetches, one)}
    hashes = {
        row.endpoint: tx.vault.open(_login(row.endpoint), bytes(row.password_hash)) for row in _of(tx, logins, one)
    }
    return tuple(_joined(state, held, given, hashes) for state in states)


def _joined(state: EndpointState, held: Held, given: Mapping[str, Any], hashes: Mapping[str, str]) -> EndpointState:
    name, fetch = state.endpoint.name, given.get(state.endpoint.name)
    return replace(
        state,
        endpoint=replace(state.endpoint, password_hash=hashes.get(name, state.endpoint.password_hash)),
        placements=held.get(name, ()),
        fetched_revision=fetch.revision if fetch else 0,
        fetched_at=at_or_none(fetch.at) if fetch else None,
        fetched_from=fetch.relay if fetch else "",
    )


def _of(tx: Transaction, table: Table, endpoint: str) -> Iterable[Any]:
    """The table's rows of one endpoint, or of all of them ("")."""
    wanted = select(table).where(table.c.endpoint == endpoint) if endpoint else select(table)
    return tx.connection.execute(wanted).all()


def _held(tx: Transaction, endpoint: str) -> Held:
    found: dict[str, tuple[Placement, ...]] = {}
    for row in sorted(_of(tx, placements, endpoint), key=lambda row: (row.endpoint, row.relay)):
        placement = Placement(
            relay=row.relay,
            revision=row.revision,
            at=at_or_none(row.at),
            sent_revision=row.sent_revision,
            sent_at=at_or_none(row.sent_at),
        )
        found[row.endpoint] = (*found.get(row.endpoint, ()), placement)
    return found


def _login(endpoint: str) -> str:
    return f"endpoints/{endpoint}/login"
