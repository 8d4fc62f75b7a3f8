"""Where endpoints tell a relay that they restarted: what anybody may send there, and what becomes of it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from otd.bus.local import LocalBus
from otd.endpoints.memory import MemoryDriver
from otd.inbound import Server, serve
from otd.model import Hello
from otd.relay.feedback import LIMIT, Feedback, FeedbackApp
from otd.relay.memory import Memory
from otd.relay.service import Relay
from tests.values import T0, FixedClock
from tests.waiting import until

SOON = timedelta(seconds=15)


def a_feedback(
    key: bytes = b"one", shared: bytes = b"house", pool: str = "hq", quiet: timedelta = timedelta(hours=1)
) -> Feedback:
    return Feedback(key=key, shared=shared, pool=pool, registered=Memory(), quiet=quiet)


@pytest.fixture
def told() -> Feedback:
    return a_feedback()


@pytest.fixture
def server(told: Feedback) -> Iterator[Server]:
    app = FeedbackApp(told, within=timedelta(milliseconds=300))
    with serve(app, name="feedback", address="127.0.0.1", port=0, certificate=None) as server:
        told.listening(server.url)
        yield server


def post(url: str, content: bytes = b"<Event/>", method: str = "POST") -> int:
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.request(method, url, content=content).status_code


# --- what anybody may send ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"<Event><BootEvent/></Event>", b"{}", b"\xff\x00<!DOCTYPE a [", b"x" * LIMIT]
)
def test_a_post_to_an_endpoints_own_address_counts_whatever_it_says(
    told: Feedback, server: Server, content: bytes
) -> None:
    assert post(told.url("codec1"), content) == 200
    assert told.take() == ("codec1",)


def test_a_forged_address_is_answered_alike_and_does_nothing(told: Feedback, server: Server) -> None:
    right = told.url("codec1")
    head, _, token = right.rpartition("/")
    others = (a_feedback(key=b"another"), a_feedback(shared=b"another"), a_feedback(pool="branch"))
    forged = [
        f"{head}/{'0' * len(token)}",
        f"{head}/",
        f"{head}/{token}0",
        f"{head}/{token}/",
        f"{head}/%C3%A9",
        right.replace("codec1", "codec2"),
        f"{server.url}/",
        f"{server.url}/otd/feedback/codec1/{token}",
    ]
    for other in others:
        other.listening(server.url)
        forged.append(other.url("codec1"))
    assert {post(url) for url in forged} == {200}
    assert told.take() == ()


def test_nothing_but_a_post_is_looked_at(told: Feedback, server: Server) -> None:
    assert {post(told.url("codec1"), b"", method) for method in ("GET", "HEAD", "PUT", "DELETE")} == {405}
    assert told.take() == ()


def test_a_huge_body_is_cut_off_and_does_nothing(told: Feedback, server: Server) -> None:
    sent = 0
    with socket.create_connection((server.address, server.port), timeout=10) as connection:
        path = told.url("codec1").removeprefix(server.url)
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while sent < 64 * 1024 * 1024:
                sent += connection.send(b"x" * LIMIT)
    assert sent < 16 * 1024 * 1024
    assert told.take() == ()


def test_a_body_that_drips_is_cut_off_and_does_nothing(told: Feedback, server: Server) -> None:
    with socket.create_connection((server.address, server.port), timeout=10) as connection:
        path = told.url("codec1").removeprefix(server.url)
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    assert told.take() == ()


def test_a_flood_is_one_hint(told: Feedback, server: Server) -> None:
    woken: list[float] = []
    told.wake = lambda: woken.append(time.monotonic())
    assert post(told.url("codec1")) == 200
    assert told.take() == ("codec1",)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(post, [told.url("codec1")] * 100)) == {200}
    assert told.take() == ()
    assert len(woken) == 1


def test_what_comes_too_soon_is_told_later() -> None:
    told = a_feedback(quiet=timedelta(milliseconds=200))
    told.listening("http://relay")
    path = told.url("codec1").removeprefix("http://relay")
    told.post(path)
    assert told.take() == ("codec1",)
    told.post(path)
    assert told.take() == ()
    until(lambda: told.take() == ("codec1",), SOON, "the second")


def test_no_address_is_logged(told: Feedback, server: Server) -> None:
    with capture_logs() as logs:
        post(told.url("codec1"))
        post(told.url("codec1") + "0")
    assert told.url("codec1").rpartition("/")[2] not in repr(logs)


# --- addresses ------------------------------------------------------------------------------------------------------


def test_every_endpoint_has_an_address_of_its_own_that_outlives_the_process(told: Feedback) -> None:
    assert told.url("codec1") == ""
    told.listening("https://relay:8444/")
    again = a_feedback()
    again.listening("https://relay:8444")
    assert told.url("codec1") == again.url("codec1")
    one, other = (told.url(name).rpartition("/")[2] for name in ("codec1", "codec2"))
    assert one != other
    assert len(one) * 4 >= 128


def test_which_endpoints_were_registered_outlives_the_process(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "relay.db")
    memory.hook("codec1", True)
    memory.hook("codec1", True)
    memory.hook("codec2", True)
    memory.hook("codec2", False)
    memory.close()
    memory = Memory(tmp_path / "relay.db")
    assert (memory.is_hooked("codec1"), memory.is_hooked("codec2")) == (True, False)
    memory.forget("codec1")
    assert not memory.is_hooked("codec1")
    memory.close()


# --- the hello ------------------------------------------------------------------------------------------------------


def a_relay(told: Feedback, bus: LocalBus) -> Relay:
    return Relay(
        name="relay1",
        pool="hq",
        bus=bus.relay("relay1", "hq"),
        drivers={"memory": MemoryDriver()},
        memory=Memory(),
        clock=FixedClock(),
        feedback=told,
        hello_every=timedelta(hours=1),
    )


def test_the_centre_is_told_at_once_and_once(told: Feedback) -> None:
    bus, hellos, heard = LocalBus(), [], threading.Event()

    def note(hello: Hello) -> None:
        hellos.append(hello)
        heard.set()

    bus.listen(lambda receipt: None, note)
    relay = a_relay(told, bus)
    relay.start()
    assert heard.wait(10)
    told.listening("http://relay")
    for name in ("codec1", "codec2", "codec1"):
        told.post(told.url(name).removeprefix("http://relay"))
    until(lambda: any(hello.restarted for hello in hellos), SOON, "the hello")
    relay.stop()
    bus.close()
    assert [hello.restarted for hello in hellos] == [(), ("codec1", "codec2"), ()]


def test_the_centre_is_told_of_the_certificate_that_runs_out_first(told: Feedback) -> None:
    bus, hellos = LocalBus(), []
    bus.listen(lambda receipt: None, hellos.append)
    relay = a_relay(told, bus)
    later, sooner = T0 + timedelta(days=90), T0 + timedelta(days=20)
    for expires in (later, None, sooner):
        relay.shows(lambda expires=expires: expires)  # type: ignore[misc]
    relay.start()
    until(lambda: bool(hellos), SOON, "the hello")
    relay.stop()
    bus.close()
    assert hellos[0].face_until == sooner
