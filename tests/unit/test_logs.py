"""What may be private cannot be logged, whoever tries."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from otd.cli.logs import LONGEST, WITHHELD, configure, withheld
from otd.model import DialString
from tests.values import T0, a_booking, a_desired

CANARY = "canary-4711"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to standard error as JSON."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    configure("json")
    structlog.configure(cache_logger_on_first_use=False)
    yield written
    root.handlers[:] = before
    structlog.reset_defaults()


def said(**fields: object) -> str:
    return json.dumps(withheld(None, "", dict(fields)))


@pytest.mark.parametrize(
    "key",
    ["password", "codec_password", "passcode", "subject", "title", "body", "attendees", "organizer", "dial", "dial_uri",
     "token", "secret", "authorization", "meeting", "content"],
)  # fmt: skip
def test_a_field_is_withheld_by_its_name(key: str) -> None:
    assert withheld(None, "", {key: CANARY}) == {key: WITHHELD}


@pytest.mark.parametrize(
    "value",
    [
        a_booking(title=CANARY, dial=DialString(protocol="sip", uri=CANARY)),
        a_desired(),
        {"subject": CANARY},
        CANARY.encode(),
        ValueError(CANARY),
        [ValueError(CANARY), (CANARY.encode(),)],
    ],
)
def test_a_value_that_is_no_plain_fact_is_only_named(value: object) -> None:
    assert CANARY not in said(found=value)


def test_what_counts_may_have_any_name() -> None:
    assert withheld(None, "", {"meetings": 3, "bookings": 2, "attendees": 5, "body": True}) == {
        "meetings": 3,
        "bookings": 2,
        "attendees": 5,
        "body": True,
    }
    assert said(at=T0, took=timedelta(seconds=3), rooms=["a", "b"])


def test_addresses_lose_what_stands_before_the_host_and_dial_strings_all() -> None:
    assert CANARY not in said(url=f"https://otd:{CANARY}@example.com/x", why=f"dialled sip:{CANARY}@example.com twice")
    assert "example.com/x" in said(url=f"https://otd:{CANARY}@example.com/x")


def test_a_line_stays_one_line_and_is_not_endless() -> None:
    event = withheld(None, "", {"why": "a\nb\x1b[31m" + "x" * 10_000})
    assert "\n" not in event["why"]
    assert "\x1b" not in event["why"]
    assert len(event["why"]) == LONGEST


@given(st.recursive(st.text() | st.integers() | st.binary() | st.none(), lambda inner: st.lists(inner)))
def test_whatever_is_logged_can_be_written(value: object) -> None:
    assert said(found=value)


def test_of_an_error_only_its_kind_and_place_are_written(log: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        structlog.get_logger("t").error("it broke", exc_info=True)
        logging.getLogger("somewhere").warning("sent %s", CANARY, exc_info=True)
    assert CANARY not in log.getvalue()
    line = json.loads(log.getvalue().splitlines()[0])
    assert (line["event"], line["error"], line["level"]) == ("it broke", "ValueError", "error")
    assert line["place"].startswith("test_logs.py:")
    assert "WARNING somewhere test_logs.py" in log.getvalue()
