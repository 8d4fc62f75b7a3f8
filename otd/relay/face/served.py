"""A held list made ready to be served: its items rendered, its folders named, its state in one word."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from otd.relay.face import ids
from otd.relay.face.items import Item, Shape, item, xml
from otd.relay.face.soap import EwsError, children, local, word
from otd.relay.lists import HeldList

CALENDAR = "calendar"
# Folders that clients look for before they come to the calendar; all but the calendar are empty.
FOLDERS = {
    "root": ("Root", ""),
    "msgfolderroot": ("Top of Information Store", "IPF.Note"),
    "inbox": ("Inbox", "IPF.Note"),
    "drafts": ("Drafts", "IPF.Note"),
    "sentitems": ("Sent Items", "IPF.Note"),
    "deleteditems": ("Deleted Items", "IPF.Note"),
    "outbox": ("Outbox", "IPF.Note"),
    "junkemail": ("Junk Email", "IPF.Note"),
    CALENDAR: ("Calendar", "IPF.Appointment"),
}
_SHAPES = 16  # how many shapes are kept rendered; an endpoint uses two


class Served:
    """One endpoint's calendar as it answers requests."""

    def __init__(self, held: HeldList) -> None:
        self.held = held
        self.endpoint, self.mailbox = held.endpoint, held.endpoint.mailbox
        self.folder_ids = {name: ids.folder_id(self.mailbox, name) for name in FOLDERS}
        self.calendar_id = self.folder_ids[CALENDAR]
        ready = (item(booking, held.endpoint, self.calendar_id) for booking in held.bookings)
        self.items = tuple(sorted(ready, key=lambda one: (one.start, one.end, one.id)))
        self.by_id = {one.id: one for one in self.items}
        self.known = tuple((one.id, one.key) for one in self.items)
        self.watermark = ids.watermark(self.known)
        self._names = {id: name for name, id in self.folder_ids.items()}
        self._rendered: dict[Shape, dict[str, str]] = {}

    def xml(self, items: Iterable[Item], shape: Shape) -> str:
        """The items in this shape, each rendered once for as long as the list is held."""
        rendered = self._rendered.get(shape)
        if rendered is None:
            if len(self._rendered) >= _SHAPES:
                self._rendered.clear()
            rendered = self._rendered[shape] = {}
        return "".join([rendered.get(one.id) or rendered.setdefault(one.id, xml(one, shape)) for one in items])

    def is_own(self, address: str) -> bool:
        """Whether an address is this room's."""
        return address.strip().casefold().removeprefix("smtp:") == self.mailbox.casefold()

    def folder(self, element: etree._Element) -> str:
        """The name of the folder that an element names. Raises EwsError for another's and for unknown ones."""
        for mailbox in children(element, "Mailbox"):
            if (address := word(mailbox, "EmailAddress")) and not self.is_own(address):
                raise EwsError("ErrorAccessDenied")
        id = element.get("Id", "")
        name = id.casefold() if local(element) == "DistinguishedFolderId" else self._names.get(id, "")
        if name in FOLDERS:
            return name
        if local(element) == "FolderId" and not ids.is_ours(id):
            raise EwsError("ErrorInvalidIdMalformed")
        raise EwsError("ErrorFolderNotFound")
