"""The two documents in which a list of bookings is written to a Cisco codec.

The XML document is the one that management systems post to /bookingsputxml, the JSON one is the body of xCommand
Bookings Put (Cisco's xAPI schema). Both are read whole and either taken whole or refused whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from otd.lab.codec_bookings import Call, Held
from otd.lab.codec_faults import Habits
from otd.lab.codec_profiles import Profile, names

_MOST = 10**7  # of seconds and minutes: more than anybody books
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?Z")


class Refused(Exception):
    """The document is not taken; the words say why."""


def read_time(text: str) -> datetime:
    """A time in UTC, "2026-01-05T09:00:00Z", with or without a fraction, which is dropped. Raises Refused.

    Years from 1970 to 2999, so that no buffer leads out of the calendar.
    """
    found = _TIME.fullmatch(text)
    if found is not None and "1970" <= text[:4] <= "2999":
        try:
            return datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            pass  # a day or an hour that does not exist
    raise Refused(f"not a time in UTC: {text[:40]!r}")


def checked(bookings: list[Held], habits: Habits) -> tuple[Held, ...]:
    """The list as a whole: its length, its titles, and no id twice, by the codec's habits. Raises Refused."""
    if habits.most_bookings is not None and len(bookings) > habits.most_bookings:
        raise Refused(f"more than {habits.most_bookings} bookings")
    for booking in bookings:
        if not 1 <= len(booking.id) <= 128:
            raise Refused("Id: 1 to 128 characters")
        if habits.longest_title is not None and len(booking.title) > habits.longest_title:
            raise Refused(f"Title: more than {habits.longest_title} characters")
        if booking.end <= booking.start:
            raise Refused("a booking has to end after it starts")
    kept: dict[str, Held] = {}
    for booking in bookings:
        if booking.id in kept and habits.duplicates == "reject":
            raise Refused("two bookings have the same Id")
        if booking.id not in kept or habits.duplicates == "keep-last":
            kept[booking.id] = booking
    return tuple(sorted(kept.values(), key=lambda b: b.start))


# --- the XML document ---------------------------------------------------------------------------------------------

_XML_FIELDS = names(
    """Id MeetingId Title Agenda Privacy Organizer Organizer/FirstName Organizer/LastName Organizer/Email Organizer/Id
    Time Time/StartTime Time/StartTimeBuffer Time/EndTime Time/EndTimeBuffer MaximumMeetingExtension
    MeetingExtensionAvailability BookingStatus BookingStatusMessage Webex Encryption Role Recording
    DialInfo DialInfo/Calls DialInfo/Calls/Call DialInfo/Calls/Call/Number DialInfo/Calls/Call/Protocol
    DialInfo/Calls/Call/CallRate DialInfo/Calls/Call/CallType DialInfo/ConnectMode
    InteropBridge ManualCallIn Spark MeetingPlatform Cancellable"""
)
_OPEN = ("Webex", "InteropBridge", "ManualCallIn", "Spark")  # what is inside them is not looked at
_CHOICES: dict[str, frozenset[str]] = {
    "Privacy": frozenset({"", "Public", "Private"}),
    "Role": frozenset({"", "Master", "Slave"}),
    "Recording": frozenset({"", "Enabled", "Disabled"}),
    "Encryption": frozenset({"", "BestEffort", "On", "Off", "Required"}),
    "DialInfo/ConnectMode": frozenset({"", "OBTP", "Manual", "Auto"}),
}
_CALL_PROTOCOLS = frozenset({"", "SIP", "H323", "H320", "ISDN", "IP", "Spark", "WebRTC"})
_CALL_TYPES = frozenset({"", "Video", "Audio"})


def parse_xml(document: bytes) -> etree._Element:
    """The root of a document from outside: no entities, no network. Raises Refused for what is not well-formed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused("not well-formed") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refused("a document type is not allowed")
    return root


def local(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return etree.QName(element).localname


def bookings_from_xml(document: bytes, habits: Habits) -> tuple[Held, ...]:
    """The list in a document for /bookingsputxml, whatever its namespace. Raises Refused."""
    root = parse_xml(document)
    if local(root) != "Bookings":
        raise Refused("the root is not Bookings")
    found: list[Held] = []
    for child in root:
        name = local(child)
        if name == "Booking":
            found.append(_booking_from_xml(child, habits))
        elif name == "Clear":
            if child.get("command") != "True":
                raise Refused("Clear is not marked as a command")
        elif name not in ("ResultInfo", "LastUpdated"):
            raise Refused(f"{name} does not belong in Bookings")
    return checked(found, habits)


def _booking_from_xml(element: etree._Element, habits: Habits) -> Held:
    texts = _texts(element, habits)
    for path, allowed in _CHOICES.items():
        if texts.get(path, "") not in allowed:
            raise Refused(f"{path}: not one of its values")
    calls = tuple(_call_from_xml(call) for call in _named(element, "DialInfo", "Calls", "Call"))
    webex = tuple((local(e), (e.text or "").strip()) for e in _named(element, "Webex", ""))

    def text(path: str, default: str = "") -> str:
        return texts.get(path) or default

    return Held(
        id=_needed(texts, "Id"),
        title=text("Title"),
        start=read_time(_needed(texts, "Time/StartTime")),
        end=read_time(_needed(texts, "Time/EndTime")),
        start_buffer=timedelta(seconds=_integer(text("Time/StartTimeBuffer", "0"), "Time/StartTimeBuffer")),
        end_buffer=timedelta(seconds=_integer(text("Time/EndTimeBuffer", "0"), "Time/EndTimeBuffer")),
        calls=calls,
        connect_mode=text("DialInfo/ConnectMode", "OBTP") if calls else "Manual",
        privacy=text("Privacy", "Public"),
        agenda=text("Agenda"),
        first_name=text("Organizer/FirstName"),
        last_name=text("Organizer/LastName"),
        email=text("Organizer/Email"),
        organizer_id=text("Organizer/Id"),
        meeting_id=text("MeetingId"),
        platform=text("MeetingPlatform"),
        extension=_integer(text("MaximumMeetingExtension", "0"), "MaximumMeetingExtension"),
        extension_availability=text("MeetingExtensionAvailability"),
        status=text("BookingStatus", "OK"),
        status_message=text("BookingStatusMessage"),
        encryption=text("Encryption", "BestEffort"),
        role=text("Role", "Master"),
        recording=text("Recording", "Disabled"),
        webex=webex,
    )


def _texts(element: etree._Element, habits: Habits, above: str = "") -> dict[str, str]:
    """Path to text for everything in a booking. A field that must not repeat and does is refused."""
    texts: dict[str, str] = {}
    for child in element:
        path = f"{above}{local(child)}"
        if path not in _XML_FIELDS and not habits.unknown_keys:
            raise Refused(f"{path} does not belong in a Booking")
        if path in texts and path != "DialInfo/Calls/Call":
            raise Refused(f"{path} is there twice")
        texts[path] = (child.text or "").strip()
        if path not in _OPEN:
            texts.update(_texts(child, habits, f"{path}/") if path != "DialInfo/Calls/Call" else {})
    return texts


def _named(element: etree._Element, *path: str) -> list[etree._Element]:
    found = [element]
    for name in path:
        found = [child for parent in found for child in parent if not name or local(child) == name]
    return found


def _call_from_xml(element: etree._Element) -> Call:
    texts = {local(child): (child.text or "").strip() for child in element}
    if not texts.get("Number"):
        raise Refused("a Call without a Number")
    if texts.get("Protocol", "") not in _CALL_PROTOCOLS or texts.get("CallType", "") not in _CALL_TYPES:
        raise Refused("Call: Protocol or CallType is not one of its values")
    return Call(
        number=texts["Number"],
        protocol=texts.get("Protocol") or "SIP",
        rate=_integer(texts.get("CallRate") or "6000", "CallRate", most=20000),
        type=texts.get("CallType") or "Video",
    )


def _needed(texts: Mapping[str, str], path: str) -> str:
    if not (text := texts.get(path, "")):
        raise Refused(f"{path} is missing")
    return text


def _integer(text: str, path: str, most: int = _MOST) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > most:
        raise Refused(f"{path}: not a number from 0 to {most}")
    return int(text)


# --- the JSON document --------------------------------------------------------------------------------------------

_JSON_KEYS: dict[str, frozenset[str]] = {
    "": names(
        """Id MeetingId Title Agenda Privacy Number Protocol MeetingPlatform CallType Encryption MetaInfo Time
        Organizer"""
    ),
    "Time": frozenset({"StartTime", "Duration", "StartTimeBuffer", "EndTimeBuffer"}),
    "Organizer": frozenset({"Name", "Email", "Id"}),
}
_JSON_CHOICES: dict[str, frozenset[str]] = {
    "Privacy": frozenset({"Private", "Public"}),
    "CallType": frozenset({"Audio", "Video"}),
    "Encryption": frozenset({"On", "Off"}),
}
_WEBRTC_PLATFORMS = frozenset({"MicrosoftTeams", "GoogleMeet"})


def bookings_from_json(document: str, profile: Profile, habits: Habits) -> tuple[Held, ...]:
    """The list in the body of Bookings Put. Raises Refused."""
    try:
        content = json.loads(document, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("the body is not JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("Bookings"), list):
        raise Refused("the body has no list named Bookings")
    if not habits.unknown_keys and set(content) != {"Bookings"}:
        raise Refused("the body has more than Bookings")
    return checked([_booking_from_json(each, profile, habits) for each in content["Bookings"]], habits)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _booking_from_json(content: Any, profile: Profile, habits: Habits) -> Held:
    whole = _object(content, "", habits)
    time, organizer = (_object(whole.get(key), key, habits) for key in ("Time", "Organizer"))
    start = read_time(_string(time, "StartTime", required=True))
    name = _string(organizer, "Name", required=True)
    first, _, last = name.partition(" ") if habits.split_organizer else (name, "", "")
    calls = _call_from_json(whole, profile, habits)
    return Held(
        id=_string(whole, "Id", required=True),
        title=_string(whole, "Title", required=True),
        start=start,
        end=start + timedelta(minutes=_amount(time, "Duration", required=True)),
        start_buffer=timedelta(seconds=_amount(time, "StartTimeBuffer")),
        end_buffer=timedelta(seconds=_amount(time, "EndTimeBuffer")),
        calls=calls,
        connect_mode=habits.put_connect_mode if calls else "Manual",
        privacy=_choice(whole, "Privacy", "Public"),
        agenda=_string(whole, "Agenda"),
        first_name=first,
        last_name=last,
        email=_string(organizer, "Email"),
        organizer_id=_string(organizer, "Id"),
        meeting_id=_string(whole, "MeetingId"),
        platform=_platform(whole, profile),
        encryption=_choice(whole, "Encryption", "BestEffort"),
    )


def _call_from_json(whole: Mapping[str, Any], profile: Profile, habits: Habits) -> tuple[Call, ...]:
    number = _string(whole, "Number", required=True)
    protocol = _string(whole, "Protocol", required=True)
    if protocol not in profile.put_protocols:
        raise Refused("Protocol: not one of its values")
    if protocol == "WebRTC" and whole.get("MeetingPlatform") not in _WEBRTC_PLATFORMS:
        raise Refused("WebRTC goes with MicrosoftTeams or GoogleMeet only")
    if not number and not habits.empty_number:
        raise Refused("Number is empty")
    if not number or protocol == "None":
        return ()
    return (Call(number=number, protocol=protocol, type=_choice(whole, "CallType", "Video")),)


def _platform(whole: Mapping[str, Any], profile: Profile) -> str:
    platform = _string(whole, "MeetingPlatform")
    if platform and profile.put_platforms and platform not in profile.put_platforms:
        raise Refused("MeetingPlatform: not one of its values")
    return platform


def _object(content: Any, name: str, habits: Habits) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise Refused(f"{name or 'a booking'} is not an object")
    if not habits.unknown_keys and (more := set(content) - _JSON_KEYS[name]):
        raise Refused(f"{min(more)} does not belong in {name or 'a booking'}")
    return content


def _string(content: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = content.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise Refused(f"{key} is missing" if value is None else f"{key} is not a string")
    return value


def _amount(content: Mapping[str, Any], key: str, *, required: bool = False) -> int:
    value = content.get(key)
    if value is None and not required:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise Refused(f"{key} is not a whole number")
    return value


def _choice(content: Mapping[str, Any], key: str, default: str) -> str:
    value = _string(content, key) or default
    if value != default and value not in _JSON_CHOICES[key]:
        raise Refused(f"{key}: not one of its values")
    return value
