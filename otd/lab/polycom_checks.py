"""Whether a calendar server's reply is what Exchange would have sent: more than one endpoint asks, so that a server
which this one forgives does not fail on the next. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from otd.lab.polycom_replies import MESSAGES, SOAP, TYPES, Unusable, parsed

# The schema's sequence (types.xsd: ItemType, then CalendarItemType), as far as a server of calendars writes it.
_ORDER = (
    "ItemId ParentFolderId ItemClass Subject Sensitivity Body DateTimeReceived Size Categories Importance IsSubmitted "
    "IsDraft IsFromMe IsResend IsUnmodified DateTimeSent DateTimeCreated ReminderDueBy ReminderIsSet "
    "ReminderMinutesBeforeStart DisplayCc DisplayTo HasAttachments ExtendedProperty Culture EffectiveRights "
    "LastModifiedName LastModifiedTime TextBody UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent "
    "LegacyFreeBusyStatus Location When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested "
    "CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount "
    "AdjacentMeetingCount Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState "
    "StartTimeZone EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl "
    "EnhancedLocation StartTimeZoneId EndTimeZoneId JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer"
)
ORDER = tuple(_ORDER.split())
_PLACE = {name: place for place, name in enumerate(ORDER)}
_SINCE_2010 = frozenset(("StartTimeZone", "EndTimeZone", "EffectiveRights"))
_SINCE_2013 = frozenset(ORDER[ORDER.index("EnhancedLocation") :]) | {"TextBody"}
_OFTEN = frozenset(("ExtendedProperty",))
_LONGEST_ID = 512
_PREFIX_OF = {SOAP: "s", MESSAGES: "m", TYPES: "t"}


def complaints(body: bytes, *, version: str) -> tuple[str, ...]:
    """What is wrong with a SOAP reply to a request of this version ("none": without one), each thing said once."""
    try:
        root = parsed(body)
    except Unusable as error:
        return (error.why,)
    return tuple(dict.fromkeys(_complaints(root, version)))


def misplaced(body: bytes) -> frozenset[str]:
    """The ids of items whose elements are not in the schema's order."""
    try:
        root = parsed(body)
    except Unusable:
        return frozenset()
    return frozenset(_id(item) for item in root.iter(f"{{{TYPES}}}CalendarItem") if _disorder(item))


def _complaints(root: etree._Element, version: str) -> Iterator[str]:
    if root.tag != f"{{{SOAP}}}Envelope":
        yield "it is no SOAP envelope"
        return
    info = root.find(f"{{{SOAP}}}Header/{{{TYPES}}}ServerVersionInfo")
    if info is None:
        yield "it has no ServerVersionInfo in its header"
    elif info.prefix != "h":
        yield "ServerVersionInfo is not written with the prefix h"
    for element in root.iter(f"{{{SOAP}}}*", f"{{{MESSAGES}}}*", f"{{{TYPES}}}*"):
        wanted = _PREFIX_OF[etree.QName(element).namespace or ""]
        if element.prefix != wanted and element is not info:
            yield f"{etree.QName(element).localname} is not written with the prefix {wanted}"
    for item in root.iter(f"{{{TYPES}}}CalendarItem"):
        yield from _item(item, version)
    for folder in root.iter(f"{{{MESSAGES}}}RootFolder"):
        yield from _view(folder)


def _item(item: etree._Element, version: str) -> Iterator[str]:
    names = [etree.QName(child).localname for child in item]
    if problem := _disorder(item):
        yield problem
    for name in names:
        if name not in _PLACE:
            yield f"{name} is no element of a calendar item"
        if names.count(name) > 1 and name not in _OFTEN:
            yield f"{name} is there more than once"
        if (version == "none" or version.startswith("Exchange2007")) and name in _SINCE_2010 | _SINCE_2013:
            yield f"{name} is newer than the version that was asked for"
        if version.startswith("Exchange2010") and name in _SINCE_2013:
            yield f"{name} is newer than the version that was asked for"
    id = _id(item)
    if "|" in id or not id.isascii():
        yield "an id has characters that the command interface cannot give back"
    if len(id) > _LONGEST_ID:
        yield f"an id is longer than {_LONGEST_ID} characters"


def _disorder(item: etree._Element) -> str:
    last = -1
    for child in item:
        name = etree.QName(child).localname
        place = _PLACE.get(name, last)
        if place < last:
            return f"{name} stands after {ORDER[last]}"
        last = place
    return ""


def _view(folder: etree._Element) -> Iterator[str]:
    items = folder.findall(f"{{{TYPES}}}Items/*")
    if folder.find(f"{{{TYPES}}}Items") is None:
        yield "RootFolder has no Items"
    if folder.get("TotalItemsInView") != str(len(items)):
        yield "TotalItemsInView is not the number of items"
    if folder.get("IncludesLastItemInRange") not in ("true", "false"):
        yield "RootFolder does not say whether it includes the last item"
    starts = [item.findtext(f"{{{TYPES}}}Start", "") for item in items]
    if all(starts) and starts != sorted(starts):
        yield "the items are not sorted by their start"


def _id(item: etree._Element) -> str:
    identity = item.find(f"{{{TYPES}}}ItemId")
    return "" if identity is None else str(identity.get("Id", ""))
