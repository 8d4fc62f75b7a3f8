"""Answers of relays: sealed for whoever asked, and never larger than they may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from otd import asking
from otd.asking import Told, seal, unseal
from otd.errors import Garbled
from tests.values import T0


@pytest.fixture
def private() -> Any:
    return OKPKey.generate_key("X25519")


def public(private: Any) -> str:
    return str(private.as_dict(private=False)["x"])


def told(number: int, title: str = "Board meeting") -> tuple[Told, ...]:
    fields = (("start", "2026-01-05T08:00:00Z"), ("title", title), ("number", "1@example.com"))
    return tuple(Told(id=f"b{n}", end=T0, fields=fields) for n in range(number))


def test_what_was_sealed_is_opened_by_who_asked(private: Any) -> None:
    answer = seal(told(2), told(3, "Sitzung"), public(private))
    found = unseal(answer, private, "codec1")
    assert (found.wanted, found.held) == (told(2), told(3, "Sitzung"))
    assert "Board" not in repr(found)
    assert "Board" not in answer


def test_nobody_else_opens_it(private: Any) -> None:
    answer = seal(told(1), told(1), public(private))
    for broken in (answer, answer[:-8] + "AAAAAAAA", "", "a.b.c.d.e"):
        with pytest.raises(Garbled, match="not sealed for this question"):
            unseal(broken, OKPKey.generate_key("X25519"), "codec1")


def test_of_more_than_can_be_told_only_the_number_is(private: Any) -> None:
    for held in (told(asking.MOST + 1), told(900, "x" * 2000)):
        answer = seal((), held, public(private))
        assert len(answer) < 1000
        with pytest.raises(Garbled, match=f"it holds {len(held)} bookings"):
            unseal(answer, private, "codec1")


def test_an_answer_without_what_it_must_hold_is_garbled(private: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking.wire, "dump", lambda _: b'{"wanted": "secret 4711"}')
    answer = seal(told(1), told(1), public(private))
    with pytest.raises(Garbled) as raised:
        unseal(answer, private, "codec1")
    assert "4711" not in str(raised.value)


def test_a_lone_surrogate_of_a_title_does_no_harm(private: Any) -> None:
    hostile = replace(told(1)[0], fields=(("start", "2026-01-05T08:00:00Z"), ("title", "\ud800")))
    answer = seal((hostile,), (), public(private))
    assert len(unseal(answer, private, "codec1").wanted) == 1


def test_an_answer_that_cannot_be_compared_is_refused(private: Any) -> None:
    """Whoever has taken over a relay can answer anything."""
    usual = told(1)[0]
    for odd in (
        replace(usual, fields=usual.fields[:2]),
        replace(usual, fields=(("x", "y"),) * 3),
        replace(usual, end=usual.end.replace(tzinfo=None)),
    ):
        with pytest.raises(Garbled, match="cannot be compared"):
            unseal(seal((usual,), (odd,), public(private)), private, "codec1")
