"""The audit: what is needed to explain the past, and to answer for what was done.

A row tells a change, never that something is still so: a read-back that finds what the last one found writes nothing,
and of a list only the bookings that changed are kept, with the whole list now and then. So it grows with what happens,
not with time. Rows are written in the transaction that does what they tell of.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select

from otd.model import AuditKind, AuditLine, Booking, BookingList, Desired, Difference, Facts, Window
from otd.store import records
from otd.store.tables import at, audit, span
from otd.store.transaction import Transaction, line

WHOLE_EVERY = 20  # revisions of a list: every so often it is kept whole, so that few rows have to be read for one
AT_ONCE = 5000  # rows that one call of `tidy` removes
WHOLE, CHANGE = "whole", "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a row says in a sealed column, since details can name what is private."""

    why: str = ""
    mend: str = ""
    reason: str = ""
    verb: str = ""
    differences: tuple[Difference, ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one revision of a list to the next; of one that is kept whole, `put` is all of it."""

    window: Window
    put: tuple[Booking, ...] = ()
    gone: tuple[str, ...] = ()


def note(
    tx: Transaction,
    kind: AuditKind,
    thing: str,
    word: str,
    *,
    revision: int = 0,
    relay: str = "",
    who: str = "",
    said: Said | Change | None = None,
) -> None:
    """One row. `thing` is what it is about: "endpoint:NAME", "room:NAME", "calendar:NAME", "rules" and so on."""
    thing = line(thing, 80)
    tx.connection.execute(
        insert(audit).values(
            at=tx.now,
            kind=kind,
            thing=thing,
            word=line(word, 32),
            revision=revision,
            relay=line(relay, 64),
            who=line(who, 64),
            content=None if said is None else tx.vault.seal(_place(thing), records.dump(said)),
        )
    )


def act(tx: Transaction, thing: str, word: str, why: str = "") -> None:
    """That a person did this."""
    note(tx, "act", thing, word, who=tx.actor, said=Said(why=line(why)) if why else None)


def _place(thing: str) -> str:
    return f"audit/{thing}"


# --- lists --------------------------------------------------------------------------------------------------------


def put_list(tx: Transaction, before: Desired | None, wanted: BookingList, revision: int) -> None:
    """That the endpoint is to show this list from now on, in place of the one before."""
    thing = f"endpoint:{wanted.endpoint}"
    if before is None or _since_whole(tx, thing) >= WHOLE_EVERY - 1:
        said = Change(window=wanted.window, put=wanted.bookings)
        note(tx, "list", thing, WHOLE, revision=revision, said=said)
        return
    old = {booking.id: booking for booking in before.list.bookings}
    new = {booking.id for booking in wanted.bookings}
    said = Change(
        window=wanted.window,
        put=tuple(booking for booking in wanted.bookings if old.get(booking.id) != booking),
        gone=tuple(sorted(old.keys() - new)),
    )
    note(tx, "list", thing, CHANGE, revision=revision, said=said)


def put_same_list(tx: Transaction, endpoint: str, revision: int) -> None:
    """That the list has a new revision and is what it was."""
    note(tx, "list", f"endpoint:{endpoint}", CHANGE, revision=revision)


def _since_whole(tx: Transaction, thing: str) -> int:
    """How many revisions there are since the list was last kept whole; WHOLE_EVERY when it never was."""
    its = (audit.c.thing == thing, audit.c.kind == "list")
    last = tx.connection.execute(select(func.max(audit.c.id)).where(*its, audit.c.word == WHOLE)).scalar()
    if last is None:
        return WHOLE_EVERY
    return tx.connection.execute(select(func.count()).where(*its, audit.c.id > last)).scalar_one()


def list_at(tx: Transaction, endpoint: str, moment: int) -> Desired | None:
    """See `otd.ports.Store.list_at`."""
    thing = f"endpoint:{endpoint}"
    its = (audit.c.thing == thing, audit.c.kind == "list", audit.c.at <= moment)
    whole = select(func.max(audit.c.id)).where(*its, audit.c.word == WHOLE).scalar_subquery()
    rows = tx.connection.execute(select(audit).where(*its, audit.c.id >= whole).order_by(audit.c.id)).all()
    if not rows:
        return None
    held: dict[str, Booking] = {}
    window: Window | None = None
    for row in rows:
        if row.content is None:
            continue
        change = records.load(Change, tx.vault.open(_place(thing), bytes(row.content)))
        window = change.window
        held = {id: booking for id, booking in held.items() if id not in change.gone}
        held |= {booking.id: booking for booking in change.put}
    if window is None:
        return None
    ordered = tuple(sorted(held.values(), key=lambda booking: (booking.start, booking.end, booking.id)))
    wanted = BookingList(endpoint=endpoint, window=window, bookings=ordered)
    return Desired(revision=rows[-1].revision, digest="", list=wanted, since=at(rows[-1].at))


# --- looking and forgetting ---------------------------------------------------------------------------------------


def lines(
    tx: Transaction, things: Collection[str], kinds: Collection[AuditKind], since: int, until: int, limit: int
) -> tuple[AuditLine, ...]:
    """See `otd.ports.Store.audit`."""
    wanted = select(audit).where(audit.c.at.between(since, until))
    if things:
        wanted = wanted.where(audit.c.thing.in_(things))
    if kinds:
        wanted = wanted.where(audit.c.kind.in_(kinds))
    rows = tx.connection.execute(wanted.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)).all()
    return tuple(_line(tx, row) for row in reversed(rows))


def _line(tx: Transaction, row: Any) -> AuditLine:
    found = AuditLine(
        at=at(row.at),
        kind=row.kind,
        thing=row.thing,
        word=row.word,
        revision=row.revision,
        relay=row.relay,
        who=row.who,
    )
    if row.content is None:
        return found
    text = tx.vault.open(_place(row.thing), bytes(row.content))
    if row.kind == "list":
        change = records.load(Change, text)
        return replace(found, put=len(change.put), gone=len(change.gone))
    said = records.load(Said, text)
    found = replace(found, why=said.why, mend=said.mend, reason=said.reason, verb=said.verb)
    return replace(found, differences=said.differences, facts=said.facts)


def tidy(tx: Transaction, lists: timedelta, others: timedelta) -> bool:
    """Remove what is older; lists, which hold titles, after their own time. True when there may be more to do."""
    now = tx.clock()
    whole = audit.alias("whole")
    no_longer_needed = (
        select(whole.c.id)
        .where(
            whole.c.thing == audit.c.thing,
            whole.c.kind == "list",
            whole.c.word == WHOLE,
            whole.c.id > audit.c.id,
            whole.c.at <= now - span(lists),
        )
        .exists()
    )
    old_lists = (audit.c.kind == "list", audit.c.at <= now - span(lists), no_longer_needed)
    old_others = (audit.c.kind != "list", audit.c.at <= now - span(others))
    removed = [_remove(tx, *which) for which in (old_lists, old_others)]
    return AT_ONCE in removed


def _remove(tx: Transaction, *which: Any) -> int:
    some = select(audit.c.id).where(*which).order_by(audit.c.at).limit(AT_ONCE)
    return tx.connection.execute(delete(audit).where(audit.c.id.in_(some))).rowcount
