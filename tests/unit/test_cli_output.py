"""What commands print, when nobody draws: columns, plain lines, JSON."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.cli.output import plain, print_fields, print_json, print_table, width


def test_columns_line_up_whatever_the_letters_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("room", "label", "n"), [("a", "会議室", 1), ("bb", "e\u0301te\u0301", 2), ("ccc", "x", 3)])
    lines = capsys.readouterr().out.splitlines()
    assert {width(line[: line.rindex(line[-1])]) for line in lines} == {14}


@given(st.text())
def test_a_line_stays_a_line_and_nothing_moves_the_cursor(text: str) -> None:
    kept = plain(text)
    assert len(kept.splitlines()) <= 1
    assert not any(unicodedata.category(ch) in ("Cc", "Cf", "Cs") for ch in kept)
    assert [ch for ch in kept if ch.isalnum()] == [ch for ch in text if ch.isalnum()]


def test_line_ends_in_a_cell_become_spaces() -> None:
    assert plain("a\nb\r\tc\x1b[2J\u202ed") == "a b  c[2Jd"


def test_fields_are_printed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"name": "board", "rooms": ["a", "b"], "label": ""})
    assert capsys.readouterr().out == "name   board\nrooms  a b\nlabel\n"


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"label": "Größe \u2028 会"})
    assert json.loads(capsys.readouterr().out) == {"label": "Größe \u2028 会"}


def test_an_empty_table_still_has_its_heads(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("room", "label"), [])
    assert capsys.readouterr().out == "room  label\n"
