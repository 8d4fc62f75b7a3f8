"""Relays' users at a RabbitMQ broker, through its management interface (HTTP API of the management plugin).

https://admin:password@broker.example.com:15671     an administrator of the broker, in a secret
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from urllib.parse import quote, unquote, urlsplit

from otd.bus.amqp import DELIVERIES, ORDERS, RECEIPTS, permissions_of, pool_queue, relay_queue
from otd.bus.identity import user_of
from otd.errors import BadSetting, Denied, Missing, Unreachable
from otd.outbound import Answer, Http

WITHIN = timedelta(seconds=10)  # for one request
LIMITS = {"max-connections": 4, "max-channels": 8}  # of a relay's user: two connections, and two that are just dying
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Management:
    """The broker's users, as its administrator sees them. Raises Unreachable, Denied or Missing."""

    def __init__(self, http: Http, url: str, vhost: str, *, where: str) -> None:
        """`url` holds the administrator's name and password. Raises BadSetting, never with the url."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        mend = 'write it like "https://admin:password@broker.example.com:15671"'
        if parts.scheme not in ("http", "https") or not host or not parts.username or parts.password is None:
            raise BadSetting(where, "it is not the url of a management interface with user and password", mend)
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise BadSetting(where, "http:// sends the password in clear", "use https://")
        shown = f"[{host}]" if ":" in host else host
        self._base = f"{parts.scheme}://{shown}:{port or (15671 if parts.scheme == 'https' else 15672)}/api"
        said = f"{unquote(parts.username)}:{unquote(parts.password)}"
        self._headers = {"authorization": "Basic " + b64encode(said.encode()).decode()}
        self._http, self._vhost = http, vhost
        self.where = f"the broker's management at {shown}"

    def admit(self, relay: str, pool: str, password: str) -> None:
        """Make the relay's user with this password, or give it this one; with the least permissions that do."""
        user = user_of(self._vhost, relay)
        self._put(f"/users/{_part(user)}", {"password": password, "tags": ""})
        self.permit(relay, pool)
        self._queue(pool_queue(pool))
        self._queue(relay_queue(relay))

    def permit(self, relay: str, pool: str) -> None:
        """What the relay's user may do: no more, and no less."""
        user, vhost, may = _part(user_of(self._vhost, relay)), _part(self._vhost), permissions_of(pool, relay)
        self._put(f"/permissions/{vhost}/{user}", {key: may[key] for key in ("configure", "write", "read")})
        self._put(f"/topic-permissions/{vhost}/{user}", {"exchange": RECEIPTS, "write": may["topic"], "read": "^$"})
        for limit, value in LIMITS.items():
            self._put(f"/user-limits/{user}/{limit}", {"value": value})

    def knows(self, relay: str) -> bool:
        """Whether there is such a user."""
        return self._ask("GET", f"/users/{_part(user_of(self._vhost, relay))}", missing=True).status != 404

    def expel(self, relay: str) -> None:
        """Remove the user, with which the broker closes his connections, and the queue that was his alone."""
        user, queue = _part(user_of(self._vhost, relay)), _part(relay_queue(relay))
        self._ask("DELETE", f"/users/{user}", missing=True)
        self._ask("DELETE", f"/queues/{_part(self._vhost)}/{queue}", missing=True)

    def close(self) -> None:
        self._http.close()

    def _queue(self, name: str) -> None:
        """A queue of orders, as the bus declares it: it is there before the relay is."""
        vhost, exchange, queue = _part(self._vhost), _part(DELIVERIES), _part(name)
        self._put(f"/exchanges/{vhost}/{exchange}", {"type": "topic", "durable": True})
        self._put(f"/queues/{vhost}/{queue}", {"durable": True, "arguments": dict(ORDERS)})
        self._ask("POST", f"/bindings/{vhost}/e/{exchange}/q/{queue}", {"routing_key": name})

    def _put(self, path: str, body: dict[str, object]) -> None:
        self._ask("PUT", path, body)

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None, *, missing: bool = False) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"content-type": "application/json"} if content else {})
        answer = self._http.request(
            method, self._base + path, where=self.where, within=WITHIN, headers=headers, content=content
        )
        if answer.status == 401:
            raise Denied(self.where, "it refuses the user or the password", "set [bus] management right")
        if answer.status == 403:
            raise Denied(self.where, "this user is no administrator", "rabbitmqctl set_user_tags NAME administrator")
        if (answer.status == 404 and not missing) or b"vhost_or_user_not_found" in answer.body:
            mend = f"make it: rabbitmqctl add_vhost {self._vhost}; and is this the management interface?"
            raise Missing(self.where, f"it does not know the virtual host {self._vhost}", mend)
        if answer.status >= 400 and answer.status != 404:
            raise Unreachable(self.where, f"it answers {answer.status}", "look at the broker's log")
        return answer


def _part(name: str) -> str:
    return quote(name, safe="")
