"""Times as people type them, and dial strings as they may be shown."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from otd.cli.masking import masked
from otd.cli.times import understood
from otd.errors import BadSetting

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)  # a Wednesday, 10:30 in Berlin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-01-07 09:30"),
        ("09:58", "2026-01-07 08:58"),
        ("9:58", "2026-01-07 08:58"),
        ("Tue 09:58", "2026-01-06 08:58"),
        ("wednesday 09:58", "2026-01-07 08:58"),
        ("thu 09:58", "2026-01-01 08:58"),
        ("yesterday 14:00", "2026-01-06 13:00"),
        ("tomorrow 00:15", "2026-01-07 23:15"),
        ("2026-01-05 09:58", "2026-01-05 08:58"),
        ("2025-07-01 09:58", "2025-07-01 07:58"),
        ("2026-01-05T09:58Z", "2026-01-05 09:58"),
        ("2026-01-05T09:58:00+05:30", "2026-01-05 04:28"),
        ("2026-01-05", "2026-01-04 23:00"),
        ("2h ago", "2026-01-07 07:30"),
        ("90 min ago", "2026-01-07 08:00"),
    ],
)
def test_a_time_is_what_the_person_means(text: str, expected: str) -> None:
    assert f"{understood(text, '--at', NOW, BERLIN):%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize("text", ["", "teatime", "25:00", "10:61", "5.1.2026", "2026-13-01 10:00", "xyz 10:00", "ago"])
def test_what_is_no_time_is_said_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(BadSetting, match="write it like"):
        understood(text, "--at", NOW, BERLIN)


@pytest.mark.parametrize(
    ("dial", "shown"),
    [
        ("85512345678.447120@zoomcrc.com", "85512345678.…@zoomcrc.com"),
        ("85512345678..447120@zoomcrc.com", "85512345678.…@zoomcrc.com"),
        ("1234567890*4711@m.example.com", "1234567890*…@m.example.com"),
        ("weekly@video.example.com", "weekly@video.example.com"),
        ("192.0.2.1##1234", "192.0.2.1##…"),
        ("1234", "1234"),
    ],
)
def test_what_stands_behind_the_meetings_number_is_left_out(dial: str, shown: str) -> None:
    assert masked(dial) == shown
