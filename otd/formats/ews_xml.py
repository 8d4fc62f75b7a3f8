"""XML as Exchange Web Services gives it -> Entries: the answer to GetItem or FindItem, with or without its envelope.

No entity, no document type and nothing outside the bytes is ever looked at.
"""

from __future__ import annotations

import re
from datetime import tzinfo

from lxml import etree

from otd.errors import Garbled
from otd.formats import ews_item
from otd.formats.document import ENTRY_LIMIT, Document, Entry, Notes, entry_of, trimmed

ITEMS = ("CalendarItem", "MeetingRequest", "MeetingCancellation", "MeetingMessage")

_MEND = "give the answer to a GetItem or FindItem of Exchange Web Services"
_PROLOG = re.compile(rb"<!DOCTYPE|<!ENTITY", re.I)
# Exchange writes control characters of a body as references, which XML 1.0 does not allow.
_ILLEGAL = re.compile(rb"&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\d|3[01]));", re.I)


def read(data: bytes, zone: tzinfo) -> Document:
    """Every item in it. Raises Garbled when it is not XML, declares entities, or holds no answer of Exchange."""
    if _PROLOG.search(data, 0, 65_536) or _PROLOG.search(data.replace(b"\0", b""), 0, 65_536):
        raise Garbled("the XML", "declares a document type, which no answer of Exchange does", _MEND)
    root = _parsed(data)
    answers = [element.text for element in root.iter("{*}ResponseCode")]
    items = [item for name in ITEMS for item in root.iter(ews_item.T + name)]
    if not items and not answers:
        raise Garbled("the XML", "holds no meeting of Exchange Web Services", _MEND)
    notes = Notes()
    if any(code != "NoError" for code in answers):
        notes.add("a part of the answer is an error")
    if len(items) > ENTRY_LIMIT:
        notes.add(f"it holds more than {ENTRY_LIMIT} meetings; the rest was left out")
    entries: list[Entry] = []
    for item in items[:ENTRY_LIMIT]:
        try:
            if ews_item.is_draft(item):
                notes.add("a draft was left out")
            else:
                entries.append(entry_of(trimmed(ews_item.meeting(item, zone), notes)))
        except ValueError as error:
            notes.add(f"a meeting was left out: {error}")
    return Document(entries=tuple(entries), notes=notes.all())


def _parsed(data: bytes) -> etree._Element:
    for attempt in (data, _ILLEGAL.sub(b"", data)):
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(attempt, parser)
        except (etree.XMLSyntaxError, ValueError, LookupError):
            continue
        if root is not None:
            return root
    raise Garbled("the XML", "is not well-formed", _MEND)
