"""The face as endpoints see it: what they read, in every version, and what they are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otd.relay.face.answers import Options
from otd.relay.face.app import FaceSettings
from tests.adapters.face_client import (
    CALENDAR,
    GET_FOLDER,
    NS,
    THREE,
    Endpointish,
    a_list,
    a_polycom,
    envelope,
    find_item,
    folder_of,
    get_item,
)
from tests.values import HOUR, MINUTE, T0

VERSIONS = (
    *("", "Exchange2007", "Exchange2007_SP1", "Exchange2010", "Exchange2010_SP1", "Exchange2010_SP2", "Exchange2013"),
    *("Exchange2013_SP1", "Exchange2015", "Exchange2016", "V2017_07_11"),
)


@pytest.fixture
def endpoint() -> Endpointish:
    return Endpointish(a_list())


def ids_of(endpoint: Endpointish) -> list[str]:
    return [element.get("Id", "") for element in endpoint.ask(find_item()).all("t:CalendarItem/t:ItemId")]


# --- reading the calendar ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_endpoint_reads_its_calendar_in_every_version(endpoint: Endpointish, version: str) -> None:
    folder = endpoint.ask(GET_FOLDER, version=version)
    assert folder.texts("t:CalendarFolder/t:DisplayName") == ["Calendar"]
    assert folder.texts("t:CalendarFolder/t:TotalCount") == ["3"]
    found = endpoint.ask(find_item(), version=version)
    assert found.texts("t:Subject") == ["Standup", "Private meeting", "Tea & <cake>"]
    assert found.all("t:Body") == []
    ids = [element.get("Id", "") for element in found.all("t:ItemId")]
    items = endpoint.ask(get_item(*ids), version=version)
    assert items.codes == ["NoError"] * 3
    assert items.texts("t:Start") == ["2026-01-05T10:00:00Z", "2026-01-05T12:00:00Z", "2026-01-06T15:00:00Z"]
    assert items.texts("t:Duration") == ["PT1H", "PT1H30M", "PT1H"]
    assert "BEGIN POLYCOM VMR ENCODED TOKEN" in items.texts("t:Body")[0]
    assert bool(items.all("t:IsOrganizer")) == (version[:12] >= "Exchange2013" or version.startswith("V"))


def test_the_always_present_elements_come_even_when_only_the_id_is_asked_for(endpoint: Endpointish) -> None:
    reply = endpoint.ask(get_item(ids_of(endpoint)[0], shape="<t:BaseShape>IdOnly</t:BaseShape>"))
    assert reply.texts("t:Subject") == ["Standup"]
    assert reply.all("t:Body") == []


def test_find_item_with_ids_only_gives_ids_and_what_is_asked_for_beside(endpoint: Endpointish) -> None:
    shape = (
        '<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="calendar:Start"/>'
        '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="item:Body"/>'
        '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="OnlineMeetingConfLink"'
        ' PropertyType="String"/></t:AdditionalProperties>'
    )
    first = endpoint.ask(find_item(shape=shape)).all("t:CalendarItem")[0]
    assert [child.tag.rpartition("}")[2] for child in first] == ["ItemId", "Subject", "Start"]


def test_a_window_gives_what_overlaps_it_and_nothing_that_only_touches(endpoint: Endpointish) -> None:
    def subjects(start: str, end: str) -> list[str]:
        return endpoint.ask(find_item(start, end)).texts("t:Subject")

    assert subjects("2026-01-05T10:30:00Z", "2026-01-05T10:31:00Z") == ["Standup"]
    assert subjects("2026-01-05T11:00:00Z", "2026-01-05T12:00:00Z") == []
    assert subjects("2026-01-05T11:30:00.000+01:00", "2026-01-05T12:00:00.0000000+01:00") == ["Standup"]
    assert subjects("2026-01-05T12:00:00", "2026-01-05T13:00:00") == ["Private meeting"]  # no zone: UTC


def test_a_view_that_was_cut_off_says_so(endpoint: Endpointish) -> None:
    view = '<m:CalendarView MaxEntriesReturned="2" StartDate="2026-01-05T00:00:00Z" EndDate="2026-01-09T00:00:00Z"/>'
    reply = endpoint.ask(find_item(view=view))
    (root,) = reply.all("m:RootFolder")
    assert dict(root.attrib) == {"TotalItemsInView": "2", "IncludesLastItemInRange": "false"}
    assert len(reply.all("t:CalendarItem")) == 2
    assert endpoint.fetches == []


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2026-01-05T00:00:00Z", "2026-01-04T00:00:00Z", "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ("2026-01-05T00:00:00Z", "2029-01-04T00:00:00Z", "ErrorCalendarViewRangeTooBig"),
        ("yesterday", "2026-01-04T00:00:00Z", "ErrorSchemaValidation"),
        ("0001-01-01T00:00:00+14:00", "2026-01-04T00:00:00Z", "ErrorSchemaValidation"),
    ],
)
def test_an_impossible_window_is_refused(endpoint: Endpointish, start: str, end: str, code: str) -> None:
    assert endpoint.ask(find_item(start, end)).codes == [code]


def a_condition(kind: str, field: str, value: str) -> str:
    constant = f'<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant>'
    return f'<t:{kind}><t:FieldURI FieldURI="{field}"/>{constant}</t:{kind}>'


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        (a_condition("IsGreaterThan", "calendar:Start", "2026-01-05T10:00:00Z"), 2),
        (a_condition("IsGreaterThanOrEqualTo", "calendar:Start", "2026-01-05T10:00:00Z"), 3),
        (a_condition("IsEqualTo", "calendar:End", "2026-01-05T11:00:00Z"), 1),
        (
            "<t:And>"
            + a_condition("IsGreaterThan", "calendar:End", "2026-01-05T11:30:00Z")
            + a_condition("IsLessThan", "calendar:Start", "2026-01-06T00:00:00Z")
            + "</t:And>",
            1,
        ),
        (f"<t:Not>{a_condition('IsLessThan', 'calendar:Start', '2026-01-06T00:00:00Z')}</t:Not>", 1),
        (
            "<t:Or>"
            + a_condition("IsLessThan", "calendar:Start", "2026-01-05T11:00:00Z")
            + a_condition("IsGreaterThan", "calendar:Start", "2026-01-06T00:00:00Z")
            + "</t:Or>",
            2,
        ),
        ('<t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists>', 3),
        (a_condition("IsEqualTo", "item:Subject", "nothing is called this"), 3),  # cannot be judged: shown
        (f"<t:Not>{a_condition('IsEqualTo', 'item:Subject', 'x')}</t:Not>", 3),
    ],
)
def test_restrictions_on_times_are_obeyed_and_others_passed_over(
    endpoint: Endpointish, condition: str, count: int
) -> None:
    reply = endpoint.ask(find_item(view="", extra=f"<m:Restriction>{condition}</m:Restriction>"))
    assert len(reply.all("t:CalendarItem")) == count


def test_a_restriction_as_long_as_an_attack_is_refused(endpoint: Endpointish) -> None:
    many = a_condition("IsGreaterThan", "calendar:Start", "2026-01-05T10:00:00Z") * 500
    reply = endpoint.ask(find_item(view="", extra=f"<m:Restriction><t:Or>{many}</t:Or></m:Restriction>"))
    assert reply.codes == ["ErrorInvalidRequest"]


def test_pages_lead_from_one_end_to_the_other(endpoint: Endpointish) -> None:
    def page(attributes: str, order: str = "") -> tuple[list[str], str | None, str | None]:
        view = f"<m:IndexedPageItemView {attributes}/>"
        reply = endpoint.ask(find_item(view=view, extra=order))
        (root,) = reply.all("m:RootFolder")
        return reply.texts("t:Subject"), root.get("IndexedPagingOffset"), root.get("IncludesLastItemInRange")

    forward = 'MaxEntriesReturned="2" Offset="{}" BasePoint="Beginning"'
    assert page(forward.format(0)) == (["Standup", "Private meeting"], "2", "false")
    assert page(forward.format(2)) == (["Tea & <cake>"], "3", "true")
    assert page(forward.format(9)) == ([], "3", "true")
    assert page('MaxEntriesReturned="2" Offset="0" BasePoint="End"')[0] == ["Private meeting", "Tea & <cake>"]
    latest_first = (
        '<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder>'
        "</m:SortOrder>"
    )
    assert page(forward.format(0), latest_first)[0] == ["Tea & <cake>", "Private meeting"]


def test_each_id_is_answered_on_its_own_and_in_order(endpoint: Endpointish) -> None:
    first, second, _ = ids_of(endpoint)
    reply = endpoint.ask(get_item(second, "AAMkAGI2", first))
    assert reply.codes == ["NoError", "ErrorItemNotFound", "NoError"]
    assert reply.texts("t:Subject") == ["Private meeting", "Standup"]
    occurrence = '<t:OccurrenceItemId RecurringMasterId="x" InstanceIndex="1"/>'
    asked = get_item(first).replace("<m:ItemIds>", f"<m:ItemIds>{occurrence}")
    assert endpoint.ask(asked).codes == ["ErrorItemNotFound", "NoError"]


def test_what_is_asked_a_thousand_times_over_is_refused(endpoint: Endpointish) -> None:
    assert endpoint.ask(get_item(*["x"] * 1001)).codes == ["ErrorInvalidRequest"]
    assert endpoint.ask(find_item(folder=CALENDAR * 21)).codes == ["ErrorInvalidRequest"]


def test_the_folders_that_clients_look_for_first_are_there_and_empty(endpoint: Endpointish) -> None:
    for name in ("root", "msgfolderroot", "inbox"):
        asked = GET_FOLDER.replace('"calendar"', f'"{name}"')
        assert endpoint.ask(asked).codes == ["NoError"]
    reply = endpoint.ask(find_item(folder='<t:DistinguishedFolderId Id="inbox"/>', view=""))
    assert reply.codes == ["NoError"]
    assert reply.all("t:CalendarItem") == []
    assert endpoint.fetches == [], "an inbox is not the list"
    assert endpoint.ask(GET_FOLDER.replace('"calendar"', '"publicfoldersroot"')).codes == ["ErrorFolderNotFound"]


def test_the_calendar_is_found_by_its_own_id_too(endpoint: Endpointish) -> None:
    (id,) = endpoint.ask(GET_FOLDER).all("t:CalendarFolder/t:FolderId")
    folder = f'<t:FolderId Id="{id.get("Id")}" ChangeKey="{id.get("ChangeKey")}"/>'
    assert len(endpoint.ask(find_item(folder=folder)).all("t:CalendarItem")) == 3
    assert endpoint.ask(find_item(folder='<t:FolderId Id="AAA="/>')).codes == ["ErrorInvalidIdMalformed"]


def test_only_the_endpoints_own_room_may_be_named(endpoint: Endpointish) -> None:
    assert endpoint.ask(find_item(folder=folder_of("BLUE@example.com"))).codes == ["NoError"]
    assert endpoint.ask(find_item(folder=folder_of("red@example.com"))).codes == ["ErrorAccessDenied"]
    assert endpoint.ask(GET_FOLDER.replace(CALENDAR, folder_of("red@example.com"))).codes == ["ErrorAccessDenied"]


@pytest.mark.parametrize(("address", "status"), [("blue@example.com", 200), ("red@example.com", 500)])
def test_impersonation_goes_no_further_than_the_own_room(endpoint: Endpointish, address: str, status: int) -> None:
    header = (
        f"<s:Header><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress>"
        "</t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>"
    )
    body = envelope(GET_FOLDER).replace(b"<s:Body>", header.encode())
    assert endpoint.send(body).status == status


def test_a_private_meeting_shows_a_placeholder_and_nobody(endpoint: Endpointish) -> None:
    item = endpoint.ask(get_item(ids_of(endpoint)[1])).all("t:CalendarItem")[0]
    assert item.findtext("t:Sensitivity", namespaces=NS) == "Private"
    assert item.findtext("t:Organizer/t:Mailbox/t:Name", namespaces=NS) == "Blue Room"
    assert item.findtext("t:Organizer/t:Mailbox/t:EmailAddress", namespaces=NS) == "blue@example.com"


def test_find_item_gives_the_body_only_where_that_is_switched_on() -> None:
    switched = Endpointish(a_list(), settings=FaceSettings(options=Options(body_in_find=True)))
    assert len(switched.ask(find_item()).all("t:Body")) == 3


def test_the_uid_can_be_kept_from_clients_of_exchange_2007() -> None:
    switched = Endpointish(a_list(), settings=FaceSettings(options=Options(uid_for_2007=False)))
    assert switched.send(envelope(find_item())).all("t:UID") == []
    assert len(switched.ask(find_item(), version="Exchange2010").all("t:UID")) == 3


# --- synchronising ----------------------------------------------------------------------------------------------------


def sync(state: str = "", most: int = 512, folder: str = CALENDAR) -> str:
    known = f"<m:SyncState>{state}</m:SyncState>" if state else ""
    return (
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
        f"<m:SyncFolderId>{folder}</m:SyncFolderId>{known}<m:MaxChangesReturned>{most}</m:MaxChangesReturned>"
        "</m:SyncFolderItems>"
    )


def test_synchronising_gives_what_is_new_changed_and_gone(endpoint: Endpointish) -> None:
    reply = endpoint.ask(sync())
    assert reply.texts("t:Create/t:CalendarItem/t:Subject") == ["Standup", "Private meeting", "Tea & <cake>"]
    (state,) = reply.texts("m:SyncState")
    assert endpoint.ask(sync(state)).all("m:Changes/*") == []
    fourth = replace(THREE[0], id="b4", start=T0 + 50 * HOUR, end=T0 + 51 * HOUR, title="New")
    endpoint.lists.put(a_list(revision=11, bookings=(replace(THREE[0], title="Moved"), THREE[1], fourth)))
    changed = endpoint.ask(sync(state))
    assert changed.texts("t:Update/t:CalendarItem/t:Subject") == ["Moved"]
    assert changed.texts("t:Create/t:CalendarItem/t:Subject") == ["New"]
    assert len(changed.all("t:Delete/t:ItemId")) == 1


def test_synchronising_in_small_steps_ends_where_one_big_step_does(endpoint: Endpointish) -> None:
    (whole,) = endpoint.ask(sync()).texts("m:SyncState")
    endpoint.fetches.clear()
    state, steps = "", []
    for _ in range(3):
        reply = endpoint.ask(sync(state, most=1))
        (state,) = reply.texts("m:SyncState")
        steps += reply.texts("m:IncludesLastItemInRange")
    assert steps == ["false", "false", "true"]
    assert state == whole


@pytest.mark.parametrize("state", ["AAAA", "!", "T1RTAQ==", "b2xk" * 20])
def test_a_sync_state_of_somebody_else_is_refused(endpoint: Endpointish, state: str) -> None:
    assert endpoint.ask(sync(state)).codes == ["ErrorInvalidSyncStateData"]


@pytest.mark.parametrize("most", [0, 513, 10**30])
def test_synchronising_gives_between_1_and_512_changes(endpoint: Endpointish, most: int) -> None:
    assert endpoint.ask(sync(most=most)).codes == ["ErrorSchemaValidation"]


PULL = (
    f"<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{CALENDAR}</t:FolderIds><t:EventTypes>"
    "<t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest>"
    "</m:Subscribe>"
)


def events(subscription: str, watermark: str) -> str:
    return (
        f"<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId><m:Watermark>{watermark}</m:Watermark>"
        "</m:GetEvents>"
    )


def test_a_pull_subscription_tells_when_the_list_changed(endpoint: Endpointish) -> None:
    reply = endpoint.ask(PULL)
    (subscription,), (watermark,) = reply.texts("m:SubscriptionId"), reply.texts("m:Watermark")
    assert len(endpoint.ask(events(subscription, watermark)).all("t:StatusEvent")) == 1
    endpoint.lists.put(a_list(revision=11, bookings=THREE[:1]))
    changed = endpoint.ask(events(subscription, watermark))
    (calendar,) = endpoint.ask(GET_FOLDER).all("t:CalendarFolder/t:FolderId")
    (event,) = changed.all("t:ModifiedEvent/t:FolderId")
    assert event.get("Id") == calendar.get("Id")
    (newer,) = changed.texts("t:ModifiedEvent/t:Watermark")
    assert len(endpoint.ask(events(subscription, newer)).all("t:StatusEvent")) == 1
    unsubscribe = f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"
    assert endpoint.ask(unsubscribe).codes == ["NoError"]


def test_subscriptions_of_others_and_strange_watermarks_are_refused(endpoint: Endpointish) -> None:
    other = Endpointish(a_list(endpoint=a_polycom(mailbox="red@example.com")))
    (foreign,) = other.ask(PULL).texts("m:SubscriptionId")
    (own,) = endpoint.ask(PULL).texts("m:SubscriptionId")
    assert endpoint.ask(events(foreign, "x")).codes == ["ErrorSubscriptionNotFound"]
    assert endpoint.ask(events(own, "x")).codes == ["ErrorInvalidWatermark"]


def test_the_face_never_calls_an_address_that_a_client_names(endpoint: Endpointish) -> None:
    push = (
        f"<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds>{CALENDAR}</t:FolderIds><t:EventTypes><t:EventType>"
        "NewMailEvent</t:EventType></t:EventTypes><t:StatusFrequency>1</t:StatusFrequency>"
        "<t:URL>http://192.0.2.1/</t:URL></m:PushSubscriptionRequest></m:Subscribe>"
    )
    assert endpoint.ask(push).codes == ["ErrorInvalidSubscriptionRequest"]


# --- what else clients ask --------------------------------------------------------------------------------------------


def test_ids_are_converted_to_themselves_and_unknown_ones_are_malformed(endpoint: Endpointish) -> None:
    def convert(id: str) -> str:
        return (
            '<m:ConvertId DestinationFormat="EwsId"><m:SourceIds><t:AlternateId Format="EwsLegacyId"'
            f' Id="{id}" Mailbox="blue@example.com"/></m:SourceIds></m:ConvertId>'
        )

    id = ids_of(endpoint)[0]
    (converted,) = endpoint.ask(convert(id)).all("m:AlternateId")
    assert (converted.get("Id"), converted.get("Format")) == (id, "EwsId")
    assert endpoint.ask(convert("DUMMY")).codes == ["ErrorInvalidIdMalformed"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("blue@example.com", "NoError"),
        ("SMTP:Blue@Example.com", "NoError"),
        ("Blue R", "NoError"),
        ("red@example.com", "ErrorNameResolutionNoResults"),
        ("", "ErrorNameResolutionNoResults"),
    ],
)
def test_only_the_room_itself_can_be_looked_up(endpoint: Endpointish, entry: str, code: str) -> None:
    asked = (
        f'<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>{entry}</m:UnresolvedEntry></m:ResolveNames>'
    )
    reply = endpoint.ask(asked)
    assert reply.codes == [code]
    assert reply.texts("t:EmailAddress") == (["blue@example.com"] if code == "NoError" else [])


def test_the_one_time_zone_is_utc(endpoint: Endpointish) -> None:
    reply = endpoint.ask('<m:GetServerTimeZones ReturnFullTimeZoneData="true"/>', version="Exchange2010")
    assert [zone.get("Id") for zone in reply.all("t:TimeZoneDefinition")] == ["UTC"]


def test_there_are_no_folders_below_and_no_stored_configurations(endpoint: Endpointish) -> None:
    shape = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    below = f'<m:FindFolder Traversal="Shallow">{shape}<m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds></m:FindFolder>'
    reply = endpoint.ask(below)
    assert reply.codes == ["NoError"]
    assert reply.all("t:Folders/*") == []
    asked = (
        f'<m:GetUserConfiguration><m:UserConfigurationName Name="x">{CALENDAR}</m:UserConfigurationName>'
        "<m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:GetUserConfiguration>"
    )
    assert endpoint.ask(asked).codes == ["ErrorItemNotFound"]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("<m:CreateItem><m:Items><t:CalendarItem/><t:CalendarItem/></m:Items></m:CreateItem>", 2),
        ('<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:DeleteItem>', 1),
        ("<m:UpdateItem><m:ItemChanges><t:ItemChange/></m:ItemChanges></m:UpdateItem>", 1),
        ("<m:SendItem><m:ItemIds><t:ItemId Id='x'/></m:ItemIds></m:SendItem>", 1),
        ("<m:CreateFolder/>", 1),
    ],
)
def test_whatever_would_write_is_refused(endpoint: Endpointish, asked: str, count: int) -> None:
    assert endpoint.ask(asked).codes == ["ErrorAccessDenied"] * count


def test_an_unknown_operation_is_a_fault_and_is_noted_as_structure_without_text(endpoint: Endpointish) -> None:
    secret = "<m:GetRooms><m:RoomList><t:EmailAddress>ann@example.com</t:EmailAddress></m:RoomList></m:GetRooms>"
    reply = endpoint.ask(secret)
    assert (reply.status, reply.codes) == (500, ["ErrorInvalidRequest"])
    endpoint.ask(secret)
    (sighting,) = endpoint.face.sightings.all()
    assert (sighting.operation, sighting.known) == ("GetRooms", False)
    assert sighting.structure == "GetRooms(RoomList(EmailAddress))"
    assert "ann" not in repr(sighting)


def test_no_more_than_a_hundred_kinds_of_request_are_noted_a_day(endpoint: Endpointish) -> None:
    for number in range(120):
        endpoint.send(envelope(f"<m:Strange{number}/>"))
    assert len(endpoint.face.sightings.all()) == 100
    endpoint.clock.time += timedelta(hours=12, minutes=1)
    endpoint.lists.put(a_list(valid_until=endpoint.clock.time + HOUR))
    endpoint.clock.time += timedelta(hours=12)
    endpoint.lists.put(a_list(valid_until=endpoint.clock.time + HOUR))
    endpoint.send(envelope("<m:Strange200/>"))
    assert len(endpoint.face.sightings.all()) == 101


# --- reporting --------------------------------------------------------------------------------------------------------


def test_a_fetch_is_told_at_once_when_the_list_changed_and_else_once_a_minute(endpoint: Endpointish) -> None:
    for _ in range(3):
        endpoint.ask(find_item())
    assert [(f.revision, f.operation, f.user_agent, f.count) for f in endpoint.fetches] == [
        (10, "FindItem", "Polycom/1.0", 1)
    ]
    endpoint.clock.time = T0 + MINUTE
    endpoint.ask(find_item())
    assert endpoint.fetches[-1].count == 3
    held = endpoint.lists.put(a_list(revision=11, bookings=THREE[:2]))
    endpoint.ask(find_item())
    assert (endpoint.fetches[-1].revision, endpoint.fetches[-1].digest) == (11, held.digest)
    assert len(endpoint.fetches) == 3


def test_the_last_request_of_each_endpoint_is_known(endpoint: Endpointish) -> None:
    endpoint.ask(GET_FOLDER, version="Exchange2010")
    endpoint.ask("<m:Nonsense/>")
    poll = endpoint.face.visits.polls["poly1"]
    assert (poll.operation, poll.answered, poll.address, poll.requests) == ("Nonsense", False, "192.0.2.7", 2)
