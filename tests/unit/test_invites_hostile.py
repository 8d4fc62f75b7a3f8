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


ZOOM = '<p><a href="https://zoom.us/j/91122334455">Join</a></p>'
HEAD = "<p>From: a</p><p>Sent: 1 May 2026 10:00</p><p>To: b</p>"
MANY_LINKS = "".join(f'<p><a href="https://acme.webex.com/acme/ldr.php?RCID={n}">{n}</a></p>' for n in range(30))
MANY_NUMBERS = "".join(f"<p>{n:06}@c.example</p>" for n in range(300))


def test_a_mere_link_above_more_than_is_read_is_not_dialled_for_what_is_trusted_more_below() -> None:
    below = f"<p>{'-' * 30}</p>{TEAMS.format(n=77)}<p>700445566@t.plcm.vc</p><p>Video ID: 119 300 482 2</p>"
    join = read(a_meeting(f"<body>{ZOOM}{MANY_NUMBERS}{below}"), SITE)

    assert isinstance(join, JoinInfo)
    assert (join.platform, join.reason, join.ids) == ("zoom", "body_cut", ())
    assert [(lost.join.platform, lost.reason) for lost in join.alternatives] == [
        ("zoom", "body_cut"),
        ("teams", "later"),
    ]
    best = read(a_meeting(f"<body>{ZOOM}{below}"), SITE)
    assert isinstance(best, JoinInfo)
    assert (best.platform, best.id("vtc_id")) == ("teams", "1193004822")


@pytest.mark.parametrize("flood", [MANY_LINKS, MANY_NUMBERS])
def test_what_is_not_read_of_an_older_mail_below_counts_for_nothing(flood: str) -> None:
    join = read(a_meeting(f"<body>{ZOOM}{HEAD}{flood}{TEAMS.format(n=77)}{BLOCK}"), SITE)

    assert isinstance(join, JoinInfo)
    assert (join.reason, join.id("meeting_id")) == ("", "91122334455")


def test_an_address_block_above_more_than_is_read_is_dialled() -> None:
    join = read(a_meeting(f"<body>{TEAMS.format(n=77)}{BLOCK}{MANY_NUMBERS}{MANY_LINKS}{ZOOM}"), SITE)

    assert isinstance(join, JoinInfo)
    assert (join.reason, join.id("vtc_id")) == ("", "1193004822")


PAGES = (
    "https://acme.zoom.us/rec/share/{n}",
    "https://us02web.zoom.us/u/{n}",
    "https://teams.microsoft.com/l/message/19%3a1f%40thread.tacv2/{n}",
    "https://teams.microsoft.com/l/channel/19%3a{n}%40thread.tacv2/General",
)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("form", ['<p><a href="{page}">{n}</a></p>', "{page}\n"])
def test_pages_of_platforms_that_are_no_meetings_take_no_room(page: str, form: str) -> None:
    html = "<p>" in form
    many = "".join(form.format(page=page.format(n=f"x{n}"), n=n) for n in range(40))
    link = ZOOM if html else "https://acme.zoom.us/j/91122334455\n"

    for body in (link + many, many + link):
        join = read(a_meeting(body, html=html), SITE)
        assert isinstance(join, JoinInfo)
        assert (join.reason, join.id("meeting_id")) == ("", "91122334455")


def test_a_marked_address_below_many_people_is_read_once() -> None:
    people = "".join(f"ida.nr{n}@c.example\n" for n in range(100))
    for marked in ("sip:boardroom7@vc.example.com", "SIP: 1234567@vc.example.com", "planning.vmr@vc.example.com"):
        (passage,) = prepare(a_meeting(f"{people}{marked}\n", html=False), SITE, SIGNS).passages
        assert [one.user for one in passage.addresses if one.domain == "vc.example.com"] == [
            marked.partition(":")[2].strip().partition("@")[0] or "planning.vmr"
        ]


def test_no_number_in_an_address_that_is_passed_over_is_an_id() -> None:
    many = "".join(f"https://a.example/{n}\n" for n in range(30))
    teams = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_00000077%40thread.v2/0\n"
    number = "https://b.example/1193004822\n"

    assert read(a_meeting(f"{many}{teams}700445566@t.plcm.vc\n{number}", html=False), SITE).reason == "id_redacted"


@pytest.mark.parametrize("html", [True, False])
def test_a_meeting_below_a_list_of_many_people_is_read(html: bool) -> None:
    people = "".join(f"<p>ida.nr{n}@c.example</p>" if html else f"ida.nr{n}@c.example\n" for n in range(200))
    join = read(a_meeting(people + (ZOOM if html else "https://zoom.us/j/91122334455"), html=html), SITE)

    assert isinstance(join, JoinInfo)
    assert (join.reason, join.id("meeting_id")) == ("", "91122334455")


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
