"""GetFolder, FindFolder, FindItem and GetItem: how endpoints read the calendar."""

from __future__ import annotations

from functools import lru_cache

from lxml import etree

from otd.quoting import xml_text
from otd.relay.face import items, restrictions
from otd.relay.face.answers import Answer, Options, each, some
from otd.relay.face.items import ORDER, Item, Shape
from otd.relay.face.served import CALENDAR, FOLDERS, Served
from otd.relay.face.soap import EwsError, Fault, Request, child, children, local, response, word

_BASES = ("IdOnly", "Default", "AllProperties")
_BODIES = ("Best", "HTML", "Text")
_KNOWN = frozenset(ORDER)
_FOLDERS_AT_ONCE, _ITEMS_AT_ONCE = 20, 1000


def get_folder(served: Served, request: Request, options: Options) -> Answer:
    wanted = some(child(request.element, "FolderIds"), _FOLDERS_AT_ONCE)

    def found(element: etree._Element) -> str:
        return f"<m:Folders>{_folder(served, served.folder(element))}</m:Folders>"

    return Answer(xml=response("GetFolder", each("GetFolder", wanted, found, tail="<m:Folders/>")))


def find_folder(served: Served, request: Request, options: Options) -> Answer:
    """There are none below any."""
    wanted = some(child(request.element, "ParentFolderIds"), _FOLDERS_AT_ONCE)

    def none(element: etree._Element) -> str:
        served.folder(element)
        return '<m:RootFolder TotalItemsInView="0" IncludesLastItemInRange="true"><t:Folders/></m:RootFolder>'

    return Answer(xml=response("FindFolder", each("FindFolder", wanted, none)))


def find_item(served: Served, request: Request, options: Options) -> Answer:
    element = request.element
    shape = asked_shape(request, options, found=True)
    gave_all: list[bool] = []

    def found(parent: etree._Element) -> str:
        is_calendar = served.folder(parent) == CALENDAR and element.get("Traversal", "Shallow") == "Shallow"
        chosen, attributes, to_the_end = _chosen(served.items if is_calendar else (), element)
        gave_all.append(is_calendar and to_the_end)
        return f"<m:RootFolder {attributes}><t:Items>{served.xml(chosen, shape)}</t:Items></m:RootFolder>"

    wanted = some(child(element, "ParentFolderIds"), _FOLDERS_AT_ONCE)
    xml = response("FindItem", each("FindItem", wanted, found))
    return Answer(xml=xml, whole=any(gave_all))


def _chosen(items: tuple[Item, ...], find: etree._Element) -> tuple[tuple[Item, ...], str, bool]:
    """The items that FindItem asks for, what is said of them, and whether they reach the end."""
    view = child(find, "CalendarView")
    if view is not None:
        found, to_the_end = restrictions.seen(items, view)
        return found, _attributes(len(found), to_the_end), to_the_end
    matching = restrictions.matching(items, child(find, "Restriction"))
    ordered = restrictions.in_order(matching, child(find, "SortOrder"))
    found, offset, to_the_end = restrictions.page(ordered, find)
    return found, f'IndexedPagingOffset="{offset}" {_attributes(len(ordered), to_the_end)}', to_the_end


def _attributes(total: int, to_the_end: bool) -> str:
    return f'TotalItemsInView="{total}" IncludesLastItemInRange="{str(to_the_end).lower()}"'


def get_item(served: Served, request: Request, options: Options) -> Answer:
    shape = asked_shape(request, options, found=False)

    def found(element: etree._Element) -> str:
        item = served.by_id.get(element.get("Id", "")) if local(element) == "ItemId" else None
        if item is None:  # gone, or an occurrence of a series: there are no series here
            raise EwsError("ErrorItemNotFound")
        return f"<m:Items>{served.xml((item,), shape)}</m:Items>"

    wanted = some(child(request.element, "ItemIds"), _ITEMS_AT_ONCE)
    return Answer(xml=response("GetItem", each("GetItem", wanted, found, tail="<m:Items/>")))


def asked_shape(request: Request, options: Options, *, found: bool) -> Shape:
    """The ItemShape of a request. Raises Fault when it has none."""
    element = child(request.element, "ItemShape")
    base = word(element, "BaseShape") if element is not None else ""
    body = word(element, "BodyType", "Best") if element is not None else ""
    if element is None or base not in _BASES or body not in _BODIES:
        raise Fault("ErrorSchemaValidation")
    fields = children(child(element, "AdditionalProperties"), "FieldURI")
    asked = frozenset(name for field in fields if (name := field.get("FieldURI", "").rpartition(":")[2]) in _KNOWN)
    return _shape(asked, base, body, request.generation, found, options)


@lru_cache(maxsize=256)
def _shape(asked: frozenset[str], base: str, body: str, generation: int, found: bool, options: Options) -> Shape:
    bodyless = found and not options.body_in_find
    return items.shape(asked, base, body, generation, found=found, bodyless=bodyless, uid=options.uid_for_2007)


def _folder(served: Served, name: str) -> str:
    """A folder; the schema has an element of its own for a calendar."""
    display, kind = FOLDERS[name]
    calendar = name == CALENDAR
    key = served.watermark if calendar else served.folder_ids[name]
    total = len(served.items) if calendar else 0
    below = len(FOLDERS) - 2 if name == "msgfolderroot" else 1 if name == "root" else 0
    parent = {"root": "", "msgfolderroot": "root"}.get(name, "msgfolderroot")
    inner = (
        f'<t:FolderId Id="{served.folder_ids[name]}" ChangeKey="{key}"/>'
        + (f'<t:ParentFolderId Id="{served.folder_ids[parent]}"/>' if parent else "")
        + (f"<t:FolderClass>{kind}</t:FolderClass>" if kind else "")
        + f"<t:DisplayName>{xml_text(display)}</t:DisplayName><t:TotalCount>{total}</t:TotalCount>"
        f"<t:ChildFolderCount>{below}</t:ChildFolderCount>"
    )
    return f"<t:CalendarFolder>{inner}</t:CalendarFolder>" if calendar else f"<t:Folder>{inner}</t:Folder>"
