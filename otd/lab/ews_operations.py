"""The operations of the simulated Exchange Server: a request that passed the schema in, a SOAP answer out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from otd.lab.ews_items import BodyType, Source, Wanted, calendar_item, wanted
from otd.lab.ews_request import Envelope
from otd.lab.ews_schema import tag
from otd.lab.ews_soap import VERSIONS, EwsError, SoapFault, attribute, bare, failure, response, success, text
from otd.lab.ews_streaming import Subscriptions
from otd.lab.faults import Fault, Kind
from otd.lab.identities import folder_id, is_ews_change_key, read_ews_id
from otd.lab.mailboxes import Item, Mailbox, Mailboxes
from otd.model import Window

MOST_ENTRIES = 1000  # Exchange's own limit on what one FindItem gives
ROOM_LIST = "rooms@contoso.example"
LONGEST_VIEW = timedelta(days=2 * 366)
FOLDERS = {"root": "Root", "msgfolderroot": "Top of Information Store", "calendar": "Calendar", "inbox": "Inbox"}
_SINCE = {
    "calendar:StartTimeZone": "Exchange2010",
    "calendar:EndTimeZone": "Exchange2010",
    "item:TextBody": "Exchange2013",
    "calendar:StartTimeZoneId": "Exchange2013",
    "calendar:EndTimeZoneId": "Exchange2013",
    "calendar:JoinOnlineMeetingUrl": "Exchange2013",
    "calendar:OnlineMeetingSettings": "Exchange2013",
    "calendar:IsOrganizer": "Exchange2013",
    "calendar:EnhancedLocation": "Exchange2013",
}
_PUBLIC_STRINGS = "00020329-0000-0000-c000-000000000046"
_NOT_SIMULATED = "The lab does not simulate this: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, and who asks."""

    envelope: Envelope
    mailboxes: Mailboxes
    acting: Mailbox | None  # the impersonated mailbox
    subscriptions: Subscriptions
    full_access: Callable[[Mailbox], bool]  # whether the account itself may open it
    swapped: Mailbox | None = None  # fault: answer with this one's items
    mixed: Mailbox | None = None  # fault: with one of this one's items among one's own
    fault: Fault | None = None

    def has(self, kind: Kind) -> bool:
        return self.fault is not None and self.fault.kind == kind


def answer(asked: Asked) -> str:
    """The envelope to answer with. Raises EwsError for what ends the whole request."""
    if asked.envelope.operation in ("GetRoomLists", "GetRooms"):
        return _room_lists(asked) if asked.envelope.operation == "GetRoomLists" else _rooms(asked)
    messages = {
        "FindItem": _find_item,
        "GetItem": _get_item,
        "GetFolder": _get_folder,
        "ConvertId": _convert_id,
        "ResolveNames": _resolve_names,
        "Subscribe": _subscribe,
    }[asked.envelope.operation](asked)
    return response(asked.envelope.operation, "".join(messages))


# --- whose mailbox ------------------------------------------------------------------------------------------------


def _folder(asked: Asked, element: etree._Element) -> tuple[Mailbox, str]:
    """The mailbox and the folder that an id names, if whoever asks may open it."""
    _spoil(asked)
    if element.tag == tag("t:FolderId"):
        return _own_folder(asked, str(element.get("Id")))
    name, address = str(element.get("Id")), element.findtext(f".//{tag('t:EmailAddress')}")
    if name not in FOLDERS:
        raise EwsError("ErrorFolderNotFound")
    if address is None:
        if asked.acting is None:
            raise EwsError("ErrorMissingEmailAddress")
        return asked.acting, name
    mailbox = asked.mailboxes.get(address)
    if mailbox is None or not mailbox.here:
        raise EwsError("ErrorNonExistentMailbox")
    if mailbox is asked.acting or (asked.acting is None and asked.full_access(mailbox)):
        return mailbox, name
    raise EwsError("ErrorAccessDenied")


def _own_folder(asked: Asked, wanted_id: str) -> tuple[Mailbox, str]:
    reachable = (asked.acting,) if asked.acting else (m for m in asked.mailboxes if asked.full_access(m))
    for mailbox in reachable:
        for name in FOLDERS:
            if folder_id(mailbox.guid, name) == wanted_id:
                return mailbox, name
    raise EwsError("ErrorFolderNotFound" if len(wanted_id) > 100 else "ErrorInvalidIdMalformed")


def _spoil(asked: Asked) -> None:
    if asked.fault and asked.fault.kind == "message":
        raise EwsError(asked.fault.text)


def _item(asked: Asked, element: etree._Element) -> tuple[Mailbox, Item]:
    _spoil(asked)
    if element.tag != tag("t:ItemId"):
        raise SoapFault("ErrorInvalidRequest", f"{_NOT_SIMULATED}{etree.QName(element).localname}")
    identity = read_ews_id(str(element.get("Id")))
    if identity is None:
        raise EwsError("ErrorInvalidIdMalformed")
    change_key = element.get("ChangeKey")
    if change_key and not is_ews_change_key(str(change_key)):  # an old one is fine: the item is given as it is now
        raise EwsError("ErrorInvalidChangeKey")
    mailbox = asked.swapped or asked.acting or asked.mailboxes.get(str(identity.mailbox))
    if mailbox is None or (asked.acting is None and not asked.full_access(mailbox)):
        raise EwsError("ErrorAccessDenied")
    item = mailbox.at(identity)
    if item is None:
        raise EwsError("ErrorItemNotFound")
    return mailbox, item


# --- what of it ---------------------------------------------------------------------------------------------------


def _wanted(asked: Asked, shape: etree._Element, *, find: bool) -> Wanted:
    if (shape.findtext(tag("t:IncludeMimeContent")) or "false") in ("true", "1"):
        raise SoapFault("ErrorInvalidRequest", f"{_NOT_SIMULATED}MimeContent")
    fields = [str(uri.get("FieldURI")) for uri in shape.iterfind(f".//{tag('t:FieldURI')}")]
    for name in fields:
        if name.startswith("folder:"):
            raise EwsError("ErrorInvalidPropertyRequest", f"{name} is not a property of items.")
        if asked.envelope.version < VERSIONS.index(_SINCE.get(name, VERSIONS[0])):
            raise EwsError("ErrorInvalidPropertyRequest", f"{name} is not known in the requested server version.")
    extended = tuple(_extended(uri) for uri in shape.iterfind(f".//{tag('t:ExtendedFieldURI')}"))
    known = tuple(pair for pair in extended if pair is not None)
    return wanted(shape.findtext(tag("t:BaseShape"), "IdOnly"), fields, known, find=find)


def _extended(uri: etree._Element) -> tuple[str, str] | None:
    """The property's name and its ExtendedFieldURI to repeat; None for one that no meeting of the lab can have."""
    distinguished, guid = uri.get("DistinguishedPropertySetId"), uri.get("PropertySetId")
    name, number, bare = uri.get("PropertyName"), uri.get("PropertyId"), uri.get("PropertyTag")
    in_set = (distinguished is None) != (guid is None) and (name is None) != (number is None) and bare is None
    alone = bare is not None and all(value is None for value in (distinguished, guid, name, number))
    if not in_set and not alone:
        raise EwsError(
            "ErrorInvalidExtendedProperty", "The combination of attributes of an extended property is invalid."
        )
    public = distinguished == "PublicStrings" or str(guid).casefold() == _PUBLIC_STRINGS
    if name is None or not public or uri.get("PropertyType") != "String":
        return None
    return str(name), f"<t:ExtendedFieldURI {_attributes(uri)}/>"


def _attributes(element: etree._Element) -> str:
    return " ".join(f"{key!s}={attribute(str(value))}" for key, value in element.attrib.items())


# --- the operations -----------------------------------------------------------------------------------------------


def _find_item(asked: Asked) -> Iterator[str]:
    body = asked.envelope.body
    view = body.find(tag("m:CalendarView"))
    if view is None:
        raise SoapFault("ErrorInvalidRequest", f"{_NOT_SIMULATED}FindItem without a CalendarView")
    for folder in body.iterfind(f"{tag('m:ParentFolderIds')}/*"):
        try:
            yield success("FindItem", _page(asked, folder, view))
        except SoapFault:
            raise
        except EwsError as error:
            yield failure("FindItem", error)


def _page(asked: Asked, folder: etree._Element, view: etree._Element) -> str:
    body = asked.envelope.body
    for name in ("Restriction", "SortOrder", "GroupBy", "QueryString"):
        if body.find(tag(f"m:{name}")) is not None:
            raise EwsError("ErrorInvalidRequest", f"A CalendarView goes without {name}.")
    mailbox, name = _folder(asked, folder)
    if name != "calendar":
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView", "A CalendarView is of calendar folders only.")
    shape = _wanted(asked, body[0], find=True)
    source = asked.swapped or mailbox
    items = list(source.view(_window(view), touching=True))
    limit = min(int(view.get("MaxEntriesReturned") or MOST_ENTRIES), MOST_ENTRIES)
    if asked.has("truncated"):
        limit = min(limit, len(items) // 2)
    shown = items[:limit]
    if asked.has("doubled"):
        shown = [item for item in shown for _ in range(2)]
    if asked.has("shuffled"):
        shown.reverse()
    if asked.mixed is not None:
        shown += list(asked.mixed.view(_window(view)))[:1]
    written = "".join(calendar_item(Source(item=item, mailbox=source, found=True), shape) for item in shown)
    last = "true" if len(items) <= limit and not asked.has("truncated") else "false"
    return (
        f'<m:RootFolder TotalItemsInView="{len(shown)}" IncludesLastItemInRange="{last}">'
        f"<t:Items>{written}</t:Items></m:RootFolder>"
    )


def _window(view: etree._Element) -> Window:
    start, end = _instant(str(view.get("StartDate"))), _instant(str(view.get("EndDate")))
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - start > LONGEST_VIEW:
        raise EwsError("ErrorCalendarViewRangeTooBig")
    return Window(start=start, end=max(end, start + timedelta(microseconds=1)))


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EwsError("ErrorInvalidRequest", "The view has a date that does not exist.") from error


def _get_item(asked: Asked) -> Iterator[str]:
    shape = asked.envelope.body[0]
    elements = _wanted(asked, shape, find=False)
    body_type = _body_type(shape.findtext(tag("t:BodyType")))
    zone_name = asked.fault.text if asked.fault and asked.fault.kind == "zone" else None
    ids = list(asked.envelope.body[1])
    for element in reversed(ids) if asked.has("shuffled") else ids:
        try:
            mailbox, item = _item(asked, element)
            source = Source(item=item, mailbox=mailbox, body_type=body_type, zone_name=zone_name)
            written = calendar_item(source, elements)
            yield success("GetItem", f"<m:Items>{written}</m:Items>")
        except SoapFault:
            raise
        except EwsError as error:
            yield failure("GetItem", error, "<m:Items/>")


def _body_type(named: str | None) -> BodyType:
    if named == "HTML":
        return "HTML"
    return "Text" if named == "Text" else "Best"


def _get_folder(asked: Asked) -> Iterator[str]:
    for element in asked.envelope.body[1]:
        try:
            mailbox, name = _folder(asked, element)
            yield success("GetFolder", f"<m:Folders>{_written_folder(mailbox, name)}</m:Folders>")
        except EwsError as error:
            yield failure("GetFolder", error, "<m:Folders/>")


def _written_folder(mailbox: Mailbox, name: str) -> str:
    calendar = name == "calendar"
    kind, parent = ("CalendarFolder", "msgfolderroot") if calendar else ("Folder", "root")
    children = {"root": 1, "msgfolderroot": 2}.get(name, 0)
    return (
        f'<t:{kind}><t:FolderId Id="{folder_id(mailbox.guid, name)}" ChangeKey="AQAAAA=="/>'
        f'<t:ParentFolderId Id="{folder_id(mailbox.guid, parent)}" ChangeKey="AQAAAA=="/>'
        + ("<t:FolderClass>IPF.Appointment</t:FolderClass>" if calendar else "")
        + f"<t:DisplayName>{FOLDERS[name]}</t:DisplayName>"
        f"<t:TotalCount>{len(mailbox) if calendar else 0}</t:TotalCount>"
        f"<t:ChildFolderCount>{children}</t:ChildFolderCount>"
        "<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated><t:CreateContents>false</t:CreateContents>"
        "<t:CreateHierarchy>false</t:CreateHierarchy><t:Delete>false</t:Delete><t:Modify>false</t:Modify>"
        "<t:Read>true</t:Read><t:ViewPrivateItems>true</t:ViewPrivateItems></t:EffectiveRights>"
        f"<t:DistinguishedFolderId>{name}</t:DistinguishedFolderId>"
        + ("" if calendar else "<t:UnreadCount>0</t:UnreadCount>")
        + f"</t:{kind}>"
    )


def _convert_id(asked: Asked) -> Iterator[str]:
    """From and to EwsId only: a client that asks for more only wants to know whether somebody answers."""
    target = asked.envelope.body.get("DestinationFormat")
    for source in asked.envelope.body[0]:
        known = source.get("Format") == target == "EwsId" and read_ews_id(str(source.get("Id")))
        if not known:
            yield failure("ConvertId", EwsError("ErrorInvalidIdMalformed"))
            continue
        kind = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:AlternateIdType"'
        yield success("ConvertId", f"<m:AlternateId {kind} {_attributes(source)}/>")


def _subscribe(asked: Asked) -> Iterator[str]:
    for folder in asked.envelope.body[0][0]:
        try:
            mailbox, _ = _folder(asked, folder)
            identity = asked.subscriptions.add(mailbox)
            yield success("Subscribe", f"<m:SubscriptionId>{identity}</m:SubscriptionId>")
        except SoapFault:
            raise
        except EwsError as error:
            yield failure("Subscribe", error)


def _room_lists(asked: Asked) -> str:
    """One list with all mailboxes, if there are any."""
    lists = f"<t:Address>{_mailbox_type('Rooms', ROOM_LIST, 'PublicDL')}</t:Address>" if len(asked.mailboxes) else ""
    return bare("GetRoomLists", f"<m:RoomLists>{lists}</m:RoomLists>")


def _rooms(asked: Asked) -> str:
    if asked.envelope.body.findtext(f".//{tag('t:EmailAddress')}") != ROOM_LIST:
        return bare("GetRooms", "<m:Rooms/>", code="ErrorNameResolutionNoResults")
    rooms = "".join(
        f"<t:Room><t:Id>{_mailbox_type(one.name, one.address, 'Mailbox')}</t:Id></t:Room>" for one in asked.mailboxes
    )
    return bare("GetRooms", f"<m:Rooms>{rooms}</m:Rooms>")


def _mailbox_type(name: str, address: str, kind: str) -> str:
    return (
        f"<t:Name>{text(name)}</t:Name><t:EmailAddress>{text(address)}</t:EmailAddress>"
        f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{kind}</t:MailboxType>"
    )


def _resolve_names(asked: Asked) -> Iterator[str]:
    for element in asked.envelope.body.iterfind(tag("m:UnresolvedEntry")):
        mailbox = asked.mailboxes.get((element.text or "").strip().removeprefix("smtp:"))
        if mailbox is None:
            yield failure("ResolveNames", EwsError("ErrorNameResolutionNoResults"))
            continue
        yield success(
            "ResolveNames",
            '<m:ResolutionSet TotalItemsInView="1" IncludesLastItemInRange="true"><t:Resolution><t:Mailbox>'
            f"<t:Name>{text(mailbox.name)}</t:Name><t:EmailAddress>{text(mailbox.address)}</t:EmailAddress>"
            "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox></t:Resolution>"
            "</m:ResolutionSet>",
        )
