"""The way in at an Exchange Server: passwords, NTLM, tokens, Kerberos; whom it trusts, and what nobody gets to see."""

from __future__ import annotations

import logging
import ssl
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from otd.calendars.ews import EwsCalendar
from otd.calendars.ews_transport import Adapter, holding, tls_context
from otd.calendars.lockout import ATTEMPTS
from otd.errors import BadSetting, Denied, OtdError, Unreachable, Untrusted
from otd.lab import faults
from otd.lab.certificates import self_signed
from otd.lab.entra import Tenant
from otd.lab.ntlm import Ntlm
from otd.model import Complete, Failed
from otd.outbound import Deadline
from tests.adapters.ews_lab import ACCOUNT, PASSWORD, Lab, calendar, lab, operation
from tests.adapters.mailboxes import SecretsOf
from tests.adapters.reading import ROOM, error, meetings, read
from tests.adapters.recorder import Asked, Instead
from tests.contracts.calendar import a_room, planned

__all__ = ["calendar", "lab"]


# --- passwords, NTLM and certificates --------------------------------------------------------------------------------


def test_a_wrong_password_is_said_to_be_wrong_and_is_not_quoted(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(secrets=SecretsOf({"ews-password": "tippfehler"}))
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert "tippfehler" not in str(failed)
    calendar.close()


def test_a_wrong_password_is_not_tried_for_every_room(lab: Lab) -> None:
    values = {"ews-password": "tippfehler"}
    for n in range(20):
        lab.lay(planned(), mailbox=f"room{n}@example.com")
    calendar = lab.calendar(secrets=SecretsOf(values))
    for n in range(20):
        reading = read(calendar, a_room(f"room{n}@example.com"))
        assert isinstance(reading, Failed)
        assert isinstance(reading.error, Denied)
    assert lab.exchange.requests.count(operation="unauthorized") == ATTEMPTS
    values["ews-password"] = PASSWORD  # another password is tried at once
    assert isinstance(read(calendar), Complete)
    calendar.close()


def test_a_mailbox_out_of_reach_does_not_count_as_a_wrong_password(lab: Lab, calendar: EwsCalendar) -> None:
    lab.exchange.account(ACCOUNT, PASSWORD, impersonates=frozenset(["room1@example.com"]))
    lab.lay(planned())
    lab.lay(planned(), mailbox="room2@example.com")
    for _ in range(ATTEMPTS + 1):
        assert isinstance(read(calendar, a_room("room2@example.com")), Failed)
    assert isinstance(read(calendar), Complete)


@pytest.fixture
def ntlm(lab: Lab) -> Callable[[str], Ntlm]:
    """Makes the server ask for NTLM instead, bound to the channel with this certificate."""

    def made(certificate: str) -> Ntlm:
        before = Ntlm(lab.exchange, {ACCOUNT: PASSWORD}, certificate)
        lab.recorder.app = before
        return before

    return made


def test_ntlm_signs_a_connection_in_once_and_is_bound_to_its_tls(lab: Lab, ntlm: Callable[[str], Ntlm]) -> None:
    before = ntlm(lab.server.certificate)
    lab.lay(planned())
    calendar = lab.calendar(auth="ntlm", connections=1)
    assert isinstance(read(calendar), Complete)
    lab.lay(planned(subject="Changed"))
    assert isinstance(read(calendar), Complete)
    assert before.handshakes == 1
    calendar.close()


def test_ntlm_through_somebody_elses_tls_is_refused(lab: Lab, ntlm: Callable[[str], Ntlm]) -> None:
    ntlm(self_signed("proxy").pem)
    lab.lay(planned())
    calendar = lab.calendar(auth="ntlm")
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert "Extended Protection" in failed.mend
    calendar.close()


def test_a_wrong_password_is_denied_by_ntlm_too(lab: Lab, ntlm: Callable[[str], Ntlm]) -> None:
    ntlm(lab.server.certificate)
    lab.lay(planned())
    calendar = lab.calendar(auth="ntlm", secrets=SecretsOf({"ews-password": "tippfehler"}))
    assert isinstance(error(calendar), Denied)
    calendar.close()


def test_a_server_without_ntlm_denies_it(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(auth="ntlm")
    assert isinstance(error(calendar), Denied)
    calendar.close()


def test_a_server_that_breaks_off_the_handshake_of_ntlm_is_a_failed_read(lab: Lab) -> None:
    first = Instead(status=401, headers=(("www-authenticate", "NTLM"),))
    lab.recorder.instead = lambda asked: Instead(status=503) if "authorization" in asked.headers else first
    calendar = lab.calendar(auth="ntlm")
    assert isinstance(error(calendar), Unreachable)
    calendar.close()


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"url": "http://mail.example.com/EWS/Exchange.asmx"}, BadSetting, "https://"),
        ({"url": "mail.example.com"}, BadSetting, "https://"),
        ({"password": "not-stored"}, BadSetting, "store it"),
        ({"build": "2019"}, BadSetting, "15.2"),
        ({"build": "99.1"}, BadSetting, "15.2"),
        ({"ca_file": "/no/such/ca.pem"}, BadSetting, "PEM"),
    ],
)
def test_a_wrong_setting_is_named(lab: Lab, wrong: dict[str, str], kind: type[OtdError], said: str) -> None:
    lab.lay(planned())
    calendar = lab.calendar(**wrong)
    failed = error(calendar)
    assert type(failed) is kind
    assert said in failed.mend
    calendar.close()


def test_a_certificate_that_no_ca_vouches_for_is_not_trusted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.lay(planned())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.ca_file)  # the environment is not asked whom to trust
    calendar = lab.calendar(ca_file="")
    assert isinstance(error(calendar), Untrusted)
    assert lab.recorder.asked == []
    calendar.close()


def test_with_a_ca_file_its_cas_are_the_only_ones(lab: Lab) -> None:
    context = ssl.create_default_context(cafile=lab.ca_file)
    adapter = Adapter(tls_context(context), "exchange", 1_000_000)
    with requests.Session() as session, holding(Deadline.after(timedelta(seconds=5))):
        session.mount(lab.server.url, adapter)
        assert session.get(f"{lab.server.url}/elsewhere").status_code == 404
    assert len(context.get_ca_certs()) == 1


def test_no_proxy_from_the_environment_sees_the_password(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    lab.lay(planned())
    calendar = lab.calendar()
    assert isinstance(read(calendar), Complete)
    calendar.close()


def test_no_password_subject_or_body_is_printed_logged_or_warned_of(
    lab: Lab, calendar: EwsCalendar, caplog: pytest.LogCaptureFixture
) -> None:
    lab.lay(planned(subject="Very private", body="<p>Most secret</p>"))
    with caplog.at_level(logging.DEBUG):
        reading = read(calendar)
        for fault in (faults.halved(), faults.status(500), faults.cut(), faults.html()):
            lab.exchange.mailboxes[ROOM.mailbox].clear()
            lab.lay(planned(subject="Very private", body="<p>Most secret</p>"))
            lab.fault(fault, operation="GetItem", times=1)
            assert isinstance(read(calendar), Failed)
    assert isinstance(reading, Complete)
    printed = caplog.text + repr(reading) + repr(vars(calendar))
    for hidden in (PASSWORD, "Very private", "Most secret", "Authorization"):
        assert hidden not in printed


def test_a_password_refused_again_and_again_rests_for_the_whole_calendar(lab: Lab) -> None:
    lab.lay(planned())
    calendar = lab.calendar(secrets=SecretsOf({"ews-password": "tippfehler"}))
    rests = []
    for _ in range(ATTEMPTS + 1):
        failed = error(calendar)
        assert failed.rest is not None
        rests.append((failed.everywhere, round(failed.rest / timedelta(minutes=1))))
    assert rests == [(False, 1), (False, 1), (True, 30), (True, 30)]
    calendar.close()


def test_a_cookie_of_one_mailboxs_server_is_not_shown_for_the_next(lab: Lab) -> None:
    lab.lay(planned())
    before = lab.recorder.app

    async def baking(scope: Any, receive: Any, send: Any) -> None:
        async def with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", b"X-BackEndCookie=server7; path=/")]
            await send(message)

        await before(scope, receive, with_cookie)

    lab.recorder.app = baking
    calendar = lab.calendar(connections=1)
    assert isinstance(read(calendar), Complete)
    assert isinstance(read(calendar), Complete)
    assert all("cookie" not in asked.headers for asked in lab.recorder.asked)
    calendar.close()


# --- OAuth and Kerberos ---------------------------------------------------------------------------------------------


@pytest.fixture
def oauth(lab: Lab) -> dict[str, Any]:
    """The server takes an application's tokens; the settings of a calendar that uses them."""
    lab.exchange.tenant = Tenant()
    lab.exchange.tenant.register("an-app", secret="a secret of the lab")
    return {
        "auth": "oauth",
        "username": "",
        "password": "",
        "tenant": lab.exchange.tenant.domain,
        "client_id": "an-app",
        "secret": "app-secret",
        "authority": lab.server.url,
        "secrets": SecretsOf({"app-secret": "a secret of the lab"}),
    }


def is_token(asked: Asked) -> bool:
    return asked.url.partition("?")[0].endswith("/token")


def test_an_application_reads_with_a_token_and_fetches_it_once(lab: Lab, oauth: dict[str, Any]) -> None:
    lab.lay(planned())
    lab.lay(planned(), mailbox="room2@example.com")
    calendar = lab.calendar(**oauth)
    assert len(meetings(calendar)) == 1
    assert isinstance(read(calendar, a_room("room2@example.com")), Complete)
    assert sum(is_token(asked) for asked in lab.recorder.asked) == 1
    stated = [asked.headers.get("authorization", "") for asked in lab.recorder.asked if operation(asked)]
    assert len(stated) == 4
    assert all(header.startswith("Bearer ey") for header in stated)
    calendar.close()


def test_a_token_that_the_server_refuses_is_renewed_once(lab: Lab, oauth: dict[str, Any]) -> None:
    lab.lay(planned())
    calendar = lab.calendar(**oauth)
    assert isinstance(read(calendar), Complete)
    assert lab.exchange.tenant is not None
    lab.exchange.tenant.revoke_tokens()
    assert isinstance(read(calendar), Complete)
    lab.fault(faults.status(401))
    before = len(lab.recorder.asked)
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert "EWS.AccessAsApp" in failed.mend
    assert failed.everywhere
    asked = lab.recorder.asked[before:]
    assert sum(bool(operation(one)) for one in asked) == 2
    assert sum(map(is_token, asked)) == 1
    calendar.close()


def test_a_token_endpoint_that_is_down_while_the_server_errs_loses_no_line(lab: Lab, oauth: dict[str, Any]) -> None:
    """exchangelib's issue 1373: a session that cannot be made anew is gone, and the next call waits for ever."""
    lab.lay(planned())
    calendar = lab.calendar(**oauth, connections=1)
    assert isinstance(read(calendar), Complete)
    assert lab.exchange.tenant is not None
    lab.exchange.tenant.revoke_tokens()
    lab.recorder.instead = lambda asked: None if operation(asked) else Instead(status=503)
    for _ in range(4):
        assert isinstance(error(calendar, seconds=5), Unreachable)
    lab.recorder.instead = lambda _: None
    began = time.monotonic()
    assert isinstance(read(calendar, seconds=5), Complete)
    assert time.monotonic() - began < 3
    calendar.close()


def test_a_wrong_client_secret_is_denied_and_not_quoted(lab: Lab, oauth: dict[str, Any]) -> None:
    lab.lay(planned())
    calendar = lab.calendar(**(oauth | {"secrets": SecretsOf({"app-secret": "tippfehler"})}))
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert "client secret is wrong" in failed.why
    assert "tippfehler" not in str(failed)
    calendar.close()


def test_an_application_out_of_scope_of_a_mailbox_is_denied_it(lab: Lab, oauth: dict[str, Any]) -> None:
    lab.exchange.open_to_applications = frozenset(["room2@example.com"])
    lab.lay(planned())
    calendar = lab.calendar(**oauth)
    failed = error(calendar)
    assert isinstance(failed, Denied)
    assert (failed.everywhere, failed.rest) == (False, timedelta(minutes=30))
    calendar.close()


def test_kerberos_without_its_library_says_what_to_install(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests_gssapi", None)  # as where it is not installed
    lab.lay(planned())
    calendar = lab.calendar(auth="kerberos")
    failed = error(calendar)
    assert isinstance(failed, BadSetting)
    assert "kerberos" in failed.mend
    assert lab.recorder.asked == []
    calendar.close()
