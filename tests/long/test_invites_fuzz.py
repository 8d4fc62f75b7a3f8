"""Fuzzing from the bytes of an invitation to an endpoint's bookings: golden ones, broken and mixed at random.

    FUZZ_SECONDS=1200 TEST_SEED=7 pytest -m long tests/long/test_invites_fuzz.py --numprocesses=0

runs for so much processor time and says how many inputs it tried. An input that breaks something is kept whole in the
failure's message, so that it can become a golden case.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from otd import formats
from otd.bookings import of_room
from otd.dialplan import DialPlan, for_site, host_of
from otd.dialplan.strings import within
from otd.errors import OtdError
from otd.invites import Site, read
from otd.invites.reasons import REASONS
from otd.lab.bench.hostile import PIECES
from otd.model import Meeting, Policy, Room, Window
from tests.values import an_endpoint

pytestmark = pytest.mark.long

SEEDS = sorted((Path(__file__).parents[2] / "fixtures" / "invites").glob("*/*/invitation.*"))
NAMES = ("x.ics", "x.eml", "x.json", "x.xml", "x.html", "x.txt", "")
SITE = Site(own_domains=("example.com",), skype_hosts=("meet.example.com",), meet_domain="gateway.example.com")
PLAN = for_site((), SITE)
NOTHING = for_site((), Site())
WINDOW = Window(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2028, 1, 1, tzinfo=UTC))
ROOM = Room(name="room1", calendar="exchange", mailbox="room1@example.com")
MOST_ADDED = timedelta(seconds=2)  # of processor time, for inputs of up to some 100 kB on a busy machine
TOKENS = (
    *(piece.format(n=7) if "{n" in piece else piece for piece in PIECES.values()),
    *(
        "<a href='",
        '">',
        "=\r\n",
        "\r\n ",
        "\\n",
        "\\,",
        "&amp;",
        "&#x1f;",
        "%",
        "%25",
        "%%%",
        "@",
        "##",
        "sip:",
        "\x1f",
        "\x00",
    ),
    *(
        "https://",
        "?url=",
        "urldefense.com/v3/__",
        "__;!!",
        "=?utf-8?b?",
        "BEGIN:VEVENT\r\n",
        "Content-Type: ",
        "\ufeff",
    ),
    *(
        "\ud7ff",
        "\u202e",
        "\U0001f600",
        "[!OC([041d])!]",
        "_" * 40,
        "." * 60,
        "-----Original Message-----",
        "focus:id:teams:",
    ),
)


def test_no_bytes_break_anything_or_lead_anywhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    seconds, seed = float(os.environ.get("FUZZ_SECONDS", "20")), int(os.environ.get("TEST_SEED", "1"))
    chance = random.Random(seed)  # noqa: S311, repeatable is what it has to be
    seeds = [path.read_bytes() for path in SEEDS]
    began, count, dialled = time.process_time(), 0, 0
    while time.process_time() - began < seconds:
        data = broken(chance, seeds)
        try:
            dialled += tried(data, chance.choice(NAMES))
        except Exception as error:
            raise AssertionError(f"seed {seed}, input {count}: {data!r}") from error
        count += 1
    with capsys.disabled():
        sys.stdout.write(
            f"\n{count} inputs in {seconds:.0f} s of processor time, seed {seed}: {dialled} dial strings\n"
        )
    assert count > 0


def broken(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One golden invitation or parts of two, with a few things cut, doubled, put in or changed."""
    data = chance.choice(seeds)
    if chance.random() < 0.3:
        other = chance.choice(seeds)
        data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5, 10))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + int(chance.expovariate(1 / 40)))
        what = chance.randrange(5)
        if what == 0:
            data = data[:start] + data[end:]
        elif what == 1:
            data = data[:start] + data[start:end] * chance.choice((2, 3, 50)) + data[end:]
        elif what == 2:
            token = chance.choice(TOKENS).encode("utf-8", "surrogatepass") * chance.choice((1, 1, 1, 2, 100))
            data = data[:start] + token + data[end if chance.random() < 0.5 else start :]
        elif what == 3:
            data = data[:start] + bytes(chance.randrange(256) for _ in range(end - start)) + data[end:]
        else:
            data = data[:start]
    return data


def tried(data: bytes, name: str) -> int:
    """Read it the whole way; how many dial strings came out."""
    try:
        document = formats.parse(data, name)
        meetings, _ = formats.occurrences(document.entries, WINDOW)
        undated = [entry.meeting for entry in document.entries if not entry.dated]  # a body alone has no time
    except OtdError:
        return 0
    found = 0
    for meeting in (*meetings, *[replace(one, start=WINDOW.start, end=WINDOW.end) for one in undated])[:20]:
        began = time.process_time()
        join = read(meeting, SITE)
        took = timedelta(seconds=time.process_time() - began)
        assert took < MOST_ADDED, f"took {took}; a parse takes {floor(meeting.body)}"
        assert not join.reason or join.reason in REASONS
        assert read(meeting, SITE) == join
        found += checked(meeting, PLAN, SITE) + checked(meeting, NOTHING, Site())
    return found


def floor(body: str) -> timedelta:
    began = time.process_time()
    LexborHTMLParser(body).text()
    return timedelta(seconds=time.process_time() - began)


def checked(meeting: Meeting, plan: DialPlan, site: Site) -> int:
    """Whether what an endpoint would be given is fit for one, and leads nowhere but where the site dials."""
    bookings = of_room(ROOM, an_endpoint(), [meeting], plan, site, Policy(), WINDOW)
    for booking in bookings:
        assert len(booking.title) <= 128
        booking.title.encode()
        if booking.dial is not None:
            host = host_of(booking.dial.uri, booking.dial.protocol)
            assert host
            assert within(host, plan.reach)
    return sum(booking.dial is not None for booking in bookings)
