"""Reading back what simulated Polycom endpoints show."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse, Response

from otd.endpoints import polycom_documents as documents
from otd.endpoints.polycom_readback import PolycomReadback
from otd.errors import BadSetting, Denied, Garbled, Missing, OtdError, Unreachable, Unsupported, Untrusted
from otd.lab.certificates import self_signed
from otd.lab.polycom import PolycomEndpoint
from otd.lab.server import App, Receive, Scope, Send, Server
from otd.lab.wire import Silence
from otd.model import Booking, DialString, Endpoint, Window
from otd.outbound import fingerprint, pinned_trust
from tests.adapters.polycom_lab import ALIAS, SOON, T0, ByHand, an_item, endpoint_at

WINDOW = Window(start=T0, end=T0 + timedelta(days=7))
BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
ADMIN = "admin-1"
TOKENLESS = '<t:Body BodyType="Text">nothing to dial</t:Body>'


class Secrets:
    def __init__(self, secret: str = f"admin:{ADMIN}") -> None:
        self.secret = secret

    def get(self, name: str) -> str:
        return self.secret


def a_readback(pin: str = "", secret: str = f"admin:{ADMIN}") -> PolycomReadback:
    def accept(der: bytes) -> None:
        if fingerprint(der) != pin:
            raise Untrusted("poly", "another certificate")

    return PolycomReadback(secrets=Secrets(secret), trust=lambda endpoint: pinned_trust(accept))


def an_endpoint(address: str, **overrides: Any) -> Endpoint:
    usual = {"name": "poly", "kind": "polycom", "address": address, "pool": "hq", "rooms": ("blue",), "model": "gs"}
    return Endpoint(**(usual | {"credential": "poly-admin"} | overrides))


def a_booking(n: int, **overrides: Any) -> Booking:
    start = T0 + timedelta(hours=n)
    usual: dict[str, Any] = {
        "id": f"b{n}",
        "room": "blue",
        "title": "Weekly",
        "start": start,
        "end": start + timedelta(minutes=30),
        "dial": DialString(protocol="sip", uri=ALIAS),
    }
    return Booking(**(usual | overrides))


@contextmanager
def showing(profile: str, *items: str, zone: str = "UTC") -> Iterator[PolycomEndpoint]:
    with Server(ByHand(*items)) as server, endpoint_at(server.url, profile=profile, zone=zone) as unit:
        unit.poll()
        yield unit


def both(unit: PolycomEndpoint, model: str) -> list[tuple[PolycomReadback, Endpoint]]:
    """Its interfaces: REST where it has it, and the command line."""
    line = an_endpoint(f"127.0.0.1:{unit.command_port}", model=model, trust="plaintext-http")
    rest = [(a_readback(unit.fingerprint), an_endpoint(unit.address, model=model))] if unit.url else []
    return [*rest, (a_readback(), line)]


@pytest.mark.parametrize("profile", ["hdx", "gs", "videoos"])
def test_what_is_on_the_screen_is_what_was_served(profile: str) -> None:
    with showing(profile, an_item(1), an_item(2, Body=TOKENLESS), zone="Europe/Berlin") as unit:
        for readback, endpoint in both(unit, profile):
            found = readback.read(endpoint, WINDOW, BERLIN, within=SOON)
            wanted = (
                readback.seen(endpoint, a_booking(1), "AAA1="),
                readback.seen(endpoint, a_booking(2, dial=None), "AAA2="),
            )
            assert found == wanted
        assert unit.sessions == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "Monthly"}, "title"),
        ({"start": T0 + timedelta(minutes=59)}, "start"),
        ({"end": T0 + timedelta(minutes=91)}, "end"),
        ({"dial": None}, "number"),
    ],
)
def test_a_difference_shows_in_its_field(changes: dict[str, Any], field: str) -> None:
    with showing("gs", an_item(1)) as unit:
        for readback, endpoint in both(unit, "gs"):
            (found,) = readback.read(endpoint, WINDOW, UTC_ZONE, within=SOON)
            wanted = readback.seen(endpoint, a_booking(1, **changes), "AAA1=")
            differing = {name for name, _ in set(found.fields) ^ set(wanted.fields)}
            assert differing == {"join" if field == "number" and endpoint.trust == "pin" else field}


def test_only_the_window_is_read() -> None:
    with showing("gs", an_item(1), an_item(3)) as unit:
        window = Window(start=T0 + timedelta(hours=2), end=T0 + timedelta(days=1))
        for readback, endpoint in both(unit, "gs"):
            assert [one.id for one in readback.read(endpoint, window, UTC_ZONE, within=SOON)] == ["AAA3="]


def test_a_subject_with_a_bar_and_seconds_are_read_alike_by_both() -> None:
    item = an_item(1, Subject="<t:Subject>One | two</t:Subject>", Start="<t:Start>2026-01-05T10:00:20Z</t:Start>")
    with showing("gs", item) as unit:
        for readback, endpoint in both(unit, "gs"):
            (found,) = readback.read(endpoint, WINDOW, UTC_ZONE, within=SOON)
            assert dict(found.fields) | {"number": "", "join": ""} == {
                "start": "2026-01-05T10:00Z",
                "end": dict(found.fields)["end"],
                "title": "One | two",
                "number": "",
                "join": "",
            }


def test_odd_line_ends_and_other_units_are_read() -> None:
    with showing("gs", an_item(1)) as unit:
        usual = [readback.read(endpoint, WINDOW, UTC_ZONE, within=SOON) for readback, endpoint in both(unit, "gs")]
        unit.habits.odd_line_ends, unit.habits.rest_times = True, "seconds"
        odd = [readback.read(endpoint, WINDOW, UTC_ZONE, within=SOON) for readback, endpoint in both(unit, "gs")]
        assert odd == usual


def test_many_reads_leave_no_session_and_lock_nothing_up() -> None:
    with showing("gs", an_item(1)) as unit:
        unit.habits.most_sessions = 1
        readback, endpoint = both(unit, "gs")[0]
        for _ in range(3):
            readback.read(endpoint, WINDOW, UTC_ZONE, within=SOON)
        assert (unit.sessions, unit.locked_up) == (0, False)


def test_a_wrong_password_is_tried_once_and_said() -> None:
    with showing("gs") as unit:
        for _, endpoint in both(unit, "gs"):
            with pytest.raises(Denied) as said:
                a_readback(unit.fingerprint, "admin:kmw4").read(endpoint, WINDOW, UTC_ZONE, within=SOON)
            assert "kmw4" not in str(said.value)
        with pytest.raises(BadSetting) as mistake:
            a_readback(secret="kmw4").read(endpoint, WINDOW, UTC_ZONE, within=SOON)
        assert "kmw4" not in str(mistake.value)


def test_another_certificate_gets_no_password() -> None:
    with showing("gs") as unit, pytest.raises(Untrusted):
        a_readback(self_signed("other").fingerprint).read(an_endpoint(unit.address), WINDOW, UTC_ZONE, within=SOON)


def test_the_line_in_the_clear_has_to_be_asked_for_in_words() -> None:
    with pytest.raises(BadSetting, match="plaintext-http"):
        a_readback().read(an_endpoint("192.0.2.1", model="hdx"), WINDOW, UTC_ZONE, within=SOON)


def test_a_trio_cannot_be_read_back() -> None:
    with pytest.raises(Unsupported):
        a_readback().read(an_endpoint("192.0.2.1", model="trio"), WINDOW, UTC_ZONE, within=SOON)


# --- hostile ------------------------------------------------------------------------------------------------------


@contextmanager
def a_line(speak: Callable[[socket.socket], None]) -> Iterator[Endpoint]:
    """Somebody who listens on a port and says what he likes."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                speak(connection)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield an_endpoint(f"127.0.0.1:{listening.getsockname()[1]}", trust="plaintext-http")
        thread.join()


def silent(connection: socket.socket) -> None:
    while connection.recv(100):
        pass


def endless(connection: socket.socket) -> None:
    connection.sendall(b"Password: Welcome\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def leaving(connection: socket.socket) -> None:
    connection.sendall(b"Pass")


def lying(*lines: str) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(("Hello", *lines, "")).encode())
        silent(connection)

    return speak


@pytest.mark.parametrize(
    ("speak", "error"),
    [
        (silent, Unreachable),
        (endless, Garbled),
        (leaving, Unreachable),
        (lying("error: command not found"), Missing),
        (lying("calendarmeetings list begin", "meeting|a b|x", "calendarmeetings list end"), Garbled),
        (
            lying(
                *("calendarmeetings list begin", "meeting|A|x|y|z", "calendarmeetings list end"),
                *("calendarmeetings info start", "subject|z", "calendarmeetings info end"),
            ),
            Garbled,
        ),
    ],
)
def test_a_line_that_is_none_ends_in_an_error_and_in_time(
    speak: Callable[[socket.socket], None], error: type[OtdError]
) -> None:
    with a_line(speak) as endpoint, pytest.raises(error):
        a_readback().read(endpoint, WINDOW, UTC_ZONE, within=timedelta(milliseconds=500))


@contextmanager
def rest_of(app: App) -> Iterator[tuple[PolycomReadback, Endpoint]]:
    with Server(app, tls=True) as server:
        yield a_readback(server.fingerprint), an_endpoint(f"127.0.0.1:{server.port}")


class Answering:
    """A REST interface whose calendar answers what a test likes."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        if scope["path"].endswith("/meetings"):
            await self.answer(scope, receive, send)  # type: ignore[operator]
            return
        response = JSONResponse({"success": True})
        response.set_cookie("session_id", "PS1")
        await response(scope, receive, send)


def answers() -> list[tuple[object, type[OtdError]]]:
    return [
        (Silence(), Unreachable),
        (Response(status_code=500), Unreachable),
        (Response(status_code=404), Missing),
        (Response(status_code=302, headers={"Location": "https://example.com/"}), Unreachable),
        (Response("<html>"), Garbled),
        (JSONResponse({}), Garbled),
        (JSONResponse([{"id": "A"}]), Garbled),
        (JSONResponse([{"id": "A", "startTime": 10**30, "duration": 1}]), Garbled),
        (JSONResponse([7]), Garbled),
        (JSONResponse([{}] * 501), Garbled),
        (Response("[" * 100_000), Garbled),
        (Response("x" * (5 * 1024 * 1024)), Garbled),
    ]


@pytest.mark.parametrize(("answer", "error"), answers())
def test_whatever_a_calendar_answers_the_session_is_ended(answer: object, error: type[OtdError]) -> None:
    app = Answering(answer)
    with rest_of(app) as (readback, endpoint):
        with pytest.raises(error):
            readback.read(endpoint, WINDOW, UTC_ZONE, within=timedelta(milliseconds=800))
        assert app.asked[-1] == "DELETE /rest/session"


def test_times_to_the_minute_are_all_that_is_compared() -> None:
    start = datetime(2026, 1, 5, 10, 0, 40, tzinfo=UTC)
    seen = documents.seen(a_booking(1, start=start), "A", "rest")
    assert dict(seen.fields)["start"] == "2026-01-05T10:00Z"
    assert "Weekly" not in repr(seen)
