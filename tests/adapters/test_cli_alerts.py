"""`otd alerts`: what stands, and a test of the ways to tell people."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from otd.model import Alert
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, SETTINGS, Otd, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.adapters.post import PostOffice, receiver
from tests.adapters.recorder import Instead

ALERT = Alert(cause="no_relay", thing="pool:hq", detail="3 endpoints cannot be reached", mend="Start one.")


@pytest.fixture
def store(otd: Otd, tmp_path: Path) -> SqlStore:
    an_installation(tmp_path)
    return SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", base64.urlsafe_b64decode(KEY))


def test_what_stands_is_listed_with_its_cause_and_mend(otd: Otd, store: SqlStore) -> None:
    assert otd("alerts", "list").out == "No alert stands.\n"
    store.settle_alerts([ALERT], [], {})
    said = otd("alerts", "list")
    assert said.code == 1
    for word in ("pool:hq", "no_relay", "3 endpoints cannot be reached", "pool:hq: Start one."):
        assert word in said.out
    (one,) = json.loads(otd("alerts", "list", "--json").out)
    assert (one["thing"], one["severity"], one["cleared_at"], one["times"]) == ("pool:hq", "critical", None, 1)


def test_what_is_over_is_shown_when_asked_for(otd: Otd, store: SqlStore) -> None:
    store.settle_alerts([ALERT], [], {})
    store.settle_alerts([], [], {("no_relay", "pool:hq"): "hq-1 is back"})
    assert otd("alerts", "list").out == "No alert stands.\n"
    said = otd("alerts", "list", "--all")
    assert said.code == 0
    assert "hq-1 is back" in said.out


def test_without_channels_it_says_how_to_be_told(otd: Otd, tmp_path: Path) -> None:
    an_installation(tmp_path)
    said = otd("alerts", "test")
    assert said.code == 0
    assert "set mail_server or webhook under [alerts]" in said.out


def test_each_way_is_tried_and_said(otd: Otd, tmp_path: Path) -> None:
    with PostOffice() as office, receiver() as hook:
        told = (
            f'\n[alerts]\nmail_server = "{office.address}"\nmail_tls = "none"\nmail_from = "otd@example.com"\n'
            f'mail_to = ["av@example.com"]\nwebhook = "{hook.url}"\n'
        )
        an_installation(tmp_path, SETTINGS + told)
        said = otd("alerts", "test")
        assert (said.code, said.out) == (0, "mail: it was taken\nwebhook: it was taken\n")
        assert "this is a test" in office.taken[0]["Subject"]
        assert [one["event"] for one in hook.alerts] == ["test"]
        hook.recorder.instead = lambda _: Instead(status=403)
        said = otd("alerts", "test")
        assert said.code == 1
        assert "webhook: the webhook 127.0.0.1: it answered 403 (check webhook_token)" in said.out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('mail_server = "smtp.example.com"', "the key mail_from is missing"),
        ('mail_to = ["av@example.com"]', "the key mail_server is missing"),
        ('mail_to = ["av"]', "'av' is not a mailbox address"),
        ('webhook = "http://alerts.example.com"', "use https://"),
        ('webhook_token = "token"', "there is no webhook"),
        ('mute = ["no_rely"]', "did you mean 'no_relay'?"),
        ('mute = ["endpoint:nowhere"]', "there is no endpoint 'nowhere'"),
        ('before = "2d"', "not between 1m and 24h"),
        ('mail_ca = "corp"', "there is no ca 'corp'"),
    ],
)
def test_mistakes_are_said_with_their_mend(otd: Otd, tmp_path: Path, wrong: str, words: str) -> None:
    an_installation(tmp_path, f"{SETTINGS}\n[alerts]\n{wrong}\n")
    said = otd("alerts", "test")
    assert said.code == 2
    assert words in said.err
