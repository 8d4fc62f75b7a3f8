"""Ids as Exchange makes them: opaque to clients, of the real shapes and lengths, the same on every run.

An item's id names its mailbox, its number there and, for an occurrence of a series, the original start. The EWS form
is plain base64; Graph writes the same bytes with "-" for "/" and "_" for "+", and has an immutable form besides.
Global object ids (the iCalendar uid of what Outlook sends) follow MS-OXOCAL 2.2.1.27.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5

_REST = b"_-"
_HEAD = b"\x00\x03\x24\x00"
_SINGLE = b"\x00\x46\x00\x00\x00\x00"
_OCCURRENCE = b"\x01\x51\x00\x08"
_IMMUTABLE = bytes.fromhex("0009002e00000000001d840311aa6611cd9bc800aa002fc45a0d00")
_ZERO = datetime(1601, 1, 1, tzinfo=UTC)
_OUTLOOK = "040000008200E00074C5B7101A82E008"
_OUTLOOK_UID = re.compile(rf"{_OUTLOOK}[0-9A-F]{{48,}}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """What an item's id says."""

    mailbox: UUID
    number: int
    occurrence: datetime | None = None  # the original start


def mailbox_guid(address: str) -> UUID:
    """The mailbox's own id, always the same for an address."""
    return uuid5(NAMESPACE_DNS, address.casefold())


def _ticks(time: datetime) -> bytes:
    return int((time - _ZERO) / timedelta(microseconds=1)).to_bytes(8, "big")


def _packed(identity: Identity) -> bytes:
    guid = str(identity.mailbox).encode("ascii")
    when = _OCCURRENCE + _ticks(identity.occurrence) if identity.occurrence else _SINGLE
    filler = hashlib.sha256(guid).digest()  # what stands here in real ids names store and folder
    return b"".join(
        (
            _HEAD,
            guid,
            when,
            filler[:16],
            b"\x07\x00",
            filler,
            b"\x00\x00\x01\x0d\x00\x00",
            identity.number.to_bytes(8, "big"),
        )
    )


def _unpacked(raw: bytes) -> Identity | None:
    if not raw.startswith(_HEAD):
        return None
    try:
        mailbox = UUID(raw[4:40].decode("ascii"))
    except ValueError:
        return None
    occurrence = None
    if raw[40:44] == _OCCURRENCE:
        occurrence = _ZERO + timedelta(microseconds=int.from_bytes(raw[44:52], "big"))
    found = Identity(mailbox, int.from_bytes(raw[-8:], "big"), occurrence)
    return found if _packed(found) == raw else None


def _decoded(text: str, altchars: bytes | None) -> bytes | None:
    try:
        raw = base64.b64decode(text, altchars, validate=True)
    except ValueError:
        return None
    return raw if base64.b64encode(raw, altchars).decode() == text else None


def ews_id(identity: Identity) -> str:
    return base64.b64encode(_packed(identity)).decode()


def read_ews_id(text: str) -> Identity | None:
    """None for what is not an id that we gave out; ids are compared with case, as Exchange does."""
    raw = _decoded(text, None)
    return _unpacked(raw) if raw is not None else None


def rest_id(identity: Identity, *, immutable: bool = False) -> str:
    packed = _packed(identity)
    return base64.b64encode(_IMMUTABLE + packed[4:] if immutable else packed, _REST).decode()


def read_rest_id(text: str) -> Identity | None:
    raw = _decoded(text, _REST)
    if raw is None:
        return None
    return _unpacked(_HEAD + raw[len(_IMMUTABLE) :] if raw.startswith(_IMMUTABLE) else raw)


def _version(mailbox: UUID, version: int) -> bytes:
    return mailbox.bytes + version.to_bytes(6, "big")


def rest_change_key(mailbox: UUID, version: int) -> str:
    return base64.b64encode(_version(mailbox, version)).decode()


def ews_change_key(mailbox: UUID, version: int) -> str:
    return base64.b64encode(b"\x0f\x00\x00\x00\x16\x00\x00\x00" + _version(mailbox, version)).decode()


def is_ews_change_key(text: str) -> bool:
    raw = _decoded(text, None)
    return raw is not None and len(raw) == 30 and raw.startswith(b"\x0f\x00\x00\x00\x16\x00\x00\x00")


def folder_id(mailbox: UUID, name: str) -> str:
    """The EWS id of one of the mailbox's own folders."""
    raw = b"\x00\x03\x24\x00" + str(mailbox).encode("ascii") + b"\x00\x2e\x00\x00\x00\x00"
    return base64.b64encode(raw + hashlib.sha256(f"{mailbox}/{name}".encode()).digest() * 2).decode()


def global_object_id(seed: str, created: datetime) -> str:
    """An iCalendar uid as Outlook makes it; the same for the same seed."""
    data = hashlib.sha256(seed.encode()).digest()[:16]
    ticks = int((created - _ZERO) / timedelta(microseconds=1)) * 10
    parts = (bytes(4), ticks.to_bytes(8, "little"), bytes(8), len(data).to_bytes(4, "little"), data)
    return _OUTLOOK + b"".join(parts).hex().upper()


def occurrence_uid(uid: str, day: date) -> str:
    """The uid of one occurrence: Outlook's carry the date in bytes 16 to 19, others are those of the series."""
    if not _OUTLOOK_UID.fullmatch(uid):
        return uid
    return f"{uid[:32]}{day.year:04X}{day.month:02X}{day.day:02X}{uid[40:]}"
