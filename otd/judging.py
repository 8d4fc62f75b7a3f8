"""Judging other rules, or another version, by the readings that are kept: before any list is computed with them."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from otd import bookings
from otd.brake import Toll, toll
from otd.dialplan.ruling import restored
from otd.model import Endpoint, Room
from otd.ports import Store
from otd.refresh import Rulebook, under

log = structlog.get_logger(__name__)


def settle_rules(store: Store, rooms: Mapping[str, Room], endpoints: Mapping[str, Endpoint], rules: Rulebook) -> None:
    """Put the rulebook's ruling in force, unless the brake holds it or a person went back from it.

    Judged by the last reading of each room against what its endpoints show. Does nothing for a ruling that is in force.
    """
    wanted = rules.ruling
    if wanted is None:
        return
    saved = store.ruling("force")
    if saved is None or saved.digest == wanted.digest:
        store.put_ruling(wanted.saved)
        return
    if store.is_refused(wanted.digest):
        log.warning("the rules of the settings were refused; those before them stay in force")
        return
    found = toll_of(store, rooms, endpoints, rules)
    if not found.holds:
        store.put_ruling(wanted.saved)
        return
    # When the rules that are in force do the same with this version, then it is the version that changed, not they.
    frozen = toll_of(store, rooms, endpoints, under(restored(saved), rules)).holds
    things = found.lost + found.changed
    why = (
        f"{'this version' if frozen else 'the rules'} would take away {found.lost} and change {found.changed} "
        f"of {found.dialled} dial strings"
    )
    store.put_ruling(wanted.saved, held_for=(things, why), frozen=frozen)
    log.error("the brake holds the rules", why=why, mend="`otd rules try` shows them; `otd release rules` lets them go")


def toll_of(store: Store, rooms: Mapping[str, Room], endpoints: Mapping[str, Endpoint], rules: Rulebook) -> Toll:
    """What the rulebook would do to the dial strings that are in place, over all endpoints."""
    total, now = Toll(), store.now()
    for name, room in rooms.items():
        shown = [e for e in endpoints.values() if name in e.rooms]
        reading = store.last_reading(name) if shown else None
        if reading is None:
            continue
        unknown = frozenset(bookings.id_of(room, one.meeting) for one in reading.meetings if one.body_left_out)
        meetings = tuple(one.meeting for one in reading.meetings)
        for endpoint in shown:
            before = store.part(endpoint.name, name) or ()
            after = bookings.of_room(room, endpoint, meetings, rules.plan, rules.site, rules.policy, reading.window)
            known = frozenset(bookings.id_of(room, meeting) for meeting in meetings)
            in_both = tuple(booking for booking in before if booking.id in known)
            total += toll(in_both, after, now, unknown=unknown)
    return total
