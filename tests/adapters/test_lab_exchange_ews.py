"""The simulated Exchange Server, asked by exchangelib and by bare requests: what it gives and what it refuses."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import exchangelib
import httpx
import pytest
from exchangelib import IMPERSONATION, Account, Configuration, Credentials, EWSDateTime
from exchangelib.errors import (
    ErrorCalendarViewRangeTooBig,
    ErrorImpersonateUserDenied,
    ErrorInvalidIdMalformed,
    ErrorItemNotFound,
    ErrorMailboxMoveInProgress,
    ErrorNameResolutionNoResults,
    ErrorNonExistentMailbox,
    ErrorServerBusy,
    MalformedResponseError,
    RedirectError,
    UnauthorizedError,
)
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.folders import Calendar, Root
from exchangelib.items import CalendarItem
from exchangelib.properties import DistinguishedFolderId
from exchangelib.properties import Mailbox as MailboxAddress
from exchangelib.protocol import close_connections
from exchangelib.version import Build, Version
from lxml import etree

from otd.lab import faults
from otd.lab.ews import Ews
from otd.lab.ews_items import ELEMENTS
from otd.lab.identities import Identity, ews_id
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.server import Server
from otd.model import Meeting, Person, Window

T0 = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = Window(start=T0 - 9 * HOUR, end=T0 + 7 * DAY)
ROOM, OTHER = "room1@contoso.example", "room2@contoso.example"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loads no CAs, which takes long and is of no use here
ACCOUNT, PASSWORD = "CONTOSO\\svc-otd", "a password with ü"
NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
SIMPLE = (
    *("subject", "sensitivity", "start", "end", "original_start", "recurrence_id", "is_all_day", "is_meeting"),
    *("legacy_free_busy_status", "is_cancelled", "is_recurring", "type", "my_response_type", "appointment_state"),
)


class LabTeamsUrl(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "SkypeTeamsMeetingUrl"
    property_type = "String"


class Lab:
    """An Exchange Server with two rooms, of which the account may impersonate the first."""

    def __init__(self, ews: Ews, server: Server) -> None:
        self.ews, self.server = ews, server
        self.url = f"{server.url}/EWS/Exchange.asmx"
        self.http = httpx.Client(verify=PLAIN, trust_env=False, timeout=5, auth=(ACCOUNT, PASSWORD))

    @property
    def room(self) -> Mailbox:
        return self.ews.mailboxes[ROOM]

    # by exchangelib

    def account(self, mailbox: str = ROOM, *, password: str = PASSWORD) -> Account:
        configuration = Configuration(
            service_endpoint=self.url,
            credentials=Credentials(ACCOUNT, password),
            auth_type=exchangelib.BASIC,
            version=Version(Build(15, 2)),
            max_connections=1,
        )
        return Account(
            mailbox,
            config=configuration,
            autodiscover=False,
            access_type=IMPERSONATION,
            default_timezone=exchangelib.UTC,
        )

    def calendar(self, account: Account) -> Calendar:
        address = MailboxAddress(email_address=account.primary_smtp_address)
        root = Root(account=account, _distinguished_id=DistinguishedFolderId(id="root", mailbox=address))
        return Calendar(root=root, _distinguished_id=DistinguishedFolderId(id="calendar", mailbox=address))

    def view(
        self, *, account: Account | None = None, fields: tuple[str, ...] = SIMPLE, limit: int = 200
    ) -> list[CalendarItem]:
        window = {"start": EWSDateTime.from_datetime(WEEK.start), "end": EWSDateTime.from_datetime(WEEK.end)}
        calendar = self.calendar(account or self.account())
        return list(calendar.view(max_items=limit, **window).only(*fields))

    # by hand

    def post(self, body: str, *, header: str | None = None, **options: Any) -> httpx.Response:
        head = HEADER if header is None else header
        names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items() if prefix != "e")
        text = f"<s:Envelope {names}><s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        options.setdefault("headers", {"Content-Type": "text/xml; charset=utf-8"})
        return self.http.post(self.url, content=text.encode(), **options)

    def find(self, **options: str) -> etree._Element:
        return etree.fromstring(self.post(find_item(**options)).content)


IMPERSONATED = (
    "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{}</t:PrimarySmtpAddress></t:ConnectingSID>"
    "</t:ExchangeImpersonation>"
)
VERSION = '<t:RequestServerVersion Version="Exchange2016"/>'
HEADER = VERSION + IMPERSONATED.format(ROOM)


def find_item(
    *,
    shape: str = "<t:BaseShape>IdOnly</t:BaseShape>",
    view: str = 'StartDate="2026-11-24T00:00:00Z" EndDate="2026-12-01T00:00:00Z"',
    folder: str = '<t:DistinguishedFolderId Id="calendar"/>',
    more: str = "",
) -> str:
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape>{shape}</m:ItemShape><m:CalendarView {view}/>{more}'
        f"<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
    )


def get_item(*ids: str, shape: str = "<t:BaseShape>AllProperties</t:BaseShape>") -> str:
    items = "".join(f'<t:ItemId Id="{one}"/>' for one in ids)
    return f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{items}</m:ItemIds></m:GetItem>"


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the response code: of the fault, or of the first response message."""
    root = etree.fromstring(answer.content)
    found = root.find(".//e:ResponseCode", NS)
    if found is None:
        found = root.find(".//m:ResponseCode", NS)
    assert found is not None
    return answer.status_code, found.text or ""


@pytest.fixture
def lab() -> Iterator[Lab]:
    rooms = Mailboxes()
    rooms.add(ROOM, name="Room 1", timezone="Europe/Berlin")
    rooms.add(OTHER, name="Room 2")
    ews = Ews(rooms)
    ews.account(ACCOUNT, PASSWORD, impersonates=frozenset((ROOM,)))
    CalendarItem.register("lab_teams_url", LabTeamsUrl)
    try:
        with Server(ews) as server:
            lab = Lab(ews, server)
            yield lab
            lab.http.close()
    finally:
        close_connections()
        CalendarItem.deregister("lab_teams_url")


def a_meeting(start: datetime = T0, **overrides: Any) -> Meeting:
    usual = {"id": "", "uid": "", "start": start, "end": start + HOUR, "subject": "Planning"}
    return Meeting(**{**usual, **overrides})


ANN = Person(name="Ann Example", address="ann@contoso.example")

# --- exchangelib: view, then fetch --------------------------------------------------------------------------------


def test_exchangelib_sees_the_meetings_of_the_window(lab: Lab) -> None:
    lab.room.add(a_meeting(organizer=ANN, response="tentative", show_as="oof", sensitivity="private"))
    lab.room.add(a_meeting(T0 + 30 * DAY))
    (item,) = lab.view()
    assert (item.subject, item.start, item.end) == ("Planning", T0, T0 + HOUR)
    assert (item.my_response_type, item.legacy_free_busy_status) == ("Tentative", "OOF")
    assert (item.sensitivity, item.type, item.is_cancelled) == ("Private", "Single", False)
    assert (item.is_meeting, item.is_recurring, item.original_start) == (True, False, None)
    assert item.appointment_state == ("Meeting", "Received")
    assert lab.ews.requests.count() == 1


def test_exchangelib_fetches_bodies_by_id(lab: Lab) -> None:
    url = "https://teams.microsoft.com/l/meetup-join/x"
    body = f"<html><body><a href='{url}'>Join &amp; meet</a></body></html>"
    lab.room.add(
        a_meeting(
            body=body,
            body_type="html",
            organizer=ANN,
            location="Room 1",
            attendees=(Person(name="Bo Sample", address="bo@contoso.example"),),
            properties=(("SkypeTeamsMeetingUrl", url),),
        )
    )
    account = lab.account()
    (item,) = lab.view(account=account)
    assert item.body is None
    fields = ["body", "uid", "organizer", "location", "required_attendees", "resources", "lab_teams_url"]
    (whole,) = account.fetch(ids=[(item.id, item.changekey)], only_fields=fields)
    assert (whole.body, type(whole.body)) == (body, exchangelib.HTMLBody)
    assert (whole.organizer.name, whole.organizer.email_address) == (ANN.name, ANN.address)
    assert [one.mailbox.email_address for one in whole.required_attendees] == ["bo@contoso.example"]
    assert [one.mailbox.email_address for one in whole.resources] == [ROOM]
    assert (whole.location, whole.lab_teams_url) == ("Room 1", url)
    assert whole.uid.startswith("040000008200E00074C5B7101A82E00800000000")


def test_exchangelib_sees_occurrences_under_the_uid_of_their_series(lab: Lab) -> None:
    lab.room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    lab.room.move(lab.room.view(WEEK)[1].meeting.id, T0 + 5 * DAY)
    account = lab.account()
    items = lab.view(account=account)
    assert [item.type for item in items] == ["Occurrence", "Occurrence", "Exception"]
    assert [item.original_start for item in items] == [T0, T0 + 2 * DAY, T0 + DAY]
    assert [item.recurrence_id for item in items] == [T0, T0 + 2 * DAY, T0 + DAY]
    assert all(item.is_recurring for item in items)
    whole = list(account.fetch(ids=[(item.id, item.changekey) for item in items], only_fields=["uid"]))
    assert len({item.uid for item in whole}) == 1


def test_exchangelib_sees_all_day_meetings_as_dates_of_their_zone(lab: Lab) -> None:
    midnight = datetime(2026, 11, 24, 23, tzinfo=UTC)
    lab.room.add(a_meeting(midnight, end=midnight + DAY, all_day=True))
    (item,) = lab.view()
    assert (item.is_all_day, str(item.start), str(item.end)) == (True, "2026-11-25", "2026-11-25")


def test_exchangelib_sees_what_was_cancelled(lab: Lab) -> None:
    lab.room.cancel(lab.room.add(a_meeting(organizer=ANN)))
    (item,) = lab.view()
    assert (item.is_cancelled, item.appointment_state) == (True, ("Meeting", "Received", "Canceled"))


def test_an_item_that_went_is_an_error_for_it_alone(lab: Lab) -> None:
    gone, stays = lab.room.add(a_meeting()), lab.room.add(a_meeting(T0 + HOUR))
    account = lab.account()
    items = lab.view(account=account)
    lab.room.remove(gone)
    asked = [*((item.id, item.changekey) for item in items), ("AAAA", None)]
    first, second, third = account.fetch(ids=asked, only_fields=["subject"])
    assert isinstance(first, ErrorItemNotFound)
    assert second.id == stays
    assert isinstance(third, ErrorInvalidIdMalformed)


def test_an_old_change_key_gives_the_item_as_it_is_now(lab: Lab) -> None:
    item_id = lab.room.add(a_meeting())
    account = lab.account()
    (before,) = lab.view(account=account)
    lab.room.change(item_id, subject="Planning again")
    (after,) = account.fetch(ids=[(before.id, before.changekey)], only_fields=["subject"])
    assert (after.subject, after.id) == ("Planning again", before.id)
    assert after.changekey != before.changekey


def test_exchangelib_gets_truncated_views_as_it_asks_for_them(lab: Lab) -> None:
    for number in range(5):
        lab.room.add(a_meeting(T0 + number * HOUR, subject=str(number)))
    assert [item.subject for item in lab.view(limit=3)] == ["0", "1", "2"]


def test_exchangelib_finds_folders_names_and_versions_by_itself(lab: Lab) -> None:
    lab.room.add(a_meeting())
    account = lab.account()
    assert (account.calendar.name, account.calendar.total_count) == ("Calendar", 1)
    known, unknown = account.protocol.resolve_names([ROOM, "nobody@contoso.example"])
    assert known.email_address == ROOM
    assert isinstance(unknown, ErrorNameResolutionNoResults)
    guessing = Configuration(service_endpoint=lab.url, credentials=Credentials(ACCOUNT, PASSWORD))
    account = Account(ROOM, config=guessing, autodiscover=False, access_type=IMPERSONATION)
    assert account.version.api_version == "Exchange2016"
    assert account.protocol.auth_type == exchangelib.BASIC


# --- who may ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused_and_counted(lab: Lab) -> None:
    with pytest.raises(UnauthorizedError):
        lab.view(account=lab.account(password="wrong"))
    assert lab.ews.requests.count(operation="unauthorized") == 1
    answer = lab.http.post(lab.url, auth=("nobody", PASSWORD))
    assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Basic ")


def test_only_impersonation_that_was_granted_is_allowed(lab: Lab) -> None:
    with pytest.raises(ErrorImpersonateUserDenied):
        lab.view(account=lab.account(OTHER))
    with pytest.raises(ErrorNonExistentMailbox):
        lab.view(account=lab.account("nobody@contoso.example"))
    lab.ews.mailboxes.add("cloud@contoso.example", here=False)
    with pytest.raises(ErrorNonExistentMailbox):
        lab.view(account=lab.account("cloud@contoso.example"))


def test_without_impersonation_a_mailbox_has_to_be_named_and_open_to_the_account(lab: Lab) -> None:
    assert code(lab.post(find_item(), header=VERSION)) == (200, "ErrorMissingEmailAddress")
    named = (
        '<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox>'
        "</t:DistinguishedFolderId>"
    )
    mine = find_item(folder=named.format(ROOM))
    assert code(lab.post(mine, header=VERSION)) == (200, "ErrorAccessDenied")
    assert code(lab.post(find_item(folder=named.format(OTHER)))) == (200, "ErrorAccessDenied")
    lab.ews.account(ACCOUNT, PASSWORD, full_access=frozenset((ROOM,)))
    assert code(lab.post(mine, header=VERSION)) == (200, "NoError")


def test_ids_of_another_mailbox_are_not_found(lab: Lab) -> None:
    elsewhere = lab.ews.mailboxes[OTHER].add(a_meeting())
    assert code(lab.post(get_item(elsewhere))) == (200, "ErrorItemNotFound")
    assert code(lab.post(get_item(elsewhere), header=VERSION)) == (200, "ErrorAccessDenied")


def test_a_server_without_authentication_lets_everybody_in(lab: Lab) -> None:
    open_house = Ews(lab.ews.mailboxes, authenticated=False)
    with Server(open_house) as server, httpx.Client(verify=PLAIN, trust_env=False) as anybody:
        lab.http, lab.url = anybody, f"{server.url}/ews/exchange.asmx"
        assert code(lab.post(find_item())) == (200, "NoError")
    lab.http = httpx.Client(verify=PLAIN)


# --- as the schema wants it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "<m:FindItem/>",
        find_item(shape="<t:BaseShape>Everything</t:BaseShape>"),
        find_item(shape='<t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties>'),
        find_item(
            shape="<t:BaseShape>IdOnly</t:BaseShape>"
            '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:Topic"/></t:AdditionalProperties>'
        ),
        find_item(view='StartDate="2026-11-24T00:00:00Z"'),
        find_item(view='StartDate="2026-11-24" EndDate="2026-11-25"'),
        find_item(view='StartDate="2026-11-24T00:00:00Z" EndDate="2026-11-25T00:00:00Z" MaxEntriesReturned="0"'),
        find_item(folder='<t:DistinguishedFolderId Id="rooms"/>'),
        find_item(folder=""),
        find_item(more="<m:ItemIds/>"),
        "<m:GetItem><m:ItemIds><t:ItemId Id='A'/></m:ItemIds></m:GetItem>",
        get_item(),
        "<m:ConvertId DestinationFormat='EwsId'><m:SourceIds/></m:ConvertId>",
    ],
)
def test_what_breaks_the_schema_is_refused_with_its_place(lab: Lab, body: str) -> None:
    answer = lab.post(body)
    assert code(answer) == (500, "ErrorSchemaValidation")
    root = etree.fromstring(answer.content)
    assert root.findtext(".//t:MessageXml/t:Violation", namespaces=NS)
    assert root.findtext(".//t:MessageXml/t:LineNumber", namespaces=NS)


@pytest.mark.parametrize(
    "content",
    [b"", b"not XML", b"<s:Envelope", b"<Envelope/>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"],
)
def test_what_is_not_an_envelope_is_refused_with_a_fault(lab: Lab, content: bytes) -> None:
    answer = lab.http.post(lab.url, content=content, headers={"Content-Type": "text/xml"})
    assert code(answer) == (500, "ErrorSchemaValidation")


def test_an_unknown_version_operation_or_zone_is_refused(lab: Lab) -> None:
    future = '<t:RequestServerVersion Version="Exchange2031"/>'
    assert code(lab.post(find_item(), header=future)) == (500, "ErrorInvalidServerVersion")
    assert code(lab.post("<m:SyncFolderHierarchy/>")) == (500, "ErrorInvalidRequest")
    zone = '<t:TimeZoneContext><t:TimeZoneDefinition Id="Middle Earth"/></t:TimeZoneContext>'
    assert code(lab.post(find_item(), header=HEADER + zone)) == (500, "ErrorTimeZone")


def test_a_request_without_a_version_is_taken_for_one_of_2007(lab: Lab) -> None:
    zone = '<t:AdditionalProperties><t:FieldURI FieldURI="calendar:StartTimeZone"/></t:AdditionalProperties>'
    body = find_item(shape="<t:BaseShape>IdOnly</t:BaseShape>" + zone)
    assert code(lab.post(body, header=IMPERSONATED.format(ROOM))) == (200, "ErrorInvalidPropertyRequest")
    assert code(lab.post(body)) == (200, "NoError")


def test_http_is_as_strict(lab: Lab) -> None:
    assert lab.post(find_item(), headers={"Content-Type": "application/json"}).status_code == 415
    assert lab.http.get(lab.url).status_code == 200
    assert lab.http.put(lab.url).status_code == 405
    assert lab.http.get(lab.server.url + "/owa").status_code == 404


def test_every_answer_states_the_servers_version(lab: Lab) -> None:
    for answer in (lab.post(find_item()), lab.post("<m:Nonsense/>")):
        version = etree.fromstring(answer.content).find("s:Header/t:ServerVersionInfo", NS)
        assert version is not None
        assert (version.get("MajorVersion"), version.get("MinorVersion")) == ("15", "2")


# --- what a view and an item hold ---------------------------------------------------------------------------------


def test_a_view_never_has_bodies_people_or_addresses(lab: Lab) -> None:
    lab.room.add(a_meeting(body="Join", organizer=ANN, attendees=(ANN,)))
    more = "".join(
        f'<t:FieldURI FieldURI="{name}"/>' for name in ("item:Body", "calendar:RequiredAttendees", "calendar:Organizer")
    )
    shape = f"<t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>{more}</t:AdditionalProperties>"
    item = lab.find(shape=shape).find(".//t:CalendarItem", NS)
    assert item is not None
    for name in ("t:Body", "t:TextBody", "t:RequiredAttendees", "t:Organizer//t:EmailAddress"):
        assert item.find(name, NS) is None
    assert item.findtext("t:Organizer/t:Mailbox/t:Name", namespaces=NS) == "Ann Example"


def test_a_view_holds_what_ends_as_it_begins_and_not_what_begins_as_it_ends(lab: Lab) -> None:
    for hours in (-1, 0, 1):
        lab.room.add(a_meeting(T0 + hours * HOUR, subject=str(hours)))
    view = 'StartDate="2026-11-24T09:00:00" EndDate="2026-11-24T11:00:00+01:00"'
    shape = "<t:BaseShape>Default</t:BaseShape>"
    subjects = [one.text for one in lab.find(view=view, shape=shape).iterfind(".//t:Subject", NS)]
    assert subjects == ["-1", "0"]


def test_a_view_says_whether_it_is_whole(lab: Lab) -> None:
    for number in range(3):
        lab.room.add(a_meeting(T0 + number * HOUR))
    window = 'StartDate="2026-11-24T00:00:00Z" EndDate="2026-12-01T00:00:00Z"'
    for most, last, shown in ((2, "false", 2), (3, "true", 3), (4, "true", 3)):
        found = lab.find(view=f'{window} MaxEntriesReturned="{most}"').find(".//m:RootFolder", NS)
        assert found is not None
        assert found.get("IncludesLastItemInRange") == last
        assert len(found.findall(".//t:CalendarItem", NS)) == shown


def test_a_view_of_more_than_two_years_or_backwards_is_refused(lab: Lab) -> None:
    with pytest.raises(ErrorCalendarViewRangeTooBig):
        list(lab.calendar(lab.account()).view(start=_ews(T0), end=_ews(T0 + 800 * DAY), max_items=9).only("subject"))
    backwards = find_item(view='StartDate="2026-11-25T00:00:00Z" EndDate="2026-11-24T00:00:00Z"')
    assert code(lab.post(backwards)) == (200, "ErrorCalendarEndDateIsEarlierThanStartDate")
    impossible = find_item(view='StartDate="2026-02-30T00:00:00Z" EndDate="2026-11-24T00:00:00Z"')
    assert code(lab.post(impossible)) == (200, "ErrorInvalidRequest")


def _ews(time: datetime) -> EWSDateTime:
    return EWSDateTime.from_datetime(time)


def test_a_view_goes_without_restrictions_and_on_calendars_only(lab: Lab) -> None:
    assert code(lab.post(find_item(more="<m:SortOrder/>"))) == (200, "ErrorInvalidRequest")
    inbox = find_item(folder='<t:DistinguishedFolderId Id="inbox"/>')
    assert code(lab.post(inbox)) == (200, "ErrorCalendarFolderIsInvalidForCalendarView")
    nowhere = find_item(folder='<t:FolderId Id="AAAA"/>')
    assert code(lab.post(nowhere)) == (200, "ErrorInvalidIdMalformed")


def test_elements_come_in_the_order_of_the_schema(lab: Lab) -> None:
    item_id = lab.room.add(a_meeting(body="Join", organizer=ANN, attendees=(ANN,), location="Room 1"))
    asked = ("calendar:End", "item:Body", "calendar:UID", "item:Subject", "calendar:Start", "item:TextBody")
    fields = "".join(f'<t:FieldURI FieldURI="{name}"/>' for name in asked)
    for shape in (
        f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{fields}</t:AdditionalProperties>",
        "<t:BaseShape>AllProperties</t:BaseShape>",
    ):
        item = etree.fromstring(lab.post(get_item(item_id, shape=shape)).content).find(".//t:CalendarItem", NS)
        assert item is not None
        names = [etree.QName(child).localname for child in item]
        order = ["ItemId", *(name.partition(":")[2] for name in ELEMENTS)]
        assert names == sorted(names, key=order.index)
        assert {"ItemId", "Subject", "Body", "UID", "Start", "End"} <= set(names)


def test_only_what_is_asked_for_comes(lab: Lab) -> None:
    item_id = lab.room.add(a_meeting(body="Join"))
    item = etree.fromstring(lab.post(get_item(item_id, shape="<t:BaseShape>IdOnly</t:BaseShape>")).content)
    assert [etree.QName(child).localname for child in item.find(".//t:CalendarItem", NS)] == ["ItemId"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "kind", "content"), [("HTML", "HTML", "<div"), ("Text", "Text", "a < b"), ("Best", "Text", "a < b")]
)
def test_a_body_comes_in_the_form_that_is_asked_for(lab: Lab, asked: str, kind: str, content: str) -> None:
    item_id = lab.room.add(a_meeting(body="a < b", body_type="text"))
    shape = (
        f"<t:BaseShape>IdOnly</t:BaseShape><t:BodyType>{asked}</t:BodyType>"
        '<t:AdditionalProperties><t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties>'
    )
    body = etree.fromstring(lab.post(get_item(item_id, shape=shape)).content).find(".//t:Body", NS)
    assert body is not None
    assert (body.get("BodyType"), content in (body.text or "")) == (kind, True)


def test_characters_that_xml_has_no_place_for_come_as_exchange_sends_them(lab: Lab) -> None:
    lab.room.add(a_meeting(subject="a\x0bb"))
    shape = "<t:BaseShape>Default</t:BaseShape>"
    assert b"<t:Subject>a&#xB;b</t:Subject>" in lab.post(find_item(shape=shape)).content
    assert lab.view()[0].subject.startswith("a")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            'DistinguishedPropertySetId="PublicStrings" PropertyName="UCOpenedConferenceID" PropertyType="String"',
            "NoError",
        ),
        (
            'PropertySetId="00020329-0000-0000-C000-000000000046" PropertyName="UCOpenedConferenceID" '
            'PropertyType="String"',
            "NoError",
        ),
        ('PropertyName="UCOpenedConferenceID" PropertyType="String"', "ErrorInvalidExtendedProperty"),
        ('PropertyTag="0x3001" PropertyName="X" PropertyType="String"', "ErrorInvalidExtendedProperty"),
        ('PropertyTag="0x3001" PropertyType="Text"', "ErrorSchemaValidation"),
    ],
)
def test_hidden_properties_come_only_when_named_rightly(lab: Lab, attributes: str, expected: str) -> None:
    item_id = lab.room.add(a_meeting(properties=(("UCOpenedConferenceID", "A1B2"),)))
    shape = (
        "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        f"<t:ExtendedFieldURI {attributes}/></t:AdditionalProperties>"
    )
    answer = lab.post(get_item(item_id, shape=shape))
    assert code(answer)[1] == expected
    if expected == "NoError":
        found = etree.fromstring(answer.content).find(".//t:ExtendedProperty", NS)
        assert found is not None
        assert found.findtext("t:Value", namespaces=NS) == "A1B2"
        assert found.find("t:ExtendedFieldURI", NS).get("PropertyName") == "UCOpenedConferenceID"  # type: ignore[union-attr]


def test_ids_are_converted_when_they_are_ids(lab: Lab) -> None:
    source = '<t:AlternateId Format="EwsId" Id="{}" Mailbox="' + ROOM + '"/>'
    body = '<m:ConvertId DestinationFormat="EwsId"><m:SourceIds>{}</m:SourceIds></m:ConvertId>'
    known = ews_id(Identity(lab.room.guid, 1))
    assert code(lab.post(body.format(source.format(known)))) == (200, "NoError")
    assert code(lab.post(body.format(source.format("DUMMY")))) == (200, "ErrorInvalidIdMalformed")


# --- faults -------------------------------------------------------------------------------------------------------


def test_errors_reach_exchangelib_as_from_a_real_server(lab: Lab) -> None:
    for fault, error in (
        (faults.status(401), UnauthorizedError),
        (faults.status(403), MalformedResponseError),
        (faults.status(500), MalformedResponseError),
        (faults.status(503, retry_after=7), ErrorServerBusy),
        (faults.busy(back_off=2.5), ErrorServerBusy),
        (faults.code("ErrorNonExistentMailbox"), ErrorNonExistentMailbox),
        (faults.message("ErrorMailboxMoveInProgress"), ErrorMailboxMoveInProgress),
        (faults.html(), MalformedResponseError),
        (faults.login(), RedirectError),
    ):
        lab.ews.faults.put(fault, times=1)
        with pytest.raises(error) as raised:
            lab.view()
        if fault.kind == "busy":
            assert raised.value.back_off == 2.5  # type: ignore[attr-defined]
    assert lab.view() == []


def test_a_fault_is_for_its_mailbox_and_operation(lab: Lab) -> None:
    lab.ews.faults.put(faults.status(503, retry_after=3), mailbox=ROOM, operation="GetItem")
    item_id = lab.room.add(a_meeting())
    assert lab.post(find_item()).status_code == 200
    busy = lab.post(get_item(item_id))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
    lab.ews.faults.clear(mailbox=ROOM)
    assert lab.post(get_item(item_id)).status_code == 200


def test_views_can_be_truncated_doubled_or_of_another_room(lab: Lab) -> None:
    for number in range(4):
        lab.room.add(a_meeting(T0 + number * HOUR))
    elsewhere = lab.ews.mailboxes[OTHER].add(a_meeting())
    lab.ews.faults.put(faults.truncated(), times=1)
    part = lab.find().find(".//m:RootFolder", NS)
    assert part is not None
    assert (part.get("IncludesLastItemInRange"), len(part.findall(".//t:ItemId", NS))) == ("false", 2)
    lab.ews.faults.put(faults.doubled(), times=1)
    assert len(lab.find().findall(".//t:ItemId", NS)) == 8
    lab.ews.faults.put(faults.swapped(OTHER))
    assert [one.get("Id") for one in lab.find().iterfind(".//t:ItemId", NS)] == [elsewhere]
    assert code(lab.post(get_item(elsewhere))) == (200, "NoError")


def test_answers_can_be_halved_cut_late_or_never_come(lab: Lab) -> None:
    lab.room.add(a_meeting())
    lab.ews.faults.put(faults.halved(), times=1)
    half = lab.post(find_item())
    assert (half.status_code, half.content.endswith(b"</s:Envelope>")) == (200, False)
    lab.ews.faults.put(faults.cut(), times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        lab.post(find_item())
    lab.ews.faults.put(faults.slow(0.2), times=1)
    before = time.monotonic()
    assert lab.post(find_item()).status_code == 200
    assert time.monotonic() - before >= 0.2
    lab.ews.faults.put(faults.silent(), times=1)
    with pytest.raises(httpx.ReadTimeout):
        lab.post(find_item(), timeout=0.1)


def test_latency_is_on_every_answer(lab: Lab) -> None:
    lab.ews.latency = 0.1
    before = time.monotonic()
    lab.post(find_item())
    lab.post(find_item())
    assert time.monotonic() - before >= 0.2


def test_requests_are_counted_by_mailbox_and_operation(lab: Lab) -> None:
    account = lab.account()
    lab.room.add(a_meeting())
    (item,) = lab.view(account=account)
    list(account.fetch(ids=[(item.id, item.changekey)], folder=lab.calendar(account), only_fields=["body"]))
    counted = lab.ews.requests
    assert (counted.count(operation="FindItem"), counted.count(operation="GetItem")) == (1, 1)
    assert (counted.count(mailbox=ROOM), counted.count(mailbox=OTHER), counted.count()) == (2, 0, 2)
