"""Tokens for Microsoft Graph, and for Exchange Web Services by OAuth: msal's client credentials flow over our own HTTP,
so that it holds our deadline.

Nothing is fetched before the first read: msal asks for the tenant's configuration as soon as it is made. A token's own
claims are not looked at: with RBAC for Applications it names no role.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

from msal import ConfidentialClientApplication

from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.graph_errors import sign_in_failed, sign_in_refused, tenant_unknown
from otd.errors import BadSetting, Garbled, OtdError, Unreachable
from otd.outbound import Answer, Deadline, Http
from otd.ports import Clock, Secrets

_MARGIN = 300.0  # seconds before its end at which a token is renewed
_LIMIT = 1024 * 1024
_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    good_until: float  # on the monotonic clock


class Tokens:
    """One application's token, fetched once and shared by all threads until it runs out."""

    def __init__(
        self, access: GraphAccess | EwsAccess, *, secrets: Secrets, http: Http, clock: Clock, where: str
    ) -> None:
        self._access, self._secrets, self._where = access, secrets, where
        self._authority, self._root = access.addresses()
        self._http = _MsalHttp(http, self._authority, clock, where)
        self._lock = Lock()
        self._app: Any = None
        self._held: _Held | None = None

    def get(self, deadline: Deadline) -> str:
        """A token that holds. Raises Denied, BadSetting, Busy, Unreachable, Garbled or Untrusted; TimeoutError when
        the deadline passes while another thread fetches it."""
        held = self._held
        if held is not None and time.monotonic() < held.good_until:
            return held.token
        return self._fetch(deadline)

    def renew(self, refused: str, deadline: Deadline) -> str:
        """Another token than this one, which was refused."""
        return self._fetch(deadline, refused)

    def _fetch(self, deadline: Deadline, refused: str = "") -> str:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise Unreachable(self._where, "no token came from Entra ID within the time")
        try:
            held = self._held
            if held is not None and held.token != refused and time.monotonic() < held.good_until:
                return held.token  # another thread was quicker
            self._http.deadline = deadline
            self._held = self._ask(forget=bool(refused))
            return self._held.token
        except BaseException:
            self._app = self._held = None  # so that a corrected secret is looked up again, and nothing stale answers
            raise
        finally:
            self._lock.release()

    def _ask(self, *, forget: bool) -> _Held:
        try:
            if self._app is None:
                self._app = self._application()
            elif forget:
                self._app.remove_tokens_for_client()
            result: Mapping[str, Any] = self._app.acquire_token_for_client(scopes=[f"{self._root}/.default"]) or {}
        except OtdError:
            raise
        except Exception as error:  # msal raises whatever its own libraries raise, with texts from outside in it
            raise Garbled(self._where, f"the sign-in at Entra ID failed ({type(error).__name__})") from None
        token, life = result.get("access_token"), result.get("expires_in")
        if not isinstance(token, str) or not token:
            raise sign_in_refused(result, self._where)
        seconds = float(life) if isinstance(life, int | float) else 0.0
        return _Held(token, time.monotonic() + seconds - min(_MARGIN, seconds / 10))

    def _application(self) -> Any:
        credential = self._credential()
        try:
            return ConfidentialClientApplication(
                self._access.client_id,
                authority=f"{self._authority}/{self._access.tenant}",
                client_credential=credential,
                http_client=self._http,
                instance_discovery=False,  # it would ask a Microsoft host that nobody configured
            )
        except (ValueError, TypeError, OSError) as error:
            what = "PFX file" if self._access.pfx else "certificate" if self._access.certificate else "authority"
            raise BadSetting(
                self._where,
                f"the {what} cannot be used ({type(error).__name__})",
                "check the file, its passphrase and that it holds the private key and the certificate"
                if what != "authority"
                else "an authority is https://HOST, and the tenant an id or a domain",
            ) from None

    def _credential(self) -> str | dict[str, str]:
        """In msal's form. Raises BadSetting."""
        access = self._access
        if sum(map(bool, (access.secret, access.certificate, access.pfx))) != 1:
            raise BadSetting(
                self._where, "it needs exactly one of secret, certificate and pfx", "remove or add a setting"
            )
        if access.secret:
            return self._secrets.get(access.secret)
        opened = {"passphrase": self._secrets.get(access.passphrase)} if access.passphrase else {}
        if access.pfx:
            return {"private_key_pfx_path": access.pfx} | opened
        key, certificate = pem_parts(self._secrets.get(access.certificate), access.certificate, self._where)
        return {"private_key": key, "public_certificate": certificate} | opened


def pem_parts(pem: str, secret: str, where: str) -> tuple[str, str]:
    """The private key and the certificate in the text of this secret. Raises BadSetting."""
    key, certificate = _KEY.search(pem), _CERTIFICATE.search(pem)
    if key is None or certificate is None:
        raise BadSetting(
            where,
            f"the secret {secret} does not hold a private key and a certificate",
            "store both as PEM, one after the other",
        )
    return key[0], certificate[0]


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer in the shape that msal reads."""

    status_code: int
    text: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise Garbled("Entra ID", f"it answered {self.status_code}")


class _MsalHttp:
    """What msal takes for a requests session. Used by one thread at a time; `deadline` is that thread's."""

    def __init__(self, http: Http, authority: str, clock: Clock, where: str) -> None:
        self._http, self._authority, self._clock, self._where = http, authority, clock, where
        self.deadline = Deadline(0.0)

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> _Reply:
        reply = self._send("GET", url, params, headers, None)
        if 400 <= reply.status_code < 500:
            raise tenant_unknown(self._where)
        return reply

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _Reply:
        content = (
            data
            if isinstance(data, bytes)
            else data.encode()
            if isinstance(data, str)
            else urlencode(data or {}).encode()
        )
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", url, params, form | dict(headers or {}), content)

    def close(self) -> None:
        """The connections belong to the calendar."""

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
    ) -> _Reply:
        if _origin(url) != _origin(self._authority):
            raise Garbled(self._where, "Entra ID names another host for its tokens, which is not asked", "check cloud")
        target = f"{url}?{urlencode(params)}" if params else url
        answer: Answer = self._http.request(
            method,
            target,
            where=self._where,
            within=self.deadline.left(),
            headers={k: v for k, v in (headers or {}).items() if v is not None},
            content=content,
            limit=_LIMIT,
        )
        failed = sign_in_failed(answer, self._where, self._clock.now())
        if failed is not None:
            raise failed
        return _Reply(answer.status, answer.body.decode("utf-8", "replace"), dict(answer.headers))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
