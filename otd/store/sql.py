"""The Store on SQLite or PostgreSQL: every method is one transaction; what it does is said in the module it calls."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import insert, select, update

from otd.model import (
    EPOCH,
    Alert,
    AlertState,
    AuditKind,
    AuditLine,
    Booking,
    BookingList,
    Brake,
    ChangeNotice,
    Complete,
    Counts,
    Desired,
    Emptied,
    Empty,
    Endpoint,
    EndpointState,
    Expiry,
    Hello,
    Joinless,
    KeptReading,
    LaneSize,
    LaneState,
    Mode,
    Notice,
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
    Work,
    WorkKind,
    WorkState,
)
from otd.ports import Clock
from otd.store import (
    adoption,
    alerting,
    audit,
    brakes,
    claims,
    counting,
    imported,
    keeping,
    kept,
    learning,
    lists,
    placements,
    questions,
    reaching,
    receipts,
    subscriptions,
    watching,
)
from otd.store.database import Database
from otd.store.imported import Imported
from otd.store.members import Members
from otd.store.pairings import Pairings
from otd.store.tables import at, meta, ms
from otd.store.transaction import Transaction
from otd.store.vault import Vault

_NO_WAIT = timedelta(0)
AUDIT_KEPT = timedelta(days=90)


class SqlStore:
    """See `otd.ports.Store` for the promises.

    `key` seals what may be private; at least 16 random bytes, the same for every process on this database. `migrate`
    brings the tables to this version first. `exclusive` (SQLite only; PostgreSQL is made for sharing) refuses to open
    while another process holds the database so: then every lease found at the start is a dead owner's. `actor` is who
    uses it, for the audit. `clock` and
    `rng` are for tests; without them the database's clock holds, and jitter is random.

    Relays that ask to be let in are `pairings`, those that were are `members`; readings of other installations are
    `imported`.

    Raises BadSetting when the database cannot be opened or was sealed with another key, Unreachable when a server
    does not answer; every method may raise Unreachable.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        migrate: bool = True,
        *,
        password: str = "",
        exclusive: bool = False,
        actor: str = "",
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._vault, self._actor = Vault(key), actor
        self._digests = keeping.Digests(self._vault)
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, protects nothing
        self._database = Database(url, password=password, migrate=migrate, exclusive=exclusive, clock=clock)
        self.pairings = Pairings(self._database, self._vault)
        self.members = Members(self._database, self._vault)
        self.imported = Imported(self._database, self._vault, actor)
        try:
            self._check_key(migrate)
        except BaseException:
            self.close()
            raise

    def _check_key(self, may_write: bool) -> None:
        place, proof = "meta/key", "otd"
        with self._in_turn() if may_write else self._reading() as tx:
            sealed = tx.connection.execute(select(meta.c.value).where(meta.c.name == "key")).scalar()
            if sealed is not None:
                self._vault.open(place, bytes(sealed))
            if may_write and sealed is None:
                tx.connection.execute(insert(meta).values(name="key", value=self._vault.seal(place, proof)))
            elif may_write:  # a file that cannot be written shows it only when it is
                tx.connection.execute(update(meta).where(meta.c.name == "key").values(value=meta.c.value))

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with self._database.reading() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _reading_once(self) -> Iterator[Transaction]:
        with self._database.reading_once() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _writing_once(self) -> Iterator[Transaction]:
        with self._database.writing_once() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        with self._database.writing() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _applying(self) -> Iterator[Transaction]:
        with self._database.applying() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _leasing(self) -> Iterator[Transaction]:
        with self._database.leasing() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _settling(self) -> Iterator[Transaction]:
        with self._database.settling() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _quickly(self) -> Iterator[Transaction]:
        with self._database.quickly() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    @contextmanager
    def _in_turn(self) -> Iterator[Transaction]:
        with self._database.in_turn() as connection:
            yield Transaction(connection, self._database.now, self._vault, self._actor)

    def now(self) -> datetime:
        with self._reading_once() as tx:
            return at(tx.clock())

    def adopt(
        self,
        rooms: Iterable[Room],
        endpoints: Iterable[Endpoint],
        lanes: Mapping[str, int | LaneSize],
        settings_digest: str,
        *,
        subscribed: Collection[str] = (),
    ) -> None:
        with self._in_turn() as tx:
            adoption.adopt(tx, tuple(rooms), tuple(endpoints), lanes, settings_digest, subscribed)

    # work ---------------------------------------------------------------------------------------------------------

    def hint(self, kind: WorkKind, name: str, *, delay: timedelta = _NO_WAIT) -> None:
        with self._quickly() as tx:
            claims.hint(tx, kind, name, delay)

    def hint_all(self, kind: WorkKind, delays: Mapping[str, timedelta]) -> None:
        with self._applying() as tx:
            claims.hint_all(tx, kind, delays)

    def claim(self, owner: str, *, limit: int, lease: timedelta, kinds: tuple[WorkKind, ...] = ()) -> tuple[Work, ...]:
        with self._leasing() as tx:
            return claims.claim(tx, owner, limit, lease, kinds)

    def begin(self, work: Work) -> bool:
        with self._reading_once() as tx:
            if claims.is_fresh(tx, work):
                return True
        with self._quickly() as tx:
            return claims.begin(tx, work)

    def leave_lane(self, work: Work) -> None:
        with self._leasing() as tx:
            claims.leave_lane(tx, work)

    def finish(self, work: Work, settled: Settled) -> None:
        together = settled.pause_lane is not None or settled.requests or settled.error
        with self._settling() if together else self._quickly() as tx:
            claims.finish(tx, work, settled, self._rng)

    def give_back(self, claimed: Iterable[Work]) -> None:
        with self._writing() as tx:
            for item in claimed:
                claims.give_back(tx, item)

    def leased(self, owner_prefix: str) -> int:
        with self._reading_once() as tx:
            return claims.leased(tx, owner_prefix)

    def next_due(self) -> datetime | None:
        with self._reading_once() as tx:
            return claims.next_due(tx)

    def release(self, owner_prefix: str) -> int:
        with self._writing_once() as tx:
            return claims.release(tx, owner_prefix)

    def unpark(self, kind: WorkKind, name: str, *, why: str = "") -> None:
        with self._writing() as tx:
            if kind == "deliver":
                learning.start_afresh(tx, name)
            claims.unpark(tx, kind, name)
            audit.act(tx, f"{claims.NAMED[kind]}:{name}", "retry", why)

    def skip(self, kind: WorkKind, name: str, *, why: str = "") -> bool:
        said = f"skipped by {self._actor or 'a person'}" + (f": {why}" if why else "")
        with self._writing() as tx:
            if not claims.skip(tx, kind, name, said):
                return False
            audit.act(tx, f"{claims.NAMED[kind]}:{name}", "skip", why)
            return True

    def cut_over(self, pool: str, mode: Mode | None, *, why: str = "") -> None:
        with self._writing() as tx:
            learning.cut_over(tx, pool, mode, why)

    def modes(self) -> Mapping[str, Mode]:
        with self._reading_once() as tx:
            return learning.modes_of_pools(tx)

    def pin(self, endpoint: str, fingerprint: str, *, why: str = "") -> None:
        with self._writing() as tx:
            learning.pin(tx, endpoint, fingerprint, why)

    def pause(self, lane: str, until: datetime, why: str) -> None:
        with self._writing_once() as tx:
            claims.pause(tx, lane, until, why)

    # rooms and lists ----------------------------------------------------------------------------------------------

    def save_reading(self, reading: Reading) -> bool:
        with self._writing_once() as tx:
            if lists.save_reading_as_before(tx, reading):
                return False
        with self._writing() as tx:
            return lists.save_reading(tx, reading)

    def part(self, endpoint: str, room: str) -> tuple[Booking, ...] | None:
        with self._reading_once() as tx:
            return lists.part(tx, endpoint, room)

    def put_part(self, endpoint: str, room: str, bookings: tuple[Booking, ...]) -> None:
        sealed = lists.sealed_part(self._vault, endpoint, room, bookings)
        with self._writing_once() as tx:
            lists.put_part(tx, endpoint, room, bookings, sealed)

    def put_desired(self, wanted: BookingList, digest: str, *, after: datetime | None = None) -> int:
        sealed = lists.sealed_list(self._vault, wanted)
        with self._writing() as tx:
            return lists.put_desired(tx, wanted, digest, sealed, after)

    def desired(self, endpoint: str) -> Desired | None:
        with self._reading_once() as tx:
            return lists.desired(tx, endpoint)

    def renumber(self, endpoint: str, above: int) -> int:
        with self._writing() as tx:
            return lists.renumber(tx, endpoint, above)

    def list_at(self, endpoint: str, time: datetime) -> Desired | None:
        with self._reading() as tx:
            found = audit.list_at(tx, endpoint, ms(time))
            if found is not None:
                return found
            newest = lists.desired(tx, endpoint)  # of a database that was older than its audit
            return newest if newest is not None and newest.since <= time else None

    def moved(self, room: str, calendar: str) -> None:
        with self._writing() as tx:
            claims.relane(tx, "refresh", room, calendar)
            audit.note(tx, "reading", f"room:{room}", "moved", said=audit.Said(why=f"its mailbox is on {calendar}"))

    # readings kept for replay -------------------------------------------------------------------------------------

    def standing(self, room: str) -> Standing:
        with self._reading_once() as tx:
            return brakes.standing(tx, room)

    def keep_reading(self, reading: Complete | Empty, *, bodies: bool = True, known: str = "") -> bool:
        texts: dict[bytes, str] = {}
        found = {self._digests.of(meeting, bodies=bodies, texts=texts): meeting for meeting in reading.meetings}
        if known and known == keeping.digest_of(found):
            return False
        made = keeping.sealed(self._vault, reading.room, texts)  # before the transaction, which others wait for
        with self._writing() as tx:
            return keeping.keep(tx, reading, found, made, bodies=bodies)

    def readings(self, room: str, since: datetime, until: datetime) -> tuple[ReadingMark, ...]:
        with self._reading_once() as tx:
            return keeping.marks(tx, room, ms(since), ms(until))

    def reading(self, id: str) -> KeptReading:
        with self._reading() as tx:
            return keeping.load(tx, id)

    def last_reading(self, room: str) -> KeptReading | None:
        with self._reading() as tx:
            return keeping.load_latest(tx, room)

    def sightings(self, room: str) -> tuple[Sighting, ...]:
        with self._reading() as tx:
            return keeping.sightings(tx, room)

    def unchanged(self, reading: Complete | Empty, *, bodies: bool = True) -> frozenset[str]:
        with self._reading_once() as tx:
            known = keeping.digests_of_latest(tx, reading.room)
        return frozenset(m.id for m in reading.meetings if self._digests.of(m, bodies=bodies) in known)

    def tidy(self, keep: timedelta, *, audited: timedelta = AUDIT_KEPT) -> bool:
        with self._writing() as tx:
            alerting.tidy(tx, keep)
            imported.tidy(tx, keep)
            questions.drop_old(tx)
            readings_left = keeping.tidy(tx, keep)
            return audit.tidy(tx, keep, audited) or readings_left

    def add_work(self, kind: WorkKind, name: str, lane: str) -> None:
        with self._in_turn() as tx:
            claims.ensure(tx, kind, name, lane)

    # change notifications -----------------------------------------------------------------------------------------

    def subscription(self, room: str) -> Subscription | None:
        with self._reading_once() as tx:
            return subscriptions.subscription(tx, room)

    def put_subscription(self, subscription: Subscription) -> None:
        with self._writing() as tx:
            subscriptions.put(tx, subscription)

    def renewed(self, subscription: Subscription) -> None:
        with self._writing_once() as tx:
            subscriptions.renewed(tx, subscription)

    def unsubscribed(self, room: str) -> None:
        with self._writing() as tx:
            subscriptions.drop(tx, room)
            claims.drop(tx, "subscribe", [room])

    def drop_subscription(self, room: str) -> None:
        with self._writing_once() as tx:
            subscriptions.drop(tx, room)

    def notified(self, notices: Iterable[ChangeNotice]) -> int:
        with self._writing() as tx:
            return subscriptions.notified(tx, notices)

    def subscribed(self) -> Mapping[str, int]:
        with self._reading_once() as tx:
            return subscriptions.count(tx)

    # the brake ----------------------------------------------------------------------------------------------------

    def emptying(
        self, room: str, calendar: str, parts: tuple[tuple[str, tuple[Booking, ...]], ...]
    ) -> tuple[Emptied, ...]:
        with self._writing() as tx:
            return brakes.emptying(tx, room, calendar, parts)

    def filled(self, room: str) -> None:
        with self._writing() as tx:
            brakes.filled(tx, room)

    def brakes(self) -> tuple[Brake, ...]:
        with self._reading() as tx:
            return brakes.held(tx)

    def let_go(self, calendar: str, *, why: str = "") -> int:
        with self._writing() as tx:
            return brakes.let_go(tx, calendar, why)

    def put_ruling(self, ruling: SavedRuling, *, held_for: tuple[int, str] | None = None, frozen: bool = False) -> None:
        with self._in_turn() as tx:
            brakes.put_ruling(tx, ruling, held_for=held_for, frozen=frozen)

    def ruling(self, state: Literal["force", "held"]) -> SavedRuling | None:
        with self._reading_once() as tx:
            return brakes.ruling_in(tx, state)

    def is_refused(self, digest: str) -> bool:
        with self._reading_once() as tx:
            return brakes.is_refused(tx, digest)

    def release_rules(self, *, why: str = "") -> bool:
        with self._in_turn() as tx:
            return brakes.release_rules(tx, why)

    def revert_rules(self, *, why: str = "") -> SavedRuling | None:
        with self._in_turn() as tx:
            return brakes.revert_rules(tx, why)

    # the audit ----------------------------------------------------------------------------------------------------

    def note_act(self, thing: str, word: str, *, why: str = "") -> None:
        with self._writing_once() as tx:
            audit.act(tx, thing, word, why)

    def audit(
        self,
        things: Collection[str] = (),
        *,
        kinds: Collection[AuditKind] = (),
        since: datetime = EPOCH,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> tuple[AuditLine, ...]:
        with self._reading() as tx:
            end = tx.clock() if until is None else ms(until)
            return audit.lines(tx, things, kinds, ms(since), end, limit)

    # alerts -------------------------------------------------------------------------------------------------------

    def watched(self, before: timedelta, after: timedelta) -> tuple[EndpointState, ...]:
        with self._reading() as tx:
            return watching.watched(tx, before, after)

    def joinless(self, before: timedelta, after: timedelta) -> tuple[Joinless, ...]:
        with self._reading() as tx:
            return watching.joinless(tx, before, after)

    def settle_alerts(
        self, found: Sequence[Alert], channels: Iterable[str], notes: Mapping[tuple[str, str], str]
    ) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
        with self._reading_once() as tx:
            if alerting.is_settled(tx, found):
                return (), ()
        with self._in_turn() as tx:
            return alerting.settle(tx, found, channels, notes)

    def alerts(self, *, cleared: bool = False) -> tuple[AlertState, ...]:
        with self._reading_once() as tx:
            return alerting.states(tx, cleared=cleared)

    def untold(self, channel: str, limit: int) -> tuple[Notice, ...]:
        with self._reading_once() as tx:
            return alerting.untold(tx, channel, limit)

    def told(self, channel: str, ids: Sequence[str]) -> None:
        with self._writing_once() as tx:
            alerting.told(tx, channel, ids)

    def put_expiry(self, expiry: Expiry) -> None:
        with self._in_turn() as tx:
            alerting.put_expiry(tx, expiry)

    def expiries(self) -> tuple[Expiry, ...]:
        with self._reading_once() as tx:
            return alerting.known_expiries(tx)

    # delivery -----------------------------------------------------------------------------------------------------

    def endpoint(self, name: str) -> EndpointState:
        with self._reading_once() as tx:
            return receipts.endpoint_state(tx, name)

    def sending(self, endpoint: str, verb: Verb, revision: int, relay: str, *, ask: str = "") -> int:
        if ask:
            with self._writing() as tx:
                sequence = receipts.sending(tx, endpoint, verb, revision, relay)
                questions.carried(tx, endpoint, ask, sequence)
                return sequence
        if verb == "read":
            with self._writing_once() as tx:
                return receipts.sending(tx, endpoint, verb, revision, relay)
        with self._writing() as tx:
            receipts.note_sent(tx, endpoint, verb, revision, relay)
            return receipts.sending(tx, endpoint, verb, revision, relay)

    def placing(self, endpoint: str, revision: int, relay: str) -> int:
        with self._writing() as tx:
            placements.sent(tx, endpoint, relay, revision)
            receipts.note_sent(tx, endpoint, "put", revision, relay)
            return receipts.sending(tx, endpoint, "put", revision, relay)

    def set_login(self, endpoint: str, password_hash: str) -> None:
        with self._writing() as tx:
            placements.set_login(tx, endpoint, password_hash)

    def apply(self, receipt: Receipt) -> EndpointState | None:
        with self._applying() as tx:
            return receipts.apply(tx, receipt)

    def give_up(self, endpoint: str) -> None:
        with self._writing() as tx:
            receipts.give_up(tx, endpoint)

    def kept_secret(self, name: str, make: Callable[[], str]) -> str:
        with self._in_turn() as tx:
            return kept.secret(tx, name, make)

    def heard(self, hello: Hello) -> bool:
        with self._applying() as tx:
            return receipts.heard(tx, hello)

    def restarted(self, pool: str, endpoints: Collection[str]) -> None:
        with self._writing() as tx:
            learning.restarted(tx, pool, endpoints)

    def rests(self, hello: Hello) -> bool:
        with self._reading() as tx:
            return receipts.rests(tx, hello)

    # questions ----------------------------------------------------------------------------------------------------

    def ask(self, endpoints: Collection[str], key: str, *, within: timedelta, anew: bool = False) -> None:
        with self._writing() as tx:
            questions.ask(tx, endpoints, key, within, anew=anew)

    def answers(self, key: str) -> Mapping[str, Receipt]:
        with self._reading_once() as tx:
            if not questions.are_answered(tx, key):
                return {}
        with self._writing_once() as tx:
            return questions.answers(tx, key)

    def withdraw(self, key: str, endpoints: Collection[str]) -> Mapping[str, Question]:
        with self._writing_once() as tx:
            return questions.withdraw(tx, key, endpoints)

    # looking ------------------------------------------------------------------------------------------------------

    def rooms(self) -> tuple[RoomState, ...]:
        with self._reading_once() as tx:
            return lists.room_states(tx)

    def endpoints(self) -> tuple[EndpointState, ...]:
        with self._reading_once() as tx:
            return receipts.endpoint_states(tx)

    def relays(self) -> tuple[RelayState, ...]:
        with self._reading_once() as tx:
            return receipts.relay_states(tx)

    def reach(self) -> tuple[Reach, ...]:
        with self._reading_once() as tx:
            return reaching.all_known(tx)

    def work(self) -> tuple[WorkState, ...]:
        with self._reading_once() as tx:
            return claims.states(tx)

    def lanes(self) -> tuple[LaneState, ...]:
        with self._reading_once() as tx:
            return claims.lane_states(tx)

    def unsettled(self, limit: int) -> tuple[EndpointState, ...]:
        with self._reading() as tx:
            return watching.unsettled(tx, limit)

    def counts(self) -> Counts:
        with self._reading() as tx:
            return counting.counts(tx)

    def close(self) -> None:
        self._database.close()
