"""The simulated Polycom endpoints' own interfaces: commands on a line, REST, and Trio's REST."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from otd.lab.polycom import PolycomEndpoint
from otd.lab.server import Server
from tests.adapters.polycom_lab import ALIAS, SOON, ByHand, an_item, endpoint_at

PRIVATE = "<t:Sensitivity>Private</t:Sensitivity>"
ADMIN = "admin-1"
TOKENLESS = '<t:Body BodyType="Text">nothing to dial</t:Body>'


@contextmanager
def showing(profile: str, *items: str, polled: bool = True, zone: str = "UTC") -> Iterator[PolycomEndpoint]:
    with Server(ByHand(*items)) as server, endpoint_at(server.url, profile=profile, zone=zone) as unit:
        if polled:
            unit.poll()
        yield unit


# --- commands -----------------------------------------------------------------------------------------------------


@dataclass
class Telnet:
    """A connection to the command port."""

    socket: socket.socket
    rest: bytes = b""

    def until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.rest!r}"
            self.rest += more
        found, _, self.rest = self.rest.partition(mark)
        return found

    def send(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def ask(self, line: str, *, last: str = "") -> list[str]:
        """The answer: one line, or all up to the last one."""
        self.send(line)
        if not last:
            return [self.until(b"\r\n").decode()]
        return [*self.until(last.encode() + b"\r\n").decode().split("\r\n")[:-1], last]

    def list(self, *times: str) -> list[str]:
        wanted = " ".join(f'"{time}"' for time in times)
        return self.ask(f"calendarmeetings list {wanted}", last="calendarmeetings list end")[1:-1]


@contextmanager
def telnet(unit: PolycomEndpoint) -> Iterator[Telnet]:
    with socket.create_connection(("127.0.0.1", unit.command_port), timeout=5) as connection:
        line = Telnet(connection)
        line.until(b"Password: ")
        line.send(ADMIN)
        line.until(b"Software Version: ")
        line.until(b"\r\n")
        yield line


@pytest.mark.parametrize("profile", ["hdx", "gs", "videoos"])
def test_the_command_line_lists_what_is_on_the_screen(profile: str) -> None:
    with showing(profile, an_item(1), an_item(2, Body=TOKENLESS)) as unit, telnet(unit) as line:
        assert line.list("today") == [
            "meeting|AAA1=|2026-01-05:10:00|2026-01-05:10:30|Weekly",
            "meeting|AAA2=|2026-01-05:11:00|2026-01-05:11:30|Weekly",
        ]
        assert line.ask('calendarmeetings info "AAA1="', last="calendarmeetings info end") == [
            "calendarmeetings info start",
            "id|AAA1=",
            "2026-01-05:10:00|2026-01-05:10:30|dialable|public",
            "organizer|Ann",
            "location|Room 1",
            "subject|Weekly",
            f"dialingnumber|video|{ALIAS}|sip",
            "meetingpassword|none",
            "calendarmeetings info end",
        ]
        info = line.ask('calendarmeetings info "AAA2="', last="calendarmeetings info end")
        assert not any(said.startswith("dialingnumber") for said in info)
        assert info[2].split("|")[2] != "dialable"


def test_times_are_those_of_the_place_where_the_endpoint_stands() -> None:
    with showing("gs", an_item(1), zone="Europe/Berlin") as unit, telnet(unit) as line:
        assert line.list("today") == ["meeting|AAA1=|2026-01-05:11:00|2026-01-05:11:30|Weekly"]
        assert line.list("today:11:30") == []
        assert len(line.list("2026-01-05:11:00", "2026-01-05:11:01")) == 1
        assert line.list("tomorrow") == []
        assert line.list("2025-12-01") == []  # a span ends after 31 days
        assert len(line.list("2025-12-06", "2026-02-01")) == 1


def test_private_meetings_are_hidden_when_the_endpoint_is_set_so() -> None:
    with showing("gs", an_item(1, Sensitivity=PRIVATE)) as unit, telnet(unit) as line:
        assert line.list("today")[0].endswith("|Weekly")
        assert line.ask("calendarshowpvtmeetings no") == ["calendarshowpvtmeetings no"]
        assert line.list("today")[0].endswith("|private meeting")
        info = line.ask('calendarmeetings info "AAA1="', last="calendarmeetings info end")
        assert info[2].endswith("|dialable|private")
        assert "subject|private meeting" in info


def test_the_calendar_is_established_after_a_good_poll_only() -> None:
    with showing("gs", an_item(1), polled=False) as unit, telnet(unit) as line:
        assert line.ask("calendarstatus get") == ["calendarstatus unavailable"]
        assert "calendar offline" in line.ask("status", last="status end")
        unit.poll()
        assert line.ask("calendarstatus get") == ["calendarstatus established"]
        assert line.ask("calendarregisterwithserver no") == ["calendarregisterwithserver no"]
        assert line.ask("calendarstatus get") == ["calendarstatus unavailable"]
        assert unit.status == "DISABLED"


def test_where_and_as_whom_it_is_registered_can_be_set_but_the_password_never_read() -> None:
    with showing("gs", polled=False) as unit, telnet(unit) as line:
        assert line.ask('calendarserver set "otd.example.com"') == ['calendarserver "otd.example.com"']
        assert unit.registration.urls == ("https://otd.example.com",)
        assert line.ask('calendaruser set "OTD\\poly1"') == ['calendaruser "OTD\\poly1"']
        assert line.ask('calendarpassword set "secret"') == ['calendarpassword ""']
        assert unit.registration.password == "secret"
        assert line.ask("calendarresource get") == ['calendarresource "huddle@example.com"']


def test_calls_can_be_made_and_ended() -> None:
    with showing("gs", polled=False) as unit, telnet(unit) as line:
        assert line.ask("callinfo all") == ["system is not in a call"]
        assert line.ask(f'dial manual "1920" "{ALIAS}" sip') == [f'dialing manual "1920" "{ALIAS}" sip']
        assert line.ask("callinfo all", last="callinfo end")[1].startswith(f"callinfo:1::{ALIAS}:")
        assert line.ask("hangup all") == ["hanging up all"]
        assert [call.address for call in unit.dialled] == [ALIAS]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("whoami", "Hi, my name is : polycom"),
        ("uptime get", "uptime 0 days, 0 hours, 0 minutes"),
        ("systemsetting get model", 'systemsetting model "RealPresence Group 500"'),
        ("notify calendarmeetings", "notify calendarmeetings success"),
        ("calendarmeetings create", "error: command has illegal parameters"),
        ('calendarmeetings info "no such id"', "error: command has illegal parameters"),
        ('calendarmeetings list "soon"', "error: command has illegal parameters"),
        ('calendarmeetings list "2026-02-30"', "error: command has illegal parameters"),
        ('calendarmeetings list "today:25:00"', "error: command has illegal parameters"),
        ('calendarmeetings list "', "error: command has illegal parameters"),
        ("calendarstatus", "error: command has illegal parameters"),
        ("bookings put", "error: command not found"),
    ],
)
def test_a_command_is_answered_or_refused_in_a_line(command: str, said: str) -> None:
    with showing("gs", polled=False) as unit, telnet(unit) as line:
        assert line.ask(command) == [said]


def test_without_the_password_there_are_no_commands() -> None:
    with showing("gs", polled=False) as unit:
        with socket.create_connection(("127.0.0.1", unit.command_port), timeout=5) as connection:
            line = Telnet(connection)
            for _ in range(3):
                line.until(b"Password: ")
                line.send("calendarstatus get")
                line.until(b"Password failed\r\n")
            assert connection.recv(1) == b""
        with telnet(unit) as line:
            line.send("exit")
            assert line.until(b"bye\r\n") == b""


def test_a_line_without_an_end_is_cut_off() -> None:
    with showing("gs", polled=False) as unit, telnet(unit) as line:
        line.socket.sendall(b"x" * 5000)
        with pytest.raises((AssertionError, ConnectionResetError)):
            line.until(b"\r\n")


def test_some_versions_end_lines_oddly() -> None:
    with showing("gs") as unit:
        unit.habits.odd_line_ends = True
        with telnet(unit) as line:
            assert line.ask("calendarstatus get") == ["calendarstatus established\r"]


# --- REST ---------------------------------------------------------------------------------------------------------


@contextmanager
def client(unit: PolycomEndpoint, **how: Any) -> Iterator[httpx.Client]:
    verify = ssl.create_default_context(cadata=unit.certificate)
    settings = {"base_url": unit.url, "verify": verify, "trust_env": False, "timeout": 5.0} | how
    with httpx.Client(**settings) as http:
        yield http


def login(http: httpx.Client, password: str = ADMIN, path: str = "/rest/session") -> httpx.Response:
    answer = http.post(path, json={"user": "admin", "password": password, "action": "Login"})
    http.headers["x-xsrf-token"] = http.cookies.get("XSRF-TOKEN", "")
    return answer


@contextmanager
def rest(unit: PolycomEndpoint) -> Iterator[httpx.Client]:
    with client(unit) as http:
        assert login(http).json()["success"]
        yield http
        assert http.delete("/rest/session").status_code == 200


@pytest.mark.parametrize("profile", ["gs", "videoos"])
def test_rest_lists_what_is_on_the_screen_and_joins_it(profile: str) -> None:
    with showing(profile, an_item(1), an_item(2, Body=TOKENLESS)) as unit, rest(unit) as http:
        assert http.get("/rest/calendar").json() == {"status": "ONLINE"}
        one, other = http.get("/rest/calendar/meetings", params={"number": 10}).json()
        assert (one["id"], one["subject"], one["duration"], one["canDial"]) == ("AAA1=", "Weekly", 30, True)
        assert one["startTime"] == 1767607200000
        assert not other["canDial"]
        assert http.get(f"/rest/calendar/meetings/{quote('AAA1=', safe='')}").json() == one
        assert http.post(f"/rest/calendar/meetings/{quote('AAA2=', safe='')}").status_code == 400
        assert http.post(f"/rest/calendar/meetings/{quote('AAA1=', safe='')}").json() == {"success": True}
        assert [(call.address, call.meeting) for call in unit.dialled] == [(ALIAS, "AAA1=")]
        assert http.get("/rest/calendar/meetings/none").status_code == 404
    assert unit.sessions == 0


def test_rest_gives_the_span_and_the_number_that_is_asked_for() -> None:
    with showing("videoos", an_item(1), an_item(2)) as unit, rest(unit) as http:
        ten = 1767607200
        for params, count in (
            ({"start": ten, "end": ten + 60}, 1),
            ({"start": ten + 3600 * 3, "end": ten + 3600 * 4}, 0),
            ({"number": 1}, 1),
        ):
            assert len(http.get("/rest/calendar/meetings", params=params).json()) == count
        assert http.get("/rest/calendar/meetings", params={"start": "today"}).status_code == 400


def test_rest_needs_a_session_and_its_token() -> None:
    with showing("gs") as unit, client(unit) as http:
        assert http.get("/rest/calendar").status_code == 403
        assert login(http, "wrong").status_code == 403
        assert login(http, path="/rest/current/session").status_code == 200
        assert login(http).json()["reason"] == "SessionAlreadyActive"
        assert http.get("/rest/calendar").status_code == 200
        assert http.get("/rest/calendar", headers={"x-xsrf-token": "other"}).status_code == 403
        assert http.post("/rest/session", json={"action": "Logout"}).status_code == 200
        assert http.get("/rest/calendar").status_code == 403


def test_sessions_that_are_never_closed_lock_the_endpoint_up_until_it_is_restarted() -> None:
    with showing("gs") as unit:
        unit.habits.most_sessions = 2
        for _ in range(2):
            with client(unit) as http:
                assert login(http).status_code == 200
        assert unit.sessions == 2
        with client(unit, timeout=0.2) as http, pytest.raises(httpx.ReadTimeout):
            login(http)
        assert unit.locked_up
        with client(unit, timeout=0.2) as http, pytest.raises(httpx.ReadTimeout):
            http.get("/rest/calendar")
        unit.reboot()
        with rest(unit) as http:
            assert http.get("/rest/calendar").json() == {"status": "CONNECTING"}


def test_rest_says_what_it_is_and_how_it_is_registered_but_no_password() -> None:
    with showing("videoos") as unit, rest(unit) as http:
        assert http.get("/rest/system").json()["model"] == "Studio X30"
        names = ["exchange.auth.userName", "exchange.auth.password", "exchange.auth.email"]
        vars = http.post("/rest/config", json={"names": names}).json()["vars"]
        assert {each["name"]: each["value"] for each in vars} == {
            "exchange.auth.userName": "huddle",
            "exchange.auth.email": "huddle@example.com",
        }
        assert http.post("/rest/conferences", json={"address": ALIAS, "dialType": "SIP"}).status_code == 200
        assert len(http.get("/rest/conferences").json()) == 1
        assert http.delete("/rest/conferences/0").status_code == 200
        assert http.get("/rest/conferences").json() == []


def test_a_trio_dials_but_has_no_calendar_to_read() -> None:
    with showing("trio", an_item(1)) as unit, client(unit, auth=("Polycom", ADMIN)) as http:
        assert http.get("/rest/calendar").status_code == 404
        dial = {"data": {"Dest": ALIAS, "Line": "1", "Type": "SIP"}}
        assert http.post("/api/v1/callctrl/dial", json=dial).json() == {"Status": "2000"}
        assert http.post("/api/v1/callctrl/dial", json=dial).json() == {"Status": "4001"}
        assert http.get("/api/v2/webCallControl/callStatus").json()["data"][0]["RemotePartyNumber"] == ALIAS
        assert http.post("/api/v1/callctrl/endCall", json={}).json() == {"Status": "2000"}
        assert http.post("/api/v1/callctrl/dial", content=b"not JSON").json() == {"Status": "4000"}
        config = http.post("/api/v1/mgmt/config/get", json={"data": ["exchange.meeting.parseOption"]}).json()
        assert config["data"]["exchange.meeting.parseOption"]["Value"] == "All"
        assert http.get("/api/v2/mgmt/device/info", auth=("Polycom", "wrong")).status_code == 401
    assert unit.command_port == 0


def test_an_endpoint_that_is_stopped_and_started_keeps_its_ports_and_its_list() -> None:
    with showing("gs", an_item(1)) as unit:
        before = (unit.port, unit.command_port, unit.fingerprint)
        unit.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", unit.command_port), timeout=1)
        unit.start()
        assert (unit.port, unit.command_port, unit.fingerprint) == before
        with telnet(unit) as line:
            assert len(line.list("today")) == 1


def test_a_test_can_wait_for_what_happens() -> None:
    with showing("gs", an_item(1), polled=False) as unit:
        assert not unit.wait_until(lambda: unit.established, within=timedelta(milliseconds=10))
        unit.poll()
        assert unit.wait_until(lambda: unit.established, within=SOON)
