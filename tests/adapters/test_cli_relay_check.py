"""`otd relay check`: which step of which way is closed, and the rule that opens it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otd import serving
from otd import settings as otd_settings
from otd.bus import seal
from otd.bus.broker import Broker
from otd.bus.identity import Identity, save
from otd.certificates import CertificateFiles
from otd.inbound import Server, serve
from otd.lab.codec import Codec
from otd.model import Endpoint
from otd.outbound import Http, public_trust
from otd.relay.memory import Memory
from otd.serve.app import application
from otd.site import write_note
from otd.store import SqlStore
from otd.tunnel import proxy_at
from otd.wiring import signing_key
from otd.wiring import store as open_store
from tests.adapters.authority import Authority, key_pem, pem
from tests.adapters.cli import SETTINGS, Otd, an_installation, otd
from tests.adapters.connect_proxy import ConnectProxy
from tests.adapters.test_serve import free_port

__all__ = ["otd"]
CENTRE, BUS = ("otd.example.com", 443), ("bus.example.com", 443)
CREDENTIALS = "relay:s3cret"


class Site:
    """A centre with a certificate of a private CA, and a relay that may leave its site through a proxy, to port 443."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.corp = folder, Authority("Example Corp CA")
        an_installation(folder, "")
        listens = f'address = "127.0.0.1:{free_port()}"\ncertificate = "serve.pem"'
        (folder / "otd.toml").write_text(f"{SETTINGS}\n[serve]\n{listens}\n")
        (folder / "serve.pem").write_text(self.corp.server("otd.example.com"))
        (folder / "corp.pem").write_text(self.corp.pem)
        settings = otd_settings.load(folder / "otd.toml", {})
        self.store: SqlStore = open_store(settings)
        self.server: Server = serving.start(settings, self.store)
        self.proxy = ConnectProxy(credentials=CREDENTIALS)
        self.proxy.allowed = {CENTRE: ("127.0.0.1", self.server.port)}

    def relay_toml(self, **changed: str) -> None:
        said = {"centre": "https://otd.example.com", "password": "proxy-password", "more": "", **changed}
        (self.folder / "relay.toml").write_text(
            f'[relay]\ncentre = "{said["centre"]}"\nca = "corp.pem"\n'
            f'[proxy]\nurl = "{self.proxy.url}"\nusername = "relay"\npassword = "{said["password"]}"\n{said["more"]}\n'
        )
        secrets = self.folder / "secrets.toml"
        if "proxy-password" not in secrets.read_text():
            secrets.write_text(secrets.read_text() + 'proxy-password = "s3cret"\nwrong = "wr0ng"\n')

    def paired(self, **broker: Any) -> None:
        """An identity, as pairing would have given it."""
        self.folder.joinpath("state").mkdir(exist_ok=True)
        known = Broker(host=BUS[0], port=BUS[1], vhost="otd-relays", user="otd-relays.r1", password="pw")
        centre = seal.public_signing(signing_key(self.store))
        keys = {"signing": seal.new_key(), "sealing": seal.new_key()}
        identity = Identity(relay="r1", pool="hq", broker=replace(known, **broker), centre=centre, **keys)
        save(identity, self.folder / "state" / "identity.json")

    def close(self) -> None:
        self.server.stop()
        self.store.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    with found.proxy:
        found.relay_toml()
        yield found
    found.close()


def checked(otd: Otd, way: str, step: str) -> dict[str, Any]:
    lines = json.loads(otd("relay", "check", "--json").out)["lines"]
    return next(line for line in lines if (line["way"], line["step"]) == (way, step))


def test_behind_a_proxy_that_asks_for_credentials_with_a_custom_ca_on_port_443_only(site: Site, otd: Otd) -> None:
    said = otd("relay", "check")
    assert said.code == 0, said.out
    assert [line.split()[0] for line in said.out.splitlines()] == ["skip", "ok", "ok", "ok", "ok", "ok", "skip"]
    assert "otd.example.com is resolved by the proxy" in said.out
    assert f"otd.example.com:443 through proxy 127.0.0.1:{site.proxy.port}" in said.out
    assert "certificate of Example Corp CA" in said.out
    assert "nothing re-signs TLS" in said.out
    assert "this relay has no identity yet" in said.out


def test_a_broker_that_can_be_reached_on_443_alone_is_reached_there(site: Site, otd: Otd) -> None:
    site.paired(host=CENTRE[0], port=5671)  # where no broker is, but something that speaks TLS
    lines = [line for line in json.loads(otd("relay", "check", "--json").out)["lines"] if line["way"] == "broker"]
    closed = next(line for line in lines if line["result"] == "warn")
    assert (closed["works_without"], closed["consequence"]) == (True, "port 443 is used instead")
    assert [line["step"] for line in lines][-1] == "AMQPS"
    assert lines[-2]["result"] == "ok"


def test_a_proxy_without_the_rule_is_told_which_rule_to_add(site: Site, otd: Otd) -> None:
    site.proxy.allowed = {}
    said = otd("relay", "check")
    assert said.code == 1
    assert "add a rule to the proxy: allow CONNECT from this machine to otd.example.com:443" in said.out
    assert "does not work without it: this relay cannot be paired" in said.out


def test_a_proxy_that_lets_through_to_the_centre_and_not_to_the_broker(site: Site, otd: Otd) -> None:
    site.paired(port=5671)
    said = otd("relay", "check")
    assert said.code == 1
    assert "add a rule to the proxy: allow CONNECT from this machine to bus.example.com:5671" in said.out
    line = checked(otd, "broker", "proxy")
    assert (line["result"], line["works_without"]) == ("FAIL", False)
    assert "no list reaches an endpoint through this relay" in line["consequence"]


def test_credentials_that_the_proxy_refuses(site: Site, otd: Otd) -> None:
    site.relay_toml(password="wrong")
    line = checked(otd, "centre", "proxy")
    assert "it refuses the credentials of relay (407)" in line["found"]
    assert "[proxy]" in line["mend"]
    assert "wr0ng" not in json.dumps(line)


def test_a_proxy_that_is_not_there(site: Site, otd: Otd) -> None:
    site.relay_toml()
    text = (site.folder / "relay.toml").read_text().replace(str(site.proxy.port), str(free_port()))
    (site.folder / "relay.toml").write_text(text)
    assert "it refuses connections" in checked(otd, "centre", "proxy")["found"]


def test_another_ca_is_named_with_who_signed(site: Site, otd: Otd) -> None:
    (site.folder / "corp.pem").write_text(Authority("Another CA").pem)
    line = checked(otd, "centre", "TLS")
    assert line["result"] == "FAIL"
    assert "it is signed by Example Corp CA" in line["found"]
    assert "name its file in [relay] ca" in line["mend"]


class Inspector:
    """A firewall that opens TLS and re-signs it with a CA that the relay was told to trust."""

    def __init__(self, site: Site) -> None:
        self._site = site
        (site.folder / "inspector.pem").write_text(Authority("Firewall Inspection CA").server("otd.example.com"))
        self.authority = Authority("Firewall Inspection CA")
        (site.folder / "inspector.pem").write_text(self.authority.server("otd.example.com"))
        app = application([Route("/{path:path}", self._pass_on, methods=["GET", "POST"])])
        files = CertificateFiles(certificate=site.folder / "inspector.pem")
        self.server = serve(app, name="inspector", address="127.0.0.1", port=0, certificate=files)

    def _pass_on(self, request: Request) -> Response:
        proxy = ConnectProxy(allowed={CENTRE: ("127.0.0.1", self._site.server.port)})
        trust = public_trust(str(self._site.folder / "corp.pem"))
        with proxy, Http(trust=trust, proxy=proxy_at(proxy.url, where="")) as http:
            url = f"https://otd.example.com{request.url.path}"
            found = http.request(request.method, url, where="centre", within=timedelta(seconds=20))
        return Response(found.body, found.status)


def test_what_re_signs_tls_is_found_even_when_it_is_trusted(site: Site, otd: Otd) -> None:
    inspector = Inspector(site)
    try:
        site.proxy.allowed = {CENTRE: ("127.0.0.1", inspector.server.port)}
        both = site.folder / "both.pem"
        both.write_text(site.corp.pem + inspector.authority.pem)
        text = (site.folder / "relay.toml").read_text().replace("corp.pem", "both.pem")
        (site.folder / "relay.toml").write_text(text)
        line = checked(otd, "centre", "in between")
    finally:
        inspector.server.stop()
    assert line["result"] == "warn"
    assert "it shows a certificate of Firewall Inspection CA" in line["found"]
    assert "except otd.example.com:443 from TLS inspection" in line["mend"]


def test_without_a_proxy_the_firewall_gets_the_rule(site: Site, otd: Otd) -> None:
    port = free_port()
    text = f'[relay]\ncentre = "https://localhost:{port}"\n'
    (site.folder / "relay.toml").write_text(text)
    line = checked(otd, "centre", "TCP")
    assert f"localhost:{port} refuses connections" in line["found"]
    assert f"to localhost:{port} (" in line["mend"]
    (site.folder / "relay.toml").write_text('[relay]\ncentre = "https://otd.invalid"\n')
    assert "otd.invalid cannot be resolved" in checked(otd, "centre", "DNS")["found"]


def test_another_server_than_the_centre(site: Site, otd: Otd) -> None:
    (site.folder / "other.pem").write_text(site.corp.server("otd.example.com"))
    app = application([Route("/health", lambda _: Response("<html>Sign in to the network</html>"))])
    files = CertificateFiles(certificate=site.folder / "other.pem")
    with serve(app, name="portal", address="127.0.0.1", port=0, certificate=files) as portal:
        site.proxy.allowed = {CENTRE: ("127.0.0.1", portal.port)}
        line = checked(otd, "centre", "HTTPS")
    assert line["found"] == "what answers is not the centre"


def test_each_endpoint_that_it_knows_is_tried_and_reach_is_kept(site: Site, otd: Otd) -> None:
    site.paired()
    with Codec(users={"admin": "admin"}, speed=None) as codec:
        endpoint = Endpoint(
            name="board", kind="cisco", address=codec.address, pool="hq", rooms=("board",), credential="codec"
        )
        memory = Memory(site.folder / "state" / "relay.db")
        memory.met(endpoint)
        memory.close()
        secrets = site.folder / "secrets.toml"
        secrets.write_text(secrets.read_text() + 'codec = "admin:admin"\n')
        closed = checked(otd, "endpoint board", codec.address)
        assert "it lies outside of what this relay may reach" in closed["found"]
        assert "[reach] networks" in closed["mend"]
        site.relay_toml(more="[reach]\nlab = true")
        assert "answers, holds" in checked(otd, "endpoint board", codec.address)["found"]
    gone = checked(otd, "endpoint board", codec.address)
    assert f"to {codec.address}" in gone["mend"]


def inbound(site: Site, section: str, names: tuple[str, ...] = ("relay.example.com",), **kept: timedelta) -> int:
    """The relay is to listen on a free port, with a certificate for these names."""
    leaf, key = site.corp.issue(*names, **kept)
    (site.folder / "inbound.pem").write_text(key_pem(key) + pem(leaf) + site.corp.pem)
    port = free_port()
    listens = f'address = "127.0.0.1:{port}"\nhost = "relay.example.com"\ncertificate = "inbound.pem"'
    site.relay_toml(more=f"[{section}]\n{listens}")
    return port


@pytest.mark.parametrize("section", ["face", "feedback"])
def test_where_endpoints_call_the_port_is_tried_and_the_certificate_is_looked_at(
    site: Site, otd: Otd, section: str
) -> None:
    port = inbound(site, section)
    line = checked(otd, section, "port")
    assert (line["result"], line["found"]) == ("ok", f"127.0.0.1:{port} is free to listen on")
    line = checked(otd, section, "certificate")
    assert line["result"] == "ok"
    assert line["found"].startswith("relay.example.com <- Example Corp CA, until 20")


def test_where_endpoints_do_not_call_nothing_is_said(site: Site, otd: Otd) -> None:
    ways = {line["way"] for line in json.loads(otd("relay", "check", "--json").out)["lines"]}
    assert ways.isdisjoint({"face", "feedback"})


@pytest.mark.parametrize("section", ["face", "feedback"])
def test_a_port_that_another_program_has_is_said_with_the_mend(site: Site, otd: Otd, section: str) -> None:
    port = inbound(site, section)
    with socket.create_server(("127.0.0.1", port)):
        line = checked(otd, section, "port")
    assert (line["result"], line["works_without"], line["consequence"]) == ("FAIL", False, "the relay does not start")
    assert f"127.0.0.1:{port}" in line["found"]
    assert f"end what listens there, or choose another address in [{section}]" in line["mend"]


@pytest.mark.parametrize("section", ["face", "feedback"])
def test_a_port_on_which_this_very_relay_listens_is_as_it_should_be(site: Site, otd: Otd, section: str) -> None:
    port, state = inbound(site, section), site.folder / "state"
    state.mkdir()
    with socket.create_server(("127.0.0.1", port)):
        note = {"at": datetime.now(UTC).isoformat(), "stopped": False, section: {"url": f"https://127.0.0.1:{port}"}}
        write_note(state, note)
        line = checked(otd, section, "port")
        assert (line["result"], line["found"]) == ("ok", f"the relay that runs here listens on 127.0.0.1:{port}")
        write_note(state, note | {"stopped": True})
        assert checked(otd, section, "port")["result"] == "FAIL"


def test_a_certificate_that_endpoints_refuse_costs_their_word_for_a_restart_and_no_more(site: Site, otd: Otd) -> None:
    inbound(site, "feedback", ("another.example.com",))
    line = checked(otd, "feedback", "certificate")
    assert (line["result"], line["works_without"]) == ("warn", True)
    assert "it is not for relay.example.com" in line["found"]
    assert "issue it for relay.example.com" in line["mend"]
    assert "is put again at the next look" in line["consequence"]
    inbound(site, "face", ("another.example.com",))
    assert checked(otd, "face", "certificate")["result"] == "FAIL"


def test_a_certificate_that_ends_soon_is_pointed_out(site: Site, otd: Otd) -> None:
    inbound(site, "feedback", lives=timedelta(days=10))
    line = checked(otd, "feedback", "certificate")
    assert line["result"] == "warn"
    assert "runs out on" in line["found"]


def test_a_certificate_without_its_key_or_its_passphrase_lets_no_relay_start(site: Site, otd: Otd) -> None:
    inbound(site, "feedback")
    (site.folder / "inbound.pem").write_text(site.corp.pem)
    line = checked(otd, "feedback", "certificate")
    assert (line["result"], line["consequence"]) == ("FAIL", "the relay does not start")
    text = (site.folder / "relay.toml").read_text()
    (site.folder / "relay.toml").write_text(text + 'passphrase = "nowhere"\n')
    line = checked(otd, "feedback", "certificate")
    assert (line["result"], line["consequence"]) == ("FAIL", "the relay does not start")
    assert "nowhere" in line["found"] + line["mend"]


def test_without_a_certificate_restarts_are_told_in_clear(site: Site, otd: Otd) -> None:
    site.relay_toml(more=f'[feedback]\naddress = "127.0.0.1:{free_port()}"')
    line = checked(otd, "feedback", "certificate")
    assert (line["result"], line["found"]) == ("skip", "none: plain HTTP is spoken")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[relay]\ncentre = "http://otd.example.com"', "http:// sends passwords in clear"),
        ('[relay]\nca = "none.pem"', "there is no file"),
        ('[proxy]\nurl = "http://u:p@proxy:1"', "a password does not belong here"),
        ('[proxy]\nurl = "socks://proxy:1"', "a proxy is spoken to by http"),
        ('[reach]\nnetworks = ["10.0.0.1/8"]', "is not a network"),
        ("[rooms]", "there is no section 'rooms'"),
        ('[relay]\ncenter = "x"', "there is no key 'center' here"),
    ],
)
def test_mistakes_in_relay_toml_are_named(tmp_path: Path, otd: Otd, text: str, said: str) -> None:
    (tmp_path / "relay.toml").write_text(text + "\n")
    found = otd("relay", "check")
    assert found.code == 2
    assert said in found.err
