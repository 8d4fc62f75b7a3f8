"""The seams: what the use cases ask of the world. Small Protocols; the docstrings are the promises.

Everything that talks to the outside takes `within`, the time the whole call may take, and holds it against an answer
that drips byte by byte; what it reads is capped in size; redirects are not followed. It raises otd.errors only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from otd.model import (
    EPOCH,
    Alert,
    AlertState,
    AuditKind,
    AuditLine,
    Booked,
    Booking,
    BookingList,
    Brake,
    ChangeNotice,
    Complete,
    Counts,
    Delivery,
    Desired,
    Duty,
    Emptied,
    Empty,
    Endpoint,
    EndpointState,
    Expiry,
    Facts,
    Fill,
    FoundRoom,
    Hello,
    Hook,
    Joinless,
    KeptReading,
    LaneSize,
    LaneState,
    Meeting,
    Mode,
    Notice,
    Order,
    Question,
    Reach,
    Reading,
    ReadingMark,
    Receipt,
    RelayState,
    Room,
    RoomState,
    SavedRuling,
    Settled,
    Sighting,
    Standing,
    Subscription,
    Verb,
    Window,
    Work,
    WorkKind,
    WorkState,
)


def never() -> bool:
    """Nothing speaks against it."""
    return False


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class Calendar(Protocol):
    """A configured connection to a calendar system."""

    @property
    def name(self) -> str: ...

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        """Everything in the room's mailbox that overlaps the window, recurrences expanded, in any order.

        Complete or Empty only when the calendar gave all of it; in every other case Failed with the error. Never
        raises an OtdError. Cancelled and declined meetings are in it, marked as such; series masters and drafts are
        not. Safe to call from several threads for different rooms. `requests` says how many it took, where a budget
        counts them; those of a reading that failed are in its error.
        """
        ...

    def close(self) -> None:
        """Give connections back. The calendar is not used afterwards."""
        ...


class Telling(Protocol):
    """A Calendar whose system can tell of changes; only ever as a hint to read."""

    def subscribe(self, room: Room, hook: Hook, client_state: str, *, within: timedelta) -> Subscription:
        """Have changes of the room's mailbox told there. Raises OtdError."""
        ...

    def renew(self, room: Room, subscription: Subscription, *, within: timedelta) -> Subscription:
        """The same, holding for longer. Raises Missing when the system does not know it any more."""
        ...

    def unsubscribe(self, room: Room, subscription: Subscription, *, within: timedelta) -> None:
        """Have nothing told any more. Raises Missing when the system does not know it any more, OtdError."""
        ...


class Bookable(Protocol):
    """A Calendar in which a meeting can be booked: for probes, which take it back."""

    def book(self, room: Room, meeting: Meeting, *, within: timedelta) -> Booked:
        """Put it into the room's calendar; nobody is invited. The calendar may give it another uid. Raises OtdError."""
        ...

    def take_back(self, room: Room, booked: Booked, *, within: timedelta) -> None:
        """Remove it; that it is gone already is no mistake. Raises OtdError."""
        ...


class Directory(Protocol):
    """What a calendar system knows of an organisation's rooms."""

    def rooms(self, *, within: timedelta) -> tuple[FoundRoom, ...]:
        """All of them, each once, in any order. Raises OtdError."""
        ...


class Seen(Protocol):
    """One booking in the form in which a driver can compare it: hashable, sortable, nothing private in its repr."""

    @property
    def id(self) -> str: ...

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """(field, value) pairs that this endpoint can give back, in a fixed order."""
        ...

    @property
    def end(self) -> datetime: ...


class EndpointDriver(Protocol):
    """How a relay speaks to one kind of endpoint. One call at a time per endpoint; the relay sees to that."""

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        """Replace the endpoint's whole list. An empty tuple clears it.

        Returns when the endpoint said that it took the list, which proves nothing: `read` does.
        """
        ...

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[Seen, ...]:
        """What the endpoint holds now, past bookings too, whoever put them there."""
        ...

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[Seen, ...]:
        """What `read` should give back after `put` of these bookings. Pure."""
        ...

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        """What the endpoint is; it takes some of them seconds to say, one request after the other. Raises TimeoutError
        before the next request when it is not to be asked any more, as `unless` says. What seldom changes may be kept
        from an earlier call while the endpoint did neither restart nor fail, unless it is wanted `anew`; `uptime` is
        always new. `clock_offset` is measured by this machine's clock. An endpoint in mode deliver may be asked on the
        way to tell us of restarts."""
        ...

    def leave(self, endpoint: Endpoint, *, within: timedelta) -> None:
        """Take back what `facts` may have set up there for us to be told of restarts; the list stays."""
        ...

    def close(self) -> None:
        """Give connections and sessions back."""
        ...


class Secrets(Protocol):
    """Secrets by name."""

    def get(self, name: str) -> str:
        """The secret. Raises BadSetting, which names the secret and the places that were looked in, never values."""
        ...


class Pins(Protocol):
    """The certificates that endpoints are known by: as the centre said, else as first used; kept across restarts."""

    def get(self, endpoint: str) -> str:
        """ "sha256:HEX" of the pinned certificate (DER), "" when there is none yet."""
        ...

    def pin(self, endpoint: str, fingerprint: str) -> str:
        """Pin it unless another one is pinned already; returns the one that holds."""
        ...


class Hooks(Protocol):
    """The addresses at which endpoints may tell a relay that they restarted, and which of them were given one."""

    @property
    def self_signed(self) -> bool:
        """Whether the certificate that they see there is."""
        ...

    def url(self, endpoint: str) -> str:
        """The endpoint's own address, which is a secret between the two; "" while the relay does not listen."""
        ...

    def is_ours(self, url: str, endpoint: str) -> bool:
        """Whether this relay once gave it to the endpoint, be it under another key or address."""
        ...

    def is_of_pool(self, url: str, endpoint: str) -> bool:
        """Whether a relay of this pool did."""
        ...

    def is_hooked(self, endpoint: str) -> bool:
        """Whether the endpoint was given an address of this relay, and it was not taken back."""
        ...

    def hook(self, endpoint: str, hooked: bool) -> None:
        """Remember that it was given one, or that it was taken back."""
        ...


class Bus(Protocol):
    """The centre's side of the way to the relays and back. Messages may be lost, doubled and reordered."""

    def send(self, delivery: Delivery, *, relay: str = "") -> None:
        """To whichever relay of the endpoint's pool takes it, or to that one relay.

        Raises Unreachable when there is certainly nobody to take it. A delivery not taken before `act_by` is dropped.
        """
        ...

    def tell(self, order: Fill | Duty) -> None:
        """Tell one relay which lists it must hold, or whether it is to rest. May be lost: its next hello shows it."""
        ...

    def listen(self, receipt: Callable[[Receipt], None], hello: Callable[[Hello], None]) -> None:
        """Call these with what relays send, one at a time, in a thread of the bus, until `close`; once for each bus.

        Raises RuntimeError when it is listened to already.
        """
        ...

    def close(self) -> None: ...


class RelayBus(Protocol):
    """A relay's side of it."""

    def listen(self, handle: Callable[[Order, timedelta], None]) -> None:
        """Take orders from the pool's queue and the relay's own; several at a time, in threads of the bus.

        `handle` is also told how long the order has lain in this process. A delivery is acknowledged when `handle`
        returns; when the relay dies before, it goes back to its queue.
        """
        ...

    def rest(self, resting: bool) -> None:
        """Take nothing from the pool's queue, or take from it again; the relay's own queue is always read."""
        ...

    def receipt(self, receipt: Receipt) -> None: ...

    def hello(self, hello: Hello) -> None: ...

    def close(self) -> None:
        """Take nothing new; hand back what is not done."""
        ...


class Channel(Protocol):
    """A way to tell people of alerts."""

    @property
    def name(self) -> str: ...

    def tell(self, notices: tuple[Notice, ...], *, within: timedelta) -> None:
        """Returns when the other side has taken them. Raises OtdError; then it may have taken them all the same."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Store(Protocol):
    """The truth: work, rooms, desired lists, receipts. Every method is one transaction; safe from several threads.

    Times are the database's clock. Lists are encrypted at rest. What changes, and what people do, is told by the audit,
    written in the same transaction; `why` is what that person says about it, one line.
    """

    def now(self) -> datetime: ...

    def adopt(
        self,
        rooms: Iterable[Room],
        endpoints: Iterable[Endpoint],
        lanes: Mapping[str, int | LaneSize],
        settings_digest: str,
        *,
        subscribed: Collection[str] = (),
    ) -> None:
        """Make the rows match the settings; `lanes` are caps by lane name (calendars, pools and `house`), or how far a
        cap may grow and shrink by what otd.pacing makes of the answers.

        A new room gets `refresh` work due now in its calendar's lane, a new endpoint `deliver` work in its pool's.
        Rooms and endpoints that are gone lose theirs (endpoint rows stay, marked removed, so that a `forget` can be
        sent). When `settings_digest` (rules, policy, rooms, endpoints, secrets' names) differs from the last one,
        everything is made due, parked rows are un-parked and pauses end, but for those of a budget that is used up.
        `subscribed` are the rooms of whose changes we want to be told; they have `subscribe` work, and so has a room
        whose subscription is to be taken back.
        """
        ...

    # work ---------------------------------------------------------------------------------------------------------

    def hint(self, kind: WorkKind, name: str, *, delay: timedelta = timedelta(0)) -> None:
        """Make it due now (or `delay` from now) if it is not due sooner; if it is running, it runs again after.
        A parked row stays parked."""
        ...

    def hint_all(self, kind: WorkKind, delays: Mapping[str, timedelta]) -> None:
        """The same for many at once, by name."""
        ...

    def claim(self, owner: str, *, limit: int, lease: timedelta, kinds: tuple[WorkKind, ...] = ()) -> tuple[Work, ...]:
        """Due rows, the longest overdue first, now leased to `owner` under a new token.

        From a lane at most its cap minus what is leased there and has not left it, and nothing while it is paused. A
        lease that ran out counts as free.
        """
        ...

    def begin(self, work: Work) -> bool:
        """Whether this claim still holds (same token, lease not run out) and its lane is not paused; a lease of which
        some time was lost in waiting starts anew. If not, it must be dropped."""
        ...

    def leave_lane(self, work: Work) -> None:
        """What is left to do of this claim asks its lane nothing: the lane may run another in its place. It stays
        leased; a claim that holds no longer changes nothing."""
        ...

    def finish(self, work: Work, settled: Settled) -> None:
        """Give the lease back, if this claim still holds. A hint that came meanwhile makes the row due at once
        (a `refresh` that ran for a hint: five seconds later). Parked rows stay until `unpark`, or until
        `settled.rest`, or without one a day or `settled.after` has passed, whichever is longer. Jitter shortens what
        is due in half a minute or later. The requests, and what went wrong, are the lane's too: see otd.pacing."""
        ...

    def give_back(self, claims: Iterable[Work]) -> None:
        """These claims were not begun and will not be: whoever comes next may claim them."""
        ...

    def leased(self, owner_prefix: str) -> int:
        """How many rows are leased to owners whose name begins so."""
        ...

    def next_due(self) -> datetime | None:
        """When the next row can be claimed; None when there is none."""
        ...

    def release(self, owner_prefix: str) -> int:
        """Give back the leases of owners whose name begins so: they are known to be dead. How many there were."""
        ...

    def unpark(self, kind: WorkKind, name: str, *, why: str = "") -> None:
        """A person had it tried again: due now, attempts from zero; for `deliver` the endpoint's failures, too: it is
        tried as if for the first time. What whoever is at it found before, and what is answered to a delivery that went
        out before, parks nothing. The same happens to everything when `adopt` sees changed settings."""
        ...

    def skip(self, kind: WorkKind, name: str, *, why: str = "") -> bool:
        """A person has what fails left alone: parked until `unpark`, changed settings, or a day has passed. False for a
        row that does not fail, and for none."""
        ...

    def cut_over(self, pool: str, mode: Mode | None, *, why: str = "") -> None:
        """Run the pool's endpoints in this mode, whatever the settings say; None: as they say. They are due now, and
        tried as if for the first time; one with a mode of its own keeps it. Raises Missing for an unknown pool."""
        ...

    def modes(self) -> Mapping[str, Mode]:
        """The pools that were cut over, and to what."""
        ...

    def pin(self, endpoint: str, fingerprint: str, *, why: str = "") -> None:
        """A person accepts this certificate: the endpoint is known by it from now on, in place of another, and tried as
        if for the first time. Raises Missing for a name that is not configured."""
        ...

    def pause(self, lane: str, until: datetime, why: str) -> None:
        """Nothing is claimed from the lane until then; an earlier end than the present one is ignored."""
        ...

    # rooms and lists ----------------------------------------------------------------------------------------------

    def save_reading(self, reading: Reading) -> bool:
        """Remember when the room was read and how many meetings there were, or since when it fails and why; whether it
        began to fail with this one, fails of something else, or fails no longer."""
        ...

    def part(self, endpoint: str, room: str) -> tuple[Booking, ...] | None:
        """The bookings last computed for this room on this endpoint; None when it was never read."""
        ...

    def put_part(self, endpoint: str, room: str, bookings: tuple[Booking, ...]) -> None: ...

    def put_desired(self, wanted: BookingList, digest: str, *, after: datetime | None = None) -> int:
        """Store the list under a new revision (max of last + 1 and the database's milliseconds) and make the
        endpoint's `deliver` due at once; returns the revision. The caller decides that it differs; `after` is when
        its room was read before. What is known of failures stays: a new list does not make a refused password right."""
        ...

    def desired(self, endpoint: str) -> Desired | None: ...

    def renumber(self, endpoint: str, above: int) -> int:
        """Give the desired list a revision greater than `above`, as after a restored backup. Raises Unsupported for one
        that no centre can have given."""
        ...

    def moved(self, room: str, calendar: str) -> None:
        """The room's mailbox was found on this calendar: from now on it is read there, until its settings change or it
        moves again. Its work waits in that calendar's lane."""
        ...

    # readings kept for replay -------------------------------------------------------------------------------------

    def standing(self, room: str) -> Standing:
        """What a refresh of this room has to know before it begins, in one statement."""
        ...

    def keep_reading(self, reading: Complete | Empty, *, bodies: bool = True, known: str = "") -> bool:
        """Keep it for replay, unless it holds the same meetings as the last one kept of its room; whether it was kept.

        What is kept of a meeting is otd.readings.kept, sealed, once for as long as it stays the same. `known` is what
        `standing` said of the last one: an unchanged reading then costs a comparison and no look into the database.
        """
        ...

    def readings(self, room: str, since: datetime, until: datetime) -> tuple[ReadingMark, ...]:
        """Those kept from `since` to `until`, and before them the one that held at `since`; in their order."""
        ...

    def reading(self, id: str) -> KeptReading:
        """One of them, whole. Raises Missing when it is not kept (any more)."""
        ...

    def last_reading(self, room: str) -> KeptReading | None:
        """The newest one of the room."""
        ...

    def sightings(self, room: str) -> tuple[Sighting, ...]:
        """Every version of every meeting in the kept readings of the room, in the order in which they were first seen.
        Versions that differ in nothing but their change key are one."""
        ...

    def unchanged(self, reading: Complete | Empty, *, bodies: bool = True) -> frozenset[str]:
        """The ids of meetings that are as they were in the last kept reading of the room."""
        ...

    def tidy(self, keep: timedelta, *, audited: timedelta = ...) -> bool:
        """Remove readings that were superseded longer ago than `keep`, and what no reading needs any more. The newest
        reading of a configured room always stays. Of the audit the lists go with the readings, the rest after
        `audited`. True when there was more to do than one call does."""
        ...

    def add_work(self, kind: WorkKind, name: str, lane: str) -> None:
        """Have this work, due now, unless there is such a row already. The lane must have been adopted."""
        ...

    # change notifications -----------------------------------------------------------------------------------------

    def subscription(self, room: str) -> Subscription | None:
        """The one by which changes of this room are told, whether or not it still holds."""
        ...

    def put_subscription(self, subscription: Subscription) -> None:
        """Remember it in place of another, and read the room: what changed before it began, it does not tell."""
        ...

    def renewed(self, subscription: Subscription) -> None:
        """It holds until its new `expires_at`."""
        ...

    def unsubscribed(self, room: str) -> None:
        """The room has no subscription, and is to have none."""
        ...

    def drop_subscription(self, room: str) -> None:
        """The calendar system does not know it any more."""
        ...

    def notified(self, notices: Iterable[ChangeNotice]) -> int:
        """Take them as hints to read their rooms; how many were of subscriptions that we know, with their client state.

        The rest is ignored. What comes again within a few seconds is one hint.
        """
        ...

    def subscribed(self) -> Mapping[str, int]:
        """How many rooms have a subscription that holds, by calendar."""
        ...

    # the brake ----------------------------------------------------------------------------------------------------

    def emptying(
        self, room: str, calendar: str, parts: tuple[tuple[str, tuple[Booking, ...]], ...]
    ) -> tuple[Emptied, ...]:
        """The room would go from bookings to none; `parts` are what its endpoints showed until now.

        It is noted, and judged by otd.brake with all others of the calendar. Nothing comes back when its list may go;
        otherwise the rooms that have to go on showing what comes back: this one, and when the brake begins to hold with
        this one, also those that went just before it. Noted twice, it counts once.
        """
        ...

    def filled(self, room: str) -> None:
        """The room has bookings (again): it is not held any more."""
        ...

    def brakes(self) -> tuple[Brake, ...]:
        """What the brake holds."""
        ...

    def let_go(self, calendar: str, *, why: str = "") -> int:
        """A person lets go what the brake holds of this calendar: its rooms are read anew, and for a while it holds no
        others. How many rooms it was."""
        ...

    def put_ruling(self, ruling: SavedRuling, *, held_for: tuple[int, str] | None = None, frozen: bool = False) -> None:
        """Put these rules in force; with `held_for` (how many bookings, and why) hold them instead, in place of others
        that were held. `frozen`: what is in place cannot be computed any more, so dial strings stay as they are."""
        ...

    def ruling(self, state: Literal["force", "held"]) -> SavedRuling | None:
        """The rules that are in force, or those that the brake holds."""
        ...

    def is_refused(self, digest: str) -> bool:
        """Whether a person went back from these rules."""
        ...

    def release_rules(self, *, why: str = "") -> bool:
        """Put the rules in force that the brake holds, and have every room read anew; False when it holds none."""
        ...

    def revert_rules(self, *, why: str = "") -> SavedRuling | None:
        """Refuse the rules that the brake holds; when it holds none, go back from those in force to the last that were
        before them. Returns those that are in force now, None when there is nothing to go back to."""
        ...

    # the audit ----------------------------------------------------------------------------------------------------

    def note_act(self, thing: str, word: str, *, why: str = "") -> None:
        """Note an act of a person that no other method does. `thing` as in AuditLine."""
        ...

    def audit(
        self,
        things: Collection[str] = (),
        *,
        kinds: Collection[AuditKind] = (),
        since: datetime = EPOCH,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> tuple[AuditLine, ...]:
        """The newest `limit` lines about these things (all) of these kinds (all) in the span, the oldest first."""
        ...

    def list_at(self, endpoint: str, time: datetime) -> Desired | None:
        """The list that the endpoint was to show then (its digest may be ""); None when it is not known (any more)."""
        ...

    # alerts -------------------------------------------------------------------------------------------------------

    def watched(self, before: timedelta, after: timedelta) -> tuple[EndpointState, ...]:
        """Endpoints that may not show what they should when people walk in: a booking of theirs starts within `before`
        or did so within `after`, and their newest list is not known to be confirmed; and those that need a person."""
        ...

    def joinless(self, before: timedelta, after: timedelta) -> tuple[Joinless, ...]:
        """Bookings without a dial string that start within `before`, or did so within `after`."""
        ...

    def settle_alerts(
        self, found: Sequence[Alert], channels: Iterable[str], notes: Mapping[tuple[str, str], str]
    ) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
        """`found` is all that is wrong now. What was not known is raised; what stood and is not among it is cleared,
        with its note (by cause and thing). Both are put into the outbox of every channel, in the same transaction.
        Returns what was raised and what was cleared by this call: each by one caller, however many there are."""
        ...

    def alerts(self, *, cleared: bool = False) -> tuple[AlertState, ...]:
        """Those that stand; with `cleared` also those that do no longer, as long as they are kept."""
        ...

    def untold(self, channel: str, limit: int) -> tuple[Notice, ...]:
        """What is in the channel's outbox, in its order."""
        ...

    def told(self, channel: str, ids: Sequence[str]) -> None:
        """The channel has told these."""
        ...

    def put_expiry(self, expiry: Expiry) -> None:
        """Remember when it runs out."""
        ...

    def expiries(self) -> tuple[Expiry, ...]: ...

    # delivery -----------------------------------------------------------------------------------------------------

    def endpoint(self, name: str) -> EndpointState:
        """Raises Missing for a name that is not configured."""
        ...

    def sending(self, endpoint: str, verb: Verb, revision: int, relay: str, *, ask: str = "") -> int:
        """Note that a delivery goes out now, with the question of this key; returns its sequence number."""
        ...

    def placing(self, endpoint: str, revision: int, relay: str) -> int:
        """The same for one relay that is to hold the list of an endpoint that fetches."""
        ...

    def set_login(self, endpoint: str, password_hash: str) -> None:
        """The login of an endpoint that fetches: a salted hash, "" for none. Every relay is given it."""
        ...

    def apply(self, receipt: Receipt) -> EndpointState | None:
        """Compare-and-set on (revision, sequence, counter) greater than the last applied; makes `deliver` due. Gives
        what was known before it.

        None, and nothing changes, when it is older than what is known, for an unknown endpoint, from a pool that it was
        not sent to, or for a revision or sequence that this database never gave (it may be a restored copy). A
        confirmation of the desired revision sets confirmed_revision and confirmed_at and clears failures, and un-parks;
        that of an older one counts as nothing; any other answer counts as a failure.

        The first that tells of a certificate pins it: the endpoint is known by it until a person accepts another
        (`pin`), or its settings say another kind, address or trust.
        """
        ...

    def ask(self, endpoints: Collection[str], key: str, *, within: timedelta, anew: bool = False) -> None:
        """Somebody wants to be told what these endpoints show (`anew`: and what they are), and waits so long: their
        `deliver` is due now, unless it is parked. Raises Missing for a name that is not configured."""
        ...

    def answers(self, key: str) -> Mapping[str, Receipt]:
        """What was answered to this key, by endpoint; it is kept no longer."""
        ...

    def withdraw(self, key: str, endpoints: Collection[str]) -> Mapping[str, Question]:
        """Nobody waits for these any more; what became of them, as far as they were there. Those that nobody withdraws
        go when their time is over."""
        ...

    def give_up(self, endpoint: str) -> None:
        """Nobody answered the `forget` that is owed to an endpoint that leaves: it is owed no longer. The row of one
        that was removed goes."""
        ...

    def kept_secret(self, name: str, make: Callable[[], str]) -> str:
        """A secret of the installation's own, made once and kept sealed: the same for all who share the database."""
        ...

    def heard(self, hello: Hello) -> bool:
        """Remember the relay; True when it was not alive before (new, back, or last seen over 15 s ago)."""
        ...

    def restarted(self, pool: str, endpoints: Collection[str]) -> None:
        """Endpoints of this pool said that they restarted: what was seen of them so far proves nothing, and their
        `deliver` is due now, unless it is parked. Others are passed over."""
        ...

    def rests(self, hello: Hello) -> bool:
        """Whether the process that says this is to take nothing from its pool: its relay is in maintenance, or another
        process was there before it under the same identity."""
        ...

    # looking ------------------------------------------------------------------------------------------------------

    def rooms(self) -> tuple[RoomState, ...]: ...

    def endpoints(self) -> tuple[EndpointState, ...]: ...

    def relays(self) -> tuple[RelayState, ...]: ...

    def reach(self) -> tuple[Reach, ...]:
        """Which relay reached which endpoint when, and which did not, as far as they reported."""
        ...

    def work(self) -> tuple[WorkState, ...]: ...

    def lanes(self) -> tuple[LaneState, ...]: ...

    def unsettled(self, limit: int) -> tuple[EndpointState, ...]:
        """Endpoints that do not show their newest list, as far as their columns tell; at most so many."""
        ...

    def counts(self) -> Counts:
        """Everything in numbers, without opening a list."""
        ...

    def close(self) -> None: ...


class Executor(Protocol):
    """Runs due work until told to stop."""

    def start(self) -> None: ...

    def wake(self) -> None:
        """Something became due: look now."""
        ...

    def stop(self, *, within: timedelta) -> None:
        """Claim nothing more, let what runs end, give back what did not."""
        ...
