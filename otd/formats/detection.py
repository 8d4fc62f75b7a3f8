"""Bytes -> text, and what kind of file the bytes are."""

from __future__ import annotations

import codecs
import re
from typing import Literal

from otd.errors import Garbled

Kind = Literal["ical", "mail", "json", "xml", "html", "text"]

_MARKS = (  # UTF-32 before UTF-16: its mark begins with the other's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Codecs of Python that are no character sets of mails, or that take more than linear time.
_NO_CHARSETS = frozenset(("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"))
_ENDINGS: dict[str, Kind] = {
    "ics": "ical",
    "ical": "ical",
    "vcs": "ical",
    "eml": "mail",
    "json": "json",
    "xml": "xml",
    "html": "html",
    "htm": "html",
    "txt": "text",
}
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "is an Outlook .msg file", "save it as .eml or .ics"),
    (b"%PDF", "is a PDF", "save the meeting as .eml or .ics"),
    (b"PK\x03\x04", "is a ZIP or Office file", "save the meeting as .eml or .ics"),
)
_JSON = re.compile(rb"[\[{]\s*[\"{\]}]")
_CALENDAR = re.compile(rb"^[ \t]*BEGIN:(?:VCALENDAR|VEVENT)\b", re.I | re.M)
_BREAKS = re.compile(rb"\n{2,}")
_HEADERS = re.compile(rb"\A(?:From [^\r\n]+\r?\n)?(?:[!-9;-~]+:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+")
_OF_MAIL = re.compile(rb"^(?:Received|MIME-Version|Message-ID|Return-Path|Content-Type|Date|X-Mailer):", re.I | re.M)
_HTML = re.compile(rb"<(?:!doctype html|html|head|body|div|p|table|span|a|br)\b", re.I)


def kind_of(data: bytes, name: str) -> Kind:
    """By content where that is plain, else by the ending of the name. Raises Garbled for what is not text at all."""
    for mark, what, mend in _FOREIGN:
        if data.startswith(mark):
            raise Garbled("the file", what, mend)
    head = _narrow(data) if _is_wide(data) else data[:65_536]
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    by_name: Kind | None = _ENDINGS.get(name.rpartition(".")[2].casefold()) if "." in name else None
    if _CALENDAR.match(start):
        return "ical"
    if by_name == "mail" or (by_name is None and _is_mail(start)):
        return "mail"
    if by_name in (None, "text") and _CALENDAR.search(start):
        return "ical"
    if by_name in (None, "json") and _JSON.match(start):
        return "json"
    if start.startswith(b"<?xml") or b"schemas.microsoft.com/exchange/services" in start[:4_096]:
        return "html" if b"<html" in start[:1_000].lower() else "xml"
    if by_name is not None:
        return by_name
    if b"\0" in start:
        raise Garbled("the file", "is not text", "give an .ics, .eml, .html, .txt, .json or .xml file")
    return "html" if _HTML.search(start) else "text"


def text_of(data: bytes, charset: str = "") -> str:
    """The bytes as text: by their mark, by the stated character set, else UTF-8, else what Windows makes of them."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    for name in (_wide(data), _usable(charset)):
        try:
            if name:
                return data.decode(name)
        except (UnicodeError, LookupError, ValueError):
            continue
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    # Every letter of UTF-8 beyond ASCII makes the text shorter than the bytes; one of Windows does not.
    return text if len(data) - len(text) >= lost else data.decode("cp1252", "replace")


def calendar_text(data: bytes, charset: str = "") -> str:
    """The bytes of an iCalendar file as text with one line per property: folding and blank lines undone.

    Folding is undone before decoding: it may go through the middle of a letter (RFC 5545 section 3.1).
    """
    if _is_wide(data):
        data, charset = text_of(data).encode("utf-8", "replace"), ""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n\n" in data:
        data = _BREAKS.sub(b"\n", data)
    return text_of(data.replace(b"\n ", b"").replace(b"\n\t", b""), charset)


def _usable(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("-", "_") in _NO_CHARSETS else name


def _is_wide(data: bytes) -> bool:
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or bool(_wide(data))


def _wide(data: bytes) -> str:
    """UTF-16 without a mark, as far as its first two letters tell."""
    odd, even = data[1:4:2], data[0:4:2]
    if odd == b"\0\0" and b"\0" not in even:
        return "utf-16-le"
    return "utf-16-be" if even == b"\0\0" and b"\0" not in odd and len(data) > 3 else ""


def _is_mail(start: bytes) -> bool:
    headers = _HEADERS.match(start)
    return headers is not None and _OF_MAIL.search(headers[0]) is not None


def _narrow(data: bytes) -> bytes:
    return text_of(data[:131_072]).encode("utf-8", "replace")
