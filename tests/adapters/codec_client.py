"""curl as a client of the simulated Cisco codecs: it was written by others and shares no code with the simulator."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bs4 import BeautifulSoup

from otd.lab.codec import Codec

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
SOON = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    exit: int = 0  # of curl: 0 when it was content
    took: float = 0.0

    @property
    def xml(self) -> Any:
        return BeautifulSoup(self.body, "xml")

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, kw_only=True)
class Curl:
    codec: Codec
    user: str = "otd"
    password: str = "secret"
    within: float = 5

    def get(self, path: str, *options: str) -> Answer:
        return self._run(path, *options)

    def post(self, path: str, body: str, *options: str) -> Answer:
        return self._run(path, "-X", "POST", "-H", "Content-Type: text/xml", "--data-binary", body, *options)

    def putxml(self, body: str, *options: str) -> Answer:
        return self.post("/putxml", body, *options)

    def list(self) -> Answer:
        return self.putxml('<Command><Bookings><List command="True"/></Bookings></Command>')

    def _run(self, path: str, *options: str) -> Answer:
        command = ["curl", "-sk", "-i", "--http1.1", "--max-time", str(self.within), "-H", "Expect:"]
        command += ["-w", "\n%{time_total}"]
        command += ["-u", f"{self.user}:{self.password}"] if self.user else []
        done = subprocess.run(
            [*command, *options, f"{self.codec.url}{path}"], capture_output=True, check=False, timeout=self.within + 5
        )
        text, _, took = done.stdout.decode("utf-8", "replace").rpartition("\n")
        head, _, body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        pairs = [line.partition(": ") for line in lines]
        return Answer(
            status=int(first.split(" ")[1]) if first.startswith("HTTP/") else 0,
            headers=[(name, value) for name, _, value in pairs],
            body=body,
            exit=done.returncode,
            took=float(took or 0),
        )


def a_codec(profile: str = "roomos11", **overrides: Any) -> Codec:
    usual: dict[str, Any] = {"users": {"otd": "secret"}, "speed": None, "tls": False}
    return Codec(profile=profile, **(usual | overrides))


def a_booking_xml(id: str = "1", start: datetime = T0, minutes: int = 60, **fields: str) -> str:
    """One booking in the words of management systems, without their item attributes."""
    number = fields.get("number", "weekly@vc.example.com")
    call = f"<Calls><Call><Number>{number}</Number><Protocol>SIP</Protocol></Call></Calls>" if number else ""
    mode = "OBTP" if number else "Manual"
    return (
        f"<Booking><Id>{id}</Id><Title>{fields.get('title', 'Weekly')}</Title><Time>"
        f"<StartTime>{start:%Y-%m-%dT%H:%M:%SZ}</StartTime><StartTimeBuffer>300</StartTimeBuffer>"
        f"<EndTime>{start + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}</EndTime></Time>"
        f"<DialInfo>{call}<ConnectMode>{mode}</ConnectMode></DialInfo></Booking>"
    )


def a_list_xml(*bookings: str) -> str:
    return f"<?xml version='1.0'?><Bookings>{''.join(bookings)}</Bookings>"
