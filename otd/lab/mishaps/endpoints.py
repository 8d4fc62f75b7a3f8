"""Endpoints that do not take their list, do not keep it, or do not show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from otd import findings
from otd.lab.codec_state import User
from otd.lab.defaults import CODEC_USER
from otd.lab.mishaps.mishap import Act, Mishap
from otd.lab.office import ENDPOINTS, Office
from otd.lab.polycom import PolycomEndpoint, Registration
from otd.model import Facts
from otd.relay.face.credentials import new_password

ROOM = "boardroom"
CODEC = ENDPOINTS[ROOM]
Learned = Callable[[Facts], bool]


def _is_well(facts: Facts) -> bool:
    return not findings.is_amiss(facts)


def _codec(change: Act, *, learned: Learned | None = None) -> Act:
    """Something happens to the codec; then a meeting is booked. `learned`: it only shows in what the codec is."""

    def happens(office: Office) -> None:
        change(office)
        office.book(ROOM)
        office.settle(ROOM)
        if learned is not None:
            office.push(ROOM)
            office.learn(ROOM, learned)

    return happens


def _retried(change: Act, *, learned: Learned | None = None) -> Act:
    """It is mended at the codec, which is then tried again."""

    def mend(office: Office) -> None:
        change(office)
        office.do("endpoints", "retry", CODEC)
        office.settle(ROOM)
        office.push(ROOM)
        if learned is not None:
            office.learn(ROOM, learned)

    return mend


def _faults(**switches: Any) -> Act:
    def change(office: Office) -> None:
        for name, value in switches.items():
            setattr(office.codec(ROOM).faults, name, value)

    return change


def _no_faults(office: Office) -> None:
    office.codec(ROOM).faults.clear()


def _setting(name: str, value: str) -> Act:
    def change(office: Office) -> None:
        office.codec(ROOM).state.settings[f"UserInterface Bookings Visibility {name}"] = value

    return change


def _password(value: str | None) -> Act:
    def change(office: Office) -> None:
        office.codec(ROOM).change_password(CODEC_USER, value or office.scene.passwords["codec"])

    return change


def _role(*roles: str) -> Act:
    def change(office: Office) -> None:
        password = office.scene.passwords["codec"]
        office.codec(ROOM).state.users[CODEC_USER] = User(password=password, roles=frozenset(roles))

    return change


def _teams(on: bool) -> Act:
    def change(office: Office) -> None:
        office.codec(ROOM).state.teams = on

    return change


def _clock(offset: timedelta) -> Act:
    def change(office: Office) -> None:
        office.codec(ROOM).clock_offset = offset

    return change


def _pinned(office: Office) -> None:
    office.do("endpoints", "pin", CODEC, "--yes")
    office.settle(ROOM)


def _readdressed(office: Office) -> None:
    office.book(ROOM)
    address = office.codec(ROOM).address
    office.change(f'address = "{address}"', 'address = "127.0.0.1:9"')
    office.settle(ROOM)


def _as_before(office: Office) -> None:
    office.settings_as_before()
    office.settle(ROOM)


def _hides(facts: Facts) -> bool:
    return "TentativeMeetings" in facts.hides


def _is_off(facts: Facts) -> bool:
    return abs(facts.clock_offset or timedelta(0)) > findings.CLOCK


def _hidden(office: Office) -> None:
    _setting("TentativeMeetings", "Hidden")(office)
    office.book(ROOM, show_as="tentative")
    office.settle(ROOM)
    office.push(ROOM)
    office.learn(ROOM, _hides)


def _observed(office: Office) -> None:
    office.book(ROOM)
    office.change('label = "Head office"', 'label = "Head office"\nmode = "observe"')
    office.settle(ROOM)


def _cut_over(office: Office) -> None:
    office.do("pools", "cutover", "hq")
    office.settle(ROOM)


def _overwritten(office: Office) -> None:
    """Another system puts its own list again and again."""
    office.book(ROOM)
    office.settle(ROOM)
    office.codec(ROOM).faults.foreign_after = timedelta(0)
    for _ in range(2):
        office.push(ROOM)


# --- the Polycom endpoint of the huddle ---------------------------------------------------------------------------


def _without_password(office: Office) -> None:
    office.book("huddle")
    office.settle("huddle")


def _with_password(office: Office) -> None:
    """A password is made, and typed on the endpoint, which then asks for its list."""
    password = new_password()
    office.running.store.set_login("huddle-hdx", password.hashed)
    office.settle("huddle")
    _polls(office, password.clear)


def _polls(office: Office, password: str) -> None:
    faces = tuple(
        f"https://{relay.face.address}:{relay.face.port}"
        for relay in office.running.settings.relays.values()
        if relay.face
    )
    registration = Registration(urls=faces, user="huddle-hdx", password=password, email=office.scene.address("huddle"))
    with PolycomEndpoint(profile="hdx", registration=registration, interval=timedelta(milliseconds=300)):
        office.until(lambda: _is_fetched(office), "the fetch")


def _is_fetched(office: Office) -> bool:
    state = office.running.store.endpoint("huddle-hdx")
    return state.desired is not None and state.fetched_revision >= state.desired.revision


def _silent(office: Office) -> None:
    """It has a password, and nobody typed it on the endpoint."""
    office.book("huddle")
    office.running.store.set_login("huddle-hdx", new_password().hashed)
    office.settle("huddle")


def _mishap(name: str, cause: str, happens: Act, mend: Act, **more: Any) -> Mishap:
    return Mishap(name=f"endpoint: {name}", room=ROOM, cause=cause, happens=happens, mend=mend, **more)


MISHAPS = (
    _mishap(
        "switched off",
        "endpoint_unreachable",
        _codec(lambda office: office.codec(ROOM).stop()),
        _retried(lambda office: office.codec(ROOM).start()),
    ),
    _mishap("another address in the settings", "endpoint_unreachable", _readdressed, _as_before),
    _mishap("its web server is down", "endpoint_unreachable", _codec(_faults(status=502)), _retried(_no_faults)),
    _mishap("it shows a sign-in page", "password_refused", _codec(_faults(sign_in_page=True)), _retried(_no_faults)),
    _mishap(
        "it asks to wait",
        "endpoint_busy",
        _codec(_faults(status=503, headers={"Retry-After": "600"})),
        _retried(_no_faults),
    ),
    _mishap("another password", "password_refused", _codec(_password("another")), _retried(_password(None))),
    _mishap("its user is no admin", "role_missing", _codec(_role("User")), _retried(_role("Admin", "User"))),
    _mishap(
        "another certificate",
        "certificate_changed",
        _codec(lambda office: office.codec(ROOM).change_certificate()),
        _pinned,
    ),
    _mishap("it became a Teams Room", "teams_mode", _codec(_teams(on=True)), _retried(_teams(on=False))),
    _mishap("it keeps its old list", "list_differs", _codec(_faults(ignore_put=True)), _retried(_no_faults)),
    _mishap("it loses its list", "list_differs", _codec(_faults(lose_put=True)), _retried(_no_faults)),
    _mishap("another system writes there", "list_overwritten", _overwritten, _retried(_no_faults)),
    _mishap("it is only observed", "observed", _observed, _cut_over),
    _mishap(
        "its clock is wrong",
        "clock_wrong",
        _codec(_clock(timedelta(minutes=7)), learned=_is_off),
        _retried(_clock(timedelta(0)), learned=_is_well),
    ),
    _mishap(
        "it hides tentative meetings",
        "hidden",
        _hidden,
        _retried(_setting("TentativeMeetings", "Auto"), learned=_is_well),
    ),
    Mishap(
        name="a Polycom endpoint without a password",
        room="huddle",
        cause="login_missing",
        happens=_without_password,
        mend=_with_password,
    ),
    Mishap(
        name="a Polycom endpoint that does not ask",
        room="huddle",
        cause="list_not_fetched",
        happens=_silent,
        mend=_with_password,
    ),
)
