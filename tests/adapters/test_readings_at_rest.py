"""Readings as they lie in the database file: sealed, packed, once, and for as long as the settings say.

A calendar is read over sockets into a real file; what is looked at are the file's bytes, and what opens them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.calendars.access import EwsAccess
from otd.calendars.ews import EwsCalendar
from otd.lab.ews import Ews
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.server import Server
from otd.model import Complete, Meeting, Person, Room, Window
from otd.store import SqlStore
from otd.store.vault import Vault
from tests.adapters.mailboxes import SecretsOf
from tests.contracts.store_case import KEY
from tests.values import HOUR, T0, FixedClock

ROOM = Room(name="atrium", calendar="server", mailbox="atrium@contoso.example")
DAY = timedelta(days=1)
WINDOW = Window(start=T0 - HOUR, end=T0 + 7 * DAY)
SUBJECT, BODY, SECRET_BODY = "Merger with Umbrella", "Passcode 4711-0815 ", "Ada leaves at Easter "
PRIVATE_WORDS = (SUBJECT, BODY, SECRET_BODY, "ann.example", "Ann Example", "bo.sample", "4711-0815", "Umbrella")


class Kept:
    """A mailbox on a simulated server, read into a database file."""

    def __init__(self, folder: Path, server: Server, mailbox: Mailbox) -> None:
        self.path, self.clock, self.mailbox = folder / "otd.db", FixedClock(), mailbox
        ca_file = folder / "ca.pem"
        ca_file.write_text(server.certificate)
        access = EwsAccess(
            url=f"{server.url}/EWS/Exchange.asmx", username="svc", password="lab", auth="basic", ca_file=str(ca_file)
        )
        self.calendar = EwsCalendar("server", access, secrets=SecretsOf({"lab": "pw"}), clock=self.clock)
        self.store = SqlStore(f"sqlite:///{self.path}", KEY, clock=self.clock)
        self.store.adopt([ROOM], (), {"server": 4}, "settings")

    def read(self, *, bodies: bool = True) -> None:
        reading = self.calendar.read(ROOM, WINDOW, within=timedelta(seconds=20))
        assert isinstance(reading, Complete), reading
        self.store.keep_reading(reading, bodies=bodies)

    def bytes(self) -> bytes:
        """All files of the database, as they lie on the disk."""
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.glob("otd.db*")))

    def contents(self) -> list[bytes]:
        with sqlite3.connect(self.path) as connection:
            found = [bytes(row[0]) for row in connection.execute("SELECT content FROM contents")]
        connection.close()
        return found

    def opened(self) -> str:
        """All that whoever has the key can find out."""
        vault = Vault(KEY)
        with sqlite3.connect(self.path) as connection:
            rows = connection.execute("SELECT room, digest, content FROM contents").fetchall()
        connection.close()
        return "\n".join(vault.open(f"contents/{room}/{digest.hex()}", content) for room, digest, content in rows)

    def close(self) -> None:
        self.calendar.close()
        self.store.close()


def a_meeting(n: int = 0, **overrides: object) -> Meeting:
    usual = Meeting(
        id="",
        uid=f"m{n}@contoso.example",
        start=T0 + (2 * n + 1) * HOUR,
        end=T0 + (2 * n + 2) * HOUR,
        subject=SUBJECT,
        body=BODY * 800,  # 16 kB, as long as Outlook writes them
        organizer=Person(name="Ann Example", address="ann.example@contoso.example"),
        attendees=(Person(name="Bo Sample", address="bo.sample@partner.example"),),
    )
    return replace(usual, **overrides)  # type: ignore[arg-type]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    exchange = Ews(Mailboxes())
    exchange.account("svc", "pw")
    mailbox = exchange.mailboxes.add(ROOM.mailbox)
    with Server(exchange, tls=True) as server:
        made = Kept(tmp_path, server, mailbox)
        yield made
        made.close()


def test_nothing_that_a_meeting_says_can_be_read_in_the_file(kept: Kept) -> None:
    kept.mailbox.add(a_meeting())
    kept.mailbox.add(a_meeting(1, sensitivity="private", body=SECRET_BODY * 50))
    kept.read()
    lying = kept.bytes()
    for word in PRIVATE_WORDS:
        for form in (word.encode(), word.encode("utf-16-le"), word.upper().encode(), word.lower().encode()):
            assert form not in lying, word


def test_with_the_key_there_is_no_more_than_replay_needs(kept: Kept) -> None:
    kept.mailbox.add(a_meeting())
    kept.mailbox.add(a_meeting(1, sensitivity="private", body=SECRET_BODY * 50))
    kept.read()
    found = kept.opened()
    assert BODY in found  # what is replayed
    assert SECRET_BODY not in found  # of private meetings no body
    assert "@partner.example" in found
    assert "bo.sample" not in found  # of attendees only their domains
    assert "Bo Sample" not in found


def test_where_no_bodies_are_kept_there_are_none_even_with_the_key(kept: Kept) -> None:
    kept.mailbox.add(a_meeting())
    kept.read(bodies=False)
    assert BODY.strip() not in kept.opened()
    assert SUBJECT in kept.opened()


def test_what_is_kept_is_packed(kept: Kept) -> None:
    kept.mailbox.add(a_meeting())
    kept.read()
    (content,) = kept.contents()
    assert len(content) < 16_000 / 10


def test_what_stays_the_same_is_kept_once_however_often_it_is_read(kept: Kept) -> None:
    for n in range(3):
        kept.mailbox.add(a_meeting(n))
    kept.read()
    first = sorted(kept.contents())
    for n in range(3, 6):
        kept.clock.time += timedelta(minutes=1)
        kept.mailbox.add(a_meeting(n))
        kept.read()
    assert len(kept.contents()) == 6
    assert set(first) < set(kept.contents())  # not even written again
    since = datetime(2025, 1, 1, tzinfo=UTC)
    assert [mark.meetings for mark in kept.store.readings("atrium", since, kept.clock.time)] == [3, 4, 5, 6]


def test_what_is_over_goes_after_its_days_and_the_newest_reading_stays(kept: Kept) -> None:
    gone = kept.mailbox.add(a_meeting(subject="Long ago"))
    kept.mailbox.add(a_meeting(1))
    kept.read()
    kept.mailbox.remove(gone)
    kept.clock.time += timedelta(minutes=1)
    kept.read()
    kept.clock.time += 14 * DAY - timedelta(minutes=2)
    kept.store.tidy(14 * DAY)
    assert "Long ago" in kept.opened()
    kept.clock.time += timedelta(minutes=5)
    kept.store.tidy(14 * DAY)
    assert "Long ago" not in kept.opened()
    assert len(kept.contents()) == 1
    newest = kept.store.last_reading("atrium")
    assert newest is not None
    assert [one.meeting.subject for one in newest.meetings] == [SUBJECT]
