"""The house that `otd bench latency` measures: rooms on the lab's Graph, each with a codec, and all of OTD at work."""

from __future__ import annotations

import base64
import secrets
import socket
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from otd import serving
from otd.deliveries import condition
from otd.lab.bench.calendars import a_meeting
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.defaults import CODEC_USER
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailboxes
from otd.lab.server import Server
from otd.model import Meeting
from otd.quoting import toml_string
from otd.settings import load
from otd.wiring import Centre, store

CLIENT_ID = "0d8f2c1a-77b1-4f0e-8f55-9b2f6a1c3e90"
COPIES = 3  # how often Graph tells of one change
NEAR = timedelta(minutes=15)  # so long from now the meetings start: their rooms are busy ones


class House:
    """`with House(folder, rooms=50, refresh=30) as house:` and everything runs."""

    def __init__(self, folder: Path, *, rooms: int, refresh: int) -> None:
        self._folder, self._rooms, self._refresh = folder, rooms, refresh
        self._password, self._secret = secrets.token_urlsafe(12), secrets.token_urlsafe(24)
        mailboxes = Mailboxes()
        self._graph = Graph(mailboxes)
        self._graph.tenant.register(CLIENT_ID, secret=self._secret)
        self._graph.subscriptions.copies = COPIES
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        self._put_by: list[set[str]] = [set() for _ in range(rooms)]
        self._starts = [now + NEAR] * rooms
        self._boxes = [mailboxes.add(_address(room)) for room in range(rooms)]
        self._ids = [box.add(_invitation(room, now + NEAR)) for room, box in enumerate(self._boxes)]
        certificate = self_signed("otd-bench-codec")
        self._codecs = [
            Codec(profile="roomos11", name=f"Room {n}", users={CODEC_USER: self._password}, certificate=certificate)
            for n in range(rooms)
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            server = stack.enter_context(Server(self._graph, tls=True))
            for codec in self._codecs:
                stack.enter_context(codec)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            self._write(server, port)
            settings = load(self._folder / "otd.toml", {})
            self._centre = Centre(settings)
            stack.callback(self._centre.stop)
            rows = store(settings)  # its own, as the process of `otd serve` has
            stack.callback(rows.close)
            stack.callback(serving.start(settings, rows).stop)
            stack.callback(self._graph.subscriptions.close)
            self._centre.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def losses(self) -> float:
        """The share of what Graph tells that never comes."""
        return self._graph.subscriptions.losses

    @losses.setter
    def losses(self, share: float) -> None:
        self._graph.subscriptions.losses = share

    def move(self, room: int) -> datetime:
        """Move the room's meeting by a minute; when it begins now."""
        self._starts[room] += timedelta(minutes=1)
        self._boxes[room].move(self._ids[room], self._starts[room])
        return self._starts[room]

    def is_confirmed(self, room: int, start: datetime) -> bool:
        """Whether the codec holds the meeting at this time, or at a later one to which it was moved since, and the
        centre has seen that it does."""
        if all(held.start < start for held in self._codecs[room].bookings):
            return False
        state = self._centre.store.endpoint(f"codec{room}")
        wanted = state.desired.list.bookings if state.desired else ()
        return condition(state) == "confirmed" and any(booking.start >= start for booking in wanted)

    def is_right(self, room: int) -> bool:
        """Whether the codec holds what the calendar says, and nothing else."""
        return len(self._codecs[room].bookings) == 1 and self.is_confirmed(room, self._starts[room])

    def is_known(self, room: int) -> bool:
        """Whether each relay has put a list on its codec, as far as was seen whenever this was asked."""
        receipt = self._centre.store.endpoint(f"codec{room}").receipt
        if receipt is not None and receipt.verb == "put":
            self._put_by[room].add(receipt.relay)
        return len(self._put_by[room]) == len(self._centre.relays)

    def is_learned(self, room: int) -> bool:
        """Whether its codec was looked at for what it is, as it is soon after its first list."""
        return self._centre.store.endpoint(f"codec{room}").facts is not None

    def all_subscribed(self) -> bool:
        return self._centre.store.subscribed() == {"online": self._rooms}

    def _write(self, server: Server, port: int) -> None:
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        known = self._folder / "secrets.toml"
        known.touch(mode=0o600)
        lines = {"database-key": key, "graph": self._secret, "codec": f"{CODEC_USER}:{self._password}"}
        known.write_text("".join(f"{name} = {toml_string(value)}\n" for name, value in lines.items()))
        (self._folder / "lab-ca.pem").write_text(server.certificate)
        (self._folder / "otd.toml").write_text(self._settings(server.url, port))

    def _settings(self, url: str, port: int) -> str:
        address = f"127.0.0.1:{port}"
        parts = [
            f"""
[calendars.online]
kind = "graph"
tenant = {toml_string(self._graph.tenant.id)}
client_id = "{CLIENT_ID}"
secret = "graph"
authority = "{url}"
root = "{url}"
ca = "lab"
notifications = true
[cas]
lab = "lab-ca.pem"
[serve]
address = "{address}"
public_url = "http://{address}"
[pools.hq]
[relays.hq-1]
pool = "hq"
[relays.hq-2]
pool = "hq"
[run]
refresh = "{self._refresh}s"
threads = 16
"""
        ]
        parts += [
            f"""
[rooms.room{n}]
calendar = "online"
mailbox = "{_address(n)}"
[endpoints.codec{n}]
kind = "cisco"
address = "{codec.address}"
pool = "hq"
rooms = ["room{n}"]
credential = "codec"
"""
            for n, codec in enumerate(self._codecs)
        ]
        return "".join(parts)


def _address(room: int) -> str:
    return f"room{room}@example.com"


def _invitation(room: int, start: datetime) -> Meeting:
    return replace(a_meeting(room), start=start, end=start + timedelta(minutes=50))
