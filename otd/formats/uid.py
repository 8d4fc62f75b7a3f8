"""The iCalendar uid of a series, whichever calendar system states it.

Outlook makes uids out of a global object id (MS-OXOCAL, PidLidGlobalObjectId), written in hexadecimal. Its bytes 16 to
19 hold the date of one occurrence, so Graph's iCalUId differs from occurrence to occurrence; with those four bytes
zero it is the id of the series (PidLidCleanGlobalObjectId), which is what Exchange Web Services and iCalendar state.
A uid that another program made is wrapped into such an id behind the mark "vCal-Uid" (MS-OXCICAL, property UID).
"""

from __future__ import annotations

OUTLOOK = "040000008200E00074C5B7101A82E008"
_DATE = slice(16, 20)
_SIZE = slice(36, 40)
_DATA = 40
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"


def series_uid(uid: str) -> str:
    """The uid of the series that this uid belongs to, the same for each of its occurrences on every system.

    Outlook's own come out in capital letters; a wrapped uid comes out as the other program wrote it; anything else is
    given back as it is.
    """
    uid = uid.strip()
    if uid[: len(OUTLOOK)].upper() != OUTLOOK:
        return uid
    try:
        raw = bytearray.fromhex(uid)
    except ValueError:
        return uid
    if len(raw) < _DATE.stop:
        return uid
    raw[_DATE] = bytes(4)
    return _unwrapped(bytes(raw)) or raw.hex().upper()


def _unwrapped(raw: bytes) -> str:
    size = int.from_bytes(raw[_SIZE], "little")
    data = raw[_DATA : _DATA + size]
    if not data.startswith(_FOREIGN):
        return ""
    try:
        return data[len(_FOREIGN) :].partition(b"\0")[0].decode().strip()
    except UnicodeDecodeError:
        return ""
