"""Looking at endpoints from a command: with a driver of its own and what the pool's relay remembers, never writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from otd.errors import Missing

if TYPE_CHECKING:
    from otd.cli.checks import LookedAtPins
    from otd.model import Endpoint, EndpointState
    from otd.ports import EndpointDriver
    from otd.relay.memory import Memory
    from otd.settings import Settings
    from otd.store.sql import SqlStore

WITHIN = timedelta(seconds=30)


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


@contextmanager
def looking(settings: Settings, endpoint: Endpoint) -> Iterator[tuple[EndpointDriver, LookedAtPins]]:
    """A driver for looking at this endpoint, as its `pin` says or else as its relay pinned it; nothing is pinned by
    looking. Raises Unsupported for one that only fetches."""
    from otd import wiring
    from otd.cli.checks import LookedAtPins
    from otd.errors import Unsupported
    from otd.placing import KINDS, can_be_looked_at

    if endpoint.kind in KINDS and not can_be_looked_at(endpoint):
        why = "it fetches its list, and nothing says how its own interface is asked"
        mend = "give it address and credential; `otd status` and `otd endpoints polls` say what it got"
        raise Unsupported(endpoint.name, why, mend)
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
