"""Opening a database, its transactions, its clock, and what its errors mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    create_engine,
    event,
    inspect,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from otd.errors import BadSetting, OtdError, Unreachable
from otd.ports import Clock
from otd.store.tables import HEAD, VERSION_TABLE, metadata, ms

# Milliseconds since 1970 by the database's own clock. Both are constant within one statement, so an index serves.
_NOW = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)",
}
_IN_TURN = 0x07D0_57E0  # any number: the name of PostgreSQL's advisory lock for what processes do in turn
_BUSY = 5.0  # seconds that SQLite waits for another process; `?timeout=` in the url says otherwise

# PostgreSQL: a server that is gone, or a statement that hangs, holds a thread no longer than this.
_POSTGRES: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000",
}


class Database:
    """An opened database whose tables are those of this version.

    `reading` and `writing` are one transaction each, safe from several threads; `now` is the time as a part of
    statements. Raises BadSetting when opening needs a
    person (not there, not writable, not a database, newer than this OTD, in use), Unreachable when it may pass.
    """

    def __init__(self, url: str, *, password: str = "", migrate: bool, exclusive: bool, clock: Clock | None) -> None:
        self.url = _understood(url)
        if password:
            self.url = self.url.set(password=password)
        self.where = f"the database {self.url.render_as_string(hide_password=True)}"
        self.now = _now(self.url, clock)
        self._sqlite = self.url.get_backend_name() == "sqlite"
        self.turns = _Turns()
        self._held = _hold(self.url.database or "", self.where) if self._sqlite and exclusive else -1
        try:
            if self._sqlite:
                _create_private(self.url.database or "", self.where, may_create=migrate)
            self._engine = _engine(self.url, sqlite=self._sqlite, where=self.where)
            self._quick = _engine(self.url, sqlite=self._sqlite, where=self.where, lasting=False)
            self._writes = self._engine.execution_options(otd_begin="BEGIN IMMEDIATE")
            # One statement needs no transaction around it: on PostgreSQL that saves two of three round trips.
            alone = {"otd_begin": ""} if self._sqlite else {"isolation_level": "AUTOCOMMIT"}
            self._alone = self._engine.execution_options(**alone)
            self._quick_alone = self._quick.execution_options(**alone)
            self._quick_writes = self._quick.execution_options(otd_begin="BEGIN IMMEDIATE")
            # A crash of PostgreSQL leaves workers alive, so that it must not forget which claims they hold.
            self._leases = self._quick_writes if self._sqlite else self._writes
            self._look_after_tables(migrate)
            if self._sqlite and migrate:
                self._use_wal()
        except Unreachable as error:
            self.close()
            if self._sqlite:  # waiting does not help a command that is just starting
                raise BadSetting(error.where, error.why, error.mend) from None
            raise
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, and changes nothing."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may change something. SQLite: one at a time in this process, waiting in line."""
        with self._explained(), self._turn(), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def applying(self) -> Iterator[Connection]:
        """The same for what relays say: it goes before the other writers that wait. Whatever is sent out is answered,
        so that were answers to wait behind what is sent, they would come too late, and more would be sent."""
        with self._explained(), self._turn(first=True), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def leasing(self) -> Iterator[Connection]:
        """The same for claims, which nobody misses that a power cut has ended: SQLite need not wait for the disk. It
        goes before the other writers that wait, since it lets the next work begin."""
        with self._explained(), self._turn(first=True), self._leases.begin() as connection:
            yield connection

    @contextmanager
    def settling(self) -> Iterator[Connection]:
        """A transaction for what `quickly` is for."""
        with self._explained(), self._turn(), self._quick_writes.begin() as connection:
            yield connection

    @contextmanager
    def in_turn(self) -> Iterator[Connection]:
        """A writing transaction that only one process has at a time: for what is inserted unless it is there."""
        with self.writing() as connection:
            if not self._sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _IN_TURN})
            yield connection

    def _turn(self, *, first: bool = False) -> AbstractContextManager[None]:
        return self.turns.taken(first=first) if self._sqlite else nullcontext()

    @contextmanager
    def reading_once(self) -> Iterator[Connection]:
        """For one statement that changes nothing."""
        with self._explained(), self._alone.begin() as connection:
            yield connection

    @contextmanager
    def writing_once(self) -> Iterator[Connection]:
        """For one statement, or several that need not happen together."""
        with self._explained(), self._turn(), self._alone.begin() as connection:
            yield connection

    @contextmanager
    def quickly(self) -> Iterator[Connection]:
        """The same for what only costs time when a crash of the database, or a power cut, undoes it: hints, and how
        work goes on. It does not wait for the disk."""
        with self._explained(), self._turn(), self._quick_alone.begin() as connection:
            yield connection

    def close(self) -> None:
        for engine in ("_engine", "_quick"):
            if hasattr(self, engine):
                getattr(self, engine).dispose()
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def _look_after_tables(self, migrate: bool) -> None:
        with self.in_turn() if migrate else self.reading() as connection:
            found = _version(connection, self.where)
            if found == HEAD:
                return
            if found > HEAD:
                raise BadSetting(
                    self.where,
                    f"it was written by a newer OTD (tables {found}, this one knows {HEAD})",
                    "run that version, or restore the backup made before the upgrade",
                )
            if not migrate:
                raise BadSetting(self.where, "its tables are not those of this version", "start `otd run` once")
            _upgrade(connection)

    def _use_wal(self) -> None:
        """Readers and a writer at the same time; stays so for ever. It cannot be said within a transaction."""
        with self._explained(), self._alone.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout:
            raise Unreachable(self.where, "no connection became free within 30 seconds") from None
        except DBAPIError as error:
            explained = _meaning(error, self.where)
            if explained is None:
                raise
            raise explained from None


def _understood(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadSetting("the database's url", "it cannot be read", "sqlite:///otd.db, for example") from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in _NOW:
        raise BadSetting(
            "the database's url",
            f"{parsed.get_backend_name()!r} is not a database that OTD knows",
            "use sqlite:///FILE or postgresql://USER@HOST/NAME",
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise BadSetting("the database's url", "it names no file", "sqlite:///otd.db, for example")
    return parsed


def _now(url: URL, clock: Clock | None) -> ColumnElement[int]:
    """The time, as a part of statements: by the database's clock, or by the one that was handed in."""
    if clock is None:
        return literal_column(_NOW[url.get_backend_name()], BigInteger)
    return bindparam("now", callable_=lambda: ms(clock.now()), type_=BigInteger)


def _hold(path: str, where: str) -> int:
    """A lock that the operating system lets go of when this process ends, however it ends."""
    import fcntl

    try:
        held = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(where, error) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        other = os.read(held, 20).decode("ascii", "replace").strip()
        os.close(held)
        raise BadSetting(
            where,
            f"it is in use by another `otd run` (process {other})" if other else "it is in use by another `otd run`",
            "stop that one first; two hosts or processes need PostgreSQL",
        ) from None
    os.ftruncate(held, 0)
    os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
    return held


def _create_private(path: str, where: str, *, may_create: bool) -> None:
    """Make the file readable for its owner only; SQLite gives its journal the same rights."""
    if path.startswith("file:"):
        return
    if not may_create and not os.path.exists(path):
        raise BadSetting(where, "there is no such database yet", "start `otd run` once, or look in its folder")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unusable(where, error) from None


def _unusable(where: str, error: OSError) -> BadSetting:
    return BadSetting(
        where,
        f"it cannot be opened for writing: {error.strerror}",
        "the folder must exist, and it and the file must belong to the user that runs otd",
    )


class _Turns:
    """SQLite has one writer at a time, and this process lets no more than that ask for it. Who is to go `first` waits
    for whoever writes just now, and for one more at the most: two who go first do not follow each other while others
    wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = self._was_first = False
        self._waiting = {True: 0, False: 0}

    @property
    def waiting(self) -> int:
        """How many writers wait."""
        with self._changed:
            return sum(self._waiting.values())

    @contextmanager
    def taken(self, *, first: bool) -> Iterator[None]:
        with self._changed:
            self._waiting[first] += 1
            try:
                self._changed.wait_for(lambda: not self._busy and first is self._is_firsts_turn())
            finally:
                self._waiting[first] -= 1
            self._busy, self._was_first = True, first
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _is_firsts_turn(self) -> bool:
        return self._waiting[True] > 0 and not (self._was_first and self._waiting[False])


def _engine(url: URL, *, sqlite: bool, where: str, lasting: bool = True) -> Any:
    """Not `lasting`: a commit does not wait for the disk. A lasting one that comes later takes it along."""
    arguments: dict[str, Any] = {} if "timeout" in url.query else {"timeout": _BUSY}
    if not sqlite:
        options = _POSTGRES["options"] + ("" if lasting else " -c synchronous_commit=off")
        arguments = _POSTGRES | {"options": options}
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            pool_size=8 if lasting else 4,
            max_overflow=8 if lasting else 4,
            pool_timeout=30,
            pool_reset_on_return=None,  # every transaction ends where it began
            hide_parameters=True,  # values are never part of an error's text
        )
    except ImportError:
        raise BadSetting(where, "psycopg is not installed", "pip install 'one-touch-dial[postgres]'") from None
    if sqlite:
        event.listen(engine, "connect", _sqlite_connected if lasting else _sqlite_connected_quickly)
        event.listen(engine, "begin", _sqlite_begun)
    return engine


def _sqlite_connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _sqlite_begun says so, not where the driver guesses
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _sqlite_connected_quickly(connection: Any, record: object) -> None:
    _sqlite_connected(connection, record)
    connection.execute("PRAGMA synchronous = NORMAL")  # whole after a power cut, without the last of what it did


def _sqlite_begun(connection: Connection) -> None:
    # A writer takes the lock before it reads: what it read is then still so when it writes.
    begin = connection.get_execution_options().get("otd_begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def _version(connection: Connection, where: str) -> str:
    """The version of the tables; "" for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        versions = connection.execute(select(text(f"version_num FROM {VERSION_TABLE}"))).scalars().all()
        return max((str(version) for version in versions), default="")
    if tables & set(metadata.tables):
        raise BadSetting(where, "it holds another program's tables", "give OTD a database of its own")
    return ""


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "otd.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


_SQLITE_MEANING: dict[str, Callable[[str], OtdError]] = {
    "SQLITE_BUSY": lambda where: Unreachable(where, "another program holds it locked", "close that program"),
    "SQLITE_LOCKED": lambda where: Unreachable(where, "another program holds it locked", "close that program"),
    "SQLITE_FULL": lambda where: Unreachable(where, "the disk is full", "make room"),
    "SQLITE_IOERR": lambda where: Unreachable(where, "the disk cannot be read or written", "look at the disk"),
    "SQLITE_CANTOPEN": lambda where: BadSetting(where, "it cannot be opened", "check its path and its folder's rights"),
    "SQLITE_READONLY": lambda where: BadSetting(
        where, "it cannot be written", "the file and its folder must belong to the user that runs otd"
    ),
    "SQLITE_NOTADB": lambda where: BadSetting(where, "the file is not a database", "name another file"),
    "SQLITE_CORRUPT": lambda where: BadSetting(where, "the file is damaged", "restore a backup of it"),
    "SQLITE_AUTH": lambda where: BadSetting(where, "access to it is denied", "check its rights"),
}

# PostgreSQL says these with a state (when it runs) or only in words (when a connection is refused).
_REFUSALS: tuple[tuple[str, str, str, str], ...] = (
    ("28", "authentication failed", "the user or its password was refused", "check the user and the password"),
    ("28", "pg_hba.conf", "the server does not let this host or user in", "add a line to its pg_hba.conf"),
    ("3D", 'database "', "that database does not exist", "create it: createdb NAME"),
    ("28", 'role "', "that user does not exist", "create it: createuser NAME"),
    ("42501", "permission denied", "this user may not do that", "make it the owner of the database"),
)


def _meaning(error: DBAPIError, where: str) -> OtdError | None:
    """What a driver's error says to an administrator; None for one that is a mistake of ours."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        for start, meaning in _SQLITE_MEANING.items():
            if name.startswith(start):
                return meaning(where)
        return None
    state, words = getattr(error.orig, "sqlstate", None) or "", str(error.orig)
    for start, phrase, why, mend in _REFUSALS:
        if state.startswith(start) if state else phrase in words:
            return BadSetting(where, why, mend)
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        first = words.strip().splitlines()[0] if words.strip() else "no answer"
        return Unreachable(where, first[:200], "is the server running, and can it be reached from here?")
    return None
