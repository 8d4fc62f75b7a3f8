"""The bookings that a simulated Cisco codec holds, and how its list gives them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from otd.lab.codec_profiles import Profile

Leaf = str | int
Tree = dict[str, Any]  # name to Leaf, Tree, or a list of Trees for what repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A number to dial."""

    number: str = field(repr=False)
    protocol: str = ""
    rate: int = 6000
    type: str = "Video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One booking as the codec holds it."""

    id: str
    title: str = field(repr=False)
    start: datetime
    end: datetime
    start_buffer: timedelta = timedelta(0)
    end_buffer: timedelta = timedelta(0)
    calls: tuple[Call, ...] = ()
    connect_mode: str = "Manual"
    privacy: str = "Public"
    agenda: str = field(default="", repr=False)
    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    organizer_id: str = ""
    meeting_id: str = ""
    platform: str = ""
    extension: int = 0  # minutes
    extension_availability: str = ""
    status: str = "OK"
    status_message: str = ""
    encryption: str = "BestEffort"
    role: str = "Master"
    recording: str = "Disabled"
    webex: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def number(self) -> str:
        """The first number, "" when there is nothing to dial."""
        return self.calls[0].number if self.calls else ""

    @property
    def protocol(self) -> str:
        return self.calls[0].protocol if self.calls else ""

    @property
    def private(self) -> bool:
        return self.privacy == "Private"


def write_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(booking: Held, profile: Profile, mutate: Mapping[str, str | None] | None = None) -> Tree:
    """The booking as this version's list gives it back: its fields in their order, and only those that it has."""
    tree: Tree = {}
    leaves = _leaves(booking)
    leaves.update({path: value for path, value in (mutate or {}).items() if path in leaves})
    for path, value in leaves.items():
        if path in profile.fields and value is not None:
            _place(tree, path, value)
    dial: Tree = {}
    calls = [call for call in (_shown_call(each, profile, mutate or {}) for each in booking.calls) if call]
    if calls:
        dial["Calls"] = {"Call": calls}
    elif profile.empty_calls:
        dial["Calls"] = {}
    mode = (mutate or {}).get("DialInfo/ConnectMode", booking.connect_mode)
    return tree | {"DialInfo": dial | ({"ConnectMode": mode} if mode is not None else {})}


def _leaves(booking: Held) -> dict[str, Leaf | Tree | None]:
    webex = dict(booking.webex)
    return {
        "Id": booking.id,
        "MeetingId": booking.meeting_id,
        "Title": booking.title,
        "Agenda": booking.agenda,
        "Privacy": booking.privacy,
        "Organizer/FirstName": booking.first_name,
        "Organizer/LastName": booking.last_name,
        "Organizer/Email": booking.email,
        "Organizer/Id": booking.organizer_id,
        "Time/StartTime": write_time(booking.start),
        "Time/StartTimeBuffer": _seconds(booking.start_buffer),
        "Time/EndTime": write_time(booking.end),
        "Time/EndTimeBuffer": _seconds(booking.end_buffer),
        "Time/IsAllDay": "False",
        "MaximumMeetingExtension": booking.extension,
        "MeetingExtensionAvailability": booking.extension_availability,
        "BookingStatus": booking.status,
        "BookingStatusMessage": booking.status_message,
        "MeetingPlatform": booking.platform,
        "Cancellable": "False",
        "BookedFromDevice": "False",
        "Webex/Enabled": webex.get("Enabled") or "False",
        "Webex/Url": webex.get("Url", ""),
        "Webex/MeetingNumber": webex.get("MeetingNumber", ""),
        "Webex/Password": webex.get("Password", ""),
        "Webex/HostKey": webex.get("HostKey", ""),
        "Webex/DialInNumbers": {},
        "Encryption": booking.encryption,
        "Role": booking.role,
        "Recording": booking.recording,
    }


def _shown_call(call: Call, profile: Profile, mutate: Mapping[str, str | None]) -> Tree:
    above = "DialInfo/Calls/Call/"
    leaves: dict[str, Leaf | None] = {
        "Number": call.number,
        "Protocol": call.protocol,
        "CallRate": call.rate,
        "CallType": call.type,
    }
    hidden = {name for name in leaves if above + name not in profile.fields}
    if call.protocol in profile.protocol_shown:
        hidden.discard("Protocol")
    values = {name: mutate.get(above + name, value) for name, value in leaves.items() if name not in hidden}
    return {name: value for name, value in values.items() if value is not None}


def _place(tree: Tree, path: str, value: Leaf | Tree) -> None:
    *above, name = path.split("/")
    for step in above:
        tree = tree.setdefault(step, {})
    tree[name] = value


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
