"""Pairing as people walk through it: a relay, the centre by real HTTPS, an administrator, and who stands in between."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otd import serving
from otd import settings as otd_settings
from otd.bus import seal
from otd.bus.broker import Broker
from otd.certificates import CertificateFiles
from otd.errors import Busy, Denied, Missing, OtdError, Untrusted
from otd.inbound import Server, serve
from otd.lab.certificates import self_signed
from otd.model import HOUSE, Settled
from otd.outbound import Http, public_trust
from otd.pairing import PENDING_OF_ONE, Keys, commitment, proof, text
from otd.provisioning import Provision
from otd.relay.pairing import Collected, Door, Own, pair, renewed
from otd.serve.app import application
from otd.store import SqlStore
from otd.tunnel import proxy_at
from otd.wiring import signing_key
from otd.wiring import store as open_store
from tests.adapters.cli import SETTINGS, Otd, an_installation, otd
from tests.adapters.connect_proxy import ConnectProxy
from tests.adapters.test_serve import WITHIN, free_port

__all__ = ["otd"]
BROKER = Broker(host="bus.example.com", port=5671, vhost="otd-relays", user="", password="", ca_pem="-----")
PATIENCE = 30.0  # seconds, on a busy machine


@dataclass
class Users:
    """The broker's users, as a broker keeps them."""

    passwords: dict[str, str] = field(default_factory=dict)

    def admit(self, relay: str, pool: str, password: str) -> None:
        self.passwords[relay] = password

    def permit(self, relay: str, pool: str) -> None:
        assert relay in self.passwords

    def knows(self, relay: str) -> bool:
        return relay in self.passwords

    def expel(self, relay: str) -> None:
        self.passwords.pop(relay, None)

    def close(self) -> None:
        pass


class Centre:
    """`otd serve` on a port, and somebody who works on what becomes due."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.users = folder, Users()
        shown = self_signed("localhost")
        an_installation(folder, "")
        listens = f'address = "127.0.0.1:{free_port()}"\ncertificate = "serve.pem"'
        (folder / "otd.toml").write_text(f"{SETTINGS}\n[serve]\n{listens}\n")
        (folder / "serve.pem").write_text(shown.key + shown.pem)
        (folder / "ca.pem").write_text(shown.pem)
        self.settings = otd_settings.load(folder / "otd.toml", {})
        self.start()
        self.store.adopt([], [], {HOUSE: 4}, "settings")

    def start(self) -> None:
        self.store: SqlStore = open_store(self.settings)
        self.server: Server = serving.start(self.settings, self.store)

    def stop(self) -> None:
        self.server.stop()
        self.store.close()

    def work(self) -> list[Settled]:
        """Do what is due."""
        provision = Provision(self.store, lambda: self.users, lambda: BROKER, signing_key(self.store))
        done = []
        for work in self.store.claim("me", limit=10, lease=WITHIN, kinds=("provision",)):
            assert self.store.begin(work)
            done.append(provision.relay(work.name))
            self.store.finish(work, done[-1])
        return done


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    found = Centre(tmp_path)
    yield found
    found.stop()


class RelayAtWork:
    """`otd relay pair` on another machine, in a thread; what its screen shows."""

    def __init__(self, url: str, ca: Path, **http: Any) -> None:
        self.signing, self.sealing = seal.new_key(), seal.new_key()
        keys = Keys(signing=seal.public_signing(self.signing), sealing=seal.public_sealing(self.sealing))
        self.own = Own(signing=self.signing, public=keys, nonce=bytes(range(32)))
        self.screen: list[str] = []
        self.collected: Collected | None = None
        self.error: OtdError | None = None
        self._url, self._ca, self._http = url, ca, http
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with Http(trust=public_trust(str(self._ca)), **self._http) as http:
            try:
                door = Door(http, self._url)
                self.collected = pair(door, self.own, host="site-a", say=self.screen.append, rest=lambda s: _nap())
            except OtdError as error:
                self.error = error

    def shows(self, beginning: str) -> str:
        """The word after this beginning, once it is on the screen."""
        until(lambda: any(line.startswith(beginning) for line in self.screen) or self.error is not None)
        assert self.error is None, self.error
        return next(line for line in self.screen if line.startswith(beginning)).split()[2 - (beginning != CODE)]

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), self.screen


CODE, FINGERPRINT = "registration code:", "fingerprint:"


def _nap() -> None:
    time.sleep(0.02)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


@pytest.fixture
def relay(centre: Centre) -> RelayAtWork:
    return RelayAtWork(centre.server.url, centre.folder / "ca.pem")


def administrator(otd: Otd, code: str, *more: str) -> Any:
    return otd("relays", "add", code, "--name", "relay1", "--pool", "hq", *more)


def test_a_relay_is_let_in_when_both_screens_show_the_same(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    looked = administrator(otd, relay.shows(CODE))
    assert looked.code == 1
    assert "site-a" in looked.out
    assert "127.0.0.1" in looked.out
    assert "--yes --fingerprint" in looked.err
    fingerprint = relay.shows(FINGERPRINT)
    assert fingerprint in looked.out
    thread = threading.Thread(target=lambda: (until(lambda: bool(centre.work())), None), daemon=True)
    thread.start()
    added = administrator(otd, relay.shows(CODE), "--yes", "--fingerprint", fingerprint.lower())
    thread.join(PATIENCE)
    assert added.code == 0, added.err
    relay.end()
    assert relay.collected is not None
    said = json.loads(
        seal.open_order(relay.collected.sealed, "relay1", relay.sealing, seal.public_signing(signing_key(centre.store)))
    )
    assert said["broker"]["password"] == centre.users.passwords["relay1"]
    assert (said["relay"], said["pool"], said["broker"]["user"]) == ("relay1", "hq", "otd-relays.relay1")
    assert "grey" in otd("relays", "list").out


def test_nobody_collects_twice_or_without_the_key(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    let_in(centre, relay, otd)
    pairing = centre.store.pairings
    (row,) = [pairing.get(found) for found in _ids(centre)]
    assert row.state == "collected"
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        door, path = Door(http, centre.server.url), f"/pairing/{row.id}/identity"
        with pytest.raises(Denied, match="not answered with the relay's key"):
            door.say(path, {"signature": text(bytes(64))})
        again = proof(relay.signing, f"collect {row.id}", row.challenge)
        with pytest.raises(Denied, match="the request is collected"):
            door.say(path, {"signature": text(again)})


def _ids(centre: Centre) -> list[str]:
    with closing(sqlite3.connect(centre.settings.run.database_file)) as base:
        return [row[0] for row in base.execute("SELECT id FROM pairings")]


def let_in(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    administrator(otd, relay.shows(CODE))
    fingerprint = relay.shows(FINGERPRINT)
    thread = threading.Thread(target=lambda: (until(lambda: bool(centre.work())), None), daemon=True)
    thread.start()
    assert administrator(otd, relay.shows(CODE), "--yes", "--fingerprint", fingerprint).code == 0
    thread.join(PATIENCE)
    relay.end()


def test_a_fingerprint_that_differs_lets_nothing_in(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    administrator(otd, relay.shows(CODE))
    refused = administrator(otd, relay.shows(CODE), "--yes", "--fingerprint", "AAAA-AAAA")
    assert refused.code == 1
    assert "the fingerprints differ" in refused.err
    relay.end()
    assert isinstance(relay.error, Denied)
    assert centre.store.members.all() == ()


def test_wrong_mistyped_and_guessed_codes(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    code = relay.shows(CODE).replace("-", "")
    mistyped = administrator(otd, code[:-1] + ("A" if code[-1] != "A" else "C"))
    assert mistyped.code == 2
    assert "mistyped" in mistyped.err
    wrong = "3333-3333" if code != "33333333" else "AAAA-AAAA"
    for _ in range(10):
        assert "no relay was given it" in administrator(otd, wrong).err
    locked = administrator(otd, code)
    assert locked.code == 1
    assert "10 wrong codes were typed" in locked.err


def test_an_expired_code_is_nothing_on_either_screen(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    code = relay.shows(CODE)
    with closing(sqlite3.connect(centre.settings.run.database_file)) as base, base:
        base.execute("UPDATE pairings SET expires_at = asked_at")
    late = administrator(otd, code)
    assert late.code == 1
    assert "its 15 minutes are over" in late.err
    relay.end()
    assert isinstance(relay.error, Denied)
    assert "the 15 minutes of its code are over" in str(relay.error)


def test_a_used_code_is_nothing_for_another_relay(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    let_in(centre, relay, otd)
    again = otd("relays", "add", relay.shows(CODE), "--name", "relay2", "--pool", "hq")
    assert again.code == 1
    assert "used already, for relay relay1" in again.err


def test_an_unknown_pool_or_a_name_that_cannot_be_one(centre: Centre, otd: Otd) -> None:
    assert "there is no such pool" in otd("relays", "add", "33333333", "--name", "r1", "--pool", "hz").err
    assert "cannot be a name" in otd("relays", "add", "33333333", "--name", "R 1", "--pool", "hq").err
    assert "stands in the settings" in otd("relays", "add", "33333333", "--name", "hq-1", "--pool", "hq").err


def test_the_centre_restarted_in_the_middle_goes_on(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    administrator(otd, relay.shows(CODE))
    fingerprint = relay.shows(FINGERPRINT)
    centre.stop()
    until(lambda: any(line.startswith("waiting: ") for line in relay.screen))
    centre.start()
    thread = threading.Thread(target=lambda: (until(lambda: bool(centre.work())), None), daemon=True)
    thread.start()
    assert administrator(otd, relay.shows(CODE), "--yes", "--fingerprint", fingerprint).code == 0
    thread.join(PATIENCE)
    relay.end()
    assert relay.collected is not None
    assert "going on" in relay.screen


def test_through_a_proxy_that_asks_for_credentials(centre: Centre, otd: Otd) -> None:
    with ConnectProxy(credentials="relay:s3cret") as proxy:
        way = proxy_at(f"http://relay:s3cret@127.0.0.1:{proxy.port}", where="proxy")
        relay = RelayAtWork(centre.server.url, centre.folder / "ca.pem", proxy=way)
        let_in(centre, relay, otd)
        assert set(proxy.seen) == {f"127.0.0.1:{centre.server.port} 200"}


def test_a_flood_of_requests_is_turned_away_and_hurts_nobody_else(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    relay.shows(CODE)
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        door = Door(http, centre.server.url)
        asked = [{"commitment": text(bytes([number]) * 32), "host": "x" * 255} for number in range(60)]
        for said in asked[: PENDING_OF_ONE - 1]:
            door.say("/pairing", said)
        for said in asked[PENDING_OF_ONE:]:
            with pytest.raises(Busy):
                door.say("/pairing", said)
    assert len(centre.store.pairings.waiting()) == PENDING_OF_ONE
    let_in(centre, relay, otd)


HOSTILE = (
    b"",
    b"not json",
    b"[]",
    b'{"commitment": "short"}',
    b'{"commitment": 7}',
    b'{"commitment": "' + b"A" * 43 + b'", "host": "' + b"h" * 256 + b'"}',
    b"\xff" * 100,
    b"[" * 10_000,
)


def test_what_is_no_request_is_refused(centre: Centre) -> None:
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        url = f"{centre.server.url}/pairing"
        answers = [http.request("POST", url, where="centre", within=WITHIN, content=said) for said in HOSTILE]
    assert [answer.status for answer in answers] == [400] * len(HOSTILE)
    assert centre.store.pairings.waiting() == ()


def test_who_asks_for_what_is_not_there_learns_nothing(centre: Centre) -> None:
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        door = Door(http, centre.server.url)
        with pytest.raises(Missing):
            door.say("/pairing/0123456789abcdef0123456789abcdef", {})
        with pytest.raises(Denied, match="not answered with its key"):
            renewed(door, relay="nobody", signing=seal.new_key(), renew=True)


class InBetween:
    """A machine that re-signs TLS, and swaps the keys of both sides for its own."""

    def __init__(self, centre: Centre, folder: Path) -> None:
        self.signing = seal.new_key()
        self.keys = Keys(signing=seal.public_signing(self.signing), sealing=seal.public_sealing(seal.new_key()))
        self.nonce = bytes(32)
        self._centre = centre
        shown = self_signed("localhost")
        (folder / "between.pem").write_text(shown.key + shown.pem)
        app = application([Route("/{path:path}", self._pass_on, methods=["POST"])])
        files = CertificateFiles(certificate=folder / "between.pem")
        self.server = serve(app, name="between", address="127.0.0.1", port=0, certificate=files)

    async def _pass_on(self, request: Request) -> Response:
        said: dict[str, Any] = json.loads(await request.body() or b"{}")
        if "commitment" in said:
            said["commitment"] = text(commitment(self.keys, self.nonce))
        if "nonce" in said:
            said |= {"signing": self.keys.signing, "sealing": self.keys.sealing, "nonce": text(self.nonce)}
        return await run_in_threadpool(self._ask, request.url.path, said)

    def _ask(self, path: str, said: dict[str, Any]) -> Response:
        centre, body = self._centre, json.dumps(said).encode()
        with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
            url = f"{centre.server.url}{path}"
            answer = http.request("POST", url, where="centre", within=WITHIN, content=body)
        found = json.loads(answer.body)
        if "centre" in found:
            found["centre"] = self.keys.signing
        return Response(json.dumps(found), answer.status, media_type="application/json")


def test_swapped_keys_in_between_show_different_fingerprints(centre: Centre, tmp_path: Path, otd: Otd) -> None:
    between = InBetween(centre, tmp_path)
    try:
        relay = RelayAtWork(between.server.url, tmp_path / "between.pem")
        looked = administrator(otd, relay.shows(CODE))
        fingerprint = relay.shows(FINGERPRINT)
        assert fingerprint not in looked.out
        refused = administrator(otd, relay.shows(CODE), "--yes", "--fingerprint", fingerprint)
        assert "the fingerprints differ" in refused.err
        relay.end()
        assert centre.store.members.all() == ()
    finally:
        between.server.stop()


def test_keys_swapped_after_the_promise_are_noticed_by_the_centre(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    relay.shows(CODE)
    (asked,) = centre.store.pairings.waiting()
    others = Keys(signing=seal.public_signing(seal.new_key()), sealing=seal.public_sealing(seal.new_key()))
    named = centre.store.pairings.name(asked.code, administrator="anna", name="r", pool="hq", nonce=bytes(32))
    said = {"signing": others.signing, "sealing": others.sealing, "nonce": text(bytes(32))}
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        door = Door(http, centre.server.url)
        with pytest.raises((Untrusted, Denied)):
            door.say(f"/pairing/{named.id}", said)


def test_a_certificate_of_another_ca_is_said_with_its_mend(centre: Centre, tmp_path: Path, otd: Otd) -> None:
    failed = otd("relay", "pair", centre.server.url, "--config", tmp_path / "site" / "relay.toml")
    assert failed.code == 1
    assert "its certificate is not trusted" in failed.err
    assert "--ca FILE" in failed.err


def test_a_renewed_password_is_fetched_by_who_has_the_key(centre: Centre, relay: RelayAtWork, otd: Otd) -> None:
    let_in(centre, relay, otd)
    before = centre.users.passwords["relay1"]
    with Http(trust=public_trust(str(centre.folder / "ca.pem"))) as http:
        door = Door(http, centre.server.url)
        assert renewed(door, relay="relay1", signing=relay.signing, renew=True) is None
        centre.work()
        sealed = renewed(door, relay="relay1", signing=relay.signing, renew=False)
        assert sealed is not None
        with pytest.raises(Denied):
            renewed(door, relay="relay1", signing=seal.new_key(), renew=False)
        said = seal.open_order(sealed, "relay1", relay.sealing, seal.public_signing(signing_key(centre.store)))
        assert json.loads(said)["broker"]["password"] == centre.users.passwords["relay1"] != before
        assert otd("relays", "revoke", "relay1", "--yes").code == 0
        with pytest.raises(Denied, match="shut out"):
            renewed(door, relay="relay1", signing=relay.signing, renew=False)
    centre.work()
    assert centre.users.passwords == {}
