"""Which meetings an endpoint shows, under which title, with or without Join."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.bookings import booking_id, dial_for, digest, of_room, union
from otd.dialplan import plan, read_rules
from otd.invites.site import Site
from otd.model import (
    Booking,
    BookingList,
    DialString,
    Endpoint,
    JoinInfo,
    Meeting,
    NoJoin,
    Person,
    Policy,
    Room,
    Window,
)

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOM = Room(name="attic", calendar="office", mailbox="attic@example.com")
OTHER = Room(name="cellar", calendar="office", mailbox="cellar@example.com")
CODEC = Endpoint(name="attic-codec", kind="cisco", address="192.0.2.10", pool="hq", rooms=("attic", "cellar"))
WINDOW = Window(start=T0 - 24 * HOUR, end=T0 + 7 * 24 * HOUR)
PLAN = plan(own_domains=("example.com",))


def a_meeting(**overrides: Any) -> Meeting:
    usual = Meeting(
        id="m1",
        uid="u1",
        subject="Standup",
        start=T0,
        end=T0 + HOUR,
        body="sip:standup@example.com",
        organizer=Person(name="Ann Ex", address="ann@example.com"),
    )
    return replace(usual, **overrides)


def read(meeting: Meeting, site: Site) -> JoinInfo | NoJoin:
    """Reads invitations whose whole body is a SIP address."""
    if not meeting.body:
        return NoJoin(reason="no_link")
    return JoinInfo(platform="sip", sip=meeting.body)


def shown(*meetings: Meeting, policy: Policy | None = None, room: Room = ROOM) -> tuple[Booking, ...]:
    return of_room(room, CODEC, meetings, PLAN, Site(), policy or Policy(), WINDOW, read=read)


def titles(*meetings: Meeting, policy: Policy | None = None) -> list[str]:
    return [booking.title for booking in shown(*meetings, policy=policy)]


# --- what is shown ---


def test_a_meeting_is_shown_with_join() -> None:
    (booking,) = shown(a_meeting())

    assert booking.dial == DialString(protocol="sip", uri="standup@example.com")
    assert (booking.title, booking.organizer, booking.room) == ("Standup", "Ann Ex", "attic")
    assert (booking.start, booking.end) == (T0, T0 + HOUR)
    assert (booking.platform, booking.rule, booking.reason) == ("sip", "stated-sip", "")


def test_the_buffers_are_those_of_the_policy() -> None:
    (booking,) = shown(a_meeting(), policy=Policy(start_buffer=timedelta(minutes=10), end_buffer=timedelta(minutes=3)))

    assert (booking.start_buffer, booking.end_buffer) == (timedelta(minutes=10), timedelta(minutes=3))


@pytest.mark.parametrize(
    "hidden",
    [
        {"cancelled": True},
        {"response": "declined"},
        {"show_as": "free"},
        {"kind": "series"},
        {"start": WINDOW.end, "end": WINDOW.end + HOUR},
        {"start": WINDOW.start - HOUR, "end": WINDOW.start},
    ],
    ids=lambda hidden: ",".join(hidden),
)
def test_what_does_not_take_place_here_is_not_shown(hidden: dict[str, Any]) -> None:
    assert shown(a_meeting(**hidden)) == ()


@pytest.mark.parametrize(
    "kept",
    [
        {"subject": "Canceled: Standup"},
        {"show_as": "tentative"},
        {"response": "unanswered"},
        {"response": "tentative"},
        {"response": "none"},
        {"all_day": True},
        {"show_as": "elsewhere"},
        {"is_organizer": True, "response": "organizer"},
        {"start": WINDOW.start - HOUR, "end": WINDOW.start + HOUR},
        {"start": WINDOW.end - HOUR, "end": WINDOW.end + HOUR},
    ],
    ids=str,
)
def test_what_may_take_place_here_is_shown(kept: dict[str, Any]) -> None:
    assert len(shown(a_meeting(**kept))) == 1


@pytest.mark.parametrize(
    ("policy", "meeting", "count"),
    [
        (Policy(tentative=False), {"show_as": "tentative"}, 0),
        (Policy(tentative=False), {"response": "tentative"}, 0),
        (Policy(tentative=False), {"response": "unanswered"}, 0),
        (Policy(free=True), {"show_as": "free"}, 1),
        (Policy(all_day=False), {"all_day": True}, 0),
        (Policy(without_video=False), {"body": ""}, 0),
        (Policy(without_video=False), {}, 1),
        (Policy(without_video=True), {"body": ""}, 1),
    ],
)
def test_the_site_decides_on_doubtful_meetings(policy: Policy, meeting: dict[str, Any], count: int) -> None:
    assert len(shown(a_meeting(**meeting), policy=policy)) == count


def test_a_meeting_longer_than_the_window_keeps_its_times() -> None:
    (booking,) = shown(a_meeting(start=T0 - 480 * HOUR, end=T0 + 480 * HOUR))

    assert (booking.start, booking.end) == (T0 - 480 * HOUR, T0 + 480 * HOUR)


def test_a_meeting_of_no_length_lasts_a_minute() -> None:
    (booking,) = shown(a_meeting(end=T0))

    assert booking.end - booking.start == timedelta(minutes=1)


def test_a_meeting_without_video_says_why_it_has_no_join() -> None:
    (booking,) = shown(a_meeting(body=""))

    assert (booking.dial, booking.reason) == (None, "no_link")


def test_a_dial_string_to_a_foreign_domain_never_reaches_a_booking() -> None:
    (booking,) = shown(a_meeting(body="premium@evil.example"))

    assert (booking.dial, booking.reason, booking.rule) == (None, "domain_not_allowed", "stated-sip")


def test_back_to_back_and_overlapping_meetings_are_all_shown_in_their_order() -> None:
    meetings = [
        a_meeting(id="c", uid="c", subject="C", start=T0 + HOUR, end=T0 + 2 * HOUR),
        a_meeting(id="b", uid="b", subject="B", start=T0, end=T0 + 2 * HOUR),
        a_meeting(id="a", uid="a", subject="A"),
    ]

    assert titles(*meetings) == ["A", "B", "C"]


def test_a_rule_for_one_endpoint_counts_for_that_endpoint() -> None:
    rules, _ = read_rules([{"name": "x", "endpoints": "attic-codec", "template": "x@example.com"}])

    (booking,) = of_room(ROOM, CODEC, [a_meeting()], plan(rules, ("example.com",)), Site(), Policy(), WINDOW, read=read)
    (other,) = of_room(
        ROOM,
        replace(CODEC, name="y"),
        [a_meeting()],
        plan(rules, ("example.com",)),
        Site(),
        Policy(),
        WINDOW,
        read=read,
    )

    assert (booking.rule, other.rule) == ("x", "stated-sip")


# --- private meetings ---


@pytest.mark.parametrize("sensitivity", ["private", "confidential"])
def test_a_private_meeting_shows_neither_title_nor_organiser_and_keeps_its_join(sensitivity: str) -> None:
    for policy in (Policy(), Policy(title="organizer")):
        (booking,) = shown(a_meeting(sensitivity=sensitivity), policy=policy)

        assert (booking.title, booking.organizer, booking.private) == ("Private meeting", "", True)
        assert booking.dial is not None


def test_a_personal_meeting_is_not_private() -> None:
    assert titles(a_meeting(sensitivity="personal")) == ["Standup"]


def test_a_private_meeting_can_be_shown_without_join() -> None:
    (booking,) = shown(a_meeting(sensitivity="private"), policy=Policy(private_dial=False, private_title="Occupied"))

    assert (booking.title, booking.dial, booking.reason) == ("Occupied", None, "private")


def test_a_private_meeting_without_video_keeps_its_own_reason() -> None:
    (booking,) = shown(a_meeting(sensitivity="private", body=""), policy=Policy(private_dial=False))

    assert booking.reason == "no_link"


def test_a_cancelled_meeting_has_no_dial_string_for_whoever_asks() -> None:
    meeting = a_meeting(cancelled=True)

    assert dial_for(read(meeting, Site()), meeting, PLAN, Policy()).reason == "cancelled"


# --- titles ---


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("FW: Standup", "Standup"),
        ("Fwd: RE: Standup", "Standup"),
        ("AW: WG: Runde", "Runde"),
        ("TR : Réunion", "Réunion"),
        ("RV: Reunión", "Reunión"),
        ("ENC: RES: Reunião", "Reunião"),
        ("Antw: Doorst: Overleg", "Overleg"),
        ("SV: VB: Möte", "Möte"),
        ("VS: VL: Kokous", "Kokous"),
        ("Odp: PD: Spotkanie", "Spotkanie"),
        ("YNT: İLT: Toplantı", "Toplantı"),
        ("ΑΠ: ΠΡΘ: Σύσκεψη", "Σύσκεψη"),
        ("转发：会议", "会议"),
        ("返信: 転送: 会議", "会議"),
        ("회신: 회의", "회의"),
        ("הועבר: פגישה", "פגישה"),
        ("رد: إعادة توجيه: اجتماع", "اجتماع"),
        ("RE[2]: RE(3): Standup", "Standup"),
        ("Review: the plan", "Review: the plan"),
        ("Research: what next", "Research: what next"),
        ("FW without a colon", "FW without a colon"),
        ("R: the language", "R: the language"),
        ("FW:", "FW:"),
        ("FW: ", "FW:"),
        ("", "Ann Ex"),
        (" \r\n\t ", "Ann Ex"),
        ("  two\r\n lines\tand   a tab ", "two lines and a tab"),
    ],
)
def test_titles_lose_what_was_put_before_them(subject: str, title: str) -> None:
    assert titles(a_meeting(subject=subject)) == [title]


def test_the_prefix_is_kept_where_the_site_wants_it() -> None:
    assert titles(a_meeting(subject="FW: Standup"), policy=Policy(keep_prefix=True)) == ["FW: Standup"]


@pytest.mark.parametrize(
    ("organizer", "title"),
    [
        (Person(name="Ann Ex", address="ann@example.com"), "Ann Ex"),
        (Person(address="ann@example.com"), "ann@example.com"),
        (Person(), "Standup"),
    ],
)
def test_the_organiser_can_stand_for_the_subject(organizer: Person, title: str) -> None:
    assert titles(a_meeting(organizer=organizer), policy=Policy(title="organizer")) == [title]


def test_a_meeting_of_nobody_about_nothing_still_has_a_title() -> None:
    assert titles(a_meeting(subject="", organizer=Person())) == ["Meeting"]


# --- one meeting, one booking ---


def test_a_meeting_received_directly_and_forwarded_is_shown_once() -> None:
    direct = a_meeting(id="direct", subject="Standup")
    forwarded = a_meeting(id="a-forwarded", subject="FW: Standup", body="longer@example.com")

    (booking,) = shown(forwarded, direct)

    assert booking.dial is not None
    assert booking.dial.uri == "standup@example.com"


def test_of_two_copies_the_one_that_can_be_dialled_is_shown() -> None:
    (booking,) = shown(a_meeting(id="direct", body=""), a_meeting(id="forwarded", subject="FW: Standup"))

    assert booking.dial is not None


def test_a_cancelled_copy_does_not_hide_the_one_that_takes_place() -> None:
    assert len(shown(a_meeting(id="1", cancelled=True), a_meeting(id="2"))) == 1


def test_of_two_copies_a_private_one_keeps_its_secret() -> None:
    (booking,) = shown(a_meeting(id="1"), a_meeting(id="2", sensitivity="private", body=""))

    assert booking.title == "Private meeting"


def test_the_occurrences_of_a_series_are_bookings_of_their_own() -> None:
    days = [timedelta(days=n) for n in range(3)]
    series = [
        a_meeting(id=f"o{n}", kind="occurrence", start=T0 + day, end=T0 + day + HOUR, original_start=T0 + day)
        for n, day in enumerate(days)
    ]
    nameless = [replace(meeting, original_start=None) for meeting in series]

    assert len({booking.id for booking in shown(*series)}) == 3
    assert len({booking.id for booking in shown(*nameless)}) == 3


def test_a_moved_meeting_keeps_its_id() -> None:
    single = a_meeting()
    occurrence = a_meeting(kind="occurrence", original_start=T0)

    for meeting in (single, occurrence):
        moved = replace(meeting, id="other", start=T0 + HOUR, end=T0 + 2 * HOUR, change_key="2")
        moved = replace(moved, kind="exception" if meeting.original_start else "single")
        assert shown(moved)[0].id == shown(meeting)[0].id


def test_ids_are_short_ascii_and_differ_by_room() -> None:
    made = booking_id("attic", "ü" * 500, T0)

    assert made.isascii()
    assert len(made) <= 128
    assert made != booking_id("cellar", "ü" * 500, T0)
    assert made != booking_id("attic", "ü" * 500, None)


# --- the list of an endpoint ---


def test_an_endpoint_of_two_rooms_shows_both() -> None:
    other = a_meeting(uid="u2", subject="Workshop", start=T0 - HOUR, end=T0)
    wanted = union("attic-codec", WINDOW, [shown(a_meeting()), shown(other, room=OTHER)])

    assert [(b.room, b.title) for b in wanted.bookings] == [("cellar", "Workshop"), ("attic", "Standup")]


def test_a_meeting_booked_in_both_halves_of_a_room_is_shown_once() -> None:
    parts = [shown(a_meeting()), shown(a_meeting(id="copy"), room=OTHER)]

    assert len(union("attic-codec", WINDOW, parts).bookings) == 1
    assert union("attic-codec", WINDOW, parts) == union("attic-codec", WINDOW, reversed(parts))


def test_two_meetings_that_look_alike_in_one_room_are_two() -> None:
    private = {"sensitivity": "private", "body": ""}

    part = shown(a_meeting(**private), a_meeting(uid="u2", **private))

    assert len(union("attic-codec", WINDOW, [part]).bookings) == 2


def a_list(**overrides: Any) -> BookingList:
    (booking,) = shown(a_meeting())
    return BookingList(endpoint="attic-codec", window=WINDOW, bookings=(replace(booking, **overrides),))


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"start": T0 - HOUR},
        {"end": T0 + 2 * HOUR},
        {"dial": None},
        {"dial": DialString(protocol="h323", uri="standup@example.com")},
        {"private": True},
        {"organizer": ""},
        {"start_buffer": timedelta(0)},
        {"end_buffer": timedelta(minutes=1)},
        {"platform": "teams"},
        {"id": "otd-1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_all_that_is_shown(change: dict[str, Any]) -> None:
    assert digest(a_list(**change)) != digest(a_list())


def test_the_digest_does_not_change_with_what_is_not_shown() -> None:
    later = replace(a_list(), window=Window(start=T0, end=T0 + HOUR))

    assert digest(a_list(rule="other", reason="")) == digest(a_list()) == digest(later)


# --- with real invitations ---

INVITATION = """
<p>Microsoft Teams</p>
<p><a href="https://teams.microsoft.com/meet/212345678901234?p=aB3dE6fG">Join the meeting now</a></p>
<p>Join on a video conferencing device<br>Tenant key: 220011223@t.plcm.vc<br>Video ID: 112 233 445 5<br>
<a href="https://dialin.plcm.vc/teams/?key=220011223&amp;conf=1122334455">More info</a></p>
"""


def test_an_invitation_becomes_a_booking_with_join() -> None:
    meeting = a_meeting(body=INVITATION, body_type="html")

    (booking,) = of_room(ROOM, CODEC, [meeting], PLAN, Site(), Policy(), WINDOW)

    assert booking.dial == DialString(protocol="sip", uri="220011223.1122334455@t.plcm.vc")
    assert (booking.platform, booking.rule) == ("teams", "teams-poly")


# --- whatever the calendar says ---

TIMES = st.integers(-3000, 15000).map(lambda minutes: T0 + timedelta(minutes=minutes))
SUBJECTS = st.text(max_size=300) | st.sampled_from(["FW: a", "a", "", "RE: FW:"])


@st.composite
def some_meeting(draw: st.DrawFn) -> Meeting:
    start = draw(TIMES)
    return Meeting(
        id=draw(st.sampled_from("abcdefgh")),
        uid=draw(st.sampled_from(["", "u1", "u2", "u3"])),
        start=start,
        end=start + timedelta(minutes=draw(st.integers(0, 600))),
        kind=draw(st.sampled_from(["single", "occurrence", "exception", "series"])),
        original_start=draw(st.none() | TIMES),
        subject=draw(SUBJECTS),
        body=draw(st.sampled_from(["", "a@example.com", "b@evil.example", "<nonsense>"])),
        organizer=Person(name=draw(st.sampled_from(["", "Ann", "Bob"]) | st.text(max_size=20))),
        cancelled=draw(st.booleans()),
        all_day=draw(st.booleans()),
        sensitivity=draw(st.sampled_from(["normal", "personal", "private"])),
        show_as=draw(st.sampled_from(["free", "tentative", "busy", "unknown"])),
        response=draw(st.sampled_from(["none", "accepted", "declined", "unanswered"])),
    )


@given(
    meetings=st.lists(some_meeting(), max_size=8),
    order=st.randoms(),
    policy=st.sampled_from([Policy(), Policy(free=True)]),
)
def test_any_meetings_in_any_order_give_one_list_within_the_window(
    meetings: list[Meeting], order: Random, policy: Policy
) -> None:
    shuffled = meetings * 2
    order.shuffle(shuffled)
    part = shown(*meetings, policy=policy)
    wanted = union("attic-codec", WINDOW, [part, shown(*meetings, policy=policy, room=OTHER)])

    assert shown(*shuffled, policy=policy) == part
    assert union("attic-codec", WINDOW, [wanted.bookings]) == wanted
    assert digest(union("attic-codec", WINDOW, [wanted.bookings[::-1]])) == digest(wanted)
    for bookings in (part, wanted.bookings):
        assert len({b.id for b in bookings}) == len(bookings)
        assert list(bookings) == sorted(bookings, key=lambda b: (b.start, b.end, b.id))
        assert all(b.start < WINDOW.end and b.end > WINDOW.start for b in bookings)
        assert all(0 < len(b.title) <= 128 for b in bookings)
        assert all(b.dial is None or b.dial.uri == "a@example.com" for b in bookings)
        assert all((b.dial is None) == bool(b.reason) for b in bookings)
