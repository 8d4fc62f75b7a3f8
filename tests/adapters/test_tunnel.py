"""Connections straight, through a proxy, and within what a relay may reach."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from otd.errors import BadSetting, Denied, Garbled, OtdError, Unreachable, Unsupported
from otd.outbound import Deadline
from otd.reach import PRIVATE, confined, reach_of
from otd.tunnel import Proxy, connect, proxy_at
from tests.adapters.connect_proxy import ConnectProxy

WITHIN = timedelta(seconds=10)


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says back what it hears; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    while part := client.recv(100):
                        client.sendall(part)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def said_through(host: str, port: int, proxy: Proxy | None) -> bytes:
    with connect(host, port, left=Deadline.after(WITHIN).remaining, proxy=proxy) as sock:
        sock.sendall(b"hello")
        return sock.recv(100)


def test_a_connection_through_a_proxy_that_asks_for_credentials(echo: int) -> None:
    with ConnectProxy(credentials="relay:s3cret") as proxy:
        url = f"http://relay:s3cret@127.0.0.1:{proxy.port}"
        assert said_through("127.0.0.1", echo, proxy_at(url, where="proxy")) == b"hello"
        assert proxy.seen == [f"127.0.0.1:{echo} 200"]


def test_port_443_only(echo: int) -> None:
    with ConnectProxy(allowed={("bus.example.com", 443): ("127.0.0.1", echo)}) as proxy:
        found = proxy_at(proxy.url, where="proxy")
        assert said_through("bus.example.com", 443, found) == b"hello"
        with pytest.raises(Denied, match=r"allow CONNECT from this machine to bus.example.com:5671") as refused:
            said_through("bus.example.com", 5671, found)
        assert refused.value.reason == "proxy"


@pytest.mark.parametrize(
    ("proxy", "user", "kind", "said"),
    [
        (ConnectProxy(credentials="relay:s3cret"), "", Denied, "it asks for credentials"),
        (ConnectProxy(credentials="relay:s3cret"), "relay:wrong@", Denied, "it refuses the credentials of relay"),
        (ConnectProxy(credentials="x:y", offers="NTLM"), "", Unsupported, "it wants credentials by ntlm"),
        (ConnectProxy(), "", Unreachable, "it cannot reach 127.0.0.1:1"),
    ],
)
def test_what_a_proxy_answers_is_said(proxy: ConnectProxy, user: str, kind: type[OtdError], said: str) -> None:
    with proxy, pytest.raises(kind, match=said) as refused:
        said_through("127.0.0.1", 1, proxy_at(f"http://{user}127.0.0.1:{proxy.port}", where="proxy"))
    assert "wrong" not in str(refused.value)


def test_a_proxy_that_is_none_is_told_apart(echo: int) -> None:
    with pytest.raises(Garbled, match="is this the address of a proxy"):
        said_through("192.0.2.1", 443, Proxy(host="127.0.0.1", port=echo))
    with pytest.raises(Unreachable, match="it refuses connections"):
        said_through("192.0.2.1", 443, Proxy(host="127.0.0.1", port=1))


@pytest.mark.parametrize(
    ("bypass", "host", "served"),
    [
        ("", "otd.example.com", True),
        ("example.com", "otd.example.com", False),
        (".example.com", "otd.example.com", False),
        ("*.example.com", "OTD.example.com.", False),
        ("ample.com", "otd.example.com", True),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8, other", "192.0.2.1", True),
        ("otd.example.com:443", "otd.example.com", True),
        ("otd.example.com:5671", "otd.example.com", False),
        ("[2001:db8::1]", "2001:db8::1", False),
        ("*", "anything", False),
    ],
)
def test_who_is_reached_without_the_proxy(bypass: str, host: str, served: bool) -> None:
    assert proxy_at("proxy.example.com:3128", where="proxy", bypass=bypass).serves(host, 5671) is served


@pytest.mark.parametrize("url", ["https://proxy:1", "socks5://proxy:1", "http://proxy:port", "http://", "http://p/x"])
def test_what_is_no_proxy_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadSetting):
        proxy_at(url, where="[proxy] url")


class TestReach:
    """What a relay may connect to on behalf of an endpoint."""

    @pytest.mark.parametrize(
        ("address", "allowed"),
        [
            ("10.1.2.3", True),
            ("192.168.7.9", True),
            ("::ffff:10.1.2.3", True),
            ("fd12::1", True),
            ("192.0.2.1", False),
            ("127.0.0.1", False),
            ("::1", False),
            ("::ffff:127.0.0.1", False),
            ("169.254.169.254", False),
            ("fe80::1%eth0", False),
            ("fd00:ec2::254", False),
            ("0.0.0.0", False),  # noqa: S104 - an address that means this machine
            ("224.0.0.1", False),
        ],
    )
    def test_private_networks_and_nothing_that_is_this_machine_or_a_cloud(self, address: str, allowed: bool) -> None:
        assert reach_of(PRIVATE).allows(address) is allowed
        if not allowed and not address.startswith("192.0.2"):
            assert not reach_of(("0.0.0.0/0", "::/0")).allows(address)

    def test_a_connection_that_leads_elsewhere_is_not_made(self, echo: int) -> None:
        with confined(reach_of(PRIVATE)), pytest.raises(Denied, match=r"add its network to \[reach\]"):
            said_through("localhost", echo, None)
        with confined(reach_of(PRIVATE, lab=True)):
            assert said_through("127.0.0.1", echo, None) == b"hello"
        assert said_through("127.0.0.1", echo, None) == b"hello"
