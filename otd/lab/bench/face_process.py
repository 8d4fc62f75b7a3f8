"""The process that `otd bench face` measures: a relay's face with many endpoints, or a bare Starlette handler.

It says in a line of JSON where it listens, and obeys lines on its standard input: `time` (answered with its processor
time in seconds), `change NUMBER` (that endpoint gets another list); at the end of the input it stops.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otd.certificates import CertificateFiles
from otd.inbound import Server
from otd.lab.bench.face import BOOKINGS, PASSWORD, SALT
from otd.lab.certificates import self_signed
from otd.model import Booking, Delivery, DialString, Endpoint
from otd.relay.face.app import Face, FaceSettings
from otd.relay.face.credentials import hashed
from otd.relay.lists import Lists


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def a_list(number: int, revision: int) -> Delivery:
    """An endpoint's list: a week of half-hour meetings, the first of them called after the revision."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    bookings = [_booking(number, index, midnight + timedelta(hours=5 * index)) for index in range(BOOKINGS)]
    bookings[0] = replace(bookings[0], title=f"Review {revision}")
    endpoint = Endpoint(
        name=f"poly{number}",
        kind="polycom",
        address="",
        pool="hq",
        rooms=(f"room{number}",),
        model="gs",
        label=f"Room {number}",
        mailbox=f"room{number}@example.com",
        username=f"poly{number}",
        password_hash=hashed(PASSWORD, SALT),
    )
    return Delivery(
        verb="put",
        endpoint=endpoint,
        revision=revision,
        sequence=revision,
        sent_at=now,
        act_by=now + timedelta(minutes=1),
        valid_until=now + timedelta(hours=12),
        bookings=tuple(bookings),
    )


def _booking(number: int, index: int, start: datetime) -> Booking:
    return Booking(
        id=f"otd-{number:08x}{index:024x}",
        room=f"room{number}",
        title=f"Weekly round {index} with the people of the other building",
        start=start,
        end=start + timedelta(minutes=30),
        organizer="Ann Example",
        dial=DialString(protocol="sip", uri=f"{number:09}.{index:07}@video.example.com"),
        platform="teams",
    )


def bare(folder: Path) -> Starlette:
    """What gives back the bytes of the file of the request's name, having read the request."""
    replies: dict[str, bytes] = {}

    async def reply(request: Request) -> Response:
        await request.body()
        name = request.path_params["name"]
        if name not in replies:
            replies[name] = (folder / name).read_bytes()
        return Response(replies[name], headers={"Content-Type": "text/xml; charset=utf-8"})

    return Starlette(routes=[Route("/{name}", reply, methods=["POST"])])


def main(kind: str, argument: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        certificate = self_signed("otd-bench")
        path = Path(folder) / "face.pem"
        path.write_text(certificate.key + certificate.pem)
        lists = Lists(Path(folder) / "lists.db", SALT * 2)
        app: Any = bare(Path(argument))
        if kind == "face":
            for number in range(int(argument)):
                lists.put(a_list(number, 1))
            app = Face(lists, on_fetch=lambda fetch: None, clock=_Clock(), settings=FaceSettings(host="127.0.0.1"))
        look = timedelta(seconds=30)
        with (
            Server(app, "face", "127.0.0.1", 0, None, look) as plain,
            Server(app, "face", "127.0.0.1", 0, CertificateFiles(certificate=path), look) as secure,
        ):
            _say({"http": plain.port, "https": secure.port, "certificate": certificate.pem})
            revision = 1
            for line in sys.stdin:
                word, _, which = line.strip().partition(" ")
                if word == "time":
                    _say(time.process_time())
                elif word == "change":
                    revision += 1
                    lists.put(a_list(int(which), revision))
                    _say(revision)
        lists.close()


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
