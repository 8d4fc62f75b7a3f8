"""Alerts by webhook: the JSON form of otd.alerting.words, by POST."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from otd.alerting.access import WebhookAccess
from otd.alerting.words import document
from otd.errors import BadSetting, Retryable
from otd.model import Notice
from otd.outbound import Http, public_trust
from otd.ports import Secrets

_LIMIT = 64 * 1024  # of an answer, of which only the status is looked at


class Webhook:
    """`otd.ports.Channel`. Whatever the other side answers but a 2xx is tried again: nothing is locked by that."""

    name = "webhook"

    def __init__(self, access: WebhookAccess, *, secrets: Secrets) -> None:
        self._access, self._secrets = access, secrets
        self._http = Http(trust=public_trust(access.ca_file), limit=_LIMIT, connections=1)

    def tell(self, notices: tuple[Notice, ...], *, within: timedelta) -> None:
        url = self._access.url or self._secret_url()
        headers = {"Content-Type": "application/json"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._secrets.get(self._access.token)}"
        answer = self._http.request(
            "POST", url, where=f"the webhook {self._where}", within=within, headers=headers, content=document(notices)
        )
        if 300 <= answer.status < 400:
            raise Retryable(
                f"the webhook {self._where}",
                f"it answered {answer.status}, a redirect, which is not followed",
                "set webhook to where it leads, if that is meant",
            )
        if not 200 <= answer.status < 300:
            mend = "check webhook_token" if answer.status in (401, 403) else "look into the log of the other side"
            raise Retryable(f"the webhook {self._where}", f"it answered {answer.status}", mend)

    def close(self) -> None:
        self._http.close()

    @property
    def _where(self) -> str:
        """The host, without a path that may be a secret."""
        return urlsplit(self._access.url).hostname or f"(secret {self._access.secret_url})"

    def _secret_url(self) -> str:
        """Raises BadSetting, without the value."""
        name = self._access.secret_url
        url = self._secrets.get(name)
        if urlsplit(url).scheme != "https":
            raise BadSetting(
                f"secret {name}", "it is not an address that begins with https://", "store the whole address"
            )
        return url
