"""What comes out of mails as saved (.eml)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from otd import formats
from otd.errors import Garbled
from otd.model import EPOCH, Meeting, Person
from tests.icalendar_text import ics, vevent

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)


def a_mail(
    text: str = "", html: str = "", calendar: bytes = b"", method: str = "REQUEST", cte: str = "base64"
) -> bytes:
    """A mail with what is given as a multipart/alternative."""
    mail = EmailMessage()
    mail["From"] = "Ann Example <ann@example.com>"
    mail["To"] = "Room 1 <room1@example.com>, bo@example.com"
    mail["Subject"] = "Møte på Åsen"
    mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0100"
    mail["Message-ID"] = "<1@example.com>"
    mail.set_content(text or "\n")
    if html:
        mail.add_alternative(html, subtype="html")
    if calendar:
        mail.add_alternative(calendar.decode(), subtype="calendar", cte=cte, params={"method": method})
    return mail.as_bytes()


def only(data: bytes, name: str = "x.eml") -> Meeting:
    (meeting,) = formats.read(data, name)
    return meeting


@pytest.mark.parametrize("cte", ["base64", "quoted-printable"])
def test_the_calendar_part_is_the_meeting_however_it_is_encoded(cte: str) -> None:
    text = vevent(description="Join " + "https://example.com/" + "a" * 100 + "=øå", location="Room 1")
    meeting = only(a_mail("hello", calendar=ics(text, method="REQUEST"), cte=cte))
    assert meeting == only(ics(text, method="REQUEST"), "x.ics")
    assert (meeting.start, meeting.uid) == (NINE, "m1@example.com")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16"])
def test_the_calendar_part_may_be_in_any_character_set(charset: str) -> None:
    part = MIMEText(ics(vevent(summary="Møte på Åsen")).decode(), "calendar", charset)
    assert only(part.as_bytes()).subject == "Møte på Åsen"


def test_a_method_that_only_the_mail_states_counts() -> None:
    assert only(a_mail("gone", calendar=ics(vevent()), method="CANCEL")).cancelled


def test_a_meeting_without_text_of_its_own_has_the_text_beside_it() -> None:
    html = "<html><body><p>Join here</p></body></html>"
    with_html = only(a_mail("plain", html, ics(vevent(description="\\n"))))
    assert (with_html.body.strip(), with_html.body_type) == (html, "html")
    with_text = only(a_mail("plain", calendar=ics(vevent())))
    assert (with_text.body.strip(), with_text.body_type) == ("plain", "text")


def test_a_meeting_with_an_address_in_its_own_text_keeps_it() -> None:
    html = "<html><body><a href='https://filter.example.net/?x'>rewritten by a filter</a></body></html>"
    meeting = only(a_mail("plain", html, ics(vevent(description="Join https://example.com/"))))
    assert (meeting.body, meeting.body_type) == ("Join https://example.com/", "text")


def test_a_meeting_whose_text_names_no_address_has_the_text_that_does() -> None:
    html = "<html><body><a href='https://example.com/'>Join</a></body></html>"
    assert only(a_mail("plain", html, ics(vevent(description="When: today")))).body_type == "html"
    assert only(a_mail("plain", "<p>Hello</p>", ics(vevent(description="When: today")))).body == "When: today"


def test_the_text_of_a_mail_that_only_carries_an_invitation_is_not_its_body() -> None:
    mail = EmailMessage()
    mail.set_content("Please see what Ann sent me")
    mail.add_attachment(ics(vevent()), maintype="text", subtype="calendar", filename="invite.ics")
    assert only(mail.as_bytes()).body == ""


@pytest.mark.parametrize(
    ("maintype", "subtype", "filename"),
    [("application", "ics", "invite.ics"), ("application", "octet-stream", "Invite.ICS"), ("text", "calendar", None)],
)
def test_an_attached_invitation_is_read(maintype: str, subtype: str, filename: str | None) -> None:
    mail = EmailMessage()
    mail.set_content("see attachment")
    mail.add_attachment(ics(vevent()), maintype=maintype, subtype=subtype, filename=filename)
    assert only(mail.as_bytes()).uid == "m1@example.com"


def test_an_invitation_that_comes_twice_in_a_mail_is_one_meeting() -> None:
    mail = EmailMessage()
    mail.set_content("hello")
    mail.add_alternative(ics(vevent()).decode(), subtype="calendar")
    mail.make_mixed()
    mail.add_attachment(ics(vevent()), maintype="application", subtype="ics", filename="invite.ics")
    assert only(mail.as_bytes()).uid == "m1@example.com"


def test_a_forwarded_mail_is_opened() -> None:
    inner = EmailMessage()
    inner.set_content("hello")
    inner.add_alternative(ics(vevent(description="Join")).decode(), subtype="calendar")
    outer = EmailMessage()
    outer["Subject"] = "FW: hello"
    outer.set_content("for you")
    outer.add_attachment(inner)
    assert only(outer.as_bytes()).body == "Join"


def test_two_invitations_attached_to_one_mail_are_two_meetings() -> None:
    mail = EmailMessage()
    mail.set_content("both")
    for uid in ("m1", "m2"):
        mail.add_attachment(ics(vevent(uid=uid)), maintype="text", subtype="calendar", filename=f"{uid}.ics")
    assert [m.uid for m in formats.read(mail.as_bytes(), "x.eml")] == ["m1", "m2"]


def test_a_mail_without_a_calendar_part_is_a_meeting_at_its_date() -> None:
    meeting = only(a_mail("plain", "<p>Join <a href='https://example.com/'>here</a></p>"))
    assert meeting.start == meeting.end == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert (meeting.subject, meeting.body_type) == ("Møte på Åsen", "html")
    assert "https://example.com/" in meeting.body
    assert meeting.organizer == Person(name="Ann Example", address="ann@example.com")
    assert [p.address for p in meeting.attendees] == ["room1@example.com", "bo@example.com"]
    assert meeting.uid == "1@example.com"
    assert not formats.parse(a_mail("plain"), "x.eml").entries[0].dated


def test_plain_text_is_the_body_where_the_html_shows_nothing() -> None:
    meeting = only(a_mail("Join https://example.com/", "<html><body> </body></html>"))
    assert (meeting.body.strip(), meeting.body_type) == ("Join https://example.com/", "text")


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 9999 99:00:00 +9999"])
def test_a_mail_without_a_date_stands_at_the_epoch(date: str) -> None:
    head = f"Date: {date}\r\n" if date else ""
    assert only(f"MIME-Version: 1.0\r\n{head}Subject: x\r\n\r\nhello".encode()).start == EPOCH


@pytest.mark.parametrize("subject", [b"=?ut\xff-8?q?a?=", b"=?x?q?\xff?= \xe9"])
def test_a_subject_that_is_encoded_in_no_known_way_is_taken_as_it_is(subject: bytes) -> None:
    assert only(b"MIME-Version: 1.0\r\nSubject: " + subject + b"\r\n\r\nx").subject.encode()


def test_a_text_in_a_character_set_that_nobody_knows_is_read_as_best_can_be() -> None:
    for charset in ("x-unknown", "zlib", "unicode_escape"):
        mail = f'Content-Type: text/plain; charset="{charset}"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\\u0041 blåbær'
        assert only(mail.encode()).body == "\\u0041 blåbær"


def test_winmail_dat_is_passed_over_and_noted() -> None:
    mail = EmailMessage()
    mail.set_content("hello")
    mail.add_attachment(b"\x78\x9f\x3e\x22", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    document = formats.parse(mail.as_bytes(), "x.eml")
    assert document.entries[0].meeting.body.strip() == "hello"
    assert any("winmail.dat" in note for note in document.notes)


def test_a_calendar_part_that_cannot_be_read_is_noted_and_counted_as_lost() -> None:
    mail = EmailMessage()
    mail.set_content("hello")
    mail.add_attachment(b"no calendar at all", maintype="text", subtype="calendar", filename="x.ics")
    document = formats.parse(mail.as_bytes(), "x.eml")
    assert document.lost == 1
    assert any("calendar part cannot be read" in note for note in document.notes)


def test_a_mail_that_breaks_off_in_its_calendar_part_is_not_whole() -> None:
    data = a_mail("hello", calendar=ics(vevent(description="x" * 3_000)), cte="base64")
    document = formats.parse(data[: len(data) * 2 // 3], "x.eml")
    assert not document.whole
    assert document.entries[0].meeting.uid == "m1@example.com"


def test_an_mbox_line_a_mark_and_blank_lines_before_the_headers_do_no_harm() -> None:
    data = a_mail("hello", calendar=ics(vevent()))
    for before in (b"\r\n\r\n", b"\xef\xbb\xbf", b"From ann@example.com Mon Nov 23 10:00:00 2026\r\n"):
        assert only(before + data).uid == "m1@example.com"


def test_a_mail_saved_as_utf_16_is_read() -> None:
    data = a_mail("hello", calendar=ics(vevent())).decode("ascii").encode("utf-16")
    assert only(data).uid == "m1@example.com"


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 3_000,
        b'Content-Type: text/plain; a="' + b'";"' * 100_000 + b"\r\n\r\nhello",
        b"Subject: x\r\nContent-Type: text/plain;\r\n" + b' a=";";\r\n' * 100_000 + b"\r\nhello",
        b"MIME-Version: 1.0\r\n\r\n" + b"\n" * 3_000_000,
        b"MIME-Version: 1.0\r\n\r\n" + b"boundary =\n" * 500_000,
    ],
    ids=["nested", "quotes", "continued", "lines", "boundaries"],
)
def test_a_mail_that_is_built_to_keep_the_parser_busy_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled, match=r"x\.eml: the mail"):
        formats.read(data, "x.eml")


def test_parts_without_end_are_cut_short() -> None:
    deep: MIMEMultipart | MIMEText = MIMEText("hello")
    for _ in range(60):
        outer = MIMEMultipart()
        outer.attach(deep)
        deep = outer
    assert only(deep.as_bytes()).body.strip() == "hello"
    wide = MIMEMultipart()
    for _ in range(2_000):
        wide.attach(MIMEText("hello"))
    assert only(wide.as_bytes()).body.strip() == "hello"
