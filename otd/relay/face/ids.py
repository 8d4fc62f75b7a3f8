"""Ids, change keys, sync states and watermarks: computed from what is shown, so that they are the same on every relay.

All are base64, far shorter than Exchange's own (152 to 168 characters), and hold no `|`, which some endpoints use to
separate the fields of a line.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

_DIGEST = 21  # bytes kept of a SHA-256; with three of kind before them, 32 characters
_KEY = 9  # bytes of a change key that a sync state keeps
_SYNC = b"OTS\x01"  # kind and form


def item_id(booking: str) -> str:
    """Of a booking, by its id, which is derived from room, series and original start."""
    return _made(b"OTI", booking)


def folder_id(mailbox: str, folder: str) -> str:
    return _made(b"OTF", mailbox.casefold(), folder)


def change_key(*shown: object) -> str:
    """Of everything that is shown of a thing; equal content has an equal key."""
    return _made(b"OTC", *shown)


def watermark(items: Iterable[tuple[str, str]]) -> str:
    """Of a calendar's state, from (id, change key) of its items."""
    return _made(b"OTW", *(f"{id} {key}" for id, key in items))


def subscription_id(mailbox: str) -> str:
    """Of an endpoint's subscription; there is nothing more to know of one."""
    return _made(b"OTP", mailbox.casefold())


def is_ours(id: str) -> bool:
    """Whether it has the form of an item's or folder's id."""
    return _kind(id) in (b"OTI", b"OTF")


def is_watermark(text: str) -> bool:
    return _kind(text) == b"OTW"


def sync_state(folder: str, items: Iterable[tuple[str, str]]) -> str:
    """What a client knows of a folder: the (id, change key) of every item that it was given."""
    return resynced(folder, {id: part(key) for id, key in items})


def synced(folder: str, state: str) -> dict[str, bytes] | None:
    """The id of every item in a sync state with the `part` of its change key, None when it is not a state of this
    folder."""
    try:
        raw = b64decode(state, validate=True)
    except (binascii.Error, ValueError):
        return None
    known = raw[12:]
    if raw[:12] != _SYNC + b64decode(folder)[3:11] or len(known) % (_DIGEST + _KEY):
        return None
    rows = (known[at : at + _DIGEST + _KEY] for at in range(0, len(known), _DIGEST + _KEY))
    return {b64encode(b"OTI" + row[:_DIGEST]).decode(): row[_DIGEST:] for row in rows}


def part(key: str) -> bytes:
    """What a sync state keeps of a change key."""
    return b64decode(key)[3 : 3 + _KEY]


def resynced(folder: str, known: dict[str, bytes]) -> str:
    """The sync state of a client that knows these."""
    rows = b"".join(b64decode(id)[3:] + part for id, part in known.items())
    return b64encode(_SYNC + b64decode(folder)[3:11] + rows).decode()


def _kind(text: str) -> bytes:
    """What sort of id it is, b"" for none of ours."""
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw[:3] if len(raw) == _DIGEST + 3 else b""


def _made(kind: bytes, *parts: object) -> str:
    digest = sha256(json.dumps(parts, default=str).encode()).digest()
    return b64encode(kind + digest[:_DIGEST]).decode()
