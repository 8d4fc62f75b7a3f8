"""What FindItem may ask of items without a calendar view: conditions on their times, an order, a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from lxml import etree

from otd.relay.face.items import ORDER, Item
from otd.relay.face.soap import EwsError, Fault, child, children, local

_COMPARISONS = {
    "IsEqualTo": lambda a, b: a == b,
    "IsNotEqualTo": lambda a, b: a != b,
    "IsGreaterThan": lambda a, b: a > b,
    "IsGreaterThanOrEqualTo": lambda a, b: a >= b,
    "IsLessThan": lambda a, b: a < b,
    "IsLessThanOrEqualTo": lambda a, b: a <= b,
}
_CONDITIONS = 200  # elements of a restriction
_MOST = 1000  # items of one page, as Exchange's throttling policy has it


def moment(text: str) -> datetime:
    """A time as clients write it: with Z, with an offset, with fractions; without any zone it is taken as UTC.
    Raises Fault."""
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault("ErrorSchemaValidation", "A time is not of the type xs:dateTime.") from None


def matching(items: Iterable[Item], restriction: etree._Element | None) -> tuple[Item, ...]:
    """The items that a restriction lets through. A condition on anything but times is passed over: to show a meeting
    too many is better than one too few."""
    condition = next(iter(restriction), None) if restriction is not None else None
    if restriction is None or condition is None:
        return tuple(items)
    if sum(1 for _ in restriction.iter()) > _CONDITIONS:
        raise Fault("ErrorInvalidRequest", "The restriction is too long.")
    return tuple(item for item in items if _holds(condition, item) is not False)


def _holds(condition: etree._Element, item: Item) -> bool | None:
    """None when it cannot be said."""
    kind = local(condition)
    if kind in ("And", "Or"):
        answers = [_holds(part, item) for part in condition]
        decisive = kind == "Or"
        if decisive in answers:
            return decisive
        return None if None in answers or not answers else not decisive
    if kind == "Not":
        inner = next(iter(condition), None)
        answer = _holds(inner, item) if inner is not None else None
        return None if answer is None else not answer
    if kind == "Exists":
        return True if _field(condition) in ORDER else None
    compare = _COMPARISONS.get(kind)
    ours, theirs = _time(item, _field(condition)), _constant(condition)
    return None if compare is None or ours is None or theirs is None else compare(ours, theirs)


def _field(condition: etree._Element) -> str:
    """The element that a condition is about."""
    found = child(condition, "FieldURI")
    return found.get("FieldURI", "").rpartition(":")[2] if found is not None else ""


def _time(item: Item, field: str) -> datetime | None:
    return item.start if field == "Start" else item.end if field == "End" else None


def _constant(condition: etree._Element) -> datetime | None:
    against = child(condition, "FieldURIOrConstant")
    constant = child(against, "Constant") if against is not None else None
    return moment(constant.get("Value", "")) if constant is not None and _field(condition) in ("Start", "End") else None


def in_order(items: Sequence[Item], order: etree._Element | None) -> tuple[Item, ...]:
    """By the times asked for, the last of them first, so that the first counts most; else by start."""
    found = tuple(items)
    for field in reversed(list(children(order, "FieldOrder"))):
        name = _field(field)
        if name in ("Start", "End"):
            descending = field.get("Order") == "Descending"
            found = tuple(sorted(found, key=lambda item: _time(item, name) or item.start, reverse=descending))
    return found


def page(items: Sequence[Item], find: etree._Element) -> tuple[tuple[Item, ...], int, bool]:
    """The page asked for, the offset after it, and whether it reaches the end of what there is."""
    total = len(items)
    indexed, fraction = child(find, "IndexedPageItemView"), child(find, "FractionalPageItemView")
    view = indexed if indexed is not None else fraction
    if view is None:
        return tuple(items), total, True
    most = max(1, min(_whole(view, "MaxEntriesReturned", _MOST), _MOST))
    if indexed is not None:
        offset = min(_whole(view, "Offset", 0), total)
    else:
        offset = min(total * _whole(view, "Numerator", 0) // max(_whole(view, "Denominator", 1), 1), total)
    if view.get("BasePoint") == "End":  # backwards from the end
        upto = total - offset
        return tuple(items[max(upto - most, 0) : upto]), min(offset + most, total), upto - most <= 0
    return tuple(items[offset : offset + most]), min(offset + most, total), offset + most >= total


def _whole(element: etree._Element, name: str, default: int) -> int:
    """An attribute that is a number, never below 0. Raises Fault."""
    text = element.get(name, str(default)).strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Fault("ErrorSchemaValidation", f"{name} is not a number.")
    return int(text)


def seen(items: Sequence[Item], view: etree._Element) -> tuple[tuple[Item, ...], bool]:
    """The items of a CalendarView, and whether they are all of them. Raises EwsError for an impossible view."""
    start, end = moment(view.get("StartDate", "")), moment(view.get("EndDate", ""))
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if (end - start).days > 2 * 366:
        raise EwsError("ErrorCalendarViewRangeTooBig")
    found = tuple(item for item in items if item.start < end and item.end > start)
    most = _whole(view, "MaxEntriesReturned", len(found) or 1)
    return found[:most], len(found) <= most
