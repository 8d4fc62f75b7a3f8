"""What to do next for an endpoint: a pure decision on what is known of it.

The same function is asked after a new list, after a receipt, after a time-out and after a restart; it looks at the
state, never at what happened. So nothing has to be remembered between two calls but the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from otd import findings, placing
from otd.model import Delivery, Desired, Endpoint, EndpointState, Outcome, Receipt, RelayState, Sent, Verb
from otd.ports import Seen

ELSEWHERE: frozenset[Outcome] = frozenset({"unreachable", "not_for_me"})  # another relay may do better
PERMANENT: frozenset[Outcome] = frozenset({"denied", "untrusted", "unsupported"})
UNASKED = frozenset({"no_relay", "credential", "denied"})  # codes of what keeps a question from going out
NO_RELAY = timedelta(minutes=1)  # a relay that comes back makes its pool's endpoints due by itself
ALIVE = timedelta(seconds=15)  # a relay that said nothing for this long is taken to be gone
TALKING = timedelta(seconds=8)  # one that said nothing for this long has missed a hello; it says one every five


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The spans that delivery goes by."""

    answer: timedelta = timedelta(seconds=15)  # an unanswered delivery is sent again after this
    act: timedelta = timedelta(seconds=60)  # how long a relay may begin or go on with a write
    valid: timedelta = timedelta(hours=12)  # how long a list may be held without the centre
    verify: timedelta = timedelta(minutes=5)  # a confirmed list is read back this often
    silence: timedelta = timedelta(minutes=15)  # an endpoint that fetches and did not for so long is silent
    leave: timedelta = timedelta(minutes=10)  # a `forget` that nobody answers is given up after this
    reassert: timedelta = timedelta(hours=1)  # a list that keeps differing is put again this often
    learn: timedelta = timedelta(seconds=20)  # after the first put an endpoint is read back so soon, to know what it is
    parked: timedelta = timedelta(days=1)
    backoff: timedelta = timedelta(seconds=5)
    backoff_most: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send the desired list (put) or an order to look (read); to the pool, or to one relay's own queue."""

    verb: Verb
    relay: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do until then. `error` says what is wrong, if anything is."""

    after: timedelta
    error: str = ""
    code: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """A person is needed; looked at again after a while."""

    after: timedelta
    error: str
    code: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The `forget` that is owed went unanswered for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber:
    """A relay has seen a higher revision than ours: give the list a revision above it and send it."""

    above: int


Step = Send | Wait | Park | Renumber | GiveUp


def backoff(failures: int, timing: Timing) -> timedelta:
    """Doubles with each failure in a row, up to a limit. Jitter is added where the waiting is done."""
    doublings = min(max(failures - 1, 0), 16)
    return min(timing.backoff * (1 << doublings), timing.backoff_most)


def step(state: EndpointState, relays: Sequence[RelayState], now: datetime, timing: Timing) -> Step:
    """What to do next for this endpoint. `relays` are all that the centre knows."""
    due = _due(state, relays, now, timing)
    return due if state.question is None else _ask(state, due, relays, now, timing)


def _ask(state: EndpointState, due: Step, relays: Sequence[RelayState], now: datetime, timing: Timing) -> Step:
    """What somebody asks goes out when nothing else is to be done or awaited: once, and once more after a relay that
    did not reach it. It never tries a password that was refused: real endpoints lock accounts."""
    question, sent, receipt = state.question, state.sent, state.receipt
    if question is None or question.sequence >= 0 or not isinstance(due, Wait) or state.leaving is not None:
        return due
    if question.receipt is not None and due.error:  # what was found then has not been mended yet
        return due
    fetches = state.endpoint.kind in placing.KINDS
    if fetches and not placing.can_be_looked_at(state.endpoint):
        return due
    there = _living(relays, state.endpoint.pool, now)
    alive = tuple(relay.name for relay in there if fetches or not relay.resting)
    if not alive:
        return _no_relay(state, there)
    if findings.is_refused_elsewhere(state):
        return _refused_elsewhere(state, timing)
    if receipt is not None and state.failures and _may_lock(receipt):
        return Wait(after=timing.verify, error=receipt.detail, code="denied", mend=receipt.mend)
    answered = fetches or sent is None or (receipt is not None and receipt.sequence >= sent.sequence)
    if not answered and sent is not None and now < sent.at + timing.answer:
        return due
    return Send(verb="read", relay=_one_of((state.confirmed_by,), alive) or _reaching(state, alive, state.revision))


def _due(state: EndpointState, relays: Sequence[RelayState], now: datetime, timing: Timing) -> Step:
    if state.leaving is not None and state.leaving_since is not None:
        return _leave(state, state.leaving, state.leaving_since, relays, now, timing)
    desired, sent, receipt = state.desired, state.sent, state.receipt
    if desired is None:
        return Wait(after=timing.verify, error="its rooms have not been read yet", code="not_read")
    there = _living(relays, state.endpoint.pool, now)
    if state.endpoint.kind in placing.KINDS and there:
        return _place(state, there, now, timing)  # a relay that rests serves those that fetch from it all the same
    living = tuple(relay for relay in there if not relay.resting)
    alive = tuple(relay.name for relay in living)
    if not living:
        return _no_relay(state, there)
    if findings.is_refused_elsewhere(state) and (receipt is None or receipt.outcome not in PERMANENT):
        return _refused_elsewhere(state, timing)
    if receipt is not None and _may_lock(receipt) and state.failures:  # whatever is still under way
        return _permanent(state, desired, receipt, now, timing)
    if sent is not None and (receipt is None or receipt.sequence < sent.sequence):
        return _unanswered(state, desired, sent, living, now, timing)
    if receipt is None:
        return Send(verb=_aim(state))
    if receipt.outcome in PERMANENT:
        return _permanent(state, desired, receipt, now, timing)
    if findings.is_overwritten(state) and receipt.outcome == "differs" and state.mode == "deliver":
        return _overwritten(receipt, alive, now, timing)
    if receipt.sequence == state.disputed_sequence and state.mode == "deliver":  # who did not see it there, puts it
        return Send(verb="put", relay=_one_of(state.disputed_by[-1:], alive))
    if _is_to_be_asked(state, receipt, desired, alive):
        return Send(verb="read", relay=state.confirmed_by)
    if receipt.revision < desired.revision:
        return Send(verb=_aim(state), relay=_reaching(state, alive, desired.revision))
    if receipt.outcome == "confirmed" or (receipt.outcome == "differs" and state.mode == "observe"):
        return _confirmed(state, receipt, alive, now, timing)
    if receipt.outcome == "stale" and receipt.highest > desired.revision:
        return Renumber(above=receipt.highest)
    return _failed(state, receipt, alive, now, timing)


def _is_to_be_asked(state: EndpointState, receipt: Receipt, desired: Desired, alive: tuple[str, ...]) -> bool:
    """Whether the relay that last saw the list in place is to look before it is put again: they may disagree."""
    drifted = receipt.verb == "read" and receipt.outcome == "differs" and state.found == "drifted"
    asked = state.confirmed_by not in ("", receipt.relay, *state.unreachable_from) and state.confirmed_by in alive
    return drifted and asked and receipt.revision == desired.revision and state.mode == "deliver"


def _one_of(names: tuple[str, ...], alive: tuple[str, ...]) -> str:
    return next((name for name in names if name in alive), "")


def _aim(state: EndpointState) -> Verb:
    """What is sent: the list, or no more than an order to look where another system is in charge."""
    return "read" if state.mode == "observe" else "put"


def _no_relay(state: EndpointState, there: tuple[RelayState, ...]) -> Wait:
    return Wait(
        after=NO_RELAY,
        error="no relay of its pool is at work" if there else "no relay of its pool is alive",
        code="no_relay",
        mend=f"start a relay of pool {state.endpoint.pool}",
    )


def _refused_elsewhere(state: EndpointState, timing: Timing) -> Wait:
    """Its password is probably wrong, too, and each try counts towards locking the account."""
    return Wait(
        after=timing.verify,
        error=f"not tried: {state.refusals} endpoints refuse the credential {state.endpoint.credential}",
        code="credential",
        mend="set the right secret and restart, or `otd endpoints retry` one of those that refuse it",
    )


def _overwritten(receipt: Receipt, alive: tuple[str, ...], now: datetime, timing: Timing) -> Step:
    """Another system writes there, too: it is not fought, and reminded only now and then."""
    due = receipt.at + timing.reassert
    if now >= due:
        return Send(verb="put", relay=_rotate(alive, receipt.sequence))
    return Wait(
        after=due - now,
        error=f"another system puts its own bookings there ({receipt.detail})",
        code="overwritten",
        mend='stop the other system for this endpoint, or set mode = "observe"; then `otd endpoints retry` it',
    )


def _place(state: EndpointState, living: tuple[RelayState, ...], now: datetime, timing: Timing) -> Step:
    """Every living relay of the pool must hold the list, before half of its time is over; then it is to be fetched."""
    receipt = state.receipt
    if receipt is not None and receipt.outcome == "stale" and receipt.highest > state.revision:
        return Renumber(above=receipt.highest)
    looked = placing.look(state)
    if receipt is not None and looked is None and state.desired is not None and receipt.outcome in PERMANENT:
        step = _permanent(state, state.desired, receipt, now, timing)
        if isinstance(step, Park):
            return step
    waits: list[timedelta] = []
    for relay in placing.pending(state, living, now - timing.valid / 2):
        sent = placing.awaited(state, relay, now - timing.answer)
        if sent is None:
            return Send(verb="put", relay=relay)
        waits.append(sent + timing.answer - now)
    if waits:
        return Wait(after=min(waits))
    if placing.is_silent(state, now - timing.silence):
        return Wait(
            after=timing.verify,
            error="it has not asked for its list for a while",
            code="silent",
            mend="check the calendar service and the network settings on the endpoint",
        )
    if not placing.can_be_looked_at(state.endpoint) or not placing.is_fetched(state):
        return Wait(after=timing.verify)
    return _look(state, looked, tuple(relay.name for relay in living), now, timing)


def _look(
    state: EndpointState, looked: Receipt | None, alive: tuple[str, ...], now: datetime, timing: Timing
) -> Send | Wait:
    """It was given the list: look at what it shows itself. A refused password is tried again only when a person asked,
    and takes nothing from what its relays serve."""
    if findings.is_refused_elsewhere(state) and (looked is None or looked.outcome not in PERMANENT):
        return _refused_elsewhere(state, timing)
    if looked is not None and looked.outcome in PERMANENT and state.failures and not _is_outdated(state, looked):
        return Wait(after=timing.verify, error=looked.detail, code=looked.outcome, mend=looked.mend)
    sent, last = state.sent, looked.at if looked else state.fetched_at or now
    if sent is not None and sent.verb == "read" and (looked is None or looked.sequence < sent.sequence):
        last = sent.at  # and was not answered
    due = last + timing.verify
    if now >= due:
        return Send(verb="read", relay=_rotate(alive, sent.sequence if sent else 0))
    if looked is None or looked.outcome == "confirmed" or looked.revision < state.revision:
        return Wait(after=due - now)
    mend = looked.mend or f"`otd endpoints show {state.endpoint.name}` says what it shows"
    return Wait(after=due - now, error=f"itself: {looked.detail or looked.outcome}", code=looked.outcome, mend=mend)


def next_meeting(state: EndpointState, now: datetime) -> datetime:
    """When the next meeting on its list begins, or the one that runs began; far ahead when there is none."""
    bookings = state.desired.list.bookings if state.desired else ()
    return min((booking.start for booking in bookings if booking.end > now), default=now + timedelta(days=365))


def _living(relays: Sequence[RelayState], pool: str, now: datetime) -> tuple[RelayState, ...]:
    return tuple(relay for relay in relays if relay.pool == pool and is_alive(relay, now))


def _leave(
    state: EndpointState, old: Endpoint, since: datetime, relays: Sequence[RelayState], now: datetime, timing: Timing
) -> Step:
    """It was removed, or moved to another pool: first the old pool lets go of it, or ten minutes pass."""
    if now >= since + timing.leave:
        return GiveUp()
    alive = tuple(relay.name for relay in _living(relays, old.pool, now))
    sent, receipt = state.sent, state.receipt
    if not alive:
        return Wait(
            after=timing.backoff, error=f"no relay of pool {old.pool}, which it leaves, is alive", code="no_relay"
        )
    if sent is not None and sent.verb == "forget" and sent.at >= since:
        answered = receipt is not None and receipt.sequence >= sent.sequence
        due = sent.at + (backoff(state.failures, timing) if answered else timing.answer)
        if now < due:
            return Wait(after=due - now)
    return Send(verb="forget", relay=_rotate(alive, sent.sequence if sent else 0))


def condition(state: EndpointState) -> str:
    """One word for an administrator: unread (not all of its rooms have been read), waiting (for its newest list to be
    confirmed), confirmed, hidden (confirmed, but its own settings keep bookings or titles off its screen), placed
    (every relay of its pool holds the list that it is to fetch), observed (it is only looked at), differs, drifted or
    rebooted (it lost its list, which is put again), overwritten (another system writes there), refused elsewhere
    (others refuse its credential, so it is not tried), failing (it is tried again), leaving (removed, or moved to
    another pool, and not let go of yet), or denied, untrusted, unsupported (a person is needed).
    """
    if state.leaving is not None:
        return "leaving"
    if state.desired is None:
        return "unread"
    if state.endpoint.kind in placing.KINDS:
        return placing.condition(state)
    receipt = state.receipt
    if receipt is None:
        return "refused elsewhere" if findings.is_refused_elsewhere(state) else "waiting"
    if state.mode == "observe" and receipt.outcome in ("confirmed", "differs"):
        return "observed"
    if findings.is_overwritten(state):
        return "overwritten"
    if receipt.outcome == "differs" and receipt.verb == "read":
        return state.found or "differs"
    if receipt.outcome == "confirmed" and receipt.revision == state.desired.revision:
        return "hidden" if findings.is_hidden(state) else "confirmed"
    if receipt.outcome == "confirmed":
        return "waiting"
    return receipt.outcome if receipt.outcome in PERMANENT or receipt.outcome == "differs" else "failing"


def is_as_before(receipt: Receipt) -> bool:
    """Whether it only says that all is still as it was: of these come many, and nobody wants to read them."""
    return receipt.verb == "read" and receipt.outcome in ("confirmed", "fetched")


def list_name(endpoint: str, revision: int) -> str:
    """What one list is called in logs, from the reading that changed it to the receipt that confirms it."""
    return f"{endpoint}/{revision}"


def is_alive(relay: RelayState, now: datetime) -> bool:
    """Whether it was heard of lately and did not say goodbye."""
    return relay.last_seen is not None and not relay.leaving and now - relay.last_seen < ALIVE


def _unanswered(
    state: EndpointState,
    desired: Desired,
    sent: Sent,
    living: tuple[RelayState, ...],
    now: datetime,
    timing: Timing,
) -> Step:
    """Wait for the answer, unless there is a newer list, or whoever took it is gone or silent for too long. Then it is
    for another relay; not for one that has missed a hello, where there is one that has not: it may have died."""
    alive = tuple(relay.name for relay in living)
    if sent.revision < desired.revision:
        return Send(verb=_aim(state), relay=_reaching(state, alive, desired.revision))
    overdue = sent.at + timing.answer
    takers = tuple(relay.name for relay in living if relay.started_at is None or relay.started_at <= sent.at)
    taker_is_gone = sent.relay not in takers if sent.relay else not takers
    if now < overdue and not taker_is_gone:
        return Wait(after=overdue - now)
    talking = tuple(relay.name for relay in living if relay.last_seen and now - relay.last_seen < TALKING)
    others = next(filter(None, (_without(talking, sent.relay), _without(alive, sent.relay))), alive)
    verb = sent.verb if _aim(state) == "put" else "read"
    return Send(verb=verb, relay=_rotate(others, sent.sequence))


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name)


def _confirmed(state: EndpointState, receipt: Receipt, alive: tuple[str, ...], now: datetime, timing: Timing) -> Step:
    """Look again after a while, through another relay than the one that confirmed."""
    unknown = state.facts is None and receipt.verb == "put"
    due = receipt.at + (min(timing.learn, timing.verify) if unknown else timing.verify)
    if now < due and not _has_restarted(state, receipt):
        return Wait(after=due - now)
    others = _without(alive, receipt.relay) or alive
    return Send(verb="read", relay=_rotate(others, receipt.sequence))


def _failed(state: EndpointState, receipt: Receipt, alive: tuple[str, ...], now: datetime, timing: Timing) -> Step:
    """It did not work: at once by a relay that has not tried, else after a while by any. At once, too, when a person
    asked, or a setting or secret changed: then failures are set to zero."""
    fresh = tuple(name for name in alive if name not in state.unreachable_from)
    verb = _again(state, receipt)
    if state.failures == 0:
        return Send(verb=verb, relay=_rotate(fresh or alive, receipt.sequence))
    if receipt.outcome in ELSEWHERE and fresh:
        return Send(verb=verb, relay=_rotate(fresh, receipt.sequence))
    due = receipt.at + max(_pause(state, receipt, timing), receipt.retry_after or timedelta(0))
    is_back = receipt.outcome == "unreachable" and _has_restarted(state, receipt)
    if now < due and not is_back:
        return Wait(after=due - now, error=receipt.detail or receipt.outcome, code=receipt.outcome, mend=receipt.mend)
    return Send(verb=verb, relay=_rotate(alive, receipt.sequence))


def _has_restarted(state: EndpointState, receipt: Receipt) -> bool:
    """Whether it said so after what was last sent, and was not looked at since."""
    return receipt.sequence <= state.restarted_sequence


def _again(state: EndpointState, receipt: Receipt) -> Verb:
    """A look that failed is a look again: it tells whether the list was lost meanwhile, and by what."""
    in_place = state.confirmed_revision == receipt.revision
    return "read" if receipt.verb == "read" and receipt.outcome != "differs" and in_place else _aim(state)


def _pause(state: EndpointState, receipt: Receipt, timing: Timing) -> timedelta:
    if receipt.outcome == "differs":
        if state.same_difference >= 3:  # putting it again does not help; now and then it may
            return timing.reassert
        if receipt.verb == "read":  # it had drifted: put it right at once
            return timedelta(0)
    return backoff(state.failures, timing)


def _permanent(state: EndpointState, desired: Desired, receipt: Receipt, now: datetime, timing: Timing) -> Step:
    """A person is needed; tried again once a day, but for a refused password, which only a new one can mend: real
    endpoints lock accounts. A list that was refused may be followed by one that is not, but no list makes a Teams Room
    take bookings. Failures are set to zero when a setting or secret changed, or a person asked."""
    again = receipt.at + timing.parked
    refused_list = receipt.outcome == "unsupported" and receipt.reason != "teams"
    other_list = refused_list and receipt.revision < desired.revision
    retried = not _may_lock(receipt) and now >= again
    if state.failures == 0 or other_list or _is_outdated(state, receipt) or retried:
        return Send(verb=_aim(state))
    after = again - now if again > now else timing.parked
    return Park(after=after, error=receipt.detail or receipt.outcome, code=receipt.outcome, mend=receipt.mend)


def _may_lock(receipt: Receipt) -> bool:
    """Whether a password was refused."""
    return receipt.outcome == "denied" and receipt.reason != "role"


def _is_outdated(state: EndpointState, receipt: Receipt) -> bool:
    """Whether a certificate was refused by a pin in whose place there is another now."""
    return receipt.outcome == "untrusted" and receipt.pin != "" and state.endpoint.pin not in ("", receipt.pin)


def _reaching(state: EndpointState, alive: tuple[str, ...], turn: int) -> str:
    """The pool's queue, unless some of its relays are known not to reach this endpoint."""
    reaching = tuple(name for name in alive if name not in state.unreachable_from)
    return "" if len(reaching) in (0, len(alive)) else _rotate(reaching, turn)


def _rotate(names: tuple[str, ...], turn: int) -> str:
    return names[turn % len(names)]


def delivery(state: EndpointState, verb: Verb, sequence: int, now: datetime, timing: Timing) -> Delivery:
    """The order itself. For `read` the list goes along, so that the relay can compare, and for `forget`, so that it can
    tell our bookings from others'. Its endpoint is in the mode that holds. One that moved to another pool is written by
    that one; one that was removed is cleared."""
    desired = state.desired
    leaving = state.leaving if verb == "forget" else None
    question = state.question if verb == "read" else None
    return Delivery(
        verb=verb,
        endpoint=replace(leaving or state.endpoint, mode=state.mode),
        clear=verb == "forget" and state.removed and state.mode == "deliver",
        revision=desired.revision if desired else 0,
        sequence=sequence,
        sent_at=now,
        act_by=now + timing.act,
        valid_until=now + timing.valid,
        bookings=desired.list.bookings if desired else (),
        ask=question.key if question else "",
        anew=question is not None and question.anew,
    )


def seen_digest(seen: Sequence[Seen], now: datetime) -> str:
    """A digest over what a driver can read back, whatever the order; what is over is left out."""
    rows = sorted((s.id, s.fields) for s in seen if s.end > now)
    return sha256(repr(rows).encode()).hexdigest()
