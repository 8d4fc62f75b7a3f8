"""What receipts teach of an endpoint beside its list: facts, other writers, refused passwords; and pools cut over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from otd import findings, placing
from otd.errors import Missing
from otd.model import EndpointState, Expiry, Facts, Mode, Receipt
from otd.store import alerting, audit, claims, records
from otd.store.configured import endpoint_in
from otd.store.lists import not_configured
from otd.store.tables import at_or_none, endpoints, lanes, learned, modes, work
from otd.store.transaction import Transaction, line

PIN = 71  # characters of a fingerprint
ACCEPTING = frozenset({"confirmed", "differs"})  # outcomes that an endpoint gives only to whom it knows


def apply(tx: Transaction, receipt: Receipt, state: EndpointState, now: int) -> None:
    """Take what the receipt tells; `state` is what was known before it."""
    name = state.endpoint.name
    changes: dict[str, Any] = {"reason": receipt.reason[:32], "credential": state.endpoint.credential}
    if receipt.facts is not None:
        changes["facts"] = tx.vault.seal(_place(name), records.dump(receipt.facts))
        if until := receipt.facts.certificate_until:
            alerting.put_expiry(tx, Expiry(cause="endpoint_expires", thing=f"endpoint:{name}", at=until))
    if receipt.reason == "password":
        changes["refused_at"] = now
    if receipt.outcome in ACCEPTING:
        changes["accepted_at"] = now
    if receipt.outcome == "confirmed":
        changes["confirmed_by"] = receipt.relay
    if other := findings.contradicted(state, receipt):
        changes |= {
            "disputed_by": f"{receipt.relay} {other}",
            "disputed_at": now,
            "disputed_sequence": receipt.sequence,
        }
    if word := findings.found(state, receipt):
        changes |= {"found": word, "found_at": now}
    was_ours = receipt.verb == "put" or state.confirmed_at is not None
    was_ours = was_ours and state.endpoint.kind not in placing.KINDS  # whose ids are the face's
    if findings.is_overwrite(receipt) and was_ours:
        changes["overwrites"] = state.overwrites + 1
    elif receipt.outcome == "confirmed" and receipt.verb == "read":
        changes["overwrites"] = 0
    _learn(tx, name, changes)
    if receipt.pin and not state.endpoint.pin and state.endpoint.trust == "pin" and receipt.verb != "forget":
        sent_there = func.coalesce(learned.c.unpinned_sequence, -1) < receipt.sequence
        first = update(learned).where(learned.c.endpoint == name, sent_there)
        tx.connection.execute(first.values(pin=line(receipt.pin, PIN)))


def _learn(tx: Transaction, endpoint: str, values: dict[str, Any]) -> None:
    if tx.connection.execute(update(learned).where(learned.c.endpoint == endpoint).values(values)).rowcount == 0:
        tx.connection.execute(insert(learned).values(endpoint=endpoint, **values))


def pin(tx: Transaction, endpoint: str, fingerprint: str, why: str) -> None:
    """See `otd.ports.Store.pin`."""
    known = select(endpoints.c.name).where(endpoints.c.name == endpoint).with_for_update()
    if tx.connection.execute(known).one_or_none() is None:
        raise not_configured(endpoint)
    _learn(tx, endpoint, {"pin": fingerprint})
    start_afresh(tx, endpoint)
    claims.unpark(tx, "deliver", endpoint)
    audit.act(tx, f"endpoint:{endpoint}", "pin", why)


def pinned(tx: Transaction, endpoint: str) -> str:
    """The certificate that it is known by, "" for none."""
    return tx.connection.execute(select(learned.c.pin).where(learned.c.endpoint == endpoint)).scalar() or ""


def unpin(tx: Transaction, endpoint: str, sequence: int) -> None:
    """It is another one, or somewhere else: what is found by deliveries up to this one is not of it."""
    _learn(tx, endpoint, {"pin": None, "unpinned_sequence": sequence})


def restarted(tx: Transaction, pool: str, names: Iterable[str]) -> None:
    """See `otd.ports.Store.restarted`."""
    its = select(endpoints).where(endpoints.c.name.in_(set(names))).order_by(endpoints.c.name).with_for_update()
    rows = [row for row in tx.connection.execute(its).all() if endpoint_in(tx, row).pool == pool]
    for row in rows:
        mark = update(learned).where(learned.c.endpoint == row.name).values(restarted_sequence=row.sequence)
        tx.connection.execute(mark)
    for row in rows:
        claims.hint(tx, "deliver", row.name)


def start_afresh(tx: Transaction, endpoint: str = "") -> None:
    """Somebody looked at this endpoint, or ("") at all of them: it is tried as if for the first time."""
    afresh = update(learned).values(overwrites=0, refused_at=None)
    same = update(endpoints).values(same_difference=0, difference="")
    if endpoint:
        afresh, same = afresh.where(learned.c.endpoint == endpoint), same.where(endpoints.c.name == endpoint)
    tx.connection.execute(same)
    tx.connection.execute(afresh)


def cut_over(tx: Transaction, pool: str, mode: Mode | None, why: str) -> None:
    """See `otd.ports.Store.cut_over`."""
    if tx.connection.execute(select(lanes.c.name).where(lanes.c.name == pool)).first() is None:
        raise Missing(f"pool {pool}", "the database does not know it yet", "start `otd run` once with it")
    tx.connection.execute(delete(modes).where(modes.c.pool == pool))
    if mode is not None:
        tx.connection.execute(insert(modes).values(pool=pool, mode=mode))
    delivering = select(work.c.name).where(work.c.lane == pool, work.c.kind == "deliver")
    for row in tx.connection.execute(delivering).all():
        start_afresh(tx, row.name)
        claims.unpark(tx, "deliver", row.name)
    audit.act(tx, f"pool:{pool}", f"cut over to {mode}" if mode else "as the settings say", why)


def modes_of_pools(tx: Transaction) -> dict[str, Mode]:
    """The pools that were cut over, and to what."""
    return {row.pool: row.mode for row in tx.connection.execute(select(modes)).all()}


def joined(tx: Transaction, states: tuple[EndpointState, ...]) -> tuple[EndpointState, ...]:
    """The states with what was learned, and with the mode that holds."""
    wanted = select(learned)
    if len(states) == 1:
        wanted = wanted.where(learned.c.endpoint == states[0].endpoint.name)
    rows = {row.endpoint: row for row in tx.connection.execute(wanted).all()}
    cut, refusing = modes_of_pools(tx), _refusing(tx)
    return tuple(_joined(tx, state, rows.get(state.endpoint.name), cut, refusing) for state in states)


def _joined(
    tx: Transaction, state: EndpointState, row: Any, cut: Mapping[str, Mode], refusing: Iterable[tuple[str, str]]
) -> EndpointState:
    endpoint = state.endpoint
    mode: Mode = endpoint.mode or cut.get(endpoint.pool) or endpoint.pool_mode
    others = sum(1 for name, credential in refusing if credential == endpoint.credential and name != endpoint.name)
    state = replace(state, mode=mode, refusals=others if endpoint.credential else 0)
    if row is None:
        return state
    sealed = row.facts
    return replace(
        state,
        endpoint=replace(endpoint, pin=row.pin or ""),
        facts=records.load(Facts, tx.vault.open(_place(row.endpoint), bytes(sealed))) if sealed else None,
        overwrites=row.overwrites,
        found=row.found,
        confirmed_by=row.confirmed_by or "",
        disputed_by=tuple((row.disputed_by or "").split()),
        disputed_at=at_or_none(row.disputed_at),
        disputed_sequence=-1 if row.disputed_sequence is None else row.disputed_sequence,
        restarted_sequence=-1 if row.restarted_sequence is None else row.restarted_sequence,
        found_at=at_or_none(row.found_at),
    )


def _refusing(tx: Transaction) -> list[tuple[str, str]]:
    """Endpoints, with their credentials, that refused the password after any endpoint last accepted it: one that is
    refused here and there and accepted elsewhere is wrong here and there only."""
    refusals = tx.connection.execute(
        select(learned.c.endpoint, learned.c.credential, learned.c.refused_at).where(
            learned.c.refused_at.is_not(None), learned.c.reason == "password"
        )
    ).all()
    if not refusals:
        return []
    last = select(learned.c.credential, func.max(learned.c.accepted_at)).group_by(learned.c.credential)
    accepted: dict[str, int] = {credential: when or 0 for credential, when in tx.connection.execute(last).all()}
    return [(row.endpoint, row.credential) for row in refusals if row.refused_at > accepted.get(row.credential, 0)]


def _place(endpoint: str) -> str:
    return f"endpoints/{endpoint}/facts"
