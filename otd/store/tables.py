"""The tables, and how times are written in them.

Every time is a whole number of milliseconds since 1970, UTC: the same on both databases, sorted and added up by the
database itself. 0 stands for "not leased" and "not paused"; NULL for "never". Sealed columns are bytes that only
`vault.Vault` opens; everything else may be read by whoever looks after the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    true,
)

from otd.model import EPOCH

HEAD = "0019"  # the migration that makes exactly these tables; a test compares. Numbers, so that newer is greater
VERSION_TABLE = "otd_version"

LONGEST = timedelta(days=36_500)  # "never" for whoever adds it to now; keeps sums within what a datetime can say

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "ix": "%(table_name)s_%(column_0_name)s",
    }
)

meta = Table(
    "meta", metadata, Column("name", String(64), primary_key=True), Column("value", LargeBinary, nullable=False)
)

lanes = Table(
    "lanes",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("cap", Integer, nullable=False),
    Column("paused_until", BigInteger, nullable=False, default=0),
    Column("why", Text, nullable=False, default=""),
    # What follows is of lanes whose cap finds its size, see otd.pacing.
    Column("first", Integer, nullable=False, default=0, server_default="0"),  # the cap that the settings begin with
    Column("most", Integer, nullable=False, default=0, server_default="0"),  # 0: the cap is fixed
    Column("good", Integer, nullable=False, default=0, server_default="0"),
    Column("bad", Integer, nullable=False, default=0, server_default="0"),
    Column("asked", BigInteger, nullable=False, default=0, server_default="0"),
    Column("day", Integer, nullable=False, default=0, server_default="0"),
    Column("budget", BigInteger, nullable=False, default=0, server_default="0"),
)

work = Table(
    "work",
    metadata,
    Column("key", String(128), primary_key=True),  # kind:name
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("lane", String(128), ForeignKey("lanes.name"), nullable=False),
    Column("due", BigInteger, nullable=False),
    # The generation: when the hints that came since the claim want it to run again; NULL when none came, 0 for a retry.
    Column("again", BigInteger),
    Column("owner", String(200), nullable=False, default=""),
    Column("token", BigInteger, nullable=False, default=0),  # grows with every claim and every lease taken away
    Column("lease", BigInteger, nullable=False, default=0),  # its length
    Column("lease_until", BigInteger, nullable=False, default=0),
    # Whether whoever has the lease may still ask what the lane stands for; the lane's cap counts those alone.
    Column("asks", Boolean, nullable=False, default=True, server_default=true()),
    Column("attempt", Integer, nullable=False, default=0),
    Column("parked", Boolean, nullable=False, default=False),
    Column("error", Text, nullable=False, default=""),
    Column("code", String(64), nullable=False, default=""),
    Column("mend", Text, nullable=False, default=""),
    Column("failing_since", BigInteger),
)
Index("work_due", work.c.due, work.c.key)
Index("work_lane_due", work.c.lane, work.c.due)
Index("work_lane_lease", work.c.lane, work.c.lease_until)

rooms = Table(
    "rooms",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("room", Text, nullable=False),
    Column("read_at", BigInteger),
    Column("meetings", Integer, nullable=False, default=0),
    Column("problems", LargeBinary),  # sealed: file names can be subjects
    Column("failing_since", BigInteger),
    Column("error", Text, nullable=False, default=""),
    Column("code", String(64), nullable=False, default=""),
    Column("mend", Text, nullable=False, default=""),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("endpoint", LargeBinary, nullable=False),  # sealed
    Column("removed", Boolean, nullable=False, default=False),
    Column("leaving", LargeBinary),  # sealed: the endpoint as it was configured where a `forget` is still owed
    Column("leaving_since", BigInteger),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("digest", String(128), nullable=False, default=""),
    Column("desired", LargeBinary),  # sealed
    Column("desired_since", BigInteger),
    Column("desired_after", BigInteger),  # when its room was read before, and did not say so yet
    Column("sequence", BigInteger, nullable=False, default=0),  # of the last delivery
    Column("sent_verb", String(16), nullable=False, default=""),
    Column("sent_revision", BigInteger, nullable=False, default=0),
    Column("sent_at", BigInteger),  # NULL: nothing was ever sent
    Column("sent_relay", String(64), nullable=False, default=""),
    Column("confirmed_revision", BigInteger, nullable=False, default=0),
    Column("confirmed_at", BigInteger),
    Column("applied_revision", BigInteger, nullable=False, default=-1),
    Column("applied_sequence", BigInteger, nullable=False, default=-1),
    Column("applied_counter", BigInteger, nullable=False, default=-1),
    Column("receipt", LargeBinary),  # sealed
    Column("outcome", String(16), nullable=False, default=""),  # the receipt's
    Column("failures", Integer, nullable=False, default=0),
    Column("retried_sequence", BigInteger),  # of the last delivery that had gone out when failures were set to zero
    Column("difference", String(64), nullable=False, default=""),  # what last differed, as a digest
    Column("same_difference", Integer, nullable=False, default=0),
    Column("failing_since", BigInteger),
    Column("unreachable_from", Text, nullable=False, default="[]"),
)

parts = Table(
    "parts",  # one row for every room that an endpoint shows, from the moment both are configured
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("room", String(64), ForeignKey("rooms.name", ondelete="CASCADE"), primary_key=True, index=True),
    Column("bookings", LargeBinary),  # sealed; NULL: never read
    Column("starts", Text, nullable=False, default="[]"),  # when they start, so that who meets soon can go first
    # Of each booking its start, platform and reason, and no more: what is counted and watched without opening a list.
    Column("summary", Text, nullable=False, default="[]", server_default="[]"),
)

relays = Table(
    "relays",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("pool", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("leaving", Boolean, nullable=False),
    Column("clock_offset", BigInteger, nullable=False),
    Column("clone_started_at", BigInteger),  # a second process under its identity, which came later and rests
    Column("clone_seen", BigInteger),
)

learned = Table(
    "learned",  # what receipts teach of an endpoint beside its list
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("facts", LargeBinary),  # sealed
    Column("overwrites", Integer, nullable=False, default=0),
    Column("confirmed_by", String(64)),
    Column("disputed_by", String(130)),  # who saw it in place, and who did not
    Column("disputed_at", BigInteger),
    Column("disputed_sequence", BigInteger),
    Column("restarted_sequence", BigInteger),
    Column("pin", String(71)),  # of the certificate that the endpoint is known by; of a kind, an address and a trust
    Column("unpinned_sequence", BigInteger),  # of the last delivery that went to where it was before
    Column("found", String(32), nullable=False, default=""),
    Column("found_at", BigInteger),
    Column("reason", String(32), nullable=False, default=""),  # the last receipt's
    Column("credential", String(64), nullable=False, default=""),  # its name
    Column("refused_at", BigInteger),
    Column("accepted_at", BigInteger),
)

reaching = Table(
    "reaching",  # which relay reached which endpoint when, and which did not
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("relay", String(64), primary_key=True),
    Column("reached_at", BigInteger),
    Column("missed_at", BigInteger),
    Column("why", Text, nullable=False, default=""),
)

questions = Table(
    "questions",  # what people at a terminal ask of endpoints, for as long as they wait
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("anew", Boolean, nullable=False),
    Column("until", BigInteger, nullable=False),  # nobody waits for an answer any more
    Column("sequence", BigInteger),  # of the last delivery that carried it; NULL: it is to go out
    Column("receipt", LargeBinary),  # sealed
    Column("settled", Boolean, nullable=False, default=False),  # no other relay is to answer
)

modes = Table(
    "modes",  # pools that were cut over: how they are run, whatever the settings say
    metadata,
    Column("pool", String(128), primary_key=True),
    Column("mode", String(16), nullable=False),
)

subscriptions = Table(
    "subscriptions",  # rooms whose changes Exchange Online tells of
    metadata,
    Column("room", String(64), ForeignKey("rooms.name", ondelete="CASCADE"), primary_key=True),
    Column("id", String(128), nullable=False, index=True),
    Column("client_state", LargeBinary, nullable=False),  # sealed: by it a notification is known to be Graph's
    Column("since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("renew", Boolean, nullable=False, default=False),  # Graph asked for it
    Column("hinted_at", BigInteger, nullable=False, default=0),
)

placements = Table(
    "placements",  # what each relay holds for an endpoint that fetches its list
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("relay", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("at", BigInteger),  # NULL: it is to be given it anew
    Column("sent_revision", BigInteger, nullable=False, default=0),
    Column("sent_at", BigInteger),
)

fetches = Table(
    "fetches",  # what an endpoint that fetches was last given
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("relay", String(64), nullable=False),
)

logins = Table(
    "logins",  # of endpoints that fetch
    metadata,
    Column("endpoint", String(64), ForeignKey("endpoints.name", ondelete="CASCADE"), primary_key=True),
    Column("password_hash", LargeBinary, nullable=False),  # sealed, though it is a salted hash
)

contents = Table(
    "contents",  # a meeting as some kept reading of its room holds it, once for as long as it stays the same
    metadata,
    Column("room", String(64), primary_key=True),
    Column("digest", LargeBinary(16), primary_key=True),  # keyed: it tells nothing about what it is of
    Column("content", LargeBinary, nullable=False),  # sealed
    Column("used_at", BigInteger, nullable=False, index=True),  # when a reading with it was last kept, or superseded
)

readings = Table(
    "readings",  # a row for each time that a room's meetings had changed
    metadata,
    Column("room", String(64), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("meetings", LargeBinary, nullable=False),  # the digests of its contents, one after the other
    Column("window_start", BigInteger, nullable=False),
    Column("window_end", BigInteger, nullable=False),
)
Index("readings_at", readings.c.at)

imported = Table(
    "imported",  # readings of other installations, as they were exported there
    metadata,
    Column("id", String(96), primary_key=True),
    Column("room", String(64), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("meetings", Integer, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),  # keyed, of the document
    Column("document", LargeBinary, nullable=False),  # sealed
    Column("imported_at", BigInteger, nullable=False),
)

emptied = Table(
    "emptied",  # rooms that went from bookings to none a short while ago, or would have, had the brake not held them
    metadata,
    Column("room", String(64), ForeignKey("rooms.name", ondelete="CASCADE"), primary_key=True),
    Column("calendar", String(64), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("held", Boolean, nullable=False, default=False),
    Column("before", LargeBinary, nullable=False),  # sealed: what its endpoints showed of it until then
)

brakes = Table(
    "brakes",
    metadata,
    Column("name", String(64), primary_key=True),  # a calendar, or "rules"
    Column("since", BigInteger),  # NULL: it holds nothing
    Column("things", Integer, nullable=False, default=0),
    Column("why", Text, nullable=False, default=""),
    Column("open_until", BigInteger, nullable=False, default=0),
)

rulings = Table(
    "rulings",  # what decides dial strings: in force, held by the brake, refused by a person, or formerly in force
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("state", String(16), nullable=False, index=True),  # force | held | refused | past
    Column("since", BigInteger, nullable=False),
    Column("frozen", Boolean, nullable=False, default=False),
    Column("ruling", LargeBinary, nullable=False),  # sealed
)

pairings = Table(
    "pairings",  # relays that ask to be let in, until a while after their time is over
    metadata,
    Column("id", String(64), primary_key=True),
    Column("code", String(16), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("address", String(64), nullable=False, index=True),
    Column("host", String(255), nullable=False),
    Column("version", String(64), nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("administrator", String(128), nullable=False, default=""),
    Column("name", String(64), nullable=False, default=""),
    Column("pool", String(64), nullable=False, default=""),
    Column("centre_nonce", LargeBinary),
    Column("relay_nonce", LargeBinary),
    Column("signing_key", String(64)),
    Column("sealing_key", String(64)),
    Column("challenge", LargeBinary),
)

wrong_codes = Table(
    "wrong_codes",
    metadata,
    Column("administrator", String(128), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
)

members = Table(
    "members",  # relays that were let in, by pairing or by hand
    metadata,
    Column("relay", String(64), primary_key=True),
    Column("pool", String(64), nullable=False),
    Column("signing_key", String(64), nullable=False),
    Column("sealing_key", String(64), nullable=False),
    Column("admitted_at", BigInteger, nullable=False),
    Column("admitted_by", String(128), nullable=False),
    Column("by_hand", Boolean, nullable=False, default=False),
    Column("wanted_at", BigInteger),  # when a (new) password was asked for
    Column("password_at", BigInteger),
    Column("identity", LargeBinary),  # sealed for the relay, which alone can open it
    Column("revoked_at", BigInteger),
    Column("removed_at", BigInteger),
    Column("maintenance", Boolean, nullable=False, default=False),
    Column("maintenance_why", Text, nullable=False, default=""),
)
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # grows with every row
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("thing", String(80), nullable=False),
    Column("word", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("relay", String(64), nullable=False, default=""),
    Column("who", String(64), nullable=False, default=""),  # of an act: the user of the operating system
    Column("content", LargeBinary),  # sealed
)
Index("audit_thing_at", audit.c.thing, audit.c.at)
Index("audit_at", audit.c.at)

alerts = Table(
    "alerts",  # one row for each key that was ever raised and is not forgotten yet
    metadata,
    Column("cause", String(64), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("detail", Text, nullable=False),
    Column("mend", Text, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger, index=True),  # NULL: it stands
    Column("note", Text, nullable=False, default=""),
    Column("times", Integer, nullable=False, default=1),
)

notices = Table(
    "notices",  # the outbox: what is to be told, by each channel in its order
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("notice", Text, nullable=False),
)

expiries = Table(
    "expiries",  # what is known to run out, and when
    metadata,
    Column("cause", String(64), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("at", BigInteger, nullable=False),
)


def ms(time: datetime) -> int:
    """A time as the tables write it."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def span(length: timedelta) -> int:
    """A length of time as the tables write it, rounded up: not negative, and no sum with it leaves the calendar."""
    return -(-min(max(length, timedelta(0)), LONGEST) // timedelta(milliseconds=1))


def at(milliseconds: int) -> datetime:
    """The time that the tables write so."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def at_or_none(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else at(milliseconds)
