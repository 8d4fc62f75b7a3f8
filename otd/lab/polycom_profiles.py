"""What differs between the simulated Polycom endpoints, how one is registered, and what can be set wrong with it.

What real endpoints send is not publicly documented. What is known: their calendar ids are those of Exchange 2007, so
they send no version or the oldest one; they ask for expanded occurrences; they read bodies, so they ask for single
items; some look for literal prefixes. The rest is a switch, set here to what seems likeliest or, of two ways, to the
stricter one; the profiles differ where they may, so that a server meets every form.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Source = Literal["token", "conflink", "sip", "location", "text"]
Shape = Literal["IdOnly", "Default", "AllProperties"]
DateForm = Literal["utc", "fraction", "offset", "bare"]

REQUIRED = (
    "t:ItemId",
    "t:ItemClass",
    "t:Subject",
    "t:UID",
    "t:Start",
    "t:End",
    "t:MyResponseType",
    "t:Organizer",
    "t:Mailbox",
    "t:Name",
)
"""Without any of these, or with an empty one, a Polycom parser is known to drop an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of endpoint."""

    name: str
    model: str
    software: str
    user_agent: str = ""  # "": it sends none
    version_header: str = "none"
    literal: bool  # looks for names with their prefixes in the text, and does not parse XML
    reads: tuple[Source, ...]  # where it looks for what can be dialled, in this order
    find_shape: Shape
    find_fields: tuple[str, ...] = ()
    get_shape: Shape
    get_fields: tuple[str, ...] = ()
    asks_conflink: bool = False
    body_type: Literal["Best", "HTML", "Text"]
    dates: DateForm = "utc"
    folder: Literal["id", "name", "mailbox"]  # FindItem names it by its id, its name, or its name in the mailbox
    batch: int = 20  # ids in one GetItem
    commands: bool  # the line protocol of port 24
    rest: Literal["", "gs", "videoos", "trio"] = ""


HDX = Profile(
    name="hdx",
    model="HDX 7000",
    software="3.1.14-56008",
    literal=True,
    reads=("token",),
    find_shape="Default",
    get_shape="AllProperties",
    body_type="Text",
    folder="id",
    batch=1,
    commands=True,
)
GS = Profile(
    name="gs",
    model="RealPresence Group 500",
    software="6.2.2-560048",
    user_agent="Dalvik/1.6.0 (Linux; U; Android 4.0.3; mars Build/IML74K)",
    version_header="Exchange2007",
    literal=True,
    reads=("token", "conflink"),
    find_shape="AllProperties",
    get_shape="AllProperties",
    asks_conflink=True,
    body_type="HTML",
    dates="offset",
    folder="mailbox",
    commands=True,
    rest="gs",
)
VIDEOOS = Profile(
    name="videoos",
    model="Studio X30",
    software="3.8.0-361245",
    user_agent="okhttp/3.14.9",
    version_header="Exchange2010",
    literal=False,
    reads=("token", "sip", "location"),
    find_shape="IdOnly",
    find_fields=("item:Subject", "calendar:Start", "calendar:End"),
    get_shape="Default",
    get_fields=(
        "item:ItemClass",
        "item:Body",
        "calendar:UID",
        "calendar:Duration",
        "calendar:MyResponseType",
        "calendar:OptionalAttendees",
    ),
    body_type="HTML",
    dates="fraction",
    folder="mailbox",
    commands=True,
    rest="videoos",
)
TRIO = Profile(
    name="trio",
    model="Trio 8800",
    software="5.9.5.3182",
    user_agent="PolycomRealPresenceTrio-Trio_8800-UA/5.9.5.3182",
    version_header="Exchange2010_SP1",
    literal=False,
    reads=("text",),
    find_shape="AllProperties",
    get_shape="AllProperties",
    asks_conflink=True,
    body_type="Text",
    folder="name",
    commands=False,
    rest="trio",
)
PROFILES = {profile.name: profile for profile in (HDX, GS, VIDEOOS, TRIO)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an installer types in: where the calendar is, and as whom. Replace it whole with `endpoint.register`."""

    urls: tuple[
        str, ...
    ]  # with several, one poll goes to one, the next to the next; without a path: /EWS/Exchange.asmx
    user: str
    password: str = field(default="", repr=False)
    email: str = ""  # the room's mailbox
    domain: str = ""
    version_header: str = ""  # "": as the profile has it; "none"; Exchange2007, Exchange2007_SP1, Exchange2010 ...
    auth: Literal["basic", "challenge", "ntlm-first"] = "basic"  # at once; only when asked; NTLM first
    login: Literal["backslash", "at", "bare"] = "backslash"  # DOMAIN\\user, user@DOMAIN, user
    autodiscover: bool = False
    enabled: bool = True
    ca: str = ""  # PEM; "" accepts every certificate, as endpoints do until told otherwise

    @property
    def login_name(self) -> str:
        if not self.domain or self.login == "bare":
            return self.user
        return f"{self.domain}\\{self.user}" if self.login == "backslash" else f"{self.user}@{self.domain}"


@dataclass(slots=True, kw_only=True)
class Habits:
    """What can be set at any time; each poll reads it anew."""

    # the wire
    connections: Literal["request", "poll", "kept"] = "poll"  # a new connection for each request, each poll, or never
    http10: bool = False
    expect_continue: bool = False
    chunked: bool = False
    byte_order_mark: bool = False
    soap_action: bool = True
    content_type: str = "text/xml; charset=utf-8"  # "": none
    tls_versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None  # such as TLSv1 for both; weak ciphers with it
    slow_reader: timedelta | None = None  # between any two hundred bytes of an answer
    patience: timedelta = timedelta(seconds=30)  # with one request
    largest: int = 4 * 1024 * 1024  # bytes of an answer
    insists_on_ntlm: bool = False  # gives up where only Basic is offered

    # what is asked, and how it is read
    days: int = 7
    folder: Literal["", "id", "name", "mailbox"] = ""  # "": as the profile has it
    dates: DateForm | Literal[""] = ""
    most_entries: int | None = None
    needs: tuple[str, ...] = REQUIRED
    ordered: bool = True  # an item whose elements are not in the schema's order is dropped
    reads: tuple[Source, ...] | None = None
    longest_body: int | None = None  # characters; what comes after is cut off before it is read
    asks_again: bool = False  # GetItem for everything in every poll, not only for what changed

    # the list
    keep_on_error: bool = True  # a poll that fails leaves the list as it was
    show_private: bool = True
    reminder: timedelta = timedelta(minutes=5)  # Join appears so long before the start
    plays_tone: bool = True

    # Trio's exchange.meeting.* parameters
    parse_when: Literal["NonSkypeMeeting", "Always", "Never"] = "NonSkypeMeeting"
    parse_option: Literal["All", "Location", "LocationAndSubject", "Description"] = "All"
    parse_emails_as_sip: bool = False
    allowed_sip_domains: tuple[str, ...] = ()
    phone_pattern: str = ""  # x is a digit, | parts alternatives

    # its own interfaces
    odd_line_ends: bool = False  # \r\r\n, as some Group Series versions send
    most_sessions: int = 8  # one more that is open and it locks up until it is restarted
    rest_times: Literal["milliseconds", "seconds"] = "milliseconds"  # of startTime
    status_key: Literal["status", "Status"] = "status"
