"""The words of OTD as values. Standard library only.

Every value is frozen and keyword-only; collections are tuples; times are aware and UTC. What may be private (subjects,
bodies, attendees, dial strings with passcodes) is kept out of `repr`, so that it cannot slip into a log by accident.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from otd.errors import OtdError

MeetingKind = Literal["single", "occurrence", "exception", "series"]
Sensitivity = Literal["normal", "personal", "private", "confidential"]
ShowAs = Literal["free", "tentative", "busy", "oof", "elsewhere", "unknown"]
Response = Literal["none", "organizer", "tentative", "accepted", "declined", "unanswered"]
Protocol = Literal["sip", "h323"]
Mode = Literal["deliver", "observe"]


def _aware(*times: datetime | None) -> None:
    for time in times:
        if time is not None and time.utcoffset() != timedelta(0):
            raise ValueError(f"times must be aware and UTC: {time!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of time, start included, end not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        _aware(self.start, self.end)
        if self.end <= self.start:
            raise ValueError("a window ends after it starts")

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether any part of [start, end) lies in this window (an empty span counts as its start)."""
        return start < self.end and (end > self.start or start == end == self.start)


# --- what is configured -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A place people meet in, with one mailbox."""

    name: str
    calendar: str  # the name of its Calendar
    mailbox: str  # an SMTP address; for calendars of kind `files` the name of the room's folder
    label: str = ""
    timezone: str = "UTC"  # IANA name; all-day meetings are dates in it


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRoom:
    """A room that a calendar system knows of, whether or not it is configured."""

    mailbox: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The video system that shows one or more Rooms (a divisible room shows the union)."""

    name: str
    kind: str  # cisco | webex | polycom | memory
    address: str  # host or host:port
    pool: str
    rooms: tuple[str, ...]
    credential: str = ""  # the name of a secret of the relay's
    label: str = ""
    trust: str = "pin"  # "pin" (first use) | "sha256:HEX" | "ca" (system CAs) | "ca:NAME" (a file) | "plaintext-http"
    pin: str = ""  # trust "pin": the certificate that the centre knows it by, "sha256:HEX"; "" before the first use
    interface: str = "auto"  # cisco: auto | bookingsputxml | put
    tls: str = ""  # cisco: "legacy" also speaks TLS 1.0 with weak ciphers, to this endpoint only
    session: bool = False  # cisco: signs in with a session for each delivery, instead of a password in each request
    device: str = ""  # webex: its id in the Webex cloud, whose host is then the address
    mode: Literal["", "deliver", "observe"] = ""  # its own; "" as its pool's. observe: it is read and never written
    pool_mode: Mode = "deliver"  # what its pool's settings say
    model: str = ""  # polycom: hdx | gs | videoos | trio; decides the strategy, when that is empty
    strategy: tuple[str, ...] = ()  # polycom: how a dial string is stated (otd.relay.face.body); () as the model wants
    timezone: str = "UTC"  # polycom: where it stands; its command line tells local times
    mailbox: str = ""  # polycom: the room's address as it was typed on the endpoint; the face knows no other
    domain: str = ""  # polycom: of the login, may be empty
    username: str = ""  # polycom: of the login, without the domain
    password_hash: str = field(default="", repr=False)  # polycom: "sha256:SALT:HEX", see otd.relay.face.credentials

    def is_same_place(self, other: Endpoint) -> bool:
        """Whether what is known of the certificate there is true of the other as well."""
        return (self.kind, self.address, self.trust) == (other.kind, other.address, other.trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How bookings are shown; one for the installation."""

    ahead: timedelta = timedelta(days=7)
    start_buffer: timedelta = timedelta(minutes=5)  # Join appears this long before the start
    end_buffer: timedelta = timedelta(0)
    title: Literal["subject", "organizer"] = "subject"
    keep_prefix: bool = False  # FW:, RE: and their translations at the head of a title
    private_title: str = "Private meeting"
    private_dial: bool = True  # a private meeting keeps its Join
    without_video: bool = True  # meetings without a dial string are listed, without Join
    tentative: bool = True
    free: bool = False
    all_day: bool = True
    allowed_domains: tuple[str, ...] = ()  # added to the partners' domains and own_domains
    own_domains: tuple[str, ...] = ()


# --- what a calendar says -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A name and an address, either of which may be empty."""

    name: str = field(default="", repr=False)
    address: str = field(default="", repr=False)


NOBODY = Person()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One occurrence in a mailbox, as the calendar states it (`kind` "series": the master, only when read from a file).

    `id` is the source's own, unique in the mailbox. `uid` is the iCalendar uid of the series, the same for every
    occurrence and on every calendar system. `properties` are (name, value) pairs in the source's order, under these
    names whatever the source calls them: the MAPI names of the hidden properties (SkypeTeamsMeetingUrl,
    OnlineMeetingConfLink, ...), `onlineMeeting.joinUrl`, `onlineMeeting.provider`, and iCalendar's CONFERENCE, URL,
    X-GOOGLE-CONFERENCE and the like.
    """

    id: str
    uid: str
    start: datetime
    end: datetime
    change_key: str = ""
    kind: MeetingKind = "single"
    original_start: datetime | None = None  # of this occurrence in its series; None for a single meeting
    subject: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    body_type: Literal["html", "text"] = "text"
    location: str = field(default="", repr=False)
    locations: tuple[str, ...] = field(default=(), repr=False)  # further ones, and their uris
    properties: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    organizer: Person = NOBODY
    is_organizer: bool = False  # the room itself is the organiser
    attendees: tuple[Person, ...] = field(default=(), repr=False)
    all_day: bool = False  # start and end are midnights in the room's zone, stated in UTC
    cancelled: bool = False
    sensitivity: Sensitivity = "normal"
    show_as: ShowAs = "busy"
    response: Response = "accepted"

    def __post_init__(self) -> None:
        _aware(self.start, self.end, self.original_start)
        if self.end < self.start:
            raise ValueError("a meeting does not end before it starts")

    def prop(self, name: str) -> str:
        """The first value of a property, "" when there is none; names are compared without case."""
        wanted = name.casefold()
        return next((value for key, value in self.properties if key.casefold() == wanted), "")

    @property
    def private(self) -> bool:
        """Whether its title may not be shown."""
        return self.sensitivity in ("private", "confidential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A meeting that we booked ourselves: by what the calendar knows it, and its uid."""

    handle: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The calendar gave the whole window, and there are meetings in it. `problems` are what it could not use."""

    room: str
    window: Window
    taken_at: datetime
    meetings: tuple[Meeting, ...]
    problems: tuple[str, ...] = ()
    requests: int = field(default=0, compare=False)  # how many it took, where they are counted

    def __post_init__(self) -> None:
        _aware(self.taken_at)
        if not self.meetings:
            raise ValueError("a reading without meetings is Empty, not Complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """The calendar said, completely and without truncation, that there are no meetings in the window."""

    room: str
    window: Window
    taken_at: datetime
    problems: tuple[str, ...] = ()
    requests: int = field(default=0, compare=False)

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The window could not be read, or not wholly: nothing is known, so nothing may change on a screen."""

    room: str
    taken_at: datetime
    error: OtdError


Reading = Complete | Empty | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """That a calendar system tells of changes in a room's mailbox, until `expires_at`."""

    room: str
    id: str
    client_state: str = field(repr=False)  # what it must repeat to us, so that nobody else can tell us anything
    since: datetime
    expires_at: datetime
    renew: bool = False  # the system asked for it to be renewed


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where a calendar system is to tell of changes, and what about the subscription itself."""

    changes: str
    lifecycle: str


ChangeEvent = Literal["changed", "missed", "reauthorize", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNotice:
    """What a calendar system told us: of a change, of notifications that were missed, or of its subscription."""

    subscription: str
    client_state: str = field(repr=False)
    event: ChangeEvent = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMeeting:
    """A meeting as it is kept for replay, see otd.readings: of its attendees only their domains."""

    meeting: Meeting
    body_left_out: bool = False  # it had one, which was not to be kept: what it said about joining is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReading:
    """A reading that is kept for replay. `at` is the database's clock."""

    room: str
    at: datetime
    window: Window
    meetings: tuple[KeptMeeting, ...] = ()

    def __post_init__(self) -> None:
        _aware(self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingMark:
    """That there is a kept reading, and how many meetings are in it. `id` is "ROOM/MILLISECONDS"."""

    id: str
    room: str
    at: datetime
    meetings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One version of a meeting among the kept readings of its room. Times are the database's."""

    kept: KeptMeeting
    first: datetime  # of the first reading that holds it
    last: datetime  # of the last one that does
    before: datetime | None  # where the window of the reading before that one ended; None when there was none

    def __post_init__(self) -> None:
        _aware(self.first, self.last, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a refresh has to know before it begins: the database's clock, and what is remembered of the room."""

    now: datetime
    read_at: datetime | None = None  # when it was last read
    rules: str = ""  # the digest of the rules in force, "" before there were any
    frozen: bool = False  # dial strings that are in place stay, see otd.brake
    reading: str = ""  # the digest of the last reading kept of the room
    emptied: bool = False  # it went from bookings to none a short while ago, or the brake keeps it from doing so
    budget: int = 0  # of its calendar: requests for a day, 0 when there is no limit
    asked: int = 0  # how many of them were made today (UTC)
    read_on: str = ""  # the calendar on which its mailbox was last found, which is the lane of its work


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """What the brake holds: `name` is a calendar, or "rules"; `things` is how many rooms or bookings it is about."""

    name: str
    since: datetime
    things: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRuling:
    """All that decides dial strings, as the store keeps it; see otd.dialplan.ruling."""

    digest: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """A room that the brake keeps from going empty, and what its endpoints are to go on showing."""

    room: str
    parts: tuple[tuple[str, tuple[Booking, ...]], ...]  # by endpoint


# --- what an invitation says about joining ------------------------------------------------------------------------


class Evidence(NamedTuple):
    """What a JoinInfo was read from: where, and through which link wrappers it had to be unwrapped.

    `source` is one of: property:NAME, more_info_url, address_block, body_link, body_text, location, conference.
    """

    source: str
    detail: str = ""  # e.g. the host of a more-info address, never a passcode
    wrappers: tuple[str, ...] = ()


class JoinInfo(NamedTuple):
    """What an invitation says about joining. `ids` are (name, value) pairs sorted by name: strings, leading zeros kept,
    separators removed, otherwise as written. `sip` and `h323` are ready-made addresses that the invitation itself
    states (bare, without "sip:"), if any. `reason` says why this JoinInfo alone cannot be dialled (a code of
    otd.invites.reasons), "" when it holds what is needed.

    Names of ids, by platform; each is there only when the invitation states it:
    - teams: thread_id, tenant_id, organizer_id; meeting_id and passcode (the native ones, for gateways that join by
      id). With interop: tenant_key, vtc_id, domain (where both are dialled), address (the tenant key address: the
      partner's IVR); pexip-infinity also prefix, ivr and ip.
    - skype: conference_id (the focus id, like A1B2C3D4), user and domain (of the organiser's SIP address), number
      (the phone conference id, digits). With interop instead: tenant_key, vtc_id, domain, address.
    - zoom: meeting_id, passcode (numeric: what a video system can send), domain (zoomcrc.com or as stated), ip.
    - webex: number and site (like acme.webex.com), or user and site (a personal room); passcode (numeric), ip.
    - meet: meeting_id (abc-defg-hij), pin (13 digits), domain (the site's gateway).
    - goto, bluejeans, lifesize, starleaf, chime: meeting_id; passcode, domain or ip where stated.
    - cms: meeting_id, site (the web host), domain (its SIP domain, stated or configured). pexip: alias, domain.
    - sip: address (what `sip` or `h323` holds).
    - ringcentral, jitsi, whereby, slack, gotowebinar: meeting_id (links only).
    """

    platform: str
    partner: str = ""  # whose video interop: poly, webex, pexip-service, pexip-infinity, bluejeans
    ids: tuple[tuple[str, str], ...] = ()
    join_url: str = ""
    sip: str = ""
    h323: str = ""
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    reason: str = ""

    def __repr__(self) -> str:
        """What may be logged: nothing of what is dialled."""
        shown = ("platform", "partner", "evidence", "alternatives", "reason")
        return f"JoinInfo({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def id(self, name: str) -> str:
        """One of the ids, "" when the invitation does not state it."""
        return next((value for key, value in self.ids if key == name), "")


class Alternative(NamedTuple):
    """A JoinInfo that lost, and why."""

    join: JoinInfo
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoJoin:
    """An invitation in which nothing says how to join; `reason` is a code of otd.invites.reasons."""

    reason: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DialString:
    """What an endpoint dials."""

    protocol: Protocol
    uri: str = field(repr=False)  # bare: user@host, an alias, or host##id; never with "sip:" before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """What a DialPlan made of a JoinInfo: a dial string and the rule that gave it, or none and why not.

    `allowed` is False when the dial string leaves the domains that may be dialled; then `reason` is
    "domain_not_allowed" and `dial` is still there to be looked at, but no booking may carry it.
    """

    dial: DialString | None
    rule: str = ""
    reason: str = ""
    allowed: bool = True


# --- what an endpoint should hold ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A meeting made ready for an endpoint. `reason` says why there is no dial string, "" when there is one."""

    id: str  # stable: from room, uid of the series and original start; at most 128 ASCII characters
    room: str
    title: str = field(repr=False)
    start: datetime
    end: datetime
    start_buffer: timedelta = timedelta(minutes=5)
    end_buffer: timedelta = timedelta(0)
    private: bool = False
    organizer: str = field(default="", repr=False)
    dial: DialString | None = None
    platform: str = ""
    rule: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        _aware(self.start, self.end)
        if self.end <= self.start:
            raise ValueError("a booking ends after it starts")

    def is_over(self, now: datetime) -> bool:
        """Whether its end and its end buffer have passed."""
        return self.end + self.end_buffer <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingList:
    """Every booking that an endpoint should hold in its window: by start, then end, then id; no id twice."""

    endpoint: str
    window: Window
    bookings: tuple[Booking, ...] = ()

    def current(self, now: datetime) -> BookingList:
        """The same list without what is over."""
        return replace(self, bookings=tuple(b for b in self.bookings if not b.is_over(now)))


# --- delivery -----------------------------------------------------------------------------------------------------

Verb = Literal["put", "read", "forget"]
Outcome = Literal[
    "confirmed",  # the list was read back and is the delivered one
    "differs",  # it was read back and differs (see `differences`)
    "unreachable",  # no answer, or none that can be read; retryable
    "busy",  # the endpoint asked to wait; retryable
    "denied",  # password or role refused; a person
    "untrusted",  # the certificate is not the pinned one; a person
    "unsupported",  # this endpoint cannot take bookings; a person
    "stale",  # the relay has seen a higher revision (see `highest`)
    "expired",  # act_by had passed before the work began or ended
    "not_for_me",  # this relay cannot open it, or does not know the credential
    "forgotten",  # the copy was dropped, as asked
    "placed",  # this relay holds the list for an endpoint that fetches it
    "fetched",  # the endpoint was given the list of this revision
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The order to make one endpoint show one BookingList (verb put), to look (read), or to let go of it (forget)."""

    verb: Verb
    endpoint: Endpoint
    revision: int
    sequence: int  # grows with every delivery to this endpoint
    sent_at: datetime  # the database's clock
    act_by: datetime  # no write begins or goes on after it
    valid_until: datetime  # how long the list may be held and served without the centre
    bookings: tuple[Booking, ...] = ()
    clear: bool = False  # forget: remove our own bookings from the endpoint first
    ask: str = ""  # read: the public key of somebody who wants to be told what is seen; see otd.asking
    anew: bool = False  # and what the endpoint is, too, whatever the relay knows of it already

    def __post_init__(self) -> None:
        _aware(self.sent_at, self.act_by, self.valid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Which lists of endpoints that fetch a relay of this pool must hold: (endpoint, lowest revision that is not out of
    date). Sent when it says hello and has not been told; what it holds besides is to be dropped."""

    relay: str
    pool: str
    lists: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Whether one process of a relay is to rest, and take nothing from its pool: sent when its hello says otherwise."""

    relay: str
    pool: str
    started_at: datetime  # of the process that is meant; another one passes it over
    resting: bool

    def __post_init__(self) -> None:
        _aware(self.started_at)


Order = Delivery | Fill | Duty
"""What the centre says to relays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A booking that is not as delivered: its id and the names of the fields that differ, never their values.

    `fields` is ("missing",) for one that is not there, ("foreign",) for one that we did not put there.
    """

    id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an endpoint is, as its driver found out; "" and None stand for what it does not say."""

    software: str = ""
    product: str = ""
    serial: str = ""
    mode: Literal["", "teams"] = ""  # teams: it runs as a Microsoft Teams Room
    role: Literal["", "admin", "user"] = ""  # of the account: "user" may not write
    uptime: timedelta | None = None
    clock_offset: timedelta | None = None  # how far its clock is ahead of the centre's
    provisioning: str = ""  # who manages it, in its own words: Off, TMS, Webex, CUCM, ...
    hides: tuple[str, ...] = ()  # settings of its own that keep bookings, or parts of them, off its screen
    interface: str = ""  # cisco: what takes its list, put or bookingsputxml
    certificate_until: datetime | None = None  # when the certificate that it shows runs out
    feedback: Literal["", "full", "untrusted", "failed", "refused"] = ""  # cisco: why it may not tell of its restarts


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a relay found after a delivery or a read-back."""

    endpoint: str
    pool: str
    relay: str
    verb: Verb
    revision: int
    sequence: int
    counter: int  # of the relay's receipts for this sequence: 0, 1, ...
    outcome: Outcome
    at: datetime
    seen_digest: str = ""
    differences: tuple[Difference, ...] = ()
    highest: int = 0  # stale: the highest revision that the relay has seen
    detail: str = ""  # one line for the administrator
    mend: str = ""
    reason: str = ""  # tells apart what has the same outcome: password, role, teams, list
    retry_after: timedelta | None = None
    facts: Facts | None = None  # what was learned on the way, if anything was
    pin: str = ""  # of an endpoint with trust "pin": the certificate that the relay goes by
    shown: str = ""  # untrusted: the one that it was shown instead
    answer: str = field(default="", repr=False)  # what was seen, sealed for whoever asked

    def __post_init__(self) -> None:
        _aware(self.at)

    @property
    def order(self) -> tuple[int, int, int]:
        """Receipts are applied by compare-and-set on this growing."""
        return (self.revision, self.sequence, self.counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody at a terminal wants a relay to tell of an endpoint; dropped when nobody waits any more."""

    endpoint: str
    key: str  # public: the answer is sealed for it
    anew: bool = False  # what the endpoint is, too
    sequence: int = -1  # of the last delivery that carried it; -1: it is to go out
    receipt: Receipt | None = None  # from a relay that does not reach the endpoint; another may


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A relay says that it is there. It says so at start, and every few seconds."""

    relay: str
    pool: str
    version: str
    started_at: datetime
    at: datetime
    leaving: bool = False  # a clean stop
    clock_offset: timedelta = timedelta(0)
    filled: bool = True  # False: it serves endpoints that fetch, and has not been told which lists there are
    face_until: datetime | None = None  # when a certificate that it shows to endpoints runs out, the first to do so
    resting: bool = False  # it takes nothing from its pool
    restarted: tuple[str, ...] = ()  # endpoints that told it so since its last hello: a hint to look at them


@dataclass(frozen=True, slots=True, kw_only=True)
class Unopened:
    """A relay was handed an order that was not sealed for it; `token` is what the centre wrote on its outside."""

    relay: str
    pool: str
    token: str


# --- audit --------------------------------------------------------------------------------------------------------

AuditKind = Literal[
    "list",  # an endpoint is to show another list: whole or change
    "sent",  # a delivery went out, other than one that only looks: put, forget
    "receipt",  # what a relay found is not what was found before: an outcome
    "facts",  # an endpoint is not what it was: its software, its mode, what it hides
    "reading",  # a room's calendar began to fail (the error's code), or is read again (read)
    "brake",  # the brake began to hold a room (held), or does so no longer (let go)
    "rules",  # in force, held, refused
    "act",  # a person did something: retry, cut over, release, ...
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line of the audit. `thing` is what it is about: "endpoint:NAME", "room:NAME", "calendar:NAME", "pool:NAME",
    "rules", "settings". Holds no value of a booking: of differences only the names of fields."""

    at: datetime
    kind: AuditKind
    thing: str
    word: str
    revision: int = 0
    relay: str = ""
    who: str = ""
    why: str = ""
    mend: str = ""
    reason: str = ""  # receipt: its reason
    verb: str = ""  # receipt: what it answers
    differences: tuple[Difference, ...] = ()
    facts: Facts | None = None
    put: int = 0  # list: bookings that are new or changed
    gone: int = 0


# --- work ---------------------------------------------------------------------------------------------------------

HOUSE = "house"
"""The lane of work that belongs to no calendar and no pool, and the name of such work; calendars and pools have lanes
of their own names."""
WorkKind = Literal["refresh", "deliver", "subscribe", "tidy", "provision", "guard", "notify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A row that was claimed: what is due, under whose lease. `name` is the room (refresh), the endpoint (deliver), the
    relay (provision), the channel (notify) or the house (tidy, guard)."""

    kind: WorkKind
    name: str
    lane: str
    token: int
    attempt: int  # failures in a row so far
    due: datetime
    lease_until: datetime
    hinted: bool = False  # it is due because of a hint, not only in its turn

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a piece of Work: when it is due again and why.

    `error` "" means success and sets attempts to 0. `parked` means that a person is needed. `pause_lane` is what the
    other side asked for (Retry-After), and holds for everything in the lane. `rest` is how long a parked row is left
    alone, None for a day. `requests` is how many the work took; they count against the lane's budget.
    """

    after: timedelta
    error: str = ""
    code: str = ""
    mend: str = ""
    parked: bool = False
    pause_lane: timedelta | None = None
    rest: timedelta | None = None
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The list that an endpoint should hold, and its revision."""

    revision: int
    digest: str
    list: BookingList
    since: datetime
    after: datetime | None = None  # when its room was read before, and did not say so yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The last delivery that went out for an endpoint; relay "" means: to whichever of the pool took it."""

    verb: Verb
    revision: int
    sequence: int
    at: datetime
    relay: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What one relay of the pool holds for an endpoint that fetches: sent to it, and said by it to be in place."""

    relay: str
    revision: int = 0
    at: datetime | None = None
    sent_revision: int = 0
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """All that the centre knows of one endpoint."""

    endpoint: Endpoint
    desired: Desired | None = None  # None until every room of it has been read once
    revision: int = 0  # the highest given so far; a `forget` carries it
    confirmed_revision: int = 0
    confirmed_at: datetime | None = None
    sent: Sent | None = None
    receipt: Receipt | None = None  # the last applied
    failures: int = 0  # answers in a row that were not a confirmation, to what was sent since a person looked at it
    same_difference: int = 0  # times in a row that it differed in the same way
    failing_since: datetime | None = None
    unreachable_from: tuple[str, ...] = ()  # relays that could not reach it since it was last confirmed
    removed: bool = False  # no longer configured; the row stays until a `forget` was answered
    leaving: Endpoint | None = None  # as it was where a `forget` is still owed: removed, or moved to another pool
    leaving_since: datetime | None = None
    mode: Mode = "deliver"  # its own setting, else what its pool was cut over to, else its pool's setting
    facts: Facts | None = None  # as last learned
    overwrites: int = 0  # read-backs with bookings of another system, since one found ours to have stayed
    found: str = ""  # why its list was last not as it had been: a word of otd.findings.found
    found_at: datetime | None = None
    confirmed_by: str = ""  # the relay that last saw its list in place
    disputed_by: tuple[str, ...] = ()  # the relay that saw a list in place, and the one that did not, a moment apart
    disputed_at: datetime | None = None
    disputed_sequence: int = -1  # of the receipt by which that came out
    restarted_sequence: int = -1  # of the last delivery that had gone out when it said that it restarted
    refusals: int = 0  # other endpoints that refuse the same credential, which none has accepted since
    placements: tuple[Placement, ...] = ()  # of an endpoint that fetches, by relay
    fetched_revision: int = 0  # what it was last given
    fetched_at: datetime | None = None
    fetched_from: str = ""
    question: Question | None = None  # the next one that is open; where one endpoint alone is looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """All that the centre knows of one room's calendar."""

    room: Room
    read_on: str = ""  # the calendar on which its mailbox was last found
    read_at: datetime | None = None  # the last complete or empty reading
    meetings: int = 0
    problems: tuple[str, ...] = ()
    failing_since: datetime | None = None
    error: str = ""
    code: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkState:
    """A work row as `otd status` shows it."""

    kind: WorkKind
    name: str
    lane: str
    due: datetime
    attempt: int
    parked: bool
    leased: bool
    error: str = ""
    code: str = ""
    mend: str = ""
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """What a calendar's, a pool's or the house's work shares."""

    name: str
    cap: int
    paused_until: datetime | None = None
    why: str = ""
    leased: int = 0
    most: int = 0  # how far the cap may grow; 0: it is fixed
    budget: int = 0  # requests for a day (UTC), 0: no limit
    asked: int = 0  # how many were made today


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSize:
    """What the settings say of a lane whose cap finds its size: it starts at `cap` and may grow up to `most`."""

    cap: int
    most: int
    budget: int = 0  # requests for a day (UTC), 0: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayState:
    """A relay as the centre last heard of it."""

    name: str
    pool: str
    version: str = ""
    started_at: datetime | None = None
    last_seen: datetime | None = None
    leaving: bool = False
    clock_offset: timedelta = timedelta(0)
    resting: bool = False  # in maintenance: the others of its pool are given what it would be
    cloned: bool = False  # a second process runs under its identity, and rests


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """When a relay last reached an endpoint, and when it last could not, and why."""

    endpoint: str
    relay: str
    reached_at: datetime | None = None
    missed_at: datetime | None = None
    why: str = ""

    @property
    def works(self) -> bool:
        """Whether the last attempt did."""
        return self.missed_at is None or (self.reached_at is not None and self.reached_at > self.missed_at)


# --- numbers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many rooms of a calendar, or endpoints of a pool, are in a state."""

    lane: str
    state: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCount:
    """A lane's work in numbers; `lateness` is that of the latest row that is due and not begun, in seconds."""

    name: str
    rows: int
    due: int
    parked: int
    lateness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingCount:
    """How many bookings there are of a platform, with the reason why they have no dial string, "" when they have."""

    platform: str
    reason: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Everything in numbers: by names from the settings and by closed sets."""

    rooms: tuple[StateCount, ...] = ()
    endpoints: tuple[StateCount, ...] = ()
    lanes: tuple[LaneCount, ...] = ()
    bookings: tuple[BookingCount, ...] = ()
    alerts: tuple[tuple[str, int], ...] = ()  # that stand, by cause
    untold: tuple[tuple[str, int], ...] = ()  # notices, by channel


# --- alerts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that a person has to know of now. (cause, thing) is its key: it is raised once, and cleared once.

    `cause` is a code of otd.causes; `thing` is "endpoint:NAME", "room:NAME", "calendar:NAME", "pool:NAME",
    "relay:NAME", "channel:NAME" or "rules". Neither detail nor mend holds a subject or a dial string.
    """

    cause: str
    thing: str
    detail: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """An alert that was raised, and what became of it."""

    alert: Alert
    raised_at: datetime
    cleared_at: datetime | None = None
    note: str = ""  # why it was cleared
    times: int = 1  # that it was raised


NoticeEvent = Literal["raised", "cleared", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told to people of an alert. `id` is the same however often it is sent, so that a copy can be told."""

    id: str
    event: NoticeEvent
    alert: Alert
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """That something runs out: `cause` is one of the stage "expiry"."""

    cause: str
    thing: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Joinless:
    """A booking without a dial string that starts soon, and the reason (a code of otd.invites.reasons)."""

    room: str
    start: datetime
    reason: str


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
