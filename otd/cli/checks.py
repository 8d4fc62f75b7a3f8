"""What `otd check` tries: one function for each kind of thing, each giving one Line. No endpoint is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from otd.errors import Missing, OtdError, Retryable, Untrusted
from otd.model import Complete, Empty, Endpoint, Failed, Room, Window

if TYPE_CHECKING:
    from otd.ports import Calendar, Clock, EndpointDriver, Pins, Secrets
    from otd.settings import Settings

CALENDAR_WITHIN = timedelta(seconds=30)
ENDPOINT_WITHIN = timedelta(seconds=20)
AHEAD = timedelta(days=1)
AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was tried: what, the result, and when it failed the consequence and what to do."""

    kind: str
    name: str
    tried: str
    ok: bool
    result: str
    consequence: str = ""
    mend: str = ""


Check = Callable[[], Line]


def run_all(checks: Sequence[Check]) -> Iterator[Line]:
    """The lines in the order of the checks, each when it is there; several checks are under way at once."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(lambda check: check(), checks)


def everything(settings: Settings) -> list[Check]:
    """All that can be tried with these settings, in the order in which a person reads it."""
    from otd import wiring

    clock = wiring.SystemClock()
    secrets = wiring.secrets(settings)
    checks: list[Check] = [partial(check_database, settings)]
    checks += [partial(check_secret, secrets, name, users) for name, users in settings.secret_names().items()]
    for name in settings.calendars:
        rooms = [room for room in settings.rooms.values() if room.calendar == name]
        if settings.calendars[name].is_online:
            checks.append(partial(check_credential, settings, name, clock))
        checks.append(partial(check_calendar, name, partial(wiring.calendar, settings, name), rooms, clock))
    checks += [partial(check_relay, settings, name) for name in settings.relays]
    pins = _known_pins(settings)
    checks += [partial(_through_its_pool, settings, one, pins.get(one.name, "")) for one in settings.endpoints.values()]
    return checks


def _known_pins(settings: Settings) -> dict[str, str]:
    """The certificates that the centre knows endpoints by; none where the database does not open, which another line
    tells of."""
    from otd.cli.reaching import opened_store

    with suppress(OtdError), opened_store(settings) as store:
        known = {state.endpoint.name: state.endpoint for state in store.endpoints()}
        there = [one for one in settings.endpoints.values() if one.name in known and one.is_same_place(known[one.name])]
        return {one.name: known[one.name].pin for one in there}
    return {}


def failed(kind: str, name: str, tried: str, error: OtdError, consequence: str, mend: str = "") -> Line:
    """The line of an error; `mend` is for one that brings none of its own and that may heal."""
    return Line(
        kind=kind,
        name=name,
        tried=tried,
        ok=False,
        result=f"{error.code}, {error.why}",
        consequence=consequence,
        mend=error.mend or (mend if isinstance(error, Retryable) else ""),
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number or 'no'} {thing}s"


# --- what OTD itself needs ----------------------------------------------------------------------------------------


def check_database(settings: Settings) -> Line:
    """Whether the key fits and the database opens; one that is not there yet is not made."""
    from otd import wiring

    path = settings.run.database_file
    name = path.name if path is not None else settings.run.database.rpartition("@")[2]
    try:
        if path is not None and not path.exists():
            wiring.database_key(settings)
            if not path.parent.is_dir():
                raise Missing(str(path), f"there is no folder {path.parent}", "make it, or change [run] database")
            return Line(
                kind="database",
                name=name,
                tried="looked for it",
                ok=True,
                result="not there yet; otd run makes it",
            )
        store = wiring.store(settings)
        try:
            rooms, endpoints = len(store.rooms()), len(store.endpoints())
        finally:
            store.close()
    except OtdError as error:
        return failed("database", name, "opened it", error, "nothing works without it")
    result = f"opens, knows {_counted(rooms, 'room')} and {_counted(endpoints, 'endpoint')}"
    return Line(kind="database", name=name, tried="opened it", ok=True, result=result)


def check_secret(secrets: Secrets, name: str, users: Sequence[str]) -> Line:
    """Whether there is a secret of this name. Its value is not looked at."""
    tried = "looked it up"
    try:
        secrets.get(name)
    except OtdError as error:
        return failed("secret", name, tried, error, f"{' and '.join(users)} cannot work")
    return Line(kind="secret", name=name, tried=tried, ok=True, result="found")


def check_credential(settings: Settings, name: str, clock: Clock) -> Line:
    """When the credential of a calendar in Exchange Online ends."""
    from otd import wiring

    tried = "looked when it ends"
    try:
        expiry = wiring.credential_expiry(settings, name)
    except OtdError as error:
        return failed("credential", name, tried, error, "no room of it can be read")
    if expiry is None or expiry.at is None:
        result = "a secret does not say; write secret_expires, to be warned 30 days ahead"
        return Line(kind="credential", name=name, tried=tried, ok=True, result=result)
    now, mend = clock.now(), "make a new one in Entra ID and store it"
    result = f"the {expiry.what} ends on {expiry.at:%Y-%m-%d}"
    if expiry.at <= now:
        result, consequence = f"the {expiry.what} ended on {expiry.at:%Y-%m-%d}", "no room of it can be read"
        return Line(
            kind="credential", name=name, tried=tried, ok=False, result=result, consequence=consequence, mend=mend
        )
    if expiry.is_near(now):
        result += f", in {_counted((expiry.at - now).days, 'day')}: {mend} before"
    return Line(kind="credential", name=name, tried=tried, ok=True, result=result)


# --- calendars ----------------------------------------------------------------------------------------------------


def check_calendar(
    name: str,
    make: Callable[[], Calendar],
    rooms: Sequence[Room],
    clock: Clock,
    *,
    within: timedelta = CALENDAR_WITHIN,
) -> Line:
    """Read the next day of the calendar's first room."""
    if not rooms:
        return Line(kind="calendar", name=name, tried="nothing, as no room uses it", ok=True, result="not used")
    room, now = rooms[0], clock.now()
    tried = f"read the next day of room {room.name}"
    consequence = f"what {_counted(len(rooms), 'room')} of it show stays as it is"
    mend = "can this machine reach it, and is the address right? Then try again in a while"
    try:
        calendar = make()
        try:
            reading = calendar.read(room, Window(start=now, end=now + AHEAD), within=within)
        finally:
            calendar.close()
    except OtdError as error:
        return failed("calendar", name, tried, error, consequence, mend)
    if isinstance(reading, Failed):
        return failed("calendar", name, tried, reading.error, consequence, mend)
    return Line(kind="calendar", name=name, tried=tried, ok=True, result=_what_was_read(reading))


def _what_was_read(reading: Complete | Empty) -> str:
    unusable = f", and {len(reading.problems)} that cannot be used: {reading.problems[0]}" if reading.problems else ""
    return _counted(len(reading.meetings), "meeting") + unusable


# --- relays and endpoints -----------------------------------------------------------------------------------------


def check_relay(settings: Settings, name: str) -> Line:
    """Whether the relay can keep what it must remember."""
    from otd import wiring

    pool = settings.relays[name].pool
    tried = "opened its memory"
    try:
        wiring.memory(settings, name).close()
    except OtdError as error:
        return failed("relay", name, tried, error, f"it cannot start, and pool {pool} is without it")
    count = sum(endpoint.pool == pool for endpoint in settings.endpoints.values())
    return Line(
        kind="relay", name=name, tried=tried, ok=True, result=f"ready; pool {pool} has {_counted(count, 'endpoint')}"
    )


class LookedAtPins:
    """The pins of a relay, to be looked at only: a certificate that is seen for the first time is not pinned. `known`
    is what the centre knows an endpoint by, "" for nothing: it counts more than what the relay remembers."""

    def __init__(self, pins: Pins, known: str = "") -> None:
        self._pins, self._known = pins, known
        self.shown = ""  # the fingerprint of the certificate that the endpoint showed
        self.new = False  # whether it would be pinned

    def get(self, endpoint: str) -> str:
        return self._known or self._pins.get(endpoint)

    def pin(self, endpoint: str, fingerprint: str) -> str:
        held = self.get(endpoint)
        self.shown, self.new = fingerprint, not held
        return held or fingerprint


def _through_its_pool(settings: Settings, endpoint: Endpoint, pin: str) -> Line:
    from otd import wiring

    if settings.bus is not None:
        result = f"its relays are elsewhere, `otd endpoints probe {endpoint.name}` has one of them try it"
        return Line(kind="endpoint", name=endpoint.name, tried="nothing from here", ok=True, result=result)
    relay = next((relay.name for relay in settings.relays.values() if relay.pool == endpoint.pool), "")
    try:
        if not relay:
            raise Missing(f"pool {endpoint.pool}", "no relay is in its pool", "add one to [relays]")
        memory = wiring.memory(settings, relay)
    except OtdError as error:
        return failed("endpoint", endpoint.name, "nothing", error, "nothing reaches its screen")
    try:
        pins = LookedAtPins(memory, pin)
        driver = wiring.drivers(settings, pins)[endpoint.kind]
        try:
            return check_endpoint(driver, endpoint, pins)
        finally:
            driver.close()
    finally:
        memory.close()


def check_endpoint(
    driver: EndpointDriver, endpoint: Endpoint, pins: LookedAtPins, *, within: timedelta = ENDPOINT_WITHIN
) -> Line:
    """Read the endpoint's list."""
    tried = f"read its bookings at {endpoint.address}"
    try:
        count = len(driver.read(endpoint, within=within))
    except Untrusted as error:
        consequence = "nothing is sent to it, its screen stays as it is"
        return failed("endpoint", endpoint.name, tried, error, consequence)
    except OtdError as error:
        consequence = "its screen stays as it is and follows no change"
        return failed("endpoint", endpoint.name, tried, error, consequence, _mend_of_address(endpoint.address))
    result = f"answers, holds {_counted(count, 'booking')}"
    if pins.new:
        result += f"; its certificate will be pinned when it is first used: {pins.shown}"
    return Line(kind="endpoint", name=endpoint.name, tried=tried, ok=True, result=result)


def _mend_of_address(address: str) -> str:
    if address.startswith("127."):
        return "is `otd lab` running?"
    return "is it on, is the address right, and does a firewall stand between?"
