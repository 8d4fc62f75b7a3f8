"""What differs between the software versions of Cisco codecs, as data: versions, commands, fields, events, limits.

Sources: Cisco's published xAPI schemas 9.15, 10.19, 11.14, 11.27 and 26.4, Cisco's API guides for TC7, CE8 and CE9,
and listings that users of real codecs made public. What those leave open is a switch in `otd.lab.codec_faults.Habits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Kind = Literal["text", "integer", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a command and the values that it takes."""

    name: str
    kind: Kind = "text"
    least: int = 0  # of an integer its value, of a text its length
    most: int = 65535
    choices: tuple[str, ...] = ()
    required: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One xCommand: who may call it and with what."""

    parameters: tuple[Parameter, ...] = ()
    roles: frozenset[str] = frozenset({"Admin", "User"})
    multiline: bool = False  # takes a body
    not_in_teams: bool = False  # unavailable while the codec runs as a Microsoft Teams Room

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One software version."""

    name: str
    version: str  # as in /Status/SystemUnit/Software/Version
    product: str
    server: str  # the Server header
    commands: Mapping[str, Command]
    fields: frozenset[str]  # of a booking, as paths, that the list gives back
    list_root: str = "BookingsListResult"
    api_version: str = "4"
    items_everywhere: bool = False  # item="1" on every element of a list, as the older software writes it
    empty_calls: bool = True  # a booking without a number still has an (empty) Calls
    protocol_shown: frozenset[str] = frozenset()  # protocols that are given back though `fields` has no Protocol
    bad_parameters: Literal["named", "empty"] = "named"  # ParameterError, or an empty <Command/>
    unknown: Literal["result", "action"] = "result"  # how an unknown command is refused
    expects_no_expect: bool = False  # answers 417 to "Expect: 100-continue"
    sessions: bool = True  # has /xmlapi/session
    total_sessions: int = 20
    user_sessions: int = 20
    websocket: str = ""  # the default of NetworkServices Websocket, "" where there is none
    feedback_expressions: int = 38  # per WebSocket
    feedback_tls_verify: bool = True  # the default of HttpFeedback TlsVerify
    availability: bool = False  # has Status Bookings Availability
    events: frozenset[str] = frozenset()
    put_protocols: frozenset[str] = frozenset()
    put_platforms: frozenset[str] = frozenset()


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# --- commands -----------------------------------------------------------------------------------------------------

ADMIN = frozenset({"Admin"})


def _number(name: str, least: int, most: int, *, required: bool = False) -> Parameter:
    return Parameter(name=name, kind="integer", least=least, most=most, required=required)


def _text(name: str, least: int = 0, most: int = 128, *, required: bool = False) -> Parameter:
    return Parameter(name=name, least=least, most=most, required=required)


def _choice(name: str, *choices: str) -> Parameter:
    return Parameter(name=name, kind="choice", choices=choices)


_PAGING = (
    _number("Days", 1, 365),
    _number("DayOffset", 0, 365),
    _number("Limit", 1, 65534),
    _number("Offset", 0, 65534),
)
_ID = _text("Id", 1)
_BOOK = (
    _text("BookingRequestUUID", 0, 64),
    _number("Duration", 1, 1440),
    _text("StartTime", 0, 64),
    _text("Title"),
)
_SLOT = _number("FeedbackSlot", 1, 4, required=True)
_URL = _text("ServerUrl", 1, 2048, required=True)
_EXPRESSION = Parameter(name="Expression", most=255, many=True)
_FORMAT = _choice("Format", "XML", "JSON")

_TC7: dict[str, Command] = {
    "Audio Volume Set": Command(parameters=(_number("Level", 0, 100, required=True),)),
    "Bookings List": Command(parameters=_PAGING),
    "Bookings Get": Command(parameters=(replace(_ID, required=True),)),
    "Bookings Clear": Command(not_in_teams=True),
    "HttpFeedback Register": Command(parameters=(_SLOT, _URL, _EXPRESSION), roles=ADMIN),
    "HttpFeedback Deregister": Command(parameters=(_SLOT,), roles=ADMIN),
    "SystemUnit Boot": Command(parameters=(_choice("Action", "Restart", "Shutdown"),), roles=ADMIN),
}
_CE9: dict[str, Command] = _TC7 | {
    "HttpFeedback Register": Command(parameters=(_SLOT, _URL, _FORMAT, _EXPRESSION), roles=ADMIN),
    "Security Session List": Command(roles=ADMIN),
    "Security Session Terminate": Command(parameters=(_text("SessionId", 1, 255, required=True),), roles=ADMIN),
}
_CE915: dict[str, Command] = _CE9 | {
    "Bookings Put": Command(roles=ADMIN, multiline=True, not_in_teams=True),
    "Bookings Book": Command(parameters=_BOOK),
    "Bookings Delete": Command(parameters=(replace(_ID, required=True),)),
    "HttpFeedback Enable": Command(parameters=(_SLOT,), roles=ADMIN),
}
_ROOMOS10: dict[str, Command] = _CE915 | {
    "Bookings Delete": Command(parameters=(_text("MeetingId", 1, required=True),)),
}
_ROOMOS11: dict[str, Command] = _ROOMOS10 | {
    "Bookings Delete": Command(parameters=(_ID, _text("MeetingId", 1))),
}
_ROOMOS26: dict[str, Command] = _ROOMOS11 | {
    "Bookings List": Command(
        parameters=(
            *_PAGING,
            _choice("ScheduleType", "Current", "Upcoming"),
            _choice("AccountType", "Shared", "Personal", "SharedAndPersonal"),
        )
    ),
    "Bookings Get": Command(parameters=(_ID, _text("MeetingId", 1))),
    "Bookings Book": Command(
        parameters=(
            *_BOOK,
            _text("Number"),
            _text("OrganizerName"),
            _text("OrganizerEmail"),
            _text("OrganizerId"),
            _text("MeetingPlatform"),
            _text("Protocol"),
        )
    ),
}

# --- fields of a booking in the list ------------------------------------------------------------------------------

_EVERYWHERE = names(
    """Id Title Agenda Privacy Organizer/FirstName Organizer/LastName Organizer/Email
    Time/StartTime Time/StartTimeBuffer Time/EndTime Time/EndTimeBuffer MaximumMeetingExtension BookingStatus
    BookingStatusMessage Webex/Enabled Webex/MeetingNumber Webex/Password Encryption Recording
    DialInfo/Calls/Call/Number DialInfo/Calls/Call/CallType DialInfo/ConnectMode"""
)
_ON_PREMISES = _EVERYWHERE | {"Role", "DialInfo/Calls/Call/Protocol", "DialInfo/Calls/Call/CallRate"}
_ROOMOS = _EVERYWHERE | {
    "MeetingId",
    "Organizer/Id",
    "MeetingExtensionAvailability",
    "MeetingPlatform",
    "Cancellable",
    "Webex/Url",
    "Webex/HostKey",
    "Webex/DialInNumbers",
}

_EVENTS_CE9 = frozenset({"Updated", "Start", "End"})
_EVENTS_10 = _EVENTS_CE9 | {"StartTimeBuffer", "EndTimeBuffer", "TimeRemaining", "BookingRequested"}
_PLATFORMS = frozenset({"GoogleMeet", "MicrosoftTeams", "Zoom", "Webex", "Other"})
_PROTOCOLS = frozenset({"SIP", "H323", "ISDN", "IP", "Spark"})

TC7 = Profile(
    name="tc7",
    version="TC7.3.9.4c4a6cf",
    product="Cisco TelePresence EX90",
    server="nginx",
    commands=MappingProxyType(_TC7),
    fields=_ON_PREMISES,
    list_root="Bookings",
    api_version="1",
    items_everywhere=True,
    empty_calls=False,
    bad_parameters="empty",
    expects_no_expect=True,
    sessions=False,
    feedback_tls_verify=False,
)
CE96 = Profile(
    name="ce9.6",
    version="ce9.6.1.4516ae5aaa1",
    product="Cisco TelePresence SX20",
    server="nginx/1.8.0",
    commands=MappingProxyType(_CE9),
    fields=_ON_PREMISES,
    items_everywhere=True,
    empty_calls=False,
    bad_parameters="empty",
    feedback_tls_verify=False,
    events=_EVENTS_CE9,
)
CE915 = Profile(
    name="ce9.15",
    version="ce9.15.17.4.0f6be1a4d35",
    product="Cisco Webex Room Kit",
    server="nginx",
    commands=MappingProxyType(_CE915),
    fields=_ON_PREMISES | {"Organizer/Id", "MeetingExtensionAvailability", "Webex/Url", "Webex/HostKey"},
    empty_calls=False,
    websocket="Off",
    events=_EVENTS_CE9,
    put_protocols=_PROTOCOLS,
)
ROOMOS10 = Profile(
    name="roomos10",
    version="ce10.19.4.2.1c6a5f4d1d2",
    product="Cisco Webex Room Kit Mini",
    server="nginx",
    commands=MappingProxyType(_ROOMOS10),
    fields=_ROOMOS,
    protocol_shown=frozenset({"Spark", "WebRTC"}),
    websocket="FollowHTTPService",
    availability=True,
    events=_EVENTS_10,
    put_protocols=_PROTOCOLS | {"WebRTC"},
    put_platforms=_PLATFORMS,
)
ROOMOS11 = replace(
    ROOMOS10,
    name="roomos11",
    version="ce11.14.4.0.9741f07c3f5",
    product="Cisco Room Bar",
    commands=MappingProxyType(_ROOMOS11),
    total_sessions=30,
    feedback_expressions=50,
    events=_EVENTS_10 | {"Deleted"},
)
ROOMOS26 = replace(
    ROOMOS11,
    name="roomos26",
    version="ce26.7.1.12.67c6e508983",
    commands=MappingProxyType(_ROOMOS26),
    fields=_ROOMOS | {"BookedFromDevice", "Time/IsAllDay"},
    unknown="action",
    events=_EVENTS_10 | {"Deleted", "BookingCreated", "BookingFailed", "SyncRequired"},
    put_protocols=_PROTOCOLS | {"WebRTC", "None"},
    put_platforms=_PLATFORMS | {"None"},
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {p.name: p for p in (TC7, CE96, CE915, ROOMOS10, ROOMOS11, ROOMOS26)}
)
