"""Many simulated Polycom endpoints that only poll."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.responses import Response

from otd.lab.certificates import self_signed
from otd.lab.polycom_fleet import Fleet, Load, Running
from otd.lab.server import Server
from tests.adapters.polycom_lab import ByHand, an_item

LOGIN = ("huddle", "kmw4-xq7r")


def a_load(url: str, endpoints: int = 1, ca: str = "") -> Load:
    brief = timedelta(milliseconds=250)
    return Load(url=url, logins=(LOGIN,) * endpoints, interval=brief / 2, lasts=brief, ca=ca)


def test_each_poll_is_a_connection_and_only_changes_are_fetched() -> None:
    app, certificate = ByHand(an_item(1), an_item(2)), self_signed("otd")
    with Server(app, certificate=certificate) as server:
        figures = Fleet(a_load(server.url, endpoints=3, ca=certificate.pem)).run()
    assert (figures.failed, figures.items, figures.get_items) == (0, 6, 3)
    assert 3 <= figures.polls <= 6
    assert sum("FindItem" in body for body in app.bodies) == figures.polls
    assert 0 < figures.median_ms <= figures.p99_ms <= figures.worst_ms


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (Response(status_code=503), "HTTP 503"),
        (Response("<html></html>", media_type="text/html"), "an error in the response"),
    ],
)
def test_what_is_no_list_is_counted_as_a_failure(app: Response, why: str) -> None:
    with Server(app) as server:
        figures = Fleet(a_load(server.url)).run()
    assert figures.polls > 0
    assert figures.failures == {why: figures.polls}


def test_a_server_that_is_not_there_is_a_failure() -> None:
    with Server(ByHand()) as server:
        url = server.url
    figures = Fleet(a_load(url)).run()
    assert figures.failures == {"the connection failed": figures.polls}


def test_a_fleet_that_trusts_another_ca_polls_nothing() -> None:
    app = ByHand(an_item())
    with Server(app, tls=True) as server:
        figures = Fleet(a_load(server.url, ca=self_signed("another").pem)).run()
    assert figures.failed == figures.polls > 0
    assert app.bodies == []


def test_a_fleet_runs_in_a_process_of_its_own() -> None:
    app = ByHand(an_item())
    with Server(app, tls=True) as server, Running.start(a_load(server.url, endpoints=2)) as running:
        figures = running.figures()
    assert (figures.failed, figures.items) == (0, 2)


def test_passwords_are_in_no_repr() -> None:
    assert LOGIN[1] not in repr(a_load("https://otd.example.com"))
