"""Calls to the outside end by their deadline, stay within their size, follow nothing and trust only whom they may."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from otd.errors import Garbled, Unreachable, Untrusted
from otd.lab.server import Server
from otd.lab.wire import Cut, Drip, Proxy, Silence, Way
from otd.outbound import Deadline, Http, fingerprint, pinned_trust, public_trust

WITHIN = timedelta(seconds=5)
SHORT = timedelta(milliseconds=300)
asked: list[str] = []


def _route(path: str, answer: Callable[[], object]) -> Route:
    async def endpoint(request: Request) -> object:
        asked.append(path)
        return answer()

    handler: Callable[[Request], Awaitable[Response]] = endpoint  # type: ignore[assignment]
    return Route(path, handler)


APP = Starlette(
    routes=[
        _route("/plain", lambda: PlainTextResponse("hello")),
        _route("/silent", Silence),
        _route("/drip", lambda: Drip(PlainTextResponse("x" * 1000), pause=0.02)),
        _route("/cut", lambda: Cut(PlainTextResponse("x" * 1000))),
        _route("/away", lambda: RedirectResponse("http://127.0.0.1:1/elsewhere")),
        _route("/large", lambda: PlainTextResponse("x" * 200_000)),
        _route("/bomb", lambda: Response(gzip.compress(b"x" * 5_000_000), headers={"content-encoding": "gzip"})),
        _route("/not-gzip", lambda: Response(b"not gzip", headers={"content-encoding": "gzip"})),
        _route("/teapot", lambda: PlainTextResponse("no", status_code=418)),
    ]
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(APP) as running:
        yield running


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(limit=100_000) as client:
        yield client


def get(http: Http, server: Server, path: str, within: timedelta = WITHIN) -> tuple[int, bytes]:
    answer = http.request("GET", server.url + path, where="lab", within=within)
    return answer.status, answer.body


def test_an_answer_comes_whole(http: Http, server: Server) -> None:
    assert get(http, server, "/plain") == (200, b"hello")


def test_any_status_is_an_answer(http: Http, server: Server) -> None:
    assert get(http, server, "/teapot")[0] == 418


def test_a_redirect_is_an_answer_and_is_not_followed(http: Http, server: Server) -> None:
    assert get(http, server, "/away")[0] == 307


def test_connections_are_used_again(http: Http, server: Server) -> None:
    with Proxy(server.port) as proxy:
        for _ in range(5):
            http.request("GET", f"http://127.0.0.1:{proxy.port}/plain", where="lab", within=WITHIN)
        assert proxy.connections == 1


@pytest.mark.parametrize("path", ["/silent", "/drip"])
def test_the_deadline_holds_for_the_whole_call(http: Http, server: Server, path: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.3 s"):
        get(http, server, path, SHORT)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("tls", [False, True])
def test_the_deadline_holds_when_head_and_handshake_drip(tls: bool) -> None:
    with Server(APP, tls=tls) as server, Proxy(server.port, way=Way(size=1, pause=0.02)) as proxy:
        scheme = "https" if tls else "http"
        with Http(trust=pinned_trust(lambda der: None)) as http, pytest.raises(Unreachable):
            http.request("GET", f"{scheme}://127.0.0.1:{proxy.port}/plain", where="lab", within=SHORT)


def test_an_answer_that_breaks_off_is_garbled(http: Http, server: Server) -> None:
    with pytest.raises(Garbled):
        get(http, server, "/cut")


@pytest.mark.parametrize("path", ["/large", "/bomb"])
def test_an_answer_larger_than_the_limit_is_garbled(http: Http, server: Server, path: str) -> None:
    with pytest.raises(Garbled, match="larger than 100000 bytes"):
        get(http, server, path)


def test_an_answer_that_cannot_be_decoded_is_garbled(http: Http, server: Server) -> None:
    with pytest.raises(Garbled):
        get(http, server, "/not-gzip")


def test_nobody_there_is_said_in_plain_words(http: Http) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable, match="the connection was refused"):
            http.request("GET", f"http://127.0.0.1:{port}/", where="lab", within=WITHIN)


def test_something_that_does_not_speak_http_is_garbled(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Garbled):
            http.request("GET", f"http://127.0.0.1:{listening.getsockname()[1]}/", where="lab", within=WITHIN)
        thread.join()


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1", "nonsense"])
def test_an_address_that_cannot_be_called_is_said_so(http: Http, url: str) -> None:
    with pytest.raises(Unreachable):
        http.request("GET", url, where="lab", within=WITHIN)


def test_a_self_signed_certificate_is_not_trusted_by_itself(http: Http) -> None:
    with Server(APP, tls=True) as server, pytest.raises(Untrusted, match="not trusted"):
        get(http, server, "/plain")


def test_a_ca_file_makes_it_trusted(tmp_path: Path) -> None:
    with Server(APP, tls=True) as server:
        (tmp_path / "ca.pem").write_text(server.certificate)
        with Http(trust=public_trust(str(tmp_path / "ca.pem"))) as http:
            assert get(http, server, "/plain") == (200, b"hello")


def test_a_pinned_certificate_is_judged_before_anything_is_sent() -> None:
    with Server(APP, tls=True) as server:

        def refuse(der: bytes) -> None:
            assert fingerprint(der) == server.fingerprint
            raise Untrusted("lab", "another certificate")

        asked.clear()
        with Http(trust=pinned_trust(refuse)) as http, pytest.raises(Untrusted, match="another certificate"):
            get(http, server, "/plain")
        assert asked == []


def test_a_deadline_that_has_passed_raises() -> None:
    with pytest.raises(TimeoutError):
        Deadline.after(timedelta(0)).remaining()
