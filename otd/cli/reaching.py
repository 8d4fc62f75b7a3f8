"""Looking at endpoints from a command, never writing: with a driver of its own and what the pool's relay remembers, or
through a relay that is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from otd.errors import Missing, OtdError

if TYPE_CHECKING:
    from otd.asking import Look
    from otd.cli.checks import LookedAtPins
    from otd.model import Endpoint, EndpointState
    from otd.ports import EndpointDriver
    from otd.relay.memory import Memory
    from otd.settings import Settings
    from otd.store.sql import SqlStore

WITHIN = timedelta(seconds=30)
AT_ONCE = 16  # endpoints that are looked at from here at the same time


def relays_here(settings: Settings, endpoint: Endpoint) -> list[str]:
    """The relays of its pool whose memory is on this machine."""
    return [relay.name for relay in settings.relays.values() if relay.pool == endpoint.pool]


def state_of(settings: Settings, endpoint: Endpoint) -> EndpointState | None:
    """What the database knows of it; None while it knows nothing, or knows it at another address."""
    with suppress(Missing), opened_store(settings) as store:
        state = store.endpoint(endpoint.name)
        return state if state.endpoint.is_same_place(endpoint) else None
    return None


@contextmanager
def memory_of(settings: Settings, relay: str) -> Iterator[Memory]:
    """What the relay remembers."""
    from otd import wiring

    memory = wiring.memory(settings, relay)
    try:
        yield memory
    finally:
        memory.close()


def look_at(
    settings: Settings, states: Sequence[EndpointState], *, within: timedelta = WITHIN, anew: bool = False
) -> Mapping[str, Look | OtdError]:
    """What each of these endpoints shows beside what it should, by name, or why that is not known; with `anew` also
    what it is. With [bus] a relay of its pool looks, else this process; `within` is how long it may take for each."""
    from otd.cli.output import progress

    found: dict[str, Look | OtdError] = {}
    where = states[0].endpoint.address if len(states) == 1 else f"{len(states)} endpoints"
    way = "asking" if settings.bus is None else "having relays ask"
    with progress(lambda: f"{way} {where}" + (f": {len(found)} done" if len(states) > 1 else "")):
        if settings.bus is None:
            _look_from_here(settings, states, within, found, anew=anew)
        else:
            _look_elsewhere(settings, states, within, found, anew=anew)
    return found


def _look_from_here(
    settings: Settings,
    states: Sequence[EndpointState],
    within: timedelta,
    found: dict[str, Look | OtdError],
    *,
    anew: bool,
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def look(state: EndpointState) -> None:
        try:
            found[state.endpoint.name] = _looked(settings, state, within, anew=anew)
        except OtdError as error:
            found[state.endpoint.name] = error

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(look, states))


def _looked(settings: Settings, state: EndpointState, within: timedelta, *, anew: bool) -> Look:
    from otd.asking import Look
    from otd.placing import KINDS, coming
    from otd.wiring import SystemClock

    endpoint = state.endpoint
    if anew:  # so many questions take seconds with a password in each
        endpoint = replace(endpoint, session=True)
    bookings = state.desired.list.bookings if state.desired else ()
    with looking(settings, endpoint) as (driver, pins):
        facts = driver.facts(endpoint, within=within) if anew else None
        due = coming(bookings, SystemClock().now()) if endpoint.kind in KINDS else bookings
        wanted, held = driver.seen(endpoint, due), driver.read(endpoint, within=within)
    return Look(wanted=wanted, held=held, facts=facts, certificate=pins.shown or endpoint.trust)


def _look_elsewhere(
    settings: Settings,
    states: Sequence[EndpointState],
    within: timedelta,
    found: dict[str, Look | OtdError],
    *,
    anew: bool,
) -> None:
    from otd.asking import Asking

    with opened_store(settings) as store:
        known = {state.endpoint.name: state.endpoint for state in store.endpoints() if not state.removed}
        asked = []
        for state in states:
            name, there = state.endpoint.name, known.get(state.endpoint.name)
            try:
                refuse_what_only_fetches(state.endpoint)
                if there is None or not there.is_same_place(state.endpoint):
                    mend = "start `otd run` or a worker with these settings"
                    raise Missing(f"endpoint {name}", "the database does not know it at this address yet", mend)
                asked.append(state)
            except OtdError as error:
                found[name] = error
        with Asking(store, found, within=within, anew=anew) as asking:
            asking.run(asked)


def refuse_what_only_fetches(endpoint: Endpoint) -> None:
    """Raises Unsupported for an endpoint of which nothing says how it is asked itself."""
    from otd.errors import Unsupported
    from otd.placing import KINDS, can_be_looked_at

    if endpoint.kind in KINDS and not can_be_looked_at(endpoint):
        why = "it fetches its list, and nothing says how its own interface is asked"
        mend = "give it address and credential; `otd status` and `otd endpoints polls` say what it got"
        raise Unsupported(endpoint.name, why, mend)


@contextmanager
def looking(settings: Settings, endpoint: Endpoint) -> Iterator[tuple[EndpointDriver, LookedAtPins]]:
    """A driver for looking at this endpoint, as its `pin` says or else as its relay pinned it; nothing is pinned by
    looking. Raises Unsupported for one that only fetches."""
    from otd import wiring
    from otd.cli.checks import LookedAtPins

    refuse_what_only_fetches(endpoint)
    relays = relays_here(settings, endpoint)
    if not relays:
        raise Missing(f"pool {endpoint.pool}", "no relay is in its pool", "add one to [relays]")
    with memory_of(settings, relays[0]) as memory:
        pins = LookedAtPins(memory, endpoint.pin)
        driver = wiring.drivers(settings, pins)[endpoint.kind]
        try:
            yield driver, pins
        finally:
            driver.close()


@contextmanager
def opened_store(settings: Settings, *, make: bool = False) -> Iterator[SqlStore]:
    """The database. Raises Missing when there is none yet, unless it is to be made."""
    from otd import wiring

    if not make and not wiring.has_database(settings):
        raise Missing(str(settings.run.database_file), "there is no database yet", "start `otd run` once")
    store = wiring.store(settings)
    try:
        yield store
    finally:
        store.close()
