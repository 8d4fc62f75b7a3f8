"""Titles that XML, a screen and a person can take."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from otd.bookings.titles import LONGEST, clean, cut, without_prefix


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\x00b\x0bc", "a b c"),
        ("a\x1b[31mb", "a [31mb"),
        ("a\u2028b\u0085c", "a b c"),
        ("a\ufffeb\uffffc\U0001ffffd", "abcd"),
        ("a\ud83db", "ab"),
        ("\ufeffa\u00adb\u2060c", "abc"),
        ("\u202eevil\u202c", "evil"),
        ("\u2067שלום\u2069 a", "שלום a"),
        ("a\u200fb", "a\u200fb"),
        ("e\u0301", "é"),
        ("👩\u200d💻 🇳🇴", "👩\u200d💻 🇳🇴"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("<b>&amp;\"'", "<b>&amp;\"'"),
    ],
)
def test_a_title_loses_what_cannot_be_shown_and_keeps_the_rest(written: str, shown: str) -> None:
    assert clean(written) == shown


@pytest.mark.parametrize(
    "one",
    [
        "é̂̃",
        "👩\u200d👩\u200d👧\u200d👦",
        "👍🏽",
        "🇳🇴",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "1\ufe0f\u20e3",
        "नि",
        "กำ่",
        "\u1112\u1161\u11ab",
    ],
)
def test_a_title_is_never_cut_through_what_is_seen_as_one(one: str) -> None:
    for before in range(LONGEST - len(one) - 3, LONGEST + 2):
        found = cut("x" * before + one * 3 + "y" * LONGEST)

        assert len(found) <= LONGEST
        kept = found.removesuffix("…").lstrip("x")
        assert kept.rstrip("y") in ("", one, one * 2, one * 3), found


def test_a_title_that_fits_is_not_cut() -> None:
    assert cut("x" * LONGEST) == "x" * LONGEST
    assert cut("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


def test_one_character_longer_than_a_title_is_cut_all_the_same() -> None:
    assert len(cut("e" + "\u0301" * 500)) == LONGEST


def test_an_odd_row_of_flags_is_cut_between_flags() -> None:
    found = cut("🇳🇴" * 100)

    assert found.removesuffix("…") == "🇳🇴" * 63


@given(st.text() | st.text(alphabet="\u0301\u200d\U0001f1e6\U0001f3fb👩é\u202e\x00 x", max_size=300))
def test_any_title_fits_on_a_screen_and_into_xml(text: str) -> None:
    shown = cut(without_prefix(clean(text)))

    assert len(shown) <= LONGEST
    assert clean(shown) == shown
    assert unicodedata.is_normalized("NFC", clean(text))
    element = etree.Element("Title")
    element.text = shown
    assert (etree.fromstring(etree.tostring(element)).text or "") == shown
