"""SyncFolderItems and pull subscriptions, without any state here: what a client knows is in what it sends back."""

from __future__ import annotations

from datetime import timedelta

from lxml import etree

from otd.model import EPOCH
from otd.relay.face import ids
from otd.relay.face.answers import Answer, Options, each
from otd.relay.face.items import Item, Shape
from otd.relay.face.reading import asked_shape
from otd.relay.face.served import CALENDAR, Served
from otd.relay.face.soap import EwsError, Fault, Request, child, local, response, word

_MOST_CHANGES = 512


def sync_folder_items(served: Served, request: Request, options: Options) -> Answer:
    shape = asked_shape(request, options, found=True)
    whole: list[bool] = []

    def changes(element: etree._Element) -> str:
        name = served.folder(_first(element, "SyncFolderId"))
        folder = served.folder_ids[name]
        items = served.items if name == CALENDAR else ()
        known = ids.synced(folder, word(element, "SyncState") or ids.sync_state(folder, ()))
        if known is None:
            raise EwsError("ErrorInvalidSyncStateData")
        lines, state, last = _changes(served, items, known, shape, _most(element))
        whole.append(last and name == CALENDAR)
        return (
            f"<m:SyncState>{ids.resynced(folder, state)}</m:SyncState>"
            f"<m:IncludesLastItemInRange>{str(last).lower()}</m:IncludesLastItemInRange><m:Changes>{lines}</m:Changes>"
        )

    xml = response("SyncFolderItems", each("SyncFolderItems", (request.element,), changes))
    return Answer(xml=xml, whole=any(whole))


def _changes(
    served: Served, items: tuple[Item, ...], known: dict[str, bytes], shape: Shape, most: int
) -> tuple[str, dict[str, bytes], bool]:
    """What changed since, what the client knows after it, and whether that is all."""
    there = {item.id: item for item in items}
    gone = [id for id in known if id not in there]
    fresh = [item for item in items if known.get(item.id) != ids.part(item.key)]
    state, lines = dict(known), []
    for id in gone[:most]:
        del state[id]
        lines.append(f'<t:Delete><t:ItemId Id="{id}"/></t:Delete>')
    for item in fresh[: most - len(lines)]:
        verb = "Update" if item.id in known else "Create"
        state[item.id] = ids.part(item.key)
        lines.append(f"<t:{verb}>{served.xml((item,), shape)}</t:{verb}>")
    return "".join(lines), state, len(lines) == len(gone) + len(fresh)


def _most(element: etree._Element) -> int:
    text = word(element, "MaxChangesReturned", str(_MOST_CHANGES))
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= _MOST_CHANGES:
        raise Fault("ErrorSchemaValidation", f"MaxChangesReturned is a number from 1 to {_MOST_CHANGES}.")
    return int(text)


def subscribe(served: Served, request: Request, options: Options) -> Answer:
    """Pull only: the face never calls an address that a client names."""

    def subscribed(element: etree._Element) -> str:
        if local(element) != "PullSubscriptionRequest":
            raise EwsError("ErrorInvalidSubscriptionRequest")
        for folder in _children_of(child(element, "FolderIds")):
            served.folder(folder)
        return (
            f"<m:SubscriptionId>{ids.subscription_id(served.mailbox)}</m:SubscriptionId>"
            f"<m:Watermark>{served.watermark}</m:Watermark>"
        )

    wanted = _children_of(request.element)[:1]
    if not wanted:
        raise Fault("ErrorSchemaValidation")
    return Answer(xml=response("Subscribe", each("Subscribe", wanted, subscribed)))


def get_events(served: Served, request: Request, options: Options) -> Answer:
    def events(element: etree._Element) -> str:
        _check_subscription(served, element)
        before, now = word(element, "Watermark"), served.watermark
        mark = f"<t:Watermark>{now}</t:Watermark>"
        event = f"<t:StatusEvent>{mark}</t:StatusEvent>"
        if not ids.is_watermark(before):
            raise EwsError("ErrorInvalidWatermark")
        if before != now:
            event = f"<t:ModifiedEvent>{mark}{_modified(served)}</t:ModifiedEvent>"
        return (
            f"<m:Notification><t:SubscriptionId>{ids.subscription_id(served.mailbox)}</t:SubscriptionId>"
            f"<t:PreviousWatermark>{before}</t:PreviousWatermark><t:MoreEvents>false</t:MoreEvents>"
            f"{event}</m:Notification>"
        )

    return Answer(xml=response("GetEvents", each("GetEvents", (request.element,), events)))


def unsubscribe(served: Served, request: Request, options: Options) -> Answer:
    def done(element: etree._Element) -> str:
        _check_subscription(served, element)
        return ""

    return Answer(xml=response("Unsubscribe", each("Unsubscribe", (request.element,), done)))


def _modified(served: Served) -> str:
    """That the calendar changed, at the time that its list's revision stands for (milliseconds)."""
    at = (EPOCH + timedelta(milliseconds=served.held.revision)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<t:TimeStamp>{at}</t:TimeStamp><t:FolderId Id="{served.calendar_id}" ChangeKey="{served.watermark}"/>'
        f'<t:ParentFolderId Id="{served.folder_ids["msgfolderroot"]}"/>'
    )


def _check_subscription(served: Served, element: etree._Element) -> None:
    if word(element, "SubscriptionId") != ids.subscription_id(served.mailbox):
        raise EwsError("ErrorSubscriptionNotFound")


def _first(element: etree._Element, name: str) -> etree._Element:
    """The first element inside a child of this name. Raises Fault."""
    found = next(iter(_children_of(child(element, name))), None)
    if found is None:
        raise Fault("ErrorSchemaValidation")
    return found


def _children_of(element: etree._Element | None) -> list[etree._Element]:
    return list(element) if element is not None else []
