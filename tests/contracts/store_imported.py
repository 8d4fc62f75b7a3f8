"""Readings of other installations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otd.errors import Missing
from otd.model import ReadingMark
from tests.contracts.store_case import DAY, StoreCase
from tests.values import HOUR, T0

KEEP = 14 * DAY


def a_mark(at: Any = T0, **overrides: Any) -> ReadingMark:
    usual = ReadingMark(id=f"far/{int(at.timestamp() * 1000)}", room="far", at=at, meetings=2)
    return replace(usual, **overrides)


class ImportedContract(StoreCase):
    """They are kept apart from the installation's own, and for a time."""

    def test_what_was_imported_is_there_as_it_was(self) -> None:
        imported = self.store.imported
        assert imported.put(a_mark(), "{}", keep=KEEP)
        assert imported.document(a_mark().id) == (a_mark(), "{}")
        assert imported.all() == (a_mark(),)
        assert self.store.readings("far", T0, T0 + DAY) == ()

    def test_a_second_time_changes_nothing_and_another_document_takes_its_place(self) -> None:
        imported = self.store.imported
        imported.put(a_mark(), "{}", keep=KEEP)
        assert not imported.put(a_mark(), "{}", keep=KEEP)
        assert imported.put(a_mark(), "[]", keep=KEEP, why="with subjects")
        assert imported.document(a_mark().id)[1] == "[]"
        lines = self.store.audit(("room:far",), kinds=("act",))
        assert [(line.word, line.who, line.why) for line in lines] == [
            ("import reading", "ann", ""),
            ("import reading", "ann", "with subjects"),
        ]

    def test_those_of_a_span_come_with_the_one_that_held_before(self) -> None:
        marks = [a_mark(T0 + n * HOUR) for n in range(4)]
        for mark in reversed(marks):
            self.store.imported.put(mark, "{}", keep=KEEP)
        self.store.imported.put(a_mark(room="other", id="other/1"), "{}", keep=KEEP)
        assert self.store.imported.marks("far", T0 + 1.5 * HOUR, T0 + 2 * HOUR) == tuple(marks[1:3])
        assert self.store.imported.marks("far", T0 - HOUR, T0 + DAY) == tuple(marks)
        assert self.store.imported.marks("far", T0 - HOUR, T0 - HOUR) == ()

    def test_its_time_is_over_whether_or_not_anybody_tidies(self) -> None:
        imported = self.store.imported
        imported.put(a_mark(), "{}", keep=KEEP)
        self.pass_time(KEEP)
        later = a_mark(T0 + HOUR)
        imported.put(later, "{}", keep=KEEP)
        assert imported.all() == (later,)
        self.pass_time(KEEP)
        self.store.tidy(KEEP)
        assert imported.all() == ()

    def test_it_can_be_forgotten_before(self) -> None:
        self.store.imported.put(a_mark(), "{}", keep=KEEP)
        self.store.imported.forget(a_mark().id, why="done")
        with pytest.raises(Missing):
            self.store.imported.document(a_mark().id)
        with pytest.raises(Missing):
            self.store.imported.forget(a_mark().id)
        assert [line.word for line in self.store.audit(("room:far",))] == ["import reading", "forget reading"]
