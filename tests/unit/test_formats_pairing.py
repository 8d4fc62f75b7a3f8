"""The same invitation is the same Meeting, whichever format it comes in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from otd import formats
from otd.model import Meeting
from tests.written import HOUR, OUTLOOK_UID, T0, WRITTEN, Invitation, an_invitation

TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QUJD%40thread.v2/0?context=%7b%22Tid%22%3a%22t%22%7d"
BLOCK = "________________________________________\nJoin the meeting now<" + TEAMS + ">\nMeeting ID: 212 345 678 901 2\n"
PARAGRAPH = "<p>Hello, <b>you</b>; æøå 会議 👍</p>"
MIDNIGHT = datetime(2026, 11, 25, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)

CASES = {
    "plain": an_invitation(),
    "text": an_invitation(body=BLOCK, html=False),
    "page": an_invitation(body=f"<html><body>{PARAGRAPH * 40}<a href='{TEAMS}'>x</a></body></html>"),
    "hidden": an_invitation(
        hidden=(
            ("SkypeTeamsMeetingUrl", TEAMS),
            ("SkypeTeamsProperties", '{"cid":"19:meeting_QUJD@thread.v2","private":true,"type":0}'),
            ("OnlineMeetingConfLink", "conf:sip:ann@example.com;gruu;opaque=app:conf:focus:id:teams:2:0!19:x"),
            ("ConferenceTelURI", "tel:+15550100,,12345"),
        )
    ),
    "outlook's uid": an_invitation(uid=OUTLOOK_UID),
    "occurrence": an_invitation(uid=OUTLOOK_UID, instance=T0 - 2 * HOUR),
    "exception": an_invitation(instance=T0 + timedelta(days=3)),
    "all day": an_invitation(all_day=True, zone="Asia/Tokyo", start=MIDNIGHT, end=MIDNIGHT + timedelta(days=2)),
    "zone": an_invitation(zone="America/Los_Angeles"),
    "private": an_invitation(sensitivity="private"),
    "cancelled": an_invitation(cancelled=True),
    "declined": an_invitation(answer="declined"),
    "unanswered": an_invitation(answer="unanswered", show_as="tentative"),
    "free": an_invitation(show_as="free"),
    "elsewhere": an_invitation(show_as="elsewhere"),
    "odd letters": an_invitation(subject="Møte; «på» Åsen, 会議 \\ 👍", location="Room 1; second, floor"),
    "nobody else": an_invitation(attendees=()),
}  # fmt: skip


def essence(one: Invitation, name: str) -> Meeting:
    """What the format says, without what is the source's own (the package's docstring lists it)."""
    (meeting,) = formats.read(WRITTEN[name](one), name, ZoneInfo(one.zone))
    return replace(meeting, id="", change_key="")


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_format_gives_the_same_meeting(case: str) -> None:
    one = CASES[case]
    found = {name: essence(one, name) for name in WRITTEN}
    assert found["x.eml"] == found["x.ics"]
    assert found["x.json"] == found["x.ics"]
    assert found["x.xml"] == found["x.ics"]


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_what_comes_out_is_what_was_written(name: str) -> None:
    one = CASES["hidden"]
    meeting = essence(one, name)
    assert (meeting.uid, meeting.subject, meeting.location) == (one.uid, one.subject, one.location)
    assert (meeting.start, meeting.end, meeting.body) == (one.start, one.end, one.body)
    assert meeting.properties == one.hidden
    assert (meeting.organizer.name, meeting.organizer.address) == one.organizer


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ,;:\\'\"<>&%=^"), max_size=60
)


def is_told_by_its_clock(time: datetime, zone: ZoneInfo) -> bool:
    """Not so in the second of the hours that come twice when summer time ends."""
    return time.astimezone(zone).replace(fold=0).astimezone(UTC) == time


@settings(max_examples=60, deadline=None)
@given(
    subject=WORDS.map(lambda text: " ".join(text.split())),
    body=st.lists(WORDS, max_size=30).map("\n".join),
    start=st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001
    lasts=st.integers(0, 100_000),
    zone=st.sampled_from(["UTC", "Europe/Oslo", "Asia/Kolkata", "America/Sao_Paulo"]),
)
def test_any_words_at_any_time_survive_every_format(
    subject: str, body: str, start: datetime, lasts: int, zone: str
) -> None:
    begins = start.replace(second=0, microsecond=0, tzinfo=UTC)
    html = f"<html><body><pre>{body}</pre>.</body></html>"
    one = an_invitation(subject=subject, body=html, start=begins, end=begins + timedelta(minutes=lasts), zone=zone)
    assume(all(is_told_by_its_clock(time, ZoneInfo(zone)) for time in (one.start, one.end)))
    found = [essence(one, name) for name in WRITTEN]
    assert found[0].subject == subject
    assert found[0].body == html
    assert all(meeting == found[0] for meeting in found)
