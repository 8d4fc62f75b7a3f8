"""A mail as saved (.eml, RFC 5322 and MIME) -> Entries.

The calendar part says what the meeting is; the text around it is only its picture, which filters on the way may have
rewritten. So a body comes from the calendar part, and from the HTML or plain text beside it (in the same
multipart/alternative) only when the calendar part has none, or none that names an address. A mail without a calendar
part gives one meeting all the same, from its text, with its Date as a stand-in for start and end.
"""

from __future__ import annotations

import codecs
import email
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime
from hashlib import sha256
from typing import cast

from otd.errors import Garbled, OtdError
from otd.formats import ical
from otd.formats.detection import calendar_text, text_of
from otd.formats.document import LINE_LIMIT, Document, Entry, Notes, line, trimmed, utc
from otd.formats.ical_content import shows
from otd.model import EPOCH, NOBODY, Meeting, Person

PART_LIMIT = 500
CALENDARS = ("text/calendar", "application/ics", "text/x-vcalendar")
TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted")

# What the email package raises on mails that nobody would write.
_ODD_MAIL = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MessageError)
_BOUNDARY = re.compile(rb"boundary\s*=")
# The email package looks at a header like this again for every parameter in it.
_CONTENT = re.compile(rb"content-[a-z-]{1,40}:(?:[^\r\n]+|\r?\n[ \t]|\r[ \t])*")
_CONTENT_LIMIT = 4_000
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{40,}")
_WORK_LIMIT = 20 * LINE_LIMIT


def read(data: bytes, zone: tzinfo) -> Document:
    """Every meeting in the mail and in the mails attached to it. Raises Garbled when it is no mail that can be read."""
    data = data.removeprefix(codecs.BOM_UTF8).lstrip()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = text_of(data).encode("utf-8", "replace").lstrip()
    _bounded(data)
    try:
        message = email.message_from_bytes(data)
        parts = list(_parts(message))
    except _ODD_MAIL:
        raise Garbled("the mail", "is not built as MIME wants it", "save it again as .eml") from None
    notes = Notes()
    for part in parts:
        if part.kind in TNEF:
            notes.add("winmail.dat is ignored: the sender's server should send the meeting as iCalendar")
        elif part.kind in SEALED:
            notes.add("an encrypted or sealed part is ignored")
    found, lost = _calendars(parts, zone, notes)
    if not found:
        return Document(entries=(_as_meeting(message, parts, data, notes),), notes=notes.all(), lost=lost)
    return Document(
        entries=tuple(entry for one in found for entry in one.entries),
        notes=tuple(dict.fromkeys((*(note for one in found for note in one.notes), *notes.all()))),
        whole=all(one.whole for one in found),
        lost=lost + sum(one.lost for one in found),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A leaf of the mail, and in which multipart/alternative it is (0: in none)."""

    kind: str
    message: Message
    alternative: int

    def text(self) -> str:
        """What it says, decoded; "" when it cannot be."""
        decode = calendar_text if _is_calendar(self) else text_of
        try:
            payload = self.message.get_payload(decode=True)
            if _is_calendar(self):
                payload = _unbroken(payload)
            return decode(payload, self.message.get_content_charset() or "") if isinstance(payload, bytes) else ""
        except _ODD_MAIL:
            return ""


def _unbroken(payload: object) -> object:
    """A calendar part that broke off in base64: the email package leaves it undecoded at certain lengths."""
    if not isinstance(payload, bytes) or not _BASE64.fullmatch(payload):
        return payload
    letters = b"".join(payload.split()).rstrip(b"=")
    return b64decode(letters[: len(letters) // 4 * 4])


def _bounded(data: bytes) -> None:
    """Raises Garbled for a mail that is built to keep the parser busy: it compares every line with every boundary."""
    lines = data.count(b"\n") + data.count(b"\r")
    low = data.lower()
    boundaries = low.count(b"boundary")
    if lines * boundaries > _WORK_LIMIT:
        boundaries = sum(1 for _ in _BOUNDARY.finditer(low))
    if lines > 2 * LINE_LIMIT or lines * boundaries > _WORK_LIMIT:
        raise Garbled("the mail", "has more parts and lines than can be read", "save the invitation alone as .ics")
    if any(
        found.end() - found.start() > _CONTENT_LIMIT and _begins(low, found.start()) for found in _CONTENT.finditer(low)
    ):
        raise Garbled("the mail", "has a header that is too long", "save the invitation alone as .ics")


def _begins(data: bytes, at: int) -> bool:
    """Whether a line begins there."""
    return at == 0 or data[at - 1] in b"\r\n"


def _parts(message: Message) -> Iterator[_Part]:
    """The leaves in order, of attached mails too."""
    waiting: list[tuple[Message, int]] = [(message, 0)]
    number = 0
    for _ in range(PART_LIMIT):
        if not waiting:
            return
        part, within = waiting.pop()
        kind = part.get_content_type()
        if kind in SEALED or not part.is_multipart():
            yield _Part(kind, part, within)
            continue
        number += 1
        inside = number if kind == "multipart/alternative" else within if kind == "multipart/related" else 0
        waiting.extend((one, inside) for one in reversed(cast("list[Message]", part.get_payload())))


def _calendars(parts: Sequence[_Part], zone: tzinfo, notes: Notes) -> tuple[list[Document], int]:
    """What the calendar parts say, and how many of them cannot be read."""
    documents: list[Document] = []
    seen: set[str] = set()
    lost = 0
    for part in sorted((p for p in parts if _is_calendar(p)), key=lambda p: CALENDARS.index(_as_calendar(p))):
        text = part.text()
        if text in seen or (documents and _as_calendar(part) != "text/calendar"):
            continue  # Google sends the same twice
        seen.add(text)
        try:
            found = ical.read(text, zone, method=_method(part))
        except OtdError:
            notes.add("a calendar part cannot be read")
            lost += 1
            continue
        beside = [p for p in parts if part.alternative and p.alternative == part.alternative]
        documents.append(_with_text(found, beside))
    return documents, lost


def _is_calendar(part: _Part) -> bool:
    return part.kind in CALENDARS or _file_name(part).endswith(".ics")


def _as_calendar(part: _Part) -> str:
    return part.kind if part.kind in CALENDARS else "application/ics"


def _file_name(part: _Part) -> str:
    if part.kind not in ("application/octet-stream", "text/plain"):
        return ""
    try:
        return (part.message.get_filename() or "").casefold()
    except _ODD_MAIL:
        return ""


def _method(part: _Part) -> str:
    """The method that the part's type states (RFC 6047); old senders state it there alone."""
    stated = part.message.get_param("method") or ""
    return collapse_rfc2231_value(stated)[:20]


def _with_text(found: Document, beside: Sequence[_Part]) -> Document:
    """A meeting whose own text names no address gets the text of the mail, if that does: the two are one invitation."""
    if not beside or len({entry.meeting.uid for entry in found.entries}) != 1:
        return found
    body, html = _body(beside)
    notes = Notes()

    def completed(entry: Entry) -> Entry:
        own = entry.meeting.body
        if "://" in own or (own.strip() and "://" not in body):
            return entry
        meeting = replace(entry.meeting, body=body, body_type="html" if html else "text")
        return replace(entry, meeting=trimmed(meeting, notes))

    entries = tuple(completed(entry) for entry in found.entries)
    return replace(found, entries=entries, notes=(*found.notes, *notes.all()))


def _body(parts: Sequence[_Part]) -> tuple[str, bool]:
    """The first HTML that shows anything, else the first plain text."""
    for part in parts:
        if part.kind == "text/html" and shows(text := part.text()):
            return text, True
    texts = (text for part in parts if part.kind == "text/plain" and (text := part.text()).strip())
    return next(texts, ""), False


def _as_meeting(message: Message, parts: Sequence[_Part], data: bytes, notes: Notes) -> Entry:
    """A mail without a calendar part. It is no event: its Date stands for the start."""
    body, html = _body(parts)
    sent = _date(_header(message, "Date"))
    identity = line(_header(message, "Message-ID")).strip("<>") or sha256(data).hexdigest()[:40]
    people = _people(message, "To", "Cc")
    meeting = Meeting(
        id=identity,
        uid=identity,
        start=sent,
        end=sent,
        subject=_decoded(_header(message, "Subject")),
        body=body,
        body_type="html" if html else "text",
        organizer=next(iter(_people(message, "From")), NOBODY),
        attendees=people,
        response="none",
        show_as="unknown",
    )
    return Entry(meeting=trimmed(meeting, notes), stamp=sent, dated=False)


def _header(message: Message, name: str) -> str:
    return str(message.get(name) or "")[:20_000]


def _date(text: str) -> datetime:
    try:
        sent = parsedate_to_datetime(text[:100])
        return utc(sent if sent.tzinfo else sent.replace(tzinfo=UTC))
    except _ODD_MAIL:
        return EPOCH


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text[:4_000])))
    except _ODD_MAIL:
        return text


def _people(message: Message, *names: str) -> tuple[Person, ...]:
    try:
        pairs = getaddresses([_header(message, name) for name in names if message.get(name)])
    except _ODD_MAIL:
        return ()
    return tuple(Person(name=_decoded(name), address=address) for name, address in pairs[:500] if "@" in address)
