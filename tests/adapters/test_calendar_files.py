"""A folder of invitations as a calendar: what it promises like every calendar, and what is its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from otd.calendars import files
from otd.calendars.files import MARKER, FilesCalendar, write_marker
from otd.calendars.files_folder import KEPT, ChangingError, content, folder_error, listing
from otd.errors import BadSetting, Denied, Garbled, Missing, Truncated, Unreachable
from otd.model import Complete, Empty, Failed, Meeting, Reading
from tests.contracts.calendar import DAY, HOUR, SOON, T0, WINDOW, CalendarContract, FixedClock, Planned, a_room
from tests.icalendar_text import ics, vevent
from tests.permissions import mode_bits_bind

ROOM = a_room("room1@example.com")
LONG_AGO = 1_700_000_000_000_000_000  # nanoseconds since 1970


def put(path: Path, data: bytes, age: int = 0) -> None:
    """A file as it is after nobody touched it for a while; `age` tells versions apart."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    os.utime(draft, ns=(LONG_AGO + age, LONG_AGO + age))
    draft.replace(path)


class TestFilesCalendar(CalendarContract):
    """Each meeting is a file of its own."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.base = tmp_path
        self.age = 0

    def make(self) -> FilesCalendar:
        return FilesCalendar("contract", self.base, clock=FixedClock())

    def lay(self, mailbox: str, *meetings: Planned) -> None:
        folder = self.base / mailbox
        write_marker(folder)
        for path in folder.glob("*.ics"):
            path.unlink()
        for meeting in meetings:
            self.age += 1
            put(folder / f"{meeting.key}.ics", as_ics(meeting), self.age)

    def break_down(self, mailbox: str) -> None:
        (self.base / mailbox / MARKER).unlink()


def as_ics(meeting: Planned) -> bytes:
    """The meeting as Outlook would send it."""
    answer = "DECLINED" if meeting.declined else "ACCEPTED"
    said = (
        f"ORGANIZER:mailto:{meeting.organizer}",
        f"ATTENDEE;CUTYPE=ROOM;PARTSTAT={answer}:mailto:room@example.com",
        f"LOCATION:{meeting.location}",
        f"X-ALT-DESC;FMTTYPE=text/html:{meeting.body.replace(';', chr(92) + ';')}",
        "CLASS:PRIVATE" if meeting.private else "CLASS:PUBLIC",
        f"X-MICROSOFT-CDO-BUSYSTATUS:{'TENTATIVE' if meeting.tentative else 'BUSY'}",
    )
    uid = f"{meeting.key}@example.com"

    def event(*more: str, start: datetime, end: datetime, **others: object) -> str:
        if meeting.all_day:
            zone = ZoneInfo(meeting.zone)
            days = (f";VALUE=DATE:{time.astimezone(zone):%Y%m%d}" for time in (start, end))
            return vevent(*said, *more, uid=uid, start=next(days), end=next(days), summary=meeting.subject)
        times = {"start": f"{start:%Y%m%dT%H%M%SZ}", "end": f"{end:%Y%m%dT%H%M%SZ}"}
        return vevent(*said, *more, uid=uid, summary=meeting.subject, **times, **others)  # type: ignore[arg-type]

    rule = (f"RRULE:FREQ=DAILY;COUNT={meeting.daily}",) if meeting.daily else ()
    events = [event(*rule, start=meeting.start, end=meeting.end)]
    if meeting.moved:
        instance = f"{meeting.start + DAY:%Y%m%dT%H%M%SZ}"
        end = meeting.moved + (meeting.end - meeting.start)
        events.append(event(start=meeting.moved, end=end, recurrence_id=instance))
    return ics(*events, method="CANCEL" if meeting.cancelled else "PUBLISH")


# what is its own ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_marker(tmp_path / ROOM.mailbox)
    return tmp_path / ROOM.mailbox


@pytest.fixture
def calendar(folder: Path) -> FilesCalendar:
    return FilesCalendar("files", folder.parent, clock=FixedClock())


def another(folder: Path) -> FilesCalendar:
    """As after a restart."""
    return FilesCalendar("files", folder.parent, clock=FixedClock())


def read(calendar: FilesCalendar) -> Reading:
    return calendar.read(ROOM, WINDOW, within=SOON)


def held(calendar: FilesCalendar) -> tuple[Meeting, ...]:
    reading = read(calendar)
    assert isinstance(reading, Complete | Empty), getattr(reading, "error", reading)
    assert reading.problems == ()
    return reading.meetings


def test_invitations_and_mails_lie_side_by_side(calendar: FilesCalendar, folder: Path) -> None:
    mail = EmailMessage()
    mail.set_content("hello")
    mail.add_alternative(ics(vevent(uid="m2", start="20261124T110000Z", end="20261124T120000Z")).decode(), "calendar")
    put(folder / "one.ics", ics(vevent()))
    put(folder / "Two.EML", mail.as_bytes())
    put(folder / "notes.txt", b"not an invitation")
    assert [m.uid for m in held(calendar)] == ["m1@example.com", "m2"]


def test_an_update_and_a_cancellation_are_put_beside_the_invitation(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "b-invitation.ics", ics(vevent(), method="REQUEST"))
    put(folder / "a-update.ics", ics(vevent(sequence=1, summary="Moved"), method="REQUEST"))
    assert [m.subject for m in held(calendar)] == ["Moved"]
    put(folder / "0-cancel.ics", ics(vevent(sequence=2, start="", end=""), method="CANCEL"))
    assert [m.cancelled for m in held(calendar)] == [True]
    (folder / "0-cancel.ics").unlink()
    assert [m.cancelled for m in held(calendar)] == [False]


def test_putting_an_invitation_there_accepts_it(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent("ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION:mailto:room1@example.com")))
    assert [m.response for m in held(calendar)] == ["accepted"]


# the folder -----------------------------------------------------------------------------------------------------------


def test_a_folder_without_its_marker_is_a_failed_read_that_names_the_mend(
    calendar: FilesCalendar, folder: Path
) -> None:
    put(folder / "x.ics", ics(vevent()))
    (folder / MARKER).unlink()
    reading = read(calendar)
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Missing)
    assert "otd rooms import" in reading.error.mend
    write_marker(folder)
    assert len(held(calendar)) == 1


def test_a_folder_that_may_not_be_read_is_denied(calendar: FilesCalendar, folder: Path) -> None:
    folder.chmod(0)
    try:
        with mode_bits_bind():
            reading = read(calendar)
    finally:
        folder.chmod(0o755)
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Denied)


def test_a_marker_that_is_there_stays_as_it_is(folder: Path) -> None:
    (folder / MARKER).write_text("mine")
    write_marker(folder)
    assert (folder / MARKER).read_text() == "mine"


@pytest.mark.parametrize("mailbox", ["", ".", "..", "../room1@example.com", "/etc", "a/b", "a\\b", ".hidden", "a\0b"])
def test_a_mailbox_that_is_no_name_of_a_folder_is_a_bad_setting(calendar: FilesCalendar, mailbox: str) -> None:
    reading = calendar.read(a_room(mailbox), WINDOW, within=SOON)
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, BadSetting)


def test_an_unknown_zone_is_a_bad_setting(calendar: FilesCalendar) -> None:
    reading = calendar.read(a_room(timezone="Europe/Nowhere"), WINDOW, within=SOON)
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, BadSetting)


def test_more_files_than_a_room_can_have_are_no_listing(folder: Path) -> None:
    for number in range(4):
        put(folder / f"{number}.ics", ics(vevent(uid=f"m{number}")))
    assert len(listing(folder, most=4).files) == 4
    with pytest.raises(Truncated, match="more than 3 files"):
        listing(folder, most=3)


@pytest.mark.parametrize(
    ("error", "meant"),
    [(PermissionError(13, "x"), Denied), (NotADirectoryError(20, "x"), Missing), (OSError(116, "Stale"), Unreachable)],
)
def test_what_the_system_says_of_a_folder_is_told_apart(folder: Path, error: OSError, meant: type[Exception]) -> None:
    assert isinstance(folder_error(folder, error), meant)


# files that cannot be read --------------------------------------------------------------------------------------------


def spoiled(folder: Path, data: bytes, age: int = 1) -> None:
    put(folder / "x.ics", data, age)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BEGIN:VCALENDAR",
        ics(vevent())[:-40],
        b"\x00\x01\x02\x03 not a calendar",
        b"Hello",
        ics(vevent(start="never")),
    ],
    ids=["empty", "head", "torn", "binary", "text", "no start"],
)
def test_a_file_that_was_spoiled_keeps_its_last_good_meetings_and_is_reported(
    calendar: FilesCalendar, folder: Path, data: bytes
) -> None:
    put(folder / "x.ics", ics(vevent()))
    put(folder / "y.ics", ics(vevent(uid="m2", start="20261124T110000Z", end="20261124T120000Z")))
    good = held(calendar)
    spoiled(folder, data)
    for one in (calendar, another(folder), calendar, another(folder)):
        reading = read(one)
        assert isinstance(reading, Complete)
        assert reading.meetings == good
        assert any(problem.startswith("x.ics: ") for problem in reading.problems)
    put(folder / "x.ics", ics(vevent(summary="Well again")), 2)
    assert held(calendar)[0].subject == "Well again"


def test_a_file_that_never_was_good_is_reported_and_hides_nothing(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "y.ics", ics(vevent()))
    spoiled(folder, b"Hello")
    reading = read(calendar)
    assert [m.uid for m in reading.meetings] == ["m1@example.com"]  # type: ignore[union-attr]
    assert isinstance(reading, Complete)
    assert reading.problems == ("x.ics: the calendar has no BEGIN:VCALENDAR",)


def test_a_mail_without_a_calendar_part_is_no_meeting(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.eml", b"Subject: x\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\nhello")
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert reading.problems == ("x.eml: it holds no calendar part",)


def test_of_a_file_with_a_meeting_that_cannot_be_read_the_others_are_taken_and_nothing_is_lost(
    calendar: FilesCalendar, folder: Path
) -> None:
    put(folder / "x.ics", ics(vevent(), vevent(uid="m2", start="20261124T110000Z", end="20261124T120000Z")))
    assert len(held(calendar)) == 2
    spoiled(folder, ics(vevent(summary="New"), vevent(uid="m2", start="never")))
    for one in (calendar, another(folder)):
        reading = read(one)
        assert isinstance(reading, Complete)
        assert [m.subject for m in reading.meetings] == ["New", "Weekly review"]
        assert any("left out" in problem for problem in reading.problems)


def test_a_deleted_file_is_gone_and_so_is_the_copy_of_it(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent()))
    held(calendar)
    assert [path.name for path in (folder / KEPT).iterdir()] == ["x.ics"]
    (folder / "x.ics").unlink()
    assert held(calendar) == ()
    assert list((folder / KEPT).iterdir()) == []


def test_a_file_that_was_deleted_while_nobody_looked_leaves_no_copy(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent()))
    held(calendar)
    (folder / "x.ics").unlink()
    put(folder / "y.ics", ics(vevent(uid="m2")))
    assert [m.uid for m in held(another(folder))] == ["m2"]
    assert [path.name for path in (folder / KEPT).iterdir()] == ["y.ics"]


def test_copies_are_for_nobody_elses_eyes(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent()))
    held(calendar)
    assert (folder / KEPT).stat().st_mode & 0o777 == 0o700
    assert (folder / KEPT / "x.ics").stat().st_mode & 0o777 == 0o600


def test_where_no_copies_can_be_kept_a_spoiled_file_of_unknown_past_fails_the_reading(
    calendar: FilesCalendar, folder: Path
) -> None:
    (folder / KEPT).write_text("in the way")
    put(folder / "x.ics", ics(vevent()))
    reading = read(calendar)
    assert isinstance(reading, Complete)
    assert any("no copies can be kept" in problem for problem in reading.problems)
    spoiled(folder, b"Hello")
    assert [m.uid for m in read(calendar).meetings] == ["m1@example.com"]  # type: ignore[union-attr]
    reading = read(another(folder))
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Garbled)
    assert "let OTD write" in reading.error.mend


def test_nothing_is_written_or_deleted_through_a_link_in_the_place_of_the_copies(
    calendar: FilesCalendar, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (folder / KEPT).symlink_to(elsewhere)
    put(folder / "x.ics", ics(vevent()))
    assert isinstance(read(calendar), Complete)
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]


def test_a_file_that_may_not_be_read_is_tried_again(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent()))
    (folder / "x.ics").chmod(0)
    with mode_bits_bind():
        reading = read(calendar)
    assert isinstance(reading, Empty)
    assert "cannot be read" in reading.problems[0]
    (folder / "x.ics").chmod(0o644)
    assert len(held(calendar)) == 1


# what else may lie there ----------------------------------------------------------------------------------------------


def test_a_link_that_leaves_the_folder_is_not_followed(calendar: FilesCalendar, folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "secret.ics", ics(vevent()))
    (folder / "x.ics").symlink_to(tmp_path / "secret.ics")
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert reading.problems == ("x.ics: is a link that leaves the folder; it is not followed",)


def test_a_link_inside_the_folder_is_followed_as_container_platforms_mount_files(
    calendar: FilesCalendar, folder: Path
) -> None:
    (folder / "..data").mkdir()
    put(folder / "..data" / "x.ics", ics(vevent()))
    (folder / "x.ics").symlink_to(Path("..data") / "x.ics")
    assert len(held(calendar)) == 1


def test_what_is_no_file_is_reported_and_blocks_nobody(calendar: FilesCalendar, folder: Path) -> None:
    (folder / "dir.ics").mkdir()
    os.mkfifo(folder / "pipe.ics")
    (folder / "dead.ics").symlink_to("nothing.ics")
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert reading.problems == (
        "dead.ics: is a link to nothing",
        "dir.ics: is not a file",
        "pipe.ics: is not a file",
    )


def test_a_huge_file_is_not_read(calendar: FilesCalendar, folder: Path) -> None:
    with open(folder / "x.ics", "wb") as file:
        file.truncate(files.formats.SIZE_LIMIT + 1)
    os.utime(folder / "x.ics", ns=(LONG_AGO, LONG_AGO))
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert "larger than 40 MiB" in reading.problems[0]


def test_a_name_in_odd_characters_is_reported_in_plain_ones(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / os.fsdecode(b"\xff\n\x1b[1m.ics"), b"Hello")
    (problem,) = read(calendar).problems  # type: ignore[union-attr]
    assert problem.encode().isascii()
    assert problem.isprintable()


def test_a_file_that_looks_the_same_is_not_read_again(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "m.ics", ics(vevent(uid="first")))
    assert [meeting.uid for meeting in held(calendar)] == ["first"]
    there = (folder / "m.ics").stat()
    with (folder / "m.ics").open("r+b") as file:  # the same file, size and time: only reading it would tell
        file.write(ics(vevent(uid="other")))
    os.utime(folder / "m.ics", ns=(there.st_atime_ns, there.st_mtime_ns))
    assert [meeting.uid for meeting in held(calendar)] == ["first"]
    os.utime(folder / "m.ics", ns=(there.st_atime_ns, there.st_mtime_ns + 1))
    assert [meeting.uid for meeting in held(calendar)] == ["other"]


def test_problems_are_not_listed_without_end(calendar: FilesCalendar, folder: Path) -> None:
    for number in range(60):
        put(folder / f"{number:02}.ics", b"Hello")
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert len(reading.problems) == 51
    assert reading.problems[-1] == "and 10 more"


# files that are being written -----------------------------------------------------------------------------------------


def test_a_fresh_file_is_waited_for(calendar: FilesCalendar, folder: Path) -> None:
    (folder / "x.ics").write_bytes(ics(vevent()))
    began = time.monotonic()
    assert len(held(calendar)) == 1
    assert time.monotonic() - began < 2


def test_a_file_under_another_name_until_it_is_complete_is_not_looked_at(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics.tmp", ics(vevent()))
    put(folder / ".x.ics", ics(vevent()))
    assert held(calendar) == ()


@pytest.fixture
def writer() -> Iterator[Callable[[Path, bytes], None]]:
    """Writes a file again and again, as somebody with a slow line would."""
    done = threading.Event()
    threads: list[threading.Thread] = []

    def write(path: Path, data: bytes) -> None:
        def keep_on() -> None:
            while not done.wait(0.02):
                path.write_bytes(data)

        path.write_bytes(data)
        threads.append(threading.Thread(target=keep_on))
        threads[-1].start()

    yield write
    done.set()
    for thread in threads:
        thread.join()


def test_a_file_that_somebody_goes_on_writing_waits_and_keeps_what_it_said(
    calendar: FilesCalendar, folder: Path, writer: Callable[[Path, bytes], None]
) -> None:
    put(folder / "x.ics", ics(vevent()))
    good = held(calendar)
    writer(folder / "x.ics", ics(vevent(summary="New"))[:50])
    for one in (calendar, another(folder)):
        reading = read(one)
        assert isinstance(reading, Complete)
        assert reading.meetings == good
        assert reading.problems == ("x.ics: is being written; it waits",)


def test_a_file_that_is_not_the_listed_one_any_more_is_not_taken_for_it(folder: Path) -> None:
    put(folder / "x.ics", ics(vevent()))
    listed = listing(folder).files["x.ics"]
    assert content(folder, "x.ics", listed) == ics(vevent())
    put(folder / "x.ics", ics(vevent(summary="New")), 1)
    with pytest.raises(ChangingError):
        content(folder, "x.ics", listed)
    with pytest.raises(ChangingError):
        content(folder, "x.ics", listing(folder).files["x.ics"]._replace(size=10))


def test_a_calendar_that_is_closed_waits_for_nobody(calendar: FilesCalendar, folder: Path) -> None:
    calendar.close()
    (folder / "x.ics").write_bytes(ics(vevent()))
    reading = read(calendar)
    assert isinstance(reading, Empty)
    assert reading.problems == ("x.ics: is being written; it waits",)


def test_one_room_is_read_by_one_reader_at_a_time_and_each_gets_all(calendar: FilesCalendar, folder: Path) -> None:
    for number in range(50):
        put(folder / f"{number}.ics", ics(vevent(uid=f"m{number}")))
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(held(calendar)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [50] * 4


def test_a_read_that_runs_out_of_time_goes_on_with_the_next(calendar: FilesCalendar, folder: Path) -> None:
    for number in range(300):
        put(folder / f"{number}.ics", ics(vevent(uid=f"m{number}", description="x" * 20_000)))
    readings = 0
    while isinstance(calendar.read(ROOM, WINDOW, within=timedelta(milliseconds=30)), Failed):
        readings += 1
        assert readings < 200
    assert readings > 0
    assert len(held(calendar)) == 300


def test_all_day_meetings_follow_the_zone_of_each_room_that_shares_a_folder(
    calendar: FilesCalendar, folder: Path
) -> None:
    put(folder / "x.ics", ics(vevent(start=";VALUE=DATE:20261125", end=";VALUE=DATE:20261126")))
    for zone in ("Europe/Oslo", "Asia/Tokyo"):
        reading = calendar.read(a_room(timezone=zone), WINDOW, within=SOON)
        assert isinstance(reading, Complete)
        assert reading.meetings[0].start == datetime(2026, 11, 25, tzinfo=ZoneInfo(zone))


def test_the_window_is_utc_and_so_are_the_meetings(calendar: FilesCalendar, folder: Path) -> None:
    put(folder / "x.ics", ics(vevent(start=";TZID=Asia/Tokyo:20261124T180000", end=";TZID=Asia/Tokyo:20261124T190000")))
    (meeting,) = held(calendar)
    assert (meeting.start, meeting.end, meeting.start.tzinfo) == (T0, T0 + HOUR, UTC)
