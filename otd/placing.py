"""What to do next for an endpoint that fetches its list (Polycom): a pure decision, as otd.deliveries is for those that
are written to.

Nobody can push to it: it asks a relay of its pool, whichever it reaches. So every living relay of the pool must hold
the list. `placed` when they do; `confirmed` when the endpoint has since been given exactly that list.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from otd.model import Booking, Endpoint, EndpointState, Placement, Receipt, RelayState

KINDS = frozenset({"polycom"})
AHEAD = timedelta(days=1)  # of what an endpoint shows itself no more is looked at


def pending(state: EndpointState, living: Sequence[RelayState], renew_before: datetime) -> tuple[str, ...]:
    """The living relays that do not hold the newest list, or hold it since before `renew_before`."""
    held = {placement.relay: placement for placement in state.placements}
    return tuple(relay.name for relay in living if not _holds(held.get(relay.name), state, relay, renew_before))


def _holds(placement: Placement | None, state: EndpointState, relay: RelayState, renew_before: datetime) -> bool:
    """A relay that was started since has to be given it anew."""
    if placement is None or placement.at is None or state.desired is None:
        return False
    started = relay.started_at
    since_start = started is None or placement.at >= started
    return placement.revision >= state.desired.revision and since_start and placement.at >= renew_before


def awaited(state: EndpointState, relay: str, asked_after: datetime) -> datetime | None:
    """When this relay was sent the newest list, if its answer may still come; None when it is to be sent (again)."""
    for placement in state.placements:
        if placement.relay == relay and placement.sent_at is not None and placement.sent_at > asked_after:
            newest = state.desired is not None and placement.sent_revision >= state.desired.revision
            unanswered = placement.at is None or placement.at < placement.sent_at
            return placement.sent_at if newest and unanswered else None
    return None


def is_fetched(state: EndpointState) -> bool:
    """Whether the endpoint has been given the newest list."""
    return state.desired is not None and state.fetched_revision >= state.desired.revision


def is_silent(state: EndpointState, since: datetime) -> bool:
    """Whether it holds its place and did not ask since then; one that never asked counts from its first placement."""
    known = [placement.at for placement in state.placements if placement.at is not None]
    last = state.fetched_at or (min(known) if known else None)
    return last is not None and last < since


def can_be_looked_at(endpoint: Endpoint) -> bool:
    """Whether its settings say how its own interface is asked what it shows; a Trio has none for that."""
    return bool(endpoint.address and endpoint.credential) and endpoint.model != "trio"


def coming(bookings: Sequence[Booking], now: datetime) -> tuple[Booking, ...]:
    """Those that an endpoint must show when it is looked at now."""
    return tuple(booking for booking in bookings if booking.start < now + AHEAD)


def look(state: EndpointState) -> Receipt | None:
    """What the last look at the endpoint's own interface found, None before the first."""
    return state.receipt if state.receipt is not None and state.receipt.verb == "read" else None


def condition(state: EndpointState) -> str:
    """waiting, placed or confirmed; differs, when it was given the list and itself shows something else; or what its
    last receipt says that needs a person."""
    receipt, seen = state.receipt, look(state)
    if receipt is not None and receipt.verb == "put" and receipt.outcome == "unsupported":
        return "unsupported"
    if is_fetched(state):
        otherwise = seen is not None and seen.outcome == "differs" and seen.revision == state.revision
        return "differs" if otherwise else "confirmed"
    wanted = state.desired.revision if state.desired else 0
    held = [placement for placement in state.placements if placement.at is not None]
    return "placed" if held and all(placement.revision >= wanted for placement in held) else "waiting"
