"""Alerts by mail and by webhook, over real servers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from otd.alerting.access import MailAccess, WebhookAccess
from otd.alerting.mail import Mail
from otd.alerting.webhook import Webhook
from otd.alerting.words import document, severity
from otd.causes import CAUSES
from otd.errors import BadSetting, Denied, Retryable
from otd.lab.certificates import self_signed
from otd.settings.secrets import NamedSecrets
from tests.adapters.post import PostOffice, Receiver, receiver
from tests.adapters.recorder import Instead
from tests.contracts.channel import WITHIN, ChannelContract, a_notice

SECRETS = NamedSecrets(
    environment={
        "OTD_SECRET_LOGIN": "otd:hush-password",
        "OTD_SECRET_WRONG": "otd:hush-wrong",
        "OTD_SECRET_TOKEN": "hush-token",
    },
    file=None,
    folder=None,
)


class Dripping:
    """Sends a byte now and then, and never an end."""

    def __init__(self, byte: bytes) -> None:
        self._byte, self._over = byte, threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        with connection:
            while not self._over.wait(0.05):
                try:
                    connection.sendall(self._byte)
                except OSError:
                    return

    def stop(self) -> None:
        self._over.set()
        self._socket.close()
        self._thread.join()


class Sides:
    """What both contracts need of the other side."""

    @pytest.fixture(autouse=True)
    def sides(self) -> Iterator[None]:
        self.certificate = self_signed("otd-lab-alerts")
        with ExitStack() as stack:
            self.stack = stack
            self.start(stack)
            yield

    def start(self, stack: ExitStack) -> None:
        raise NotImplementedError

    def ca(self, folder: Path) -> str:
        path = folder / "ca.pem"
        path.write_text(self.certificate.pem)
        return str(path)

    def drip(self, byte: bytes) -> int:
        dripping = Dripping(byte)
        self.stack.callback(dripping.stop)
        return dripping.port


class TestMail(Sides, ChannelContract):
    def start(self, stack: ExitStack) -> None:
        self.office = PostOffice(certificate=self.certificate, login=("otd", "hush-password"))
        self.post = ExitStack()
        self.post.enter_context(self.office)
        stack.push(self.post)
        host, _, port = self.office.address.partition(":")
        self.host, self.port = host, int(port)

    def access(self, folder: Path, **more: object) -> MailAccess:
        usual: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "sender": "otd@example.com",
            "to": ("av@example.com", "it@example.com"),
            "login": "login",
            "ca_file": self.ca(folder),
        }
        return MailAccess(**(usual | more))  # type: ignore[arg-type]

    def make(self, folder: Path) -> Mail:
        return Mail(self.access(folder), secrets=SECRETS)

    def told(self) -> list[str]:
        return [f"{one['Subject']}\n{one.get_content()}" for one in self.office.taken]

    def refuse(self, times: int) -> None:
        self.office.answers += ["451 hush-password is what you said"] * times

    def vanish(self) -> None:
        self.post.close()

    def stall(self, folder: Path) -> Mail:
        return Mail(self.access(folder, port=self.drip(b"2")), secrets=SECRETS)

    def distrusted(self, folder: Path) -> Mail:
        return Mail(self.access(folder, ca_file=""), secrets=SECRETS)

    def test_it_is_addressed_and_can_be_told_from_a_copy(self, tmp_path: Path) -> None:
        for _ in range(2):
            self.make(tmp_path).tell((a_notice(),), within=WITHIN)
        first, copy = self.office.taken
        assert first["From"] == "otd@example.com"
        assert first["To"] == "av@example.com, it@example.com"
        assert first["Subject"] == "OTD: endpoint codec1: No relay reaches the endpoint."
        assert first["Auto-Submitted"] == "auto-generated"
        assert first["Message-ID"] == copy["Message-ID"]

    def test_many_are_told_in_few_messages(self, tmp_path: Path) -> None:
        self.make(tmp_path).tell(tuple(a_notice(n) for n in range(60)), within=WITHIN)
        assert len(self.office.taken) == 2
        assert "(and 49 more)" in self.office.taken[0]["Subject"]

    def test_a_refused_password_needs_a_person(self, tmp_path: Path) -> None:
        mail = Mail(self.access(tmp_path, login="wrong"), secrets=SECRETS)
        with pytest.raises(Denied) as raised:
            mail.tell((a_notice(),), within=WITHIN)
        assert "hush" not in str(raised.value)
        assert "the secret wrong" in raised.value.mend

    def test_a_server_without_tls_is_not_given_the_password(self, tmp_path: Path) -> None:
        with PostOffice() as plain:
            port = int(plain.address.partition(":")[2])
            with pytest.raises(Retryable) as raised:
                Mail(self.access(tmp_path, port=port), secrets=SECRETS).tell((a_notice(),), within=WITHIN)
        assert "no TLS" in raised.value.why
        assert plain.logins == plain.taken == []

    def test_a_server_in_the_house_may_take_it_without_either(self, tmp_path: Path) -> None:
        with PostOffice() as plain:
            port = int(plain.address.partition(":")[2])
            mail = Mail(self.access(tmp_path, port=port, login="", tls="none"), secrets=SECRETS)
            mail.tell((a_notice(),), within=WITHIN)
            assert len(plain.taken) == 1


class TestWebhook(Sides, ChannelContract):
    def start(self, stack: ExitStack) -> None:
        self.listening = ExitStack()
        self.receiver: Receiver = self.listening.enter_context(receiver(certificate=self.certificate))
        stack.push(self.listening)

    def access(self, folder: Path, **more: str) -> WebhookAccess:
        usual = {"url": self.receiver.url, "token": "token", "ca_file": self.ca(folder)}
        return WebhookAccess(**(usual | more))

    def made(self, access: WebhookAccess) -> Webhook:
        webhook = Webhook(access, secrets=SECRETS)
        self.stack.callback(webhook.close)
        return webhook

    def make(self, folder: Path) -> Webhook:
        return self.made(self.access(folder))

    def told(self) -> list[str]:
        return [one.body.decode() for one in self.receiver.asked if not one.url.startswith("/elsewhere")]

    def refuse(self, times: int) -> None:
        def instead(_: object) -> Instead | None:
            nonlocal times
            times -= 1
            if times < 0:
                return None
            self.receiver.asked.pop()
            return Instead(status=503, body=b"hush-token is what you said")

        self.receiver.recorder.instead = instead

    def vanish(self) -> None:
        self.listening.close()

    def stall(self, folder: Path) -> Webhook:
        return self.made(self.access(folder, url=f"http://127.0.0.1:{self.drip(b'H')}/"))

    def distrusted(self, folder: Path) -> Webhook:
        return self.made(self.access(folder, ca_file=""))

    def test_it_is_sent_in_the_documented_form_with_its_token(self, tmp_path: Path) -> None:
        self.make(tmp_path).tell((a_notice(),), within=WITHIN)
        (asked,) = self.receiver.asked
        assert asked.headers["authorization"] == "Bearer hush-token"
        assert asked.headers["content-type"] == "application/json"
        assert json.loads(asked.body) == {
            "version": 1,
            "source": "otd",
            "alerts": [
                {
                    "id": "endpoint_unreachable/endpoint:codec1/1",
                    "event": "raised",
                    "severity": "critical",
                    "cause": "endpoint_unreachable",
                    "stage": "endpoint",
                    "thing": "endpoint:codec1",
                    "sentence": "No relay reaches the endpoint.",
                    "detail": "at 10:00",
                    "mend": "Switch it on.",
                    "at": "2026-01-05T09:00:00+00:00",
                    "note": "",
                }
            ],
        }

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_never_followed(self, tmp_path: Path, status: int) -> None:
        away = Instead(status=status, headers=(("location", f"{self.receiver.server.url}/elsewhere"),))
        self.receiver.recorder.instead = lambda _: away
        with pytest.raises(Retryable) as raised:
            self.make(tmp_path).tell((a_notice(),), within=WITHIN)
        assert "redirect" in raised.value.why
        assert [asked.url for asked in self.receiver.asked] == ["/alerts?"]

    def test_an_address_that_is_a_secret_stays_one(self, tmp_path: Path) -> None:
        secrets = NamedSecrets(environment={"OTD_SECRET_HOOK": f"{self.receiver.url}/hush"}, file=None, folder=None)
        webhook = Webhook(WebhookAccess(secret_url="hook", ca_file=self.ca(tmp_path)), secrets=secrets)
        self.stack.callback(webhook.close)
        webhook.tell((a_notice(),), within=WITHIN)
        assert self.receiver.asked[0].url == "/alerts/hush?"
        self.refuse(1)
        with pytest.raises(Retryable) as raised:
            webhook.tell((a_notice(),), within=WITHIN)
        assert "hush" not in str(raised.value)

    def test_a_secret_address_in_clear_is_a_mistake(self) -> None:
        secrets = NamedSecrets(environment={"OTD_SECRET_HOOK": "http://hush.example.com"}, file=None, folder=None)
        webhook = Webhook(WebhookAccess(secret_url="hook"), secrets=secrets)
        self.stack.callback(webhook.close)
        with pytest.raises(BadSetting) as raised:
            webhook.tell((a_notice(),), within=WITHIN)
        assert "hush" not in str(raised.value)


def test_every_cause_has_its_weight() -> None:
    weights = {code: severity(code) for code in CAUSES}
    assert set(weights.values()) == {"critical", "warning"}
    assert weights["no_relay"] == "critical"
    assert weights["face_expires"] == weights["relay_gone"] == "warning"
    assert document(())
