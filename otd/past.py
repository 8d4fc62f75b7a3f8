"""What was known of an endpoint and of a room at a time in the past, put together from the audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from otd import findings
from otd.model import AuditKind, AuditLine, Desired, Endpoint, EndpointState, Mode, Placement, Receipt, RelayState, Sent
from otd.ports import Store

FAR = 400  # lines that are looked at, the newest ones


def endpoint_at(store: Store, endpoint: Endpoint, time: datetime) -> EndpointState:
    """The endpoint as far as it is told by the audit; `desired` is None when no list of that time is kept."""
    lines = store.audit((f"endpoint:{endpoint.name}",), kinds=("sent", "receipt", "facts"), until=time, limit=FAR)
    desired = store.list_at(endpoint.name, time)
    state = EndpointState(endpoint=endpoint, desired=desired, revision=desired.revision if desired else 0)
    for number, line in enumerate(lines, 1):
        state = _after(state, line, number, desired)
    return replace(state, mode=_mode(store, endpoint, time))


def relays_at(state: EndpointState, time: datetime) -> tuple[RelayState, ...]:
    """The relays that can be told to have been alive: whoever took the newest list, since only then it was sent."""
    sent, desired = state.sent, state.desired
    if sent is None or desired is None or sent.revision < desired.revision:
        return ()
    return (RelayState(name=sent.relay, pool=state.endpoint.pool, last_seen=time),)


def trouble_at(store: Store, room: str, time: datetime) -> AuditLine | None:
    """Why the room's calendar could not be read then; None when it could."""
    last = _last(store, room, "reading", time)
    return last if last and last.word != "read" else None


def held_at(store: Store, room: str, time: datetime) -> AuditLine | None:
    """Since when the brake held the room then; None when it did not."""
    last = _last(store, room, "brake", time)
    return last if last and last.word == "held" else None


def _last(store: Store, room: str, kind: AuditKind, time: datetime) -> AuditLine | None:
    return next(iter(store.audit((f"room:{room}",), kinds=(kind,), until=time, limit=1)), None)


def _after(state: EndpointState, line: AuditLine, number: int, desired: Desired | None) -> EndpointState:
    """The state after one more line; lines are numbered, as deliveries and their answers were."""
    if line.facts is not None:
        return replace(state, facts=line.facts)
    word = cast("Any", line.word)
    if line.kind == "sent":
        sent = Sent(verb=word, revision=line.revision, sequence=number, at=line.at, relay=line.relay)
        return replace(state, sent=sent)
    if word == "placed":
        others = tuple(one for one in state.placements if one.relay != line.relay)
        placement = Placement(relay=line.relay, revision=line.revision, at=line.at)
        return replace(state, placements=(*others, placement))
    if word == "fetched":
        fetched = replace(state, fetched_revision=line.revision, fetched_at=line.at, fetched_from=line.relay)
        is_newest = desired is not None and line.revision == desired.revision
        return replace(fetched, confirmed_revision=line.revision, confirmed_at=line.at) if is_newest else fetched
    receipt = Receipt(
        endpoint=state.endpoint.name,
        pool=state.endpoint.pool,
        relay=line.relay,
        verb=cast("Any", line.verb or "put"),
        revision=line.revision,
        sequence=number,
        counter=0,
        outcome=word,
        at=line.at,
        differences=line.differences,
        detail=line.why,
        mend=line.mend,
        reason=line.reason,
        facts=state.facts,
    )
    if word == "confirmed":
        return replace(state, receipt=receipt, confirmed_revision=line.revision, confirmed_at=line.at, found="")
    found = findings.found(state, receipt)
    overwrites = findings.OVERWRITTEN if findings.is_overwrite(receipt) and state.confirmed_at else 0
    return replace(state, receipt=receipt, found=found, overwrites=overwrites)


def _mode(store: Store, endpoint: Endpoint, time: datetime) -> Mode:
    if endpoint.mode:
        return endpoint.mode
    kind: AuditKind = "act"
    acts = store.audit((f"pool:{endpoint.pool}",), kinds=(kind,), until=time, limit=FAR)
    switched = [line.word for line in acts if line.word.startswith(("cut over", "as the settings"))]
    if switched and switched[-1].startswith("cut over to "):
        return cast("Mode", switched[-1].removeprefix("cut over to "))
    return endpoint.pool_mode
