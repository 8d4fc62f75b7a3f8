"""How quickly a change in a room's folder is told, and what counts as one."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from otd.calendars.files import FilesWatch, write_marker
from otd.calendars.files_folder import KEPT, MARKER
from otd.errors import Unreachable

SOON = 1.0  # seconds
QUICK = timedelta(milliseconds=20)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for room in ("one", "two"):
        write_marker(tmp_path / room)
    (tmp_path / "one" / "x.ics").write_text("x")
    return tmp_path


@pytest.fixture
def told() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def watch(base: Path, told: queue.Queue[str]) -> Iterator[FilesWatch]:
    watch = FilesWatch({"one": base / "one", "two": base / "two"}, told.put)
    watch.start()
    yield watch
    watch.stop()


def nothing_more(told: queue.Queue[str]) -> bool:
    try:
        told.get(timeout=0.6)
    except queue.Empty:
        return True
    return False


@pytest.mark.usefixtures("watch")
class TestAChange:
    """Each is told once, of the right room, within a second."""

    def test_a_new_file_is_told(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "two" / "new.ics").write_text("x")
        assert told.get(timeout=SOON) == "two"
        assert nothing_more(told)

    def test_a_deleted_file_is_told(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "one" / "x.ics").unlink()
        assert told.get(timeout=SOON) == "one"

    def test_a_file_that_was_written_over_in_its_place_is_told(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "one" / "x.ics").write_text("y")
        assert told.get(timeout=SOON) == "one"

    def test_a_file_that_was_exchanged_for_one_like_it_is_told(self, base: Path, told: queue.Queue[str]) -> None:
        state = (base / "one" / "x.ics").stat()
        (base / "one" / "draft").write_text("y")
        os.utime(base / "one" / "draft", ns=(state.st_mtime_ns, state.st_mtime_ns))
        (base / "one" / "draft").replace(base / "one" / "x.ics")
        assert told.get(timeout=SOON) == "one"

    def test_a_marker_that_goes_is_told(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "one" / MARKER).unlink()
        assert told.get(timeout=SOON) == "one"

    def test_a_folder_that_goes_and_comes_back_is_told_each_time(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "one").rename(base / "away")
        assert told.get(timeout=SOON) == "one"
        (base / "away").rename(base / "one")
        assert told.get(timeout=SOON) == "one"

    def test_what_is_no_invitation_is_not_told(self, base: Path, told: queue.Queue[str]) -> None:
        (base / "one" / "x.ics.tmp").write_text("x")
        (base / "one" / "notes.txt").write_text("x")
        (base / "one" / KEPT).mkdir()
        (base / "one" / KEPT / "x.ics").write_text("x")
        assert nothing_more(told)

    def test_a_file_that_is_written_bit_by_bit_is_told_when_it_is_complete(
        self, base: Path, told: queue.Queue[str]
    ) -> None:
        pace = threading.Event()
        with open(base / "two" / "new.ics", "w") as file:
            for _ in range(10):
                file.write("x")
                file.flush()
                pace.wait(0.05)
        assert told.get(timeout=SOON) == "two"
        assert nothing_more(told)


def test_a_room_is_told_again_when_the_first_time_failed(base: Path, told: queue.Queue[str]) -> None:
    errors = [Unreachable("the store", "was locked")]

    def fail_once(room: str) -> None:
        told.put(room)
        if errors:
            raise errors.pop()

    watch = FilesWatch({"one": base / "one"}, fail_once, every=QUICK)
    watch.start()
    (base / "one" / "new.ics").write_text("x")
    assert [told.get(timeout=5), told.get(timeout=5)] == ["one", "one"]
    assert nothing_more(told)
    watch.stop()


def test_a_slow_answer_does_not_make_the_next_look_late(base: Path, told: queue.Queue[str]) -> None:
    def slowly(room: str) -> None:
        told.put(room)
        threading.Event().wait(0.3)

    watch = FilesWatch({"one": base / "one"}, slowly)
    watch.start()
    for number in range(2):
        (base / "one" / f"{number}.ics").write_text("x")
        assert told.get(timeout=SOON + 0.3) == "one"
    watch.stop()


def test_a_watch_that_is_stopped_tells_nothing(base: Path, told: queue.Queue[str]) -> None:
    watch = FilesWatch({"one": base / "one"}, told.put, every=QUICK)
    watch.start()
    watch.stop()
    (base / "one" / "new.ics").write_text("x")
    assert nothing_more(told)


def test_a_watch_over_nothing_and_one_that_never_started_can_be_stopped(told: queue.Queue[str]) -> None:
    FilesWatch({}, told.put).stop()
    watch = FilesWatch({}, told.put)
    watch.start()
    watch.stop()
