"""Requests that were tampered with: every one is answered with well-formed XML, and none is too much for the face."""

from __future__ import annotations

import random

import pytest
from lxml import etree

from tests.adapters.face_client import (
    CALENDAR,
    GET_FOLDER,
    Endpointish,
    Reply,
    a_list,
    check,
    envelope,
    find_item,
    get_item,
)
from tests.adapters.test_face import PULL, a_condition, events, sync
from tests.unit.test_face_availability import NEW_YORK, availability

SHAPE = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
REQUESTS = {
    "GetFolder": GET_FOLDER,
    "FindItem": find_item(),
    "FindItem paged": find_item(
        view='<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="Beginning"/>',
        extra="<m:Restriction><t:And>"
        + a_condition("IsGreaterThan", "calendar:Start", "2026-01-05T10:00:00Z")
        + "<t:Not>"
        + a_condition("IsEqualTo", "calendar:End", "2026-01-05T10:00:00Z")
        + "</t:Not></t:And></m:Restriction>",
    ),
    "GetItem": get_item("T1RJ", "x"),
    "SyncFolderItems": sync("T1RTAQ=="),
    "Subscribe": PULL,
    "GetEvents": events("x", "y"),
    "GetUserAvailability": availability(NEW_YORK, "2026-01-05T00:00:00", "2026-01-06T00:00:00"),
    "ResolveNames": '<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>b</m:UnresolvedEntry>'
    "</m:ResolveNames>",
    "ConvertId": '<m:ConvertId DestinationFormat="EwsId"><m:SourceIds>'
    '<t:AlternateId Format="EwsId" Id="x" Mailbox="y"/></m:SourceIds></m:ConvertId>',
    "FindFolder": f"<m:FindFolder>{SHAPE}<m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds></m:FindFolder>",
    "GetServerTimeZones": "<m:GetServerTimeZones><m:Ids><t:Id>UTC</t:Id></m:Ids></m:GetServerTimeZones>",
    "CreateItem": "<m:CreateItem><m:Items><t:CalendarItem/></m:Items></m:CreateItem>",
}
VALUES = (
    *("", "-1", "0", "99999999999999999999", "true", "calendar", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
    *("T1RJ" * 8, "T1RG" * 8, "\u0663", "\u202e", "x" * 5000, "<&>\"'", "item:Body", "=", "AAAA====", "HTML"),
)


def tampered(request: bytes, chance: random.Random) -> bytes:
    """One to three things taken away, doubled, moved, or given another value."""
    root = etree.fromstring(request)
    for _ in range(chance.randint(1, 3)):
        elements = [element for element in root.iter() if element is not root]
        if not elements:
            break
        element, value = chance.choice(elements), chance.choice(VALUES)
        parent = element.getparent()
        match chance.randrange(5):
            case 0 if parent is not None:
                parent.remove(element)
            case 1 if parent is not None:
                parent.append(etree.fromstring(etree.tostring(element)))
            case 2 if parent is not None:
                parent.insert(0, element)
            case 3 if element.attrib:
                element.set(chance.choice(list(element.attrib)), value)
            case _:
                element.text = value
    return etree.tostring(root)


@pytest.mark.parametrize("name", REQUESTS)
def test_no_tampering_is_too_much_for_the_face(name: str) -> None:
    endpoint, chance = Endpointish(a_list()), random.Random(name)  # noqa: S311 - the same tampering every time
    for _ in range(150):
        body = tampered(envelope(REQUESTS[name], "Exchange2010"), chance)
        reply: Reply = endpoint.send(body)
        assert reply.status in (200, 500)
        check(reply, with_item_checks=False)
        assert "ErrorInternalServerError" not in reply.codes, body


def test_no_cut_or_garbled_bytes_are_too_much_for_the_face() -> None:
    endpoint, chance = Endpointish(a_list()), random.Random(4)  # noqa: S311 - the same bytes every time
    whole = envelope(find_item())
    for _ in range(300):
        at = chance.randrange(len(whole))
        garbled = whole[:at] + bytes(chance.randrange(256) for _ in range(3)) + whole[at + chance.randrange(4) :]
        reply = endpoint.send(garbled)
        check(reply, with_item_checks=False)
        assert "ErrorInternalServerError" not in reply.codes, garbled
