"""`otd serve` as a process, over real HTTPS."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from otd.errors import Unreachable, Untrusted
from otd.inbound import Server
from otd.inbound import serve as serving
from otd.lab.certificates import Certificate, self_signed
from otd.outbound import Answer, Http, public_trust
from otd.serve.app import application
from otd.serve.bodies import body
from otd.serve.health import health
from tests.adapters.cli import SETTINGS, an_installation

WITHIN = timedelta(seconds=20)


@dataclass
class Serve:
    """The process, and where it answers."""

    folder: Path
    url: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> Answer:
        with Http(trust=public_trust(str(self.folder / "serve.pem"))) as http:
            return http.request("GET", f"{self.url}{path}", where="serve", within=WITHIN)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OTD_")}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def with_certificate(folder: Path, shown: Certificate) -> None:
    listens = f'address = "127.0.0.1:{free_port()}"\ncertificate = "serve.pem"'
    an_installation(folder, f"{SETTINGS}\n[serve]\n{listens}\n")
    (folder / "serve.pem").write_text(shown.key + shown.pem)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with_certificate(tmp_path, self_signed("localhost"))
    process = subprocess.Popen(
        [sys.executable, "-m", "otd", "serve"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        while " at https://" not in said:
            assert said, "it ended"
            said = process.stderr.readline()
        yield Serve(tmp_path, said.split(" at ")[1].split(";")[0], process)
    finally:
        process.kill()
        process.communicate()


def test_it_says_that_it_lives_and_is_ready_and_stops_cleanly(serve: Serve) -> None:
    found = serve.get("/health")
    assert (found.status, json.loads(found.body)) == (200, {"live": True, "ready": True})
    assert serve.get("/health/live").status == 200
    assert serve.get("/nothing").status == 404
    serve.process.send_signal(signal.SIGTERM)
    _, said = serve.process.communicate(timeout=20)
    assert (serve.process.returncode, said.strip()) == (0, "otd: stopping")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('address = "0.0.0.0:8480"', "serve.address: without a certificate everybody on the way could read"),
        ('certificate = "none.pem"', "serve.certificate: there is no file"),
        ('proxies = ["proxy.example.com"]', "serve.proxies[1]: 'proxy.example.com' is not an address"),
        ('minimum_tls = "1.0"', "serve.minimum_tls: this is not one of the choices"),
    ],
)
def test_a_mistake_in_its_settings_is_named(tmp_path: Path, settings: str, said: str) -> None:
    an_installation(tmp_path, f"{SETTINGS}\n[serve]\n{settings}\n")
    command = [sys.executable, "-m", "otd", "serve"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


class TestTheApplication:
    """What routes of every origin can count on."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        def away() -> None:
            raise Unreachable("the database postgresql://otd:secret@db", "no answer")

        async def who(request: Request) -> Response:
            assert request.client is not None
            return JSONResponse({"from": request.client.host, "size": len(await body(request, limit=100))})

        async def broken(request: Request) -> Response:
            raise RuntimeError("with a passcode 1234 in it")

        async def gone(request: Request) -> Response:
            away()
            return Response()

        routes = [
            *health(away),
            Route("/who", who, methods=["POST"]),
            Route("/broken", broken),
            Route("/gone", gone),
        ]
        app = application(routes, proxies=("127.0.0.1", "192.0.2.2"))
        with serving(app, name="centre", address="127.0.0.1", port=0, certificate=None) as server:
            yield server

    def ask(self, server: Server, method: str, path: str, content: bytes = b"", **headers: str) -> Answer:
        with Http() as http:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            url = f"{server.url}{path}"
            return http.request(method, url, where="serve", within=WITHIN, headers=named, content=content)

    @pytest.mark.parametrize(
        ("forwarded", "address"),
        [
            ("198.51.100.7", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what stands further left anybody may have written
            ("198.51.100.7, 192.0.2.2", "198.51.100.7"),  # through two of our own
            ("not an address", "127.0.0.1"),
        ],
    )
    def test_the_address_that_asks_is_the_nearest_that_is_no_proxy_of_ours(
        self, server: Server, forwarded: str, address: str
    ) -> None:
        answer = self.ask(server, "POST", "/who", b"x", X_Forwarded_For=forwarded)
        assert json.loads(answer.body) == {"from": address, "size": 1}

    def test_a_body_that_is_too_large_is_refused(self, server: Server) -> None:
        assert self.ask(server, "POST", "/who", b"x" * 101).status == 413

    def test_while_the_database_is_away_it_lives_and_is_not_ready(self, server: Server) -> None:
        answer = self.ask(server, "GET", "/health")
        found = json.loads(answer.body)
        assert (answer.status, found) == (503, {"live": True, "ready": False, "database": "unreachable"})
        assert self.ask(server, "GET", "/health/live").status == 200

    def test_errors_tell_nothing_of_what_is_inside(self, server: Server) -> None:
        broken, gone = self.ask(server, "GET", "/broken"), self.ask(server, "GET", "/gone")
        assert (broken.status, gone.status) == (500, 503)
        assert b"passcode" not in broken.body
        assert b"secret" not in gone.body


def test_who_does_not_trust_its_certificate_sends_nothing(serve: Serve) -> None:
    with Http() as http, pytest.raises(Untrusted):
        http.request("GET", f"{serve.url}/health", where="serve", within=WITHIN)
