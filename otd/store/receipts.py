"""What goes out to endpoints and what comes back: sequence numbers, receipts, relays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import insert, select, update

from otd import findings
from otd.deliveries import ALIVE, ELSEWHERE
from otd.model import EndpointState, Expiry, Hello, Receipt, RelayState, Sent, Verb
from otd.store import adoption, alerting, audit, claims, learning, placements, questions, reaching, records
from otd.store.configured import endpoint_in, leaving_in
from otd.store.lists import HIGHEST, desired_of, not_configured
from otd.store.tables import at, at_or_none, endpoints, members, ms, relays, span
from otd.store.transaction import Transaction, greatest, line

SILENT = timedelta(seconds=20)  # a process that was not heard for longer has made way for another of its identity
BESIDE = timedelta(seconds=10)  # an earlier process that lived for so long beside a later one did not make way for it
log = structlog.get_logger(__name__)


def note_sent(tx: Transaction, endpoint: str, verb: Verb, revision: int, relay: str) -> None:
    """For the audit, before `sending`: sent again and again it is noted once, and a look is not noted at all."""
    before = tx.connection.execute(
        select(endpoints.c.sent_verb, endpoints.c.sent_revision).where(endpoints.c.name == endpoint).with_for_update()
    ).one_or_none()
    if before is not None and (before.sent_verb, before.sent_revision) != (verb, revision):
        audit.note(tx, "sent", f"endpoint:{endpoint}", verb, revision=revision, relay=relay)


def sending(tx: Transaction, endpoint: str, verb: Verb, revision: int, relay: str) -> int:
    """Sequence numbers follow the clock as revisions do, so that they too do not go back with a restored copy."""
    sequence = tx.connection.execute(
        update(endpoints)
        .where(endpoints.c.name == endpoint)
        .values(
            sequence=greatest(endpoints.c.sequence + 1, tx.now),
            sent_verb=verb,
            sent_revision=revision,
            sent_at=tx.now,
            sent_relay=relay,
        )
        .returning(endpoints.c.sequence)
    ).scalar()
    if sequence is None:
        raise not_configured(endpoint)
    return int(sequence)


def apply(tx: Transaction, receipt: Receipt) -> EndpointState | None:
    """See `otd.ports.Store.apply`."""
    if receipt.outcome in ("placed", "fetched"):
        before = _known(tx, receipt.endpoint)
        return before if before is not None and placements.apply(tx, receipt) else None
    row = tx.connection.execute(
        select(endpoints, questions.ASKED, tx.now.label("now"))
        .where(endpoints.c.name == receipt.endpoint)
        .with_for_update()
    ).one_or_none()
    if row is None or receipt.pool not in _pools(tx, receipt, row):
        return None
    if row.asked:
        questions.answered(tx, receipt)
    receipt = replace(receipt, answer="")
    if not _counts(receipt, row):
        return None
    state = _joined(tx, row)
    _note(tx, receipt, row, state)
    if receipt.outcome == "forgotten" and row.removed:
        adoption.discard(tx, row.name)
        return state
    learning.apply(tx, receipt, state, row.now)
    reaching.note(tx, receipt)
    tx.connection.execute(
        update(endpoints)
        .where(endpoints.c.name == row.name)
        .values(
            applied_revision=receipt.revision,
            applied_sequence=receipt.sequence,
            applied_counter=receipt.counter,
            receipt=tx.vault.seal(_receipt(row.name), records.dump(receipt)),
            outcome=receipt.outcome,
            **_verdict(receipt, row),
        )
    )
    if _confirms(receipt, row):
        claims.revive(tx, "deliver", row.name)  # whatever a person was needed for is over
    else:
        claims.hint(tx, "deliver", row.name)
    return state


def _pools(tx: Transaction, receipt: Receipt, row: Any) -> set[str]:
    """Those that what it answers can have gone to."""
    leaving = leaving_in(tx, row) if receipt.verb == "forget" else None
    return {endpoint_in(tx, row).pool, leaving.pool if leaving else ""}


def _counts(receipt: Receipt, row: Any) -> bool:
    """Whether it tells something new about a delivery that went out from here.

    Without the upper bounds one receipt with a high number, from before a backup was restored or from a relay that
    lies, would silence all that come after it.
    """
    sent_from_here = receipt.revision <= row.revision and receipt.sequence <= row.sequence
    newer = receipt.order > (row.applied_revision, row.applied_sequence, row.applied_counter)
    return sent_from_here and newer and receipt.counter < HIGHEST


def _note(tx: Transaction, receipt: Receipt, row: Any, state: EndpointState) -> None:
    """For the audit: what it found, unless the last one found the same; and what the endpoint is, if that changed."""
    thing, before = f"endpoint:{row.name}", state.receipt
    if before is None or _finding(receipt) != _finding(before):
        said = audit.Said(
            why=line(receipt.detail),
            mend=line(receipt.mend),
            reason=line(receipt.reason, 32),
            verb=receipt.verb,
            differences=receipt.differences,
        )
        audit.note(tx, "receipt", thing, receipt.outcome, revision=receipt.revision, relay=receipt.relay, said=said)
    known = findings.lasting(state.facts) if state.facts else None
    if receipt.facts is not None and findings.lasting(receipt.facts) != known:
        audit.note(tx, "facts", thing, "learned", relay=receipt.relay, said=audit.Said(facts=receipt.facts))


def _finding(receipt: Receipt) -> tuple[object, ...]:
    verb = receipt.verb if receipt.outcome == "differs" else ""  # found by a look, or still so after a put
    return (receipt.outcome, receipt.reason, receipt.revision, receipt.differences, verb)


def _confirms(receipt: Receipt, row: Any) -> bool:
    seen = receipt.outcome == "confirmed" and receipt.verb in ("put", "read")
    return seen and receipt.revision == row.revision and row.desired is not None


def _verdict(receipt: Receipt, row: Any) -> dict[str, Any]:
    """What the receipt changes in what is known of the endpoint."""
    if receipt.outcome == "forgotten":
        return {"leaving": None, "leaving_since": None}
    if _confirms(receipt, row):
        return {
            "confirmed_revision": receipt.revision,
            "confirmed_at": row.now,
            "failures": 0,
            "difference": "",
            "same_difference": 0,
            "failing_since": None,
            "unreachable_from": "[]",
        }
    if receipt.outcome == "confirmed":
        return {}  # of a list that another has replaced since: no failure, and nothing to be content with
    if receipt.outcome == "differs" and row.desired is None:
        return {}  # somebody asked what is there before there was a list
    since = row.now if row.failing_since is None else row.failing_since
    counts = row.retried_sequence is None or receipt.sequence > row.retried_sequence
    changes: dict[str, Any] = {"failures": row.failures + counts, "failing_since": since}
    if receipt.outcome == "differs":
        difference = hashlib.sha256(records.dump(receipt.differences).encode()).hexdigest()
        changes["difference"] = difference
        changes["same_difference"] = row.same_difference + 1 if difference == row.difference else 1
    if receipt.outcome in ELSEWHERE:
        changes["unreachable_from"] = json.dumps(sorted({*json.loads(row.unreachable_from), receipt.relay}))
    return changes


def give_up(tx: Transaction, endpoint: str) -> None:
    """See `otd.ports.Store.give_up`."""
    which = select(endpoints.c.removed).where(endpoints.c.name == endpoint)
    row = tx.connection.execute(which.with_for_update()).one_or_none()
    if row is None:
        return
    if row.removed:
        adoption.discard(tx, endpoint)
    else:
        values = {"leaving": None, "leaving_since": None}
        tx.connection.execute(update(endpoints).where(endpoints.c.name == endpoint).values(values))


def _receipt(endpoint: str) -> str:
    return f"endpoints/{endpoint}/receipt"


def endpoint_state(tx: Transaction, name: str) -> EndpointState:
    state = _known(tx, name)
    if state is None:
        raise not_configured(name)
    return state


def _known(tx: Transaction, name: str) -> EndpointState | None:
    row = tx.connection.execute(select(endpoints, questions.ASKED).where(endpoints.c.name == name)).one_or_none()
    if row is None:
        return None
    return replace(_joined(tx, row), question=questions.next_of(tx, name) if row.asked else None)


def _joined(tx: Transaction, row: Any) -> EndpointState:
    return learning.joined(tx, placements.joined(tx, (state_of(tx, row),)))[0]


def endpoint_states(tx: Transaction) -> tuple[EndpointState, ...]:
    rows = tx.connection.execute(select(endpoints).order_by(endpoints.c.name)).all()
    return learning.joined(tx, placements.joined(tx, tuple(state_of(tx, row) for row in rows)))


def state_of(tx: Transaction, row: Any) -> EndpointState:
    """The state in a row of `endpoints`, but for what other tables hold."""
    sealed = row.receipt
    return EndpointState(
        endpoint=endpoint_in(tx, row),
        desired=desired_of(tx, row),
        revision=row.revision,
        confirmed_revision=row.confirmed_revision,
        confirmed_at=at_or_none(row.confirmed_at),
        sent=_sent(row),
        receipt=records.load(Receipt, tx.vault.open(_receipt(row.name), bytes(sealed))) if sealed else None,
        failures=row.failures,
        same_difference=row.same_difference,
        failing_since=at_or_none(row.failing_since),
        unreachable_from=tuple(json.loads(row.unreachable_from)),
        removed=row.removed,
        leaving=leaving_in(tx, row),
        leaving_since=at_or_none(row.leaving_since),
    )


def _sent(row: Any) -> Sent | None:
    if row.sent_at is None:
        return None
    return Sent(
        verb=row.sent_verb,
        revision=row.sent_revision,
        sequence=row.sequence,
        at=at(row.sent_at),
        relay=row.sent_relay,
    )


def heard(tx: Transaction, hello: Hello) -> bool:
    """See `otd.ports.Store.heard`. A process that said that it leaves does not come back by a hello that was late."""
    name = line(hello.relay, 64)
    known = tx.connection.execute(
        select(relays, tx.now.label("now")).where(relays.c.name == name).with_for_update()
    ).one_or_none()
    started = ms(hello.started_at)
    if known is not None and known.leaving and known.started_at == started:
        return False
    if known is not None and started < known.started_at and (hello.leaving or not _lived_beside(hello, known)):
        return False  # it comes late, from before the process that is there now
    if known is not None and started == known.clone_started_at and _lives(known):
        seen = None if hello.leaving else tx.now
        mark = {"clone_started_at": None if hello.leaving else started, "clone_seen": seen}
        tx.connection.execute(update(relays).where(relays.c.name == name).values(mark))
        return False
    values = {
        "pool": line(hello.pool, 64),
        "version": line(hello.version, 64),
        "started_at": started,
        "last_seen": tx.now,
        "leaving": hello.leaving,
        "clock_offset": hello.clock_offset // timedelta(milliseconds=1),
    }
    if known is not None and started < known.started_at:
        log.error("two processes under one identity", relay=name, pool=hello.pool)
        values |= {"clone_started_at": known.started_at, "clone_seen": known.last_seen}
    elif known is not None and (started > known.started_at or not _clone_lives(known)):
        values |= {"clone_started_at": None, "clone_seen": None}
    if hello.face_until is not None:
        alerting.put_expiry(tx, Expiry(cause="face_expires", thing=f"relay:{name}", at=hello.face_until))
    if known is None:
        tx.connection.execute(insert(relays).values(name=name, **values))
        return not hello.leaving
    tx.connection.execute(update(relays).where(relays.c.name == name).values(values))
    was_alive = not known.leaving and known.started_at == started and known.last_seen > known.now - span(ALIVE)
    return not hello.leaving and not was_alive


def _lived_beside(hello: Hello, known: Any) -> bool:
    """Whether this, from an earlier process than the one that took its place (as after a crash), was said when that one
    had been there for a while: two machines have one identity, and the later one is the clone."""
    return hello.at >= at(known.started_at) + BESIDE


def _lives(known: Any) -> bool:
    return not known.leaving and bool(known.last_seen >= known.now - span(SILENT))


def _clone_lives(known: Any) -> bool:
    return known.clone_seen is not None and bool(known.clone_seen >= known.now - span(SILENT))


def rests(tx: Transaction, hello: Hello) -> bool:
    """See `otd.ports.Store.rests`."""
    mine = members.c.relay == hello.relay, members.c.revoked_at.is_(None)
    if tx.connection.execute(select(members.c.maintenance).where(*mine)).scalar():
        return True
    clone = tx.connection.execute(select(relays.c.clone_started_at).where(relays.c.name == hello.relay)).scalar()
    return clone is not None and clone == ms(hello.started_at)


def relay_states(tx: Transaction) -> tuple[RelayState, ...]:
    return tuple(
        RelayState(
            name=row.name,
            pool=row.pool,
            version=row.version,
            started_at=at(row.started_at),
            last_seen=at(row.last_seen),
            leaving=row.leaving,
            clock_offset=timedelta(milliseconds=row.clock_offset),
            resting=bool(row.maintenance),
            cloned=_clone_lives(row),
        )
        for row in tx.connection.execute(_relays(tx)).all()
    )


def _relays(tx: Transaction) -> Any:
    mine = (members.c.relay == relays.c.name) & members.c.revoked_at.is_(None)
    known = select(relays, members.c.maintenance, tx.now.label("now"))
    return known.select_from(relays.outerjoin(members, mine)).order_by(relays.c.name)
