"""What Cisco endpoints are sent and what they answer, as pure functions: bookings -> XML or JSON, answers -> bookings.

Two grammars are written. `bookingsputxml` (TC7 to RoomOS): the tree that Bookings List prints, with EndTime, times in
UTC and buffers in seconds. `Bookings Put` (from CE 9.14, JSON in a multiline body; xAPI schema 11.14): Duration in
minutes, one Number per booking. Both replace the whole list. Read back is a third form, richer and less exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lxml import etree

from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Unreachable, Unsupported
from otd.model import Booking

TITLE_LENGTH = 128
_BUSY = timedelta(seconds=10)  # endpoints send no Retry-After
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_VERSION = re.compile(r"^(?:RoomOS\s*)?(?P<line>tc|ce)?\s*(?P<major>\d+)\.(?P<minor>\d+)", re.I)
_OTHER = 'set interface = "auto", or the one that it has'
_PLATFORMS = {"teams": "MicrosoftTeams", "zoom": "Zoom", "webex": "Webex", "meet": "GoogleMeet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CiscoSeen:
    """A booking as this kind of endpoint gives it back: protocol, call rate and organiser may be dropped or changed on
    the way, so only id, times, title and the first number are compared."""

    id: str
    end: datetime
    fields: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Software:
    """The software line: TC and CE are one family, RoomOS calls itself ce10 and up."""

    major: int
    minor: int
    text: str = ""

    @property
    def puts_json(self) -> bool:
        """Whether `Bookings Put` is to be tried first: RoomOS 10 and later."""
        return self.major >= 10


def software(text: str, where: str = "endpoint") -> Software:
    """From `tc7.3.9...`, `ce9.15.0...`, `RoomOS 11.14.2...`. Raises Unsupported for anything else."""
    found = _VERSION.match(text.strip())
    if not found:
        raise Unsupported(where, "its software version is not one of TC, CE or RoomOS", "is it a Cisco endpoint?")
    return Software(major=int(found["major"]), minor=int(found["minor"]), text=_printable(text.strip())[:64])


# --- writing ------------------------------------------------------------------------------------------------------


def bookings_xml(bookings: Iterable[Booking]) -> bytes:
    """The body of POST /bookingsputxml. No bookings: the empty list, which clears."""
    root = etree.Element("Bookings", item="1", status="OK")
    for number, booking in enumerate(bookings, start=1):
        _booking_node(root, number, booking)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _booking_node(root: etree._Element, number: int, booking: Booking) -> None:
    node = etree.SubElement(root, "Booking", item=str(number))
    first, _, last = _clean(booking.organizer).partition(" ")
    _leaf(node, "Id", booking.id)
    _leaf(node, "Title", title(booking))
    _leaf(node, "Agenda", "")
    _leaf(node, "Privacy", "Private" if booking.private else "Public")
    _leaves(node, "Organizer", ("FirstName", first), ("LastName", last), ("Email", ""))
    _leaves(
        node,
        "Time",
        ("StartTime", _utc(booking.start)),
        ("StartTimeBuffer", _seconds(booking.start_buffer)),
        ("EndTime", _utc(_end(booking))),
        ("EndTimeBuffer", _seconds(booking.end_buffer)),
    )
    _leaf(node, "MaximumMeetingExtension", "0")
    _leaf(node, "BookingStatus", "OK")
    _leaf(node, "BookingStatusMessage", "")
    _leaves(node, "Webex", ("Enabled", "False"), ("MeetingNumber", ""), ("Password", ""))
    _leaf(node, "Encryption", "BestEffort")
    _leaf(node, "Role", "Master")
    _leaf(node, "Recording", "Disabled")
    info = etree.SubElement(node, "DialInfo", item="1")
    if booking.dial is not None:
        calls = etree.SubElement(info, "Calls", item="1")
        _leaves(
            calls,
            "Call",
            ("Number", booking.dial.uri),
            ("Protocol", booking.dial.protocol.upper()),
            ("CallRate", "6000"),
            ("CallType", "Video"),
        )
    _leaf(info, "ConnectMode", "OBTP" if booking.dial else "Manual")


def bookings_json(bookings: Iterable[Booking], software: Software) -> str:
    """The multiline body of `xCommand Bookings Put`."""
    return json.dumps(bookings_tree(bookings, software), ensure_ascii=False)


def bookings_tree(bookings: Iterable[Booking], software: Software) -> dict[str, object]:
    """The same before it is made a text."""
    return {"Bookings": [_booking_json(b, software) for b in bookings]}


def _booking_json(booking: Booking, software: Software) -> dict[str, object]:
    nothing = "None" if software.major >= 26 else "SIP"  # Protocol None came with RoomOS 26
    return {
        "Id": booking.id,
        "Title": title(booking),
        "Agenda": "",
        "Privacy": "Private" if booking.private else "Public",
        "Number": booking.dial.uri if booking.dial else "",
        "Protocol": booking.dial.protocol.upper() if booking.dial else nothing,
        "MeetingPlatform": _PLATFORMS.get(booking.platform, "Other"),
        "Time": {
            "StartTime": _utc(booking.start),
            "Duration": _minutes(booking),
            "StartTimeBuffer": int(booking.start_buffer.total_seconds()),
            "EndTimeBuffer": int(booking.end_buffer.total_seconds()),
        },
        "Organizer": {"Name": _clean(booking.organizer) or "-", "Email": "", "Id": ""},
    }


def put_command(body: str) -> bytes:
    """`xCommand Bookings Put` for /putxml; the JSON goes escaped into <body>."""
    return command("Bookings", "Put", body=body)


def list_command() -> bytes:
    """`xCommand Bookings List` without parameters: past, present and future."""
    return command("Bookings", "List")


def command(*path: str, **arguments: str) -> bytes:
    """An xCommand for /putxml. `command="True"` is always there: some software finds no action without it."""
    root = node = etree.Element("Command")
    for word in path:
        node = etree.SubElement(node, word)
    node.set("command", "True")
    for name, value in arguments.items():
        etree.SubElement(node, name).text = _clean(value)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def title(booking: Booking) -> str:
    """What is sent as the title: at most 128 characters that XML can carry; an endpoint trims it, so do we."""
    return _clean(booking.title)[:TITLE_LENGTH].strip()


# --- reading ------------------------------------------------------------------------------------------------------


def parse(body: bytes, where: str) -> etree._Element:
    """The root of an XML answer, control bytes that some endpoints let through taken out first. Raises Garbled."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(_CONTROL_BYTES.sub(b"", body), parser)
    except etree.XMLSyntaxError:
        raise Garbled(where, "the answer is not whole XML") from None


def result(body: bytes, name: str, where: str) -> etree._Element:
    """The result element of a command. /putxml answers 200 to errors, too; they are raised here.

    Raises Missing when the endpoint does not know the command (also an empty <Command/>), Denied when the user may not
    run it, Unsupported when it refused what it was given, Garbled for anything else.
    """
    root = parse(body, where)
    if _local(root) == "ActionError":
        raise Missing(where, "it does not know this command", _OTHER)
    if _local(root) == "Command" and len(root) == 0:
        raise Missing(where, "it does not know this command or its arguments", _OTHER)
    nodes: list[etree._Element] = [root, *root]
    for node in nodes:
        if _is_result(node, name):
            if node.get("status", "OK") == "OK":
                return node
            raise _refusal(node, where)
        if node.get("status") not in (None, "OK"):
            raise _refusal(node, where)
    raise Garbled(where, "the answer holds no result of the command")


def _is_result(node: etree._Element, name: str) -> bool:
    """Whether it is the result of the one command that was asked: CE8 and TC print the list under <Bookings>, and how
    the result of a put is called nobody wrote down."""
    called = _local(node)
    return called == name or called.endswith("Result") or (called == "Bookings" and name == "BookingsListResult")


def _refusal(node: etree._Element, where: str) -> OtdError:
    reason = " ".join(_text(node, tag) for tag in ("Reason", "Error", "Level")).strip().lower()
    if "unknown command" in reason or "no action" in reason or "address expression" in reason:
        return Missing(where, "it does not know this command", _OTHER)
    if "permission" in reason or "not authorized" in reason or "access denied" in reason:
        return not_an_admin(where)
    if "not available" in reason or "microsoft teams" in reason:
        return teams_room(where)
    return _refused(where, _printable(node.get("status", "Error"))[:32])


def _refused(where: str, how: str) -> Unsupported:
    why = f"it refused what it was sent ({how})"
    return Unsupported(where, why, "`otd endpoints probe` says what it can do", reason="list")


def not_an_admin(where: str) -> Denied:
    """The account is right, and may not write."""
    return Denied(where, "its user may not write bookings", "give that user the role Admin", reason="role")


def teams_room(where: str) -> Unsupported:
    """It runs as a Microsoft Teams Room, whose calendar is Microsoft's."""
    return Unsupported(
        where,
        "it runs as a Microsoft Teams Room and takes no bookings",
        "it reads its own calendar: remove it here, or switch it back to RoomOS",
        reason="teams",
    )


def wrong_password(where: str) -> Denied:
    return Denied(
        where,
        "it refused the user name or password",
        f"set the right secret, then `otd endpoints retry {where}`; it is not tried again before, as accounts lock",
        reason="password",
    )


def seen_in(body: bytes, where: str) -> tuple[CiscoSeen, ...]:
    """The bookings in the answer to `Bookings List`. All software has that command, so an answer that it does not is
    not believed, and asked for again."""
    try:
        node = result(body, "BookingsListResult", where)
    except Missing:
        raise Garbled(
            where, "it answers nothing, or that it does not know the command, when asked for its list"
        ) from None
    return tuple(_seen_node(child, where) for child in node if _local(child) == "Booking")


def _seen_node(node: etree._Element, where: str) -> CiscoSeen:
    start, end = time_of(_text(node, "StartTime"), where), time_of(_text(node, "EndTime"), where)
    return seen_as(_text(node, "Id"), start, end, _text(node, "Title"), _text(node, "Number"))


def seen(booking: Booking) -> CiscoSeen:
    """What should come back for a booking."""
    return seen_as(booking.id, booking.start, _end(booking), title(booking), booking.dial.uri if booking.dial else "")


def _minutes(booking: Booking) -> int:
    """`Bookings Put` takes a length in whole minutes; both interfaces are given the same, so that either reads back."""
    return max(1, int((booking.end - booking.start) / timedelta(minutes=1)))


def _end(booking: Booking) -> datetime:
    return booking.start + timedelta(minutes=_minutes(booking))


def seen_as(id: str, start: datetime, end: datetime, title: str, number: str) -> CiscoSeen:
    """A booking in the form in which two are compared."""
    number = re.sub(r"^sips?:", "", number.strip(), flags=re.I).casefold()
    fields = (("start", _utc(start)), ("end", _utc(end)), ("title", " ".join(title.split())), ("number", number))
    return CiscoSeen(id=id, end=end, fields=fields)


def refusal(status: int, location: str, body: bytes, where: str) -> OtdError | None:
    """What is wrong with an answer before its body is read; None when nothing is.

    Old software sends whoever is not signed in to its sign-in page, or answers with that page.
    """
    if status in (200, 204):
        return wrong_password(where) if _is_page(body) else None
    if status == 401 or (300 <= status < 400 and location.startswith("/web/signin")):
        return wrong_password(where)
    if status == 403:
        return not_an_admin(where)
    if 300 <= status < 400:
        return Garbled(where, "it redirects to another address", "is its address right, or does a proxy stand between?")
    if status in (404, 405):
        mend = "is this the address of a Cisco endpoint? `otd endpoints probe` says what it can do"
        return Missing(where, "it does not have this interface", mend)
    if status in (400, 413, 422):
        return _refused(where, f"HTTP {status}")
    if status == 503:
        return Busy(where, "it is busy: too many requests or sessions", _BUSY)
    return Unreachable(where, f"it answered HTTP {status}")


def _is_page(body: bytes) -> bool:
    return body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def time_of(text: str, where: str) -> datetime:
    """A time in a list, to the second; one without an offset is UTC. Raises Garbled."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Garbled(where, "a booking without proper times") from None
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)).replace(microsecond=0)


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(span: timedelta) -> str:
    return str(int(span.total_seconds()))


def _clean(text: str) -> str:
    return _ILLEGAL.sub("", text)


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _leaf(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, tag, item="1").text = _clean(text)


def _leaves(parent: etree._Element, tag: str, *children: tuple[str, str]) -> None:
    node = etree.SubElement(parent, tag, item="1")
    for name, text in children:
        _leaf(node, name, text)


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _text(node: etree._Element, tag: str) -> str:
    found = next(node.iter("{*}" + tag), None)
    return (found.text or "").strip() if found is not None else ""
