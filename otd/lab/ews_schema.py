"""As much of the EWS schema as the lab's operations need, and a check of requests against it.

Exchange validates a request before it looks at it: a wrong order, an unknown element, attribute or FieldURI is answered
with ErrorSchemaValidation, whatever else would be true of it. So does the lab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
_PREFIXES = {"s": SOAP, "m": MESSAGES, "t": TYPES}


def tag(name: str) -> str:
    """ "t:Mailbox" as lxml writes it."""
    prefix, _, local = name.partition(":")
    return f"{{{_PREFIXES[prefix]}}}{local}"


class Violation(Exception):
    """The request is not as the schema wants it; `line` is where."""

    def __init__(self, element: etree._Element, message: str) -> None:
        super().__init__(message)
        self.line, self.message = int(str(element.sourceline or 1)), message


@dataclass(frozen=True, slots=True)
class Shape:
    """What an element may look like. Attribute names that end in "?" may be absent; values are regular expressions.

    `text` is what its text must match, "" for an element without text. `open` leaves it unchecked.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    text: str = ""
    open: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A place in a sequence: one of these shapes, so many times (`most` None: without limit)."""

    options: tuple[Shape, ...]
    least: int = 1
    most: int | None = 1


def one(*options: Shape) -> Part:
    return Part(options)


def maybe(*options: Shape) -> Part:
    return Part(options, 0, 1)


def some(*options: Shape) -> Part:
    return Part(options, 1, None)


def check(element: etree._Element, shape: Shape) -> None:
    """Raises Violation."""
    if shape.open:
        return
    _check_attributes(element, shape)
    text = element.text or ""
    if shape.parts or not shape.text:
        if text.strip():
            raise Violation(element, f"The element '{_local(element)}' cannot contain text.")
    elif not re.fullmatch(shape.text, text.strip()):
        raise Violation(element, f"The '{_local(element)}' element is invalid - The value is not of its type.")
    _check_parts(element, shape)


def _check_attributes(element: etree._Element, shape: Shape) -> None:
    left = {str(name): str(value) for name, value in element.attrib.items() if not str(name).startswith("{")}
    for name, pattern in shape.attributes.items():
        value = left.pop(name.rstrip("?"), None)
        if value is None:
            if not name.endswith("?"):
                raise Violation(element, f"The required attribute '{name}' of '{_local(element)}' is missing.")
        elif not re.fullmatch(pattern, value):
            raise Violation(element, f"The '{name.rstrip('?')}' attribute is invalid - The value '{value}' is invalid.")
    if left:
        raise Violation(element, f"The '{next(iter(left))}' attribute of '{_local(element)}' is not declared.")


def _check_parts(element: etree._Element, shape: Shape) -> None:
    children = [child for child in element if isinstance(child.tag, str)]
    at = 0
    for part in shape.parts:
        options = {tag(option.name): option for option in part.options}
        count = 0
        while at < len(children) and children[at].tag in options and (part.most is None or count < part.most):
            check(children[at], options[str(children[at].tag)])
            at, count = at + 1, count + 1
        if count < part.least:
            wanted = ", ".join(option.name for option in part.options)
            raise Violation(element, f"The element '{_local(element)}' has invalid content: expected {wanted}.")
    if at < len(children):
        raise Violation(
            children[at], f"The element '{_local(element)}' has invalid child element '{_local(children[at])}'."
        )


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


# --- values -------------------------------------------------------------------------------------------------------


def _any_of(names: str) -> str:
    return "|".join(re.escape(name) for name in names.split())


ITEM_FIELDS = (
    "ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories HasAttachments "
    "Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted IsUnmodified "
    "DateTimeSent DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet ReminderNextTime "
    "ReminderMinutesBeforeStart DisplayTo DisplayCc Culture EffectiveRights LastModifiedName LastModifiedTime "
    "ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag "
    "ArchiveTag RetentionDate Preview NextPredictedAction GroupingAction PredictedActionReasons IsClutter "
    "RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString "
    "WebClientEditFormQueryString TextBody IconIndex MimeContentUTF8"
)
CALENDAR_FIELDS = (
    "Start End OriginalStart StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IsAllDayEvent "
    "LegacyFreeBusyStatus Location EnhancedLocation When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent "
    "IsResponseRequested CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources "
    "ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings AdjacentMeetings InboxReminders Duration "
    "TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence FirstOccurrence "
    "LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone ConferenceType AllowNewTimeProposal "
    "IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl UID RecurrenceId DateTimeStamp StartTimeZone EndTimeZone "
    "JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer"
)
FOLDER_FIELDS = (
    "FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass SearchParameters "
    "ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag "
    "ArchiveTag ReplicaList"
)
DISTINGUISHED = (
    "calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot publicfoldersroot "
    "root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions recoverableitemsversions "
    "recoverableitemspurges archiveroot archivemsgfolderroot archivedeleteditems archiveinbox syncissues conflicts "
    "localfailures serverfailures recipientcache quickcontacts conversationhistory todosearch"
)
_BASE_SHAPE = _any_of("IdOnly Default AllProperties")
_BOOLEAN = "true|false|0|1"
_DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"
_BODY_TYPE = _any_of("Best HTML Text")
_GUID = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_ID_FORMATS = _any_of("EwsLegacyId EwsId EntryId HexEntryId StoreId OwaId")
_ANY = r"(?s).*"
_PROPERTY_TYPES = _any_of(
    "ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency CurrencyArray Double "
    "DoubleArray Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray Short ShortArray "
    "SystemTime SystemTimeArray String StringArray"
)
_PROPERTY_SETS = _any_of(
    "Meeting Appointment Common PublicStrings Address InternetHeaders CalendarAssistant UnifiedMessaging Task Sharing"
)

# --- the requests ---------------------------------------------------------------------------------------------------


def _fields(prefix: str, names: str) -> str:
    return f"{prefix}:({_any_of(names)})"


_FIELD = Shape(
    "t:FieldURI",
    {
        "FieldURI": "|".join(
            (
                _fields("item", ITEM_FIELDS),
                _fields("calendar", CALENDAR_FIELDS),
                _fields("folder", FOLDER_FIELDS),
                # What is not of calendars is taken by its form, and never there: some clients ask for everything.
                "(message|contacts|task|meeting|meetingRequest|conversation|postitem|distributionlist):[A-Z][A-Za-z]+",
            )
        )
    },
)
_EXTENDED_FIELD = Shape(
    "t:ExtendedFieldURI",
    {
        "DistinguishedPropertySetId?": _PROPERTY_SETS,
        "PropertySetId?": _GUID,
        "PropertyTag?": r"0x[0-9A-Fa-f]{1,4}|\d+",
        "PropertyName?": _ANY,
        "PropertyId?": r"\d+",
        "PropertyType": _PROPERTY_TYPES,
    },
)
_ADDITIONAL = Shape(
    "t:AdditionalProperties", parts=(some(_FIELD, _EXTENDED_FIELD, Shape("t:IndexedFieldURI", open=True)),)
)
_MAILBOX = Shape(
    "t:Mailbox",
    parts=(
        maybe(Shape("t:Name", text=_ANY)),
        maybe(Shape("t:EmailAddress", text=r"\S+")),
        maybe(Shape("t:RoutingType", text=_ANY)),
        maybe(Shape("t:MailboxType", text=_any_of("Unknown OneOff Mailbox PublicDL PrivateDL Contact PublicFolder"))),
    ),
)
_DISTINGUISHED_FOLDER = Shape(
    "t:DistinguishedFolderId", {"Id": _any_of(DISTINGUISHED), "ChangeKey?": _ANY}, (maybe(_MAILBOX),)
)
_FOLDER = Shape("t:FolderId", {"Id": _ANY, "ChangeKey?": _ANY})


def _item_shape(name: str) -> Shape:
    return Shape(
        name,
        parts=(
            one(Shape("t:BaseShape", text=_BASE_SHAPE)),
            maybe(Shape("t:IncludeMimeContent", text=_BOOLEAN)),
            maybe(Shape("t:BodyType", text=_BODY_TYPE)),
            maybe(Shape("t:UniqueBodyType", text=_BODY_TYPE)),
            maybe(Shape("t:NormalizedBodyType", text=_BODY_TYPE)),
            maybe(Shape("t:FilterHtmlContent", text=_BOOLEAN)),
            maybe(Shape("t:ConvertHtmlCodePageToUTF8", text=_BOOLEAN)),
            maybe(_ADDITIONAL),
        ),
    )


CALENDAR_VIEW = Shape(
    "m:CalendarView", {"MaxEntriesReturned?": r"[1-9]\d*", "StartDate": _DATE_TIME, "EndDate": _DATE_TIME}
)
FIND_ITEM = Shape(
    "m:FindItem",
    {"Traversal": _any_of("Shallow SoftDeleted Associated")},
    (
        one(_item_shape("m:ItemShape")),
        maybe(
            CALENDAR_VIEW,
            Shape(
                "m:IndexedPageItemView", {"MaxEntriesReturned?": r"\d+", "Offset": r"\d+", "BasePoint": "Beginning|End"}
            ),
            Shape("m:FractionalPageItemView", open=True),
            Shape("m:ContactsView", open=True),
        ),
        maybe(Shape("m:GroupBy", open=True), Shape("m:DistinguishedGroupBy", open=True)),
        maybe(Shape("m:Restriction", open=True)),
        maybe(Shape("m:SortOrder", open=True)),
        one(Shape("m:ParentFolderIds", parts=(some(_FOLDER, _DISTINGUISHED_FOLDER),))),
        maybe(Shape("m:QueryString", text=_ANY)),
    ),
)
GET_ITEM = Shape(
    "m:GetItem",
    parts=(
        one(_item_shape("m:ItemShape")),
        one(
            Shape(
                "m:ItemIds",
                parts=(
                    some(
                        Shape("t:ItemId", {"Id": _ANY, "ChangeKey?": _ANY}),
                        Shape(
                            "t:OccurrenceItemId",
                            {"RecurringMasterId": _ANY, "ChangeKey?": _ANY, "InstanceIndex": r"\d+"},
                        ),
                        Shape("t:RecurringMasterItemId", {"OccurrenceId": _ANY, "ChangeKey?": _ANY}),
                    ),
                ),
            )
        ),
    ),
)
GET_FOLDER = Shape(
    "m:GetFolder",
    parts=(
        one(Shape("m:FolderShape", parts=(one(Shape("t:BaseShape", text=_BASE_SHAPE)), maybe(_ADDITIONAL)))),
        one(Shape("m:FolderIds", parts=(some(_FOLDER, _DISTINGUISHED_FOLDER),))),
    ),
)
CONVERT_ID = Shape(
    "m:ConvertId",
    {"DestinationFormat": _ID_FORMATS},
    (
        one(
            Shape(
                "m:SourceIds",
                parts=(
                    some(
                        Shape(
                            "t:AlternateId",
                            {"Format": _ID_FORMATS, "Id": _ANY, "Mailbox": ".+", "IsArchive?": _BOOLEAN},
                        )
                    ),
                ),
            )
        ),
    ),
)
RESOLVE_NAMES = Shape(
    "m:ResolveNames",
    {
        "ReturnFullContactData": _BOOLEAN,
        "SearchScope?": _any_of("ActiveDirectory ActiveDirectoryContacts Contacts ContactsActiveDirectory"),
        "ContactDataShape?": _BASE_SHAPE,
    },
    (maybe(Shape("m:ParentFolderIds", open=True)), some(Shape("m:UnresolvedEntry", text=".+"))),
)
HEADERS = {
    tag(shape.name): shape
    for shape in (
        Shape("t:RequestServerVersion", {"Version": _ANY}),
        Shape(
            "t:ExchangeImpersonation",
            parts=(
                one(
                    Shape(
                        "t:ConnectingSID",
                        parts=(
                            one(*(Shape(f"t:{name}", text=r"\S+") for name in ("PrimarySmtpAddress", "SmtpAddress"))),
                        ),
                    )
                ),
            ),
        ),
        Shape(
            "t:TimeZoneContext", parts=(one(Shape("t:TimeZoneDefinition", {"Id?": _ANY, "Name?": _ANY}, open=True)),)
        ),
        Shape("t:MailboxCulture", open=True),
    )
}
GET_ROOM_LISTS = Shape("m:GetRoomLists")
GET_ROOMS = Shape("m:GetRooms", parts=(one(Shape("m:RoomList", parts=(one(Shape("t:EmailAddress", text=r"\S+")),))),))
SUBSCRIBE = Shape(
    "m:Subscribe",
    parts=(
        one(
            Shape(
                "m:StreamingSubscriptionRequest",
                parts=(
                    one(Shape("t:FolderIds", open=True)),
                    one(Shape("t:EventTypes", parts=(some(Shape("t:EventType", text=r"[A-Za-z]+Event")),))),
                ),
            )
        ),
    ),
)
GET_STREAMING_EVENTS = Shape(
    "m:GetStreamingEvents",
    parts=(
        one(Shape("m:SubscriptionIds", parts=(some(Shape("t:SubscriptionId", text=r"\S+")),))),
        one(Shape("m:ConnectionTimeout", text=r"[1-9]|[12][0-9]|30")),
    ),
)
_ALL = (
    FIND_ITEM,
    GET_ITEM,
    GET_FOLDER,
    CONVERT_ID,
    RESOLVE_NAMES,
    GET_ROOM_LISTS,
    GET_ROOMS,
    SUBSCRIBE,
    GET_STREAMING_EVENTS,
)
OPERATIONS = {tag(shape.name): shape for shape in _ALL}
