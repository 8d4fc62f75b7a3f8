"""Making the rows match the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, tuple_, update

from otd.model import Endpoint, LaneSize, Room
from otd.store import audit, claims, learning, records
from otd.store.configured import endpoint_in, leaving_in, seal_endpoint
from otd.store.tables import endpoints, lanes, meta, parts, rooms, span, subscriptions, work
from otd.store.transaction import Transaction

UNANSWERED = timedelta(minutes=10)  # after this the new pool writes, whether or not the old one answered the `forget`
_DIGEST = "settings_digest"


def adopt(
    tx: Transaction,
    wanted_rooms: Collection[Room],
    wanted_endpoints: Collection[Endpoint],
    caps: Mapping[str, int | LaneSize],
    settings_digest: str,
    subscribed: Collection[str],
) -> None:
    """See `otd.ports.Store.adopt`."""
    _lanes(tx, caps)
    _rooms(tx, wanted_rooms)
    _subscribed(tx, {room.name: room.calendar for room in wanted_rooms if room.name in subscribed})
    _endpoints(tx, wanted_endpoints)
    _parts(tx, wanted_rooms, wanted_endpoints)
    _unused_lanes(tx, caps)
    if _is_new(tx, settings_digest):
        learning.start_afresh(tx)
        claims.end_pauses(tx)
        claims.unpark_everything(tx)
        audit.act(tx, "settings", "changed")


def _lanes(tx: Transaction, caps: Mapping[str, int | LaneSize]) -> None:
    """A lane that found its size keeps it, unless the settings say something else than before; so does a pause, which a
    new budget ends."""
    known = {row.name: row for row in tx.connection.execute(select(lanes).order_by(lanes.c.name).with_for_update())}
    for name, wanted in caps.items():
        size = wanted if isinstance(wanted, LaneSize) else LaneSize(cap=wanted, most=0)
        first = {"cap": size.cap, "first": size.cap, "most": size.most}
        row = known.get(name)
        if row is None:
            tx.connection.execute(insert(lanes).values(name=name, budget=size.budget, **first))
            continue
        changes: dict[str, Any] = {}
        if (row.first or row.cap, row.most) != (size.cap, size.most):
            changes |= first | {"good": 0}
        if row.budget != size.budget:
            changes |= {"budget": size.budget, "paused_until": 0, "why": ""}
        if changes:
            tx.connection.execute(update(lanes).where(lanes.c.name == name).values(changes))


def _unused_lanes(tx: Transaction, caps: Mapping[str, int | LaneSize]) -> None:
    """A pool that is gone keeps its lane while a `forget` has to pass through it."""
    tx.connection.execute(delete(lanes).where(lanes.c.name.not_in(caps), lanes.c.name.not_in(select(work.c.lane))))


def _rooms(tx: Transaction, wanted: Iterable[Room]) -> None:
    known = dict(tx.connection.execute(select(rooms.c.name, rooms.c.room)).all())
    now_wanted = {room.name: records.dump(room) for room in wanted}
    gone = known.keys() - now_wanted.keys()
    claims.drop(tx, "refresh", gone)
    _each(tx, delete(rooms).where(rooms.c.name == bindparam("this")), [{"this": name} for name in gone])
    new = [room for room in wanted if room.name not in known]
    _each(tx, insert(rooms), [{"name": room.name, "room": now_wanted[room.name]} for room in new])
    claims.add(tx, [("refresh", room.name, room.calendar) for room in new])
    changed = [room for room in wanted if known.get(room.name, "") not in ("", now_wanted[room.name])]
    _each(
        tx,
        update(rooms).where(rooms.c.name == bindparam("this")).values(room=bindparam("text")),
        [{"this": room.name, "text": now_wanted[room.name]} for room in changed],
    )
    claims.move(tx, "refresh", {room.name: room.calendar for room in changed})


def _subscribed(tx: Transaction, wanted: Mapping[str, str]) -> None:
    """`subscribe` work for the rooms (with their lanes) that are to be told of changes, and for those that were and
    still have a subscription, which is to be taken back."""
    rows = tx.connection.execute(select(work.c.name, work.c.lane).where(work.c.kind == "subscribe")).all()
    known = {row.name: row.lane for row in rows}
    gone = known.keys() - wanted.keys()
    held = set(tx.connection.execute(select(subscriptions.c.room)).scalars())
    stays = select(work.c.name, work.c.lane).where(work.c.kind == "refresh")
    lane_of = {row.name: row.lane for row in tx.connection.execute(stays)}
    taken_back = {name for name in gone & held if lane_of.get(name) == known[name]}
    for name in sorted(taken_back):
        claims.revive(tx, "subscribe", name)
    gone -= taken_back
    claims.drop(tx, "subscribe", gone)
    claims.add(tx, [("subscribe", name, lane) for name, lane in wanted.items() if name not in known])
    moved = {name: lane for name, lane in wanted.items() if known.get(name, lane) != lane}
    claims.move(tx, "subscribe", moved)
    of_another = [{"this": name} for name in sorted({*gone, *moved})]
    _each(tx, delete(subscriptions).where(subscriptions.c.room == bindparam("this")), of_another)


def _endpoints(tx: Transaction, wanted: Iterable[Endpoint]) -> None:
    rows = tx.connection.execute(select(endpoints).with_for_update()).all()
    known = {row.name: row for row in rows}
    names = {endpoint.name for endpoint in wanted}
    new = [endpoint for endpoint in wanted if endpoint.name not in known]
    _each(tx, insert(endpoints), [{"name": one.name, "endpoint": seal_endpoint(tx, one)} for one in new])
    claims.add(tx, [("deliver", endpoint.name, endpoint.pool) for endpoint in new])
    for endpoint in wanted:
        if endpoint.name in known:
            _keep(tx, endpoint, known[endpoint.name])
    for row in rows:
        if row.name not in names and not row.removed:
            _remove(tx, row)


def _keep(tx: Transaction, endpoint: Endpoint, row: Any) -> None:
    before = endpoint_in(tx, row)
    if before == endpoint and not row.removed:
        return
    changes: dict[str, Any] = {"endpoint": seal_endpoint(tx, endpoint), "removed": False}
    if (before.kind, before.address, before.pool) != (endpoint.kind, endpoint.address, endpoint.pool) or row.removed:
        # What was confirmed was so there, not here.
        changes |= {"confirmed_revision": 0, "confirmed_at": None, "failures": 0, "same_difference": 0}
        changes |= {"difference": "", "failing_since": None, "unreachable_from": "[]"}
    changes |= _leaving(tx, endpoint, before, row)
    if not endpoint.is_same_place(before):
        learning.unpin(tx, endpoint.name, row.sequence)
    tx.connection.execute(update(endpoints).where(endpoints.c.name == endpoint.name).values(changes))
    claims.move(tx, "deliver", {endpoint.name: endpoint.pool})


def _leaving(tx: Transaction, endpoint: Endpoint, before: Endpoint, row: Any) -> dict[str, Any]:
    """Where a `forget` is owed after this change of pool.

    Moved again within ten minutes, it is still owed to the first pool, since the one in between has not written yet.
    """
    owed = leaving_in(tx, row)
    was_written_there = row.sent_at is not None and (owed is None or row.leaving_since <= tx.clock() - span(UNANSWERED))
    if before.pool != endpoint.pool and was_written_there:
        return _owed(tx, before)
    if owed is not None and owed.pool == endpoint.pool:
        return {"leaving": None, "leaving_since": None}
    return {}


def _owed(tx: Transaction, endpoint: Endpoint) -> dict[str, Any]:
    """A `forget` to the endpoint as it is now, under the certificate that it is known by."""
    known = replace(endpoint, pin=learning.pinned(tx, endpoint.name))
    return {"leaving": seal_endpoint(tx, known), "leaving_since": tx.now}


def _remove(tx: Transaction, row: Any) -> None:
    """Mark it, so that its `deliver` work sends a `forget`; when nothing was ever sent there is nothing to forget."""
    if row.sent_at is None:
        discard(tx, row.name)
        return
    owed = {} if row.leaving else _owed(tx, endpoint_in(tx, row))
    tx.connection.execute(update(endpoints).where(endpoints.c.name == row.name).values(removed=True, **owed))
    claims.unpark(tx, "deliver", row.name)


def discard(tx: Transaction, endpoint: str) -> None:
    """The endpoint's row, its parts and its work."""
    claims.drop(tx, "deliver", [endpoint])
    tx.connection.execute(delete(endpoints).where(endpoints.c.name == endpoint))


def _parts(tx: Transaction, wanted_rooms: Iterable[Room], wanted_endpoints: Iterable[Endpoint]) -> None:
    names = {room.name for room in wanted_rooms}
    shown = {(endpoint.name, room) for endpoint in wanted_endpoints for room in endpoint.rooms if room in names}
    known = {(row.endpoint, row.room) for row in tx.connection.execute(select(parts.c.endpoint, parts.c.room))}
    pair = tuple_(parts.c.endpoint, parts.c.room) == tuple_(bindparam("its_endpoint"), bindparam("its_room"))
    _each(tx, delete(parts).where(pair), [{"its_endpoint": e, "its_room": r} for e, r in sorted(known - shown)])
    _each(tx, insert(parts), [{"endpoint": e, "room": r} for e, r in sorted(shown - known)])


def _is_new(tx: Transaction, settings_digest: str) -> bool:
    before = tx.connection.execute(select(meta.c.value).where(meta.c.name == _DIGEST)).scalar()
    value = settings_digest.encode()
    if before is None:
        tx.connection.execute(insert(meta).values(name=_DIGEST, value=value))
    else:
        tx.connection.execute(update(meta).where(meta.c.name == _DIGEST).values(value=value))
    return before is None or bytes(before) != value


def _each(tx: Transaction, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.connection.execute(statement, rows)
