"""The lab's servers: apps on loopback over HTTP and HTTPS, and what can go wrong on the wire."""

from __future__ import annotations

import gc
import hashlib
import logging
import socket
import ssl
import threading
from collections.abc import Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from otd.lab.certificates import self_signed
from otd.lab.server import Receive, Scope, Send, Server
from otd.lab.wire import Cut, Drip, Flood, Proxy, Silence, Way

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loads no CAs, which takes long and is of no use here
BODY = "an answer of forty characters, more or less"


asked = threading.Event()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    usual = PlainTextResponse(BODY)
    answers = {"/silence": Silence(), "/drip": Drip(usual, pause=0.001), "/cut": Cut(usual)}
    if scope["path"] == "/silence":
        asked.set()
    if scope["path"] == "/mistake":
        raise RuntimeError("a mistake in the app")
    await answers.get(scope["path"], usual)(scope, receive, send)


def client(server: Server, *, timeout: float = 5.0) -> httpx.Client:
    verify = ssl.create_default_context(cadata=server.certificate) if server.certificate else PLAIN
    return httpx.Client(base_url=server.url, verify=verify, timeout=timeout, trust_env=False)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()  # what was not closed would warn here, and warnings are errors
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("tls", [False, True])
def test_a_dozen_servers_answer_from_one_thread(tls: bool) -> None:
    before = threading.active_count()
    servers = [Server(app, tls=tls, name=f"server-{number}") for number in range(12)]
    for server in servers:
        server.start()
    try:
        assert threading.active_count() == before + 1
        assert len({server.port for server in servers}) == 12
        for server in servers:
            with client(server) as http:
                assert http.get("/").text == BODY
    finally:
        for server in servers:
            server.stop()
    assert threading.active_count() == before


def test_the_fingerprint_is_that_of_the_certificate_which_clients_see() -> None:
    with Server(app, tls=True, name="room-codec") as server:
        shown = ssl.get_server_certificate(("127.0.0.1", server.port))
        der = ssl.PEM_cert_to_DER_cert(shown)
        assert server.fingerprint == f"sha256:{hashlib.sha256(der).hexdigest()}"
        assert ssl.PEM_cert_to_DER_cert(server.certificate) == der


def test_servers_have_certificates_of_their_own() -> None:
    with Server(app, tls=True) as one, Server(app, tls=True) as other:
        assert one.fingerprint != other.fingerprint
        with client(one) as trusting_one, pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            trusting_one.get(other.url)


def test_a_server_that_restarts_keeps_its_port_and_its_certificate() -> None:
    server = Server(app, tls=True)
    with server:
        port, fingerprint = server.port, server.fingerprint
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
    with server, client(server) as http:
        assert http.get("/").text == BODY
        assert (server.port, server.fingerprint) == (port, fingerprint)


def test_a_given_certificate_is_shown() -> None:
    certificate = self_signed("given")
    with Server(app, certificate=certificate) as server:
        assert server.url.startswith("https://")
        assert server.fingerprint == certificate.fingerprint


def test_a_taken_port_is_an_error_and_leaves_nothing() -> None:
    with Server(app) as server, pytest.raises(OSError, match="in use"):
        Server(app, port=server.port).start()


def test_stopping_breaks_off_what_is_being_answered() -> None:
    server = Server(app)
    server.start()
    broken: list[Exception] = []

    def ask() -> None:
        with client(server) as http:
            try:
                http.get("/silence")
            except httpx.RemoteProtocolError as error:
                broken.append(error)

    asking = threading.Thread(target=ask)
    with socket.create_connection(("127.0.0.1", server.port)):  # one that says nothing is broken off as well
        asked.clear()
        asking.start()
        assert asked.wait(5)
        server.stop()
        asking.join()
    assert len(broken) == 1


def test_stopping_in_the_middle_of_a_handshake_leaves_nothing() -> None:
    with Server(app, tls=True) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
    connection.close()


def test_a_mistake_in_an_app_is_logged_and_answered_with_500(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="otd.lab"), Server(app) as server, client(server) as http:
        assert http.get("/mistake").status_code == 500
    assert "a mistake in the app" in caplog.text


def test_answers_carry_the_date() -> None:
    with Server(app) as server, client(server) as http:
        assert http.get("/").headers["date"].endswith("GMT")


# --- faults in an app ---------------------------------------------------------------------------------------------


def test_silence_lasts_until_the_client_gives_up() -> None:
    with Server(app) as server, client(server, timeout=0.1) as http, pytest.raises(httpx.ReadTimeout):
        http.get("/silence")


def test_a_dripping_answer_comes_whole_byte_by_byte() -> None:
    with Server(app) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"GET /drip HTTP/1.1\r\nHost: lab\r\n\r\n")
        pieces = list(iter(lambda: raw.recv(4096), b""))
    assert b"".join(pieces).endswith(BODY.encode())
    assert len(pieces) > 20


def test_a_cut_answer_announces_more_than_it_sends() -> None:
    with (
        Server(app) as server,
        client(server) as http,
        pytest.raises(httpx.RemoteProtocolError, match="received 21 bytes, expected 43"),
    ):
        http.get("/cut")


@pytest.mark.parametrize("packed", [False, True])
def test_a_flood_is_as_long_as_was_asked_for(packed: bool) -> None:
    async def flooding(scope: Scope, receive: Receive, send: Send) -> None:
        await Flood(size=3_000_000, packed=packed)(scope, receive, send)

    with Server(flooding) as server, client(server) as http, http.stream("GET", "/") as answer:
        raw = list(answer.iter_raw())
        assert (sum(map(len, raw)) < 10_000) is packed
    with Server(flooding) as server, client(server) as http:
        assert len(http.get("/").content) == 3_000_000


def test_a_flood_ends_when_the_client_has_had_enough() -> None:
    async def flooding(scope: Scope, receive: Receive, send: Send) -> None:
        await Flood(size=1 << 40)(scope, receive, send)
        over.set()

    over = threading.Event()
    with Server(flooding) as server, client(server) as http:
        with http.stream("GET", "/") as answer:
            next(answer.iter_raw())
        assert over.wait(5)


# --- faults in front of a server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_passes_http_and_tls_untouched(tls: bool) -> None:
    with Server(app, tls=tls) as server, Proxy(server.port) as proxy, client(server) as http:
        assert http.get(server.url.replace(str(server.port), str(proxy.port))).text == BODY
        assert proxy.connections == 1


def test_a_silent_proxy_accepts_and_never_answers() -> None:
    with (
        Server(app) as server,
        Proxy(server.port, way=Way(silent=True)) as proxy,
        client(server, timeout=0.1) as http,
        pytest.raises(httpx.ReadTimeout),
    ):
        http.get(proxy.url)


def test_a_proxy_cuts_after_so_many_bytes() -> None:
    with (
        Server(app) as server,
        Proxy(server.port, way=Way(cut_after=30)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as raw,
    ):
        raw.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
        assert len(b"".join(iter(lambda: raw.recv(4096), b""))) == 30


def test_a_proxy_drips_even_the_head() -> None:
    with (
        Server(app) as server,
        Proxy(server.port, way=Way(size=1, pause=0.001)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as raw,
    ):
        raw.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        pieces = list(iter(lambda: raw.recv(4096), b""))
    assert b"".join(pieces).endswith(BODY.encode())
    assert len(pieces) > 40


def test_a_proxy_to_nowhere_hangs_up() -> None:
    with Server(app) as server:
        port = server.port
    with (
        Proxy(port) as proxy,
        httpx.Client(verify=PLAIN, trust_env=False) as http,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        http.get(proxy.url)
