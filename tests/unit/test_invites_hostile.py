"""Anybody can send an invitation to a room: no text may raise anything, or make the readers look at more and more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otd.dialplan import dial, for_site, host_of
from otd.dialplan.strings import within
from otd.invites import Site, read
from otd.invites.invitation import MOST_MEETINGS, prepare
from otd.invites.platforms import SIGNS
from otd.invites.platforms import read as read_platforms
from otd.invites.reasons import REASONS
from otd.lab.bench.hostile import PIECES, bodies
from otd.model import JoinInfo, Meeting

SITE = Site(own_domains=("example.com",), skype_hosts=("meet.a.example",), meet_domain="gateway.example.com")
PLAN = for_site((), SITE)
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
TEAMS = '<a href="https://teams.microsoft.com/l/meetup-join/19%3ameeting_{n:08}%40thread.v2/0">Join</a>'
BLOCK = '<p>700445566@t.plcm.vc</p><p>Video ID: 119 300 482 2</p><a href="https://dialin.plcm.vc/teams/?key=700445566&amp;conf=1193004822">x</a>'


def a_meeting(body: str, *, html: bool = True, location: str = "") -> Meeting:
    end = START + timedelta(hours=1)
    kind = "html" if html else "text"
    return Meeting(id="m1", uid="u1", start=START, end=end, body=body, body_type=kind, location=location)


def holds(meeting: Meeting) -> None:
    """What must hold of every invitation, whatever stands in it."""
    join = read(meeting, SITE)
    assert not join.reason or join.reason in REASONS
    dialled = dial(join, meeting, PLAN)
    assert (dialled.dial is None) == (dialled.reason not in ("", "domain_not_allowed"))
    if dialled.dial is not None:
        host = host_of(dialled.dial.uri, dialled.dial.protocol)
        assert host is not None
        assert dialled.allowed == within(host, PLAN.reach)


@pytest.mark.parametrize("name", PIECES)
def test_too_much_of_anything_is_read_all_the_same(name: str) -> None:
    for shape, body in bodies():
        if shape.startswith(f"{name} x") and len(body) < 5_000:
            holds(a_meeting(body))
            holds(a_meeting(body, html=False))
            holds(a_meeting("", location=body))


@pytest.mark.parametrize("name", PIECES)
def test_no_more_meetings_are_compared_than_anybody_puts_into_an_invitation(name: str) -> None:
    body = "".join(PIECES[name].format(n=n) if "{n" in PIECES[name] else PIECES[name] for n in range(200))
    found = read_platforms(prepare(a_meeting(body), SITE, SIGNS))

    for platform in {one.join.platform for one in found}:
        assert sum(one.join.platform == platform for one in found) <= MOST_MEETINGS


@settings(max_examples=200)
@given(st.lists(st.sampled_from(tuple(PIECES.values())) | st.text(max_size=20), max_size=12), st.booleans())
def test_any_mixture_of_them_is_read(pieces: list[str], html: bool) -> None:
    body = "".join(
        piece.format(n=n) if "{n" in piece and piece in PIECES.values() else piece for n, piece in enumerate(pieces)
    )

    holds(a_meeting(body, html=html))


def test_the_meeting_at_the_top_is_found_above_a_flood_of_links() -> None:
    flood = "".join(TEAMS.format(n=n) for n in range(2_000))
    join = read(a_meeting(f"<body>{TEAMS.format(n=77)}{BLOCK}<p>{'_' * 30}</p>{flood}"), SITE)

    assert isinstance(join, JoinInfo)
    assert (join.reason, join.id("vtc_id")) == ("", "1193004822")


def test_a_meeting_below_a_flood_of_links_is_missed_and_the_reason_is_given() -> None:
    flood = "".join(f'<a href="https://www.google.com/search?q={n}">x</a>' for n in range(2_000))
    join = read(a_meeting(f"<body>{flood}{TEAMS.format(n=77)}"), SITE)

    assert join.reason == "body_cut"


def test_a_video_address_below_a_flood_of_addresses_is_missed_and_the_reason_is_given() -> None:
    for flood in ("a{n}@c.example ", "{n:06}@c.example "):
        above = "".join(flood.format(n=n) for n in range(2_000))
        assert read(
            a_meeting(f"<body><p>{above}</p><p>conference@m.webex.com</p><p>119 300 482 2</p>"), SITE
        ).reason == ("body_cut")


def test_a_tenant_address_below_many_mail_addresses_is_found() -> None:
    people = "; ".join(f"Ida Nr {n} <ida.nr{n}@c.example>" for n in range(200)).replace("<", "&lt;")

    join = read(a_meeting(f"<body><p>To: {people}</p>{TEAMS.format(n=77)}{BLOCK}"), SITE)

    assert (join.reason, isinstance(join, JoinInfo) and join.id("vtc_id")) == ("", "1193004822")


def test_a_meeting_below_too_many_others_is_missed_and_the_reason_is_given() -> None:
    others = "".join(TEAMS.format(n=n) + "<br>" for n in range(MOST_MEETINGS))
    hidden = (
        ("SkypeTeamsMeetingUrl", "https://teams.microsoft.com/l/meetup-join/19%3ameeting_00000077%40thread.v2/0"),
    )
    meeting = a_meeting(f"<body>{others}{TEAMS.format(n=77)}{BLOCK}")

    assert read(replace(meeting, properties=hidden), SITE).reason == "body_cut"


def test_an_address_that_stands_there_twice_is_not_its_own_id() -> None:
    twice = f"<body>{TEAMS.format(n=77)}<p>700445566@t.plcm.vc 700445566@t.plcm.vc</p>"
    join = read(a_meeting(f"{twice}<p>Video ID: 119 300 482 2</p>"), SITE)

    assert isinstance(join, JoinInfo)
    assert join.id("vtc_id") == "1193004822"
    assert read(a_meeting(twice), SITE).reason == "id_redacted"


def test_an_ordinary_text_with_every_link_wrapped_is_read_whole() -> None:
    wrapped = (
        "Label<https://eur03.safelinks.protection.outlook.com/?url={url}&data=" + "05%7C02" * 20 + "&reserved=0>\n"
    )
    pages = "".join(wrapped.format(url=f"https%3A%2F%2Fa.example%2Fpage{n}") for n in range(9))
    teams = "https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join%2F19%253ameeting_00000077%2540thread.v2%2F0"
    body = f"Agenda\n{pages}{wrapped.format(url=teams)}"

    assert read(a_meeting(body, html=False), SITE).reason == "link_only"
    assert read(a_meeting(f"{body}700445566@t.plcm.vc\n119 300 482 2\n", html=False), SITE).reason == ""


def test_no_flood_of_older_meetings_keeps_the_location_from_being_read() -> None:
    head = "<p>From: a</p><p>Sent: 1 May 2026 10:00</p><p>To: b</p>"
    body = "".join(f"{head}{TEAMS.format(n=n)}{BLOCK}" for n in range(30))
    location = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_00000077%40thread.v2/0"
    join = read(a_meeting(f"<body>{body}", location=location), SITE)

    assert isinstance(join, JoinInfo)
    assert join.id("thread_id") == "19:meeting_00000077@thread.v2"


def test_ten_million_characters_are_cut_and_the_reason_is_given() -> None:
    join = read(a_meeting("<p>word</p>" * 1_000_000 + TEAMS.format(n=1)), SITE)

    assert join.reason == "body_cut"
