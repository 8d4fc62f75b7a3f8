"""Who came to a face: the last polls, and logins that were refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from otd.relay.face.visits import KEPT, MOST, Poll, Visits, read
from tests.values import MINUTE, SECOND, T0

NO_WAIT = timedelta(0)


def a_poll(endpoint: str = "poly1", **overrides: object) -> Poll:
    usual: dict[str, object] = {
        "at": T0,
        "operation": "FindItem",
        "user_agent": "Polycom/1.0",
        "version": "Exchange2007",
        "address": "192.0.2.7",
        "answered": True,
    }
    return Poll(endpoint=endpoint, **(usual | overrides))  # type: ignore[arg-type]


def test_the_last_poll_of_each_endpoint_is_known_and_how_many_there_were() -> None:
    visits = Visits()
    visits.came(a_poll())
    visits.came(a_poll(at=T0 + MINUTE, operation="GetItem"))
    visits.came(a_poll("poly2"))
    assert (visits.polls["poly1"].operation, visits.polls["poly1"].requests) == ("GetItem", 2)
    assert visits.polls["poly2"].requests == 1


def test_refusals_are_counted_by_address_and_endpoint_until_a_login_is_right() -> None:
    visits = Visits()
    for second in range(3):
        visits.refuse("192.0.2.7", "poly1", "password", T0 + second * SECOND)
    visits.refuse("192.0.2.8", "", "unknown", T0)
    assert [(one.endpoint, one.why, one.count) for one in visits.refused] == [
        ("poly1", "password", 3),
        ("", "unknown", 1),
    ]
    assert visits.refused[0].since == T0
    visits.came(a_poll(at=T0 + MINUTE))
    assert [one.address for one in visits.refused] == ["192.0.2.8"]


def test_an_endpoint_that_tries_another_way_first_is_no_refusal_once_it_is_in() -> None:
    visits = Visits()
    visits.refuse("192.0.2.7", "", "scheme", T0)
    visits.came(a_poll())
    assert visits.refused == ()


def test_what_is_remembered_is_bounded_and_forgotten_in_time() -> None:
    visits = Visits()
    for number in range(MOST + 5):
        visits.refuse(f"192.0.2.{number}", "", "unknown", T0)
    assert len(visits.refused) == MOST
    visits.refuse("192.0.2.9", "poly1", "password", T0)
    visits.refuse("192.0.2.9", "poly1", "password", T0 + KEPT + MINUTE)
    assert visits.refused[-1].count == 1


def test_the_file_outlives_the_process_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "relay-polls.jsonl"
    visits = Visits(path, every=NO_WAIT)
    visits.came(a_poll())
    visits.refuse("192.0.2.8", "", "unknown", T0)
    assert read(path) == (tuple(visits.polls.values()), visits.refused)
    assert path.stat().st_mode & 0o077 == 0
    again = Visits(path, every=NO_WAIT)
    assert again.refused == visits.refused
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_new_is_kept_at_once_and_the_rest_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "relay-polls.jsonl"
    visits = Visits(path, every=MINUTE)
    visits.came(a_poll())
    visits.refuse("192.0.2.8", "poly2", "password", T0 + SECOND)
    visits.refuse("192.0.2.8", "poly2", "password", T0 + 2 * SECOND)
    visits.came(a_poll("poly3", at=T0 + 3 * SECOND))
    polls, refused = read(path)
    assert ([poll.endpoint for poll in polls], refused[0].count) == (["poly1", "poly3"], 1)
    visits.came(a_poll("poly2", address="192.0.2.8", at=T0 + 4 * SECOND))
    assert read(path)[1] == (), "a right login forgives"
    visits.came(a_poll(at=T0 + 2 * MINUTE, operation="GetItem"))
    assert read(path)[0][0].operation == "GetItem"


def test_a_file_that_is_not_there_or_broken_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "relay-polls.jsonl"
    assert read(path) == ((), ())
    path.write_text('{"endpoint": 1}\n[]\nnothing\n')
    assert read(path) == ((), ())
    Visits(path).came(a_poll())
    assert len(read(path)[0]) == 1


def test_a_folder_that_is_gone_does_not_stop_the_face(tmp_path: Path) -> None:
    visits = Visits(tmp_path / "gone" / "relay-polls.jsonl", every=NO_WAIT)
    visits.came(a_poll())
    assert "poly1" in visits.polls
