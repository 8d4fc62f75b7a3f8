"""Deliveries, receipts and hellos as documents: JSON with a version, checked when it is read.

    {"v": 1, "type": "delivery" | "fill" | "duty" | "receipt" | "hello" | "unopened", "body": {...}}

Fields that this version does not know are passed over, so that a newer centre can speak to an older relay; a document
of another major version, or one that does not hold what it must, is Garbled.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from otd.errors import Garbled
from otd.model import Delivery, Duty, Fill, Hello, Receipt, Unopened

VERSION = 1
LIMIT = 4 * 1024 * 1024  # bytes of one document
Document = Delivery | Fill | Duty | Receipt | Hello | Unopened
_TYPES: dict[str, type[Document]] = {
    "delivery": Delivery,
    "fill": Fill,
    "duty": Duty,
    "receipt": Receipt,
    "hello": Hello,
    "unopened": Unopened,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    found = _ADAPTERS.get(kind)
    if found is None:
        found = _ADAPTERS[kind] = TypeAdapter(kind)
    return found


def dump(value: Any, kind: Any = None) -> bytes:
    """A value of otd.model as JSON; give `kind` (tuple[Booking, ...]) for what is not a dataclass itself."""
    return _adapter(kind or type(value)).dump_json(value)


def load(kind: Any, data: bytes, where: str = "document") -> Any:
    """The value back. Raises Garbled with the field that is wrong, never with its value."""
    try:
        return _adapter(kind).validate_json(data)
    except ValidationError as error:
        raise Garbled(where, _first(error)) from None


def plain(value: Any) -> Any:
    """A value of otd.model as what JSON knows: for a message whose envelope is written by somebody else."""
    return _adapter(type(value)).dump_python(value, mode="json")


def value(kind: Any, found: Any, where: str = "message") -> Any:
    """The value that `plain` was given. Raises Garbled."""
    try:
        return _adapter(kind).validate_python(found)
    except ValidationError as error:
        raise Garbled(where, _first(error)) from None


def write(document: Document) -> bytes:
    """The document to send."""
    name = _NAMES[type(document)]
    return b'{"v":%d,"type":"%s","body":%s}' % (VERSION, name.encode(), dump(document))


def read(data: bytes, where: str = "document") -> Document:
    """The document received. Raises Garbled."""
    if len(data) > LIMIT:
        raise Garbled(where, f"larger than {LIMIT} bytes")
    try:
        outer = from_json(data)
    except ValueError:
        raise Garbled(where, "not JSON") from None
    if not isinstance(outer, dict) or outer.get("v") != VERSION:
        raise Garbled(where, f"not a document of version {VERSION}")
    kind = _TYPES.get(str(outer.get("type")))
    if kind is None:
        raise Garbled(where, "a document of unknown type")
    try:
        found: Document = _adapter(kind).validate_python(outer.get("body"))
    except ValidationError as error:
        raise Garbled(where, _first(error)) from None
    return found


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{place}: {first['msg'].lower()}"
