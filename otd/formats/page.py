"""The bare text of an invitation, HTML or plain -> one Entry. It states no time in a form that could be relied on."""

from __future__ import annotations

import re
from hashlib import sha256
from html import unescape

from otd.formats.detection import text_of
from otd.formats.document import Document, Entry, Notes, trimmed
from otd.model import EPOCH, Meeting

_TITLE = re.compile(r"<title[^<>]*>([^<]{0,500})</title", re.I)
_CHARSET = re.compile(rb"<meta[^<>]{0,200}?charset=[\"']?([A-Za-z0-9_-]{1,40})", re.I)


def read(data: bytes, *, html: bool) -> Document:
    """One meeting; start and end are a stand-in (1970), since there is no telling when it is."""
    stated = _CHARSET.search(data, 0, 4_096) if html else None
    body = text_of(data, stated[1].decode() if stated else "")
    title = _TITLE.search(body, 0, 20_000) if html else None
    identity = sha256(data).hexdigest()[:40]
    meeting = Meeting(
        id=identity,
        uid=identity,
        start=EPOCH,
        end=EPOCH,
        subject=unescape(title[1]) if title else "",
        body=body,
        body_type="html" if html else "text",
        show_as="unknown",
        response="none",
    )
    notes = Notes()
    return Document(entries=(Entry(meeting=trimmed(meeting, notes), dated=False),), notes=notes.all())
