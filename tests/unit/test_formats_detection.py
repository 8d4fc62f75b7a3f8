"""What a file is taken for, by its content and its name, and what comes out of the simple kinds."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from otd import formats
from otd.errors import Garbled
from otd.formats.detection import kind_of, text_of
from otd.model import EPOCH
from tests.icalendar_text import ics, vevent

EVENT = {
    "id": "AAMk1",
    "iCalUId": "m1@example.com",
    "subject": "Weekly review",
    "start": {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-11-24T10:00:00.0000000", "timeZone": "UTC"},
    "type": "singleInstance",
}
ITEM = """<t:CalendarItem><t:ItemId Id="AAMk1" ChangeKey="k"/><t:Subject>Weekly review</t:Subject>
<t:Body BodyType="HTML">{body}</t:Body><t:ExtendedProperty>
<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="SkypeTeamsMeetingUrl" PropertyType="String"/><t:Value>https://teams.microsoft.com/x</t:Value>
</t:ExtendedProperty><t:UID>m1@example.com</t:UID><t:Start>2026-11-24T09:00:00Z</t:Start>
<t:End>2026-11-24T10:00:00Z</t:End></t:CalendarItem>"""
ENVELOPE = """<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Body><m:GetItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"
xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>
<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>{code}</m:ResponseCode><m:Items>{items}</m:Items>
</m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>"""


def ews(items: str = "", code: str = "NoError") -> bytes:
    return ENVELOPE.format(items=items, code=code).encode()


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (ics(vevent()), "", "ical"),
        (ics(vevent()), "x.txt", "ical"),
        (ics(vevent()), "x.eml", "ical"),
        (ics(vevent()).decode().encode("utf-16"), "", "ical"),
        (b"Here it is:\r\n" + ics(vevent()), "", "ical"),
        (b"Received: by x\r\nSubject: y\r\n\r\nhello", "", "mail"),
        (b"Subject: y\r\n\r\nhello", "x.EML", "mail"),
        (b"From: Ann\r\nSent: Monday\r\nTo: Bo\r\n\r\nhello", "", "text"),
        (b"\xef\xbb\xbf {\r\n \"value\": []}", "", "json"),
        (b"[EXTERNAL] Join here", "", "text"),
        (b"[EXTERNAL] Join here", "x.txt", "text"),
        (b'[{"id": "x"}]', "x.txt", "text"),
        (ews(), "", "xml"),
        (b'<?xml version="1.0"?><html><body>x</body></html>', "", "html"),
        (b"<!DOCTYPE html><p>x", "", "html"),
        (b"Join <a href='x'>here</a>", "", "html"),
        (b"Join here", "x.html", "html"),
        (b"Join <https://example.com/> here", "", "text"),
        (b"Join here", "", "text"),
        (b"Join here", "invitation.for.room", "text"),
    ],
)  # fmt: skip
def test_a_file_is_what_its_content_says_and_else_what_its_name_says(data: bytes, name: str, kind: str) -> None:
    assert kind_of(data, name) == kind


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Outlook .msg file .*save it as .eml or .ics"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a ZIP"),
        (b"\x00\x01\x02\x00\x00\x03", "not text"),
        (b"", "is empty"),
        (b"\r\n \r\n", "is empty"),
    ],
)
def test_what_is_no_invitation_at_all_is_refused_with_a_clear_sentence(data: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=why):
        formats.read(data, "")


def test_a_file_beyond_all_measure_is_refused_unread() -> None:
    with pytest.raises(Garbled, match="larger than 40 MiB"):
        formats.read(b" " * (formats.SIZE_LIMIT + 1), "x.ics")


def test_text_is_read_by_its_mark_its_character_set_or_as_utf_8_or_as_windows_writes_it() -> None:
    for data in ("blåbær".encode(c) for c in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252")):
        assert text_of(data) == "blåbær"
    assert text_of("blåbær".encode("iso-8859-15"), "iso-8859-15") == "blåbær"
    assert text_of("ブリュッセル".encode("shift_jis"), "shift_jis") == "ブリュッセル"


# text and HTML --------------------------------------------------------------------------------------------------------


def test_a_bare_text_is_one_meeting_that_states_no_start() -> None:
    entry = formats.parse("Join https://example.com/ på".encode(), "x.txt").entries[0]
    meeting = entry.meeting
    assert (meeting.body, meeting.body_type) == ("Join https://example.com/ på", "text")
    assert (meeting.start, meeting.end, entry.dated) == (EPOCH, EPOCH, False)


def test_a_bare_page_is_one_meeting_named_by_its_title() -> None:
    (meeting,) = formats.read(b"<html><head><title>Tea &amp; toast</title></head><body>x</body></html>", "x.html")
    assert (meeting.subject, meeting.body_type) == ("Tea & toast", "html")


def test_a_page_is_read_in_the_character_set_that_it_states() -> None:
    html = '<html><meta http-equiv="Content-Type" content="text/html; charset=shift_jis"><p>会議</p></html>'
    (meeting,) = formats.read(html.encode("shift_jis"), "x.html")
    assert "会議" in meeting.body


# Graph ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        EVENT,
        [EVENT],
        {"@odata.context": "x", "value": [EVENT]},
        {"responses": [{"id": "1", "status": 200, "body": {"value": [EVENT]}}]},
        {"responses": [{"id": "1", "status": 200, "body": EVENT}]},
    ],
)
def test_every_shape_in_which_graph_gives_events_is_read(shape: object) -> None:
    (meeting,) = formats.read(json.dumps(shape).encode(), "x.json")
    assert (meeting.uid, meeting.start) == ("m1@example.com", datetime(2026, 11, 24, 9, tzinfo=UTC))


def test_a_calendar_view_without_events_has_none() -> None:
    assert formats.read(b'{"value": []}') == ()


def test_what_graph_could_not_give_is_noted() -> None:
    answer = {"responses": [{"id": "1", "status": 429, "body": {"error": {"code": "x"}}}, {"body": {"value": [EVENT]}}]}
    document = formats.parse(json.dumps(answer).encode())
    assert len(document.entries) == 1
    assert any("is an error" in note for note in document.notes)
    page = {"value": [EVENT, {"id": "x"}, 5], "@odata.nextLink": "https://graph.example.com/next"}
    notes = " ".join(formats.parse(json.dumps(page).encode()).notes)
    assert "one page of several" in notes
    assert "left out" in notes
    assert "no event" in notes


def test_drafts_are_no_meetings() -> None:
    assert formats.read(json.dumps({**EVENT, "isDraft": True}).encode()) == ()


def test_half_of_a_surrogate_pair_does_not_get_through() -> None:
    half = {"subject": "x \ud83d y\u0000", "id": "\ud83d", "iCalUId": "u\ud83d", "changeKey": "c\ud83d"}
    (meeting,) = formats.read(json.dumps({**EVENT, **half}).encode())
    assert (meeting.subject, meeting.id, meeting.uid) == ("x \ufffd y", "\ufffd", "u\ufffd")
    assert meeting.change_key == "c\ufffd"


@pytest.mark.parametrize("data", [b"{", b'{"a": 1}', b'"x"', b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000])
def test_json_that_is_none_of_graphs_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled, match="JSON"):
        formats.read(data, "x.json")


def test_occurrences_that_graph_gives_stand_each_for_itself() -> None:
    days = [
        {
            **EVENT,
            "id": f"AAMk{day}",
            "type": "occurrence",
            "seriesMasterId": "AAMk0",
            "start": {"dateTime": f"2026-11-{day}T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": f"2026-11-{day}T10:00:00", "timeZone": "UTC"},
        }
        for day in (24, 25, 26)
    ]
    entries = formats.parse(json.dumps(days).encode()).entries
    window = formats.Window(start=datetime(2026, 11, 24, tzinfo=UTC), end=datetime(2026, 11, 26, tzinfo=UTC))
    meetings, problems = formats.occurrences(entries, window)
    assert ([m.id for m in meetings], problems) == (["AAMk24", "AAMk25"], ())


# EWS ------------------------------------------------------------------------------------------------------------------


def test_an_answer_of_exchange_is_read_with_its_hidden_properties() -> None:
    (meeting,) = formats.read(ews(ITEM.format(body="&lt;p&gt;Hello&lt;/p&gt;")), "x.xml")
    assert (meeting.uid, meeting.body, meeting.body_type) == ("m1@example.com", "<p>Hello</p>", "html")
    assert meeting.prop("SkypeTeamsMeetingUrl") == "https://teams.microsoft.com/x"


def test_control_characters_that_exchange_writes_as_references_are_dropped() -> None:
    (meeting,) = formats.read(ews(ITEM.format(body="a&#x1;b&#11;c&#x1A;d&#10;e")), "x.xml")
    assert meeting.body == "abcd\ne"


def test_an_answer_without_items_has_no_meetings_and_an_error_is_noted() -> None:
    assert formats.read(ews(), "x.xml") == ()
    document = formats.parse(ews(code="ErrorServerBusy"), "x.xml")
    assert document.entries == ()
    assert any("is an error" in note for note in document.notes)


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'.encode("utf-16"),
        b'<?xml version="1.0"?><x/>',
        b'<?xml version="1.0"?><x>',
        b'<?xml version="1.0"?>' + b"<x>" * 100_000,
    ],
    ids=["entities", "outside", "foreign", "broken", "deep"],
)  # fmt: skip
def test_xml_that_exchange_does_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled, match="XML"):
        formats.read(data, "x.xml")
