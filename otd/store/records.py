"""Values as JSON and back, for columns that the database itself never looks into.

The form is the field names of otd.model. A field that is missing takes its default and one that is unknown is passed
over, so that rows written by the version before or after this one can be read. Lone surrogates, which hostile
invitations hold, survive: the JSON is ASCII.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def dump(value: object) -> str:
    """A value of otd.model, or a tuple of them, as JSON text."""
    return json.dumps(_plain(value), separators=(",", ":"))


def load(kind: type[T], text: str | bytes) -> T:
    """The value that `dump` wrote."""
    form: Any = kind
    value: T = _loader(form)(json.loads(text))
    return value


def load_tuple(kind: type[T], text: str | bytes) -> tuple[T, ...]:
    """The tuple of values that `dump` wrote."""
    form: Any = kind
    one = _loader(form)
    return tuple(one(item) for item in json.loads(text))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):  # most are, so they are looked for first
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if names := _names(type(value)):  # type: ignore[arg-type]
        return {name: _plain(getattr(value, name)) for name in names}
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()


@cache
def _loader(kind: Any) -> Callable[[Any], Any]:
    if kind is datetime:
        return lambda plain: datetime.fromisoformat(plain).astimezone(UTC)
    if kind is timedelta:
        return lambda plain: timedelta(microseconds=plain)
    if is_dataclass(kind):
        return _dataclass_loader(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple_loader(inner)
    if origin in (typing.Union, types.UnionType) and type(None) in inner:
        (present,) = (_loader(one) for one in inner if one is not type(None))
        return lambda plain: None if plain is None else present(plain)
    return lambda plain: plain  # str, int, bool and words of a Literal stand for themselves


def _dataclass_loader(kind: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    loaders = {f.name: _loader(hints[f.name]) for f in fields(kind)}
    return lambda plain: kind(**{name: one(plain[name]) for name, one in loaders.items() if name in plain})


def _tuple_loader(inner: tuple[Any, ...]) -> Callable[[Any], Any]:
    if inner[-1] is Ellipsis:
        each = _loader(inner[0])
        return lambda plain: tuple(each(item) for item in plain)
    loaders = tuple(_loader(one) for one in inner)
    return lambda plain: tuple(one(item) for one, item in zip(loaders, plain, strict=True))


def check(value: object) -> None:
    """Raises TypeError where a value that was loaded is not of the types that it states, as after somebody wrote into
    the JSON. Rows are never checked: they are sealed."""
    for name, kind in _hints(type(value)).items():  # type: ignore[arg-type]
        if not _fits(getattr(value, name), kind):
            raise TypeError(f"{type(value).__name__}.{name}")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return value in inner
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return all(map(_fits, value, kinds))
    if not isinstance(value, kind):
        return False
    if is_dataclass(kind):
        check(value)
    return True
