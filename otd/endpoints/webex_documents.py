"""What the Webex cloud is sent for an endpoint and what it answers, as pure functions.

The API hands xAPI commands on to the endpoint (developer.webex.com, xAPI: Execute Command, Query Status): arguments and
a body of JSON go in, the command's result comes out. The grammar of the bookings is that of `Bookings Put`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from otd.endpoints import cisco_documents as cisco
from otd.endpoints.cisco_documents import CiscoSeen, Software
from otd.errors import Busy, Denied, Garbled, Missing, OtdError, Unreachable, Unsupported
from otd.model import Booking, Facts

PUT, LIST = "/v1/xapi/command/Bookings.Put", "/v1/xapi/command/Bookings.List"
TOKEN = "/v1/access_token"  # noqa: S105 - a path
_ASKED = ("SystemUnit.Software.Version", "SystemUnit.ProductId", "SystemUnit.Uptime", "Time.SystemTime")
_BUSY = timedelta(seconds=30)  # where a refusal names no pause
_LONGEST_PAUSE = timedelta(minutes=15)
_CLOUD = Software(major=11, minor=0)  # endpoints on Webex run a RoomOS that is newer than this
_AWAY = ("offline", "not reachable", "unreachable", "timed out", "timeout", "not connected")


def put_body(device: str, bookings: Iterable[Booking]) -> bytes:
    """The body of PUT; no bookings clear the list."""
    body = cisco.bookings_tree(bookings, _CLOUD)
    return json.dumps({"deviceId": device, "arguments": {}, "body": body}, ensure_ascii=False).encode()


def list_body(device: str) -> bytes:
    """The body of LIST; without arguments past, present and future bookings are listed."""
    return json.dumps({"deviceId": device, "arguments": {}}).encode()


def status_path(device: str) -> str:
    """The path that asks for what it is."""
    return "/v1/xapi/status?" + urlencode([("deviceId", device), *(("name", name) for name in _ASKED)])


def token_body(client: str, secret: str, refresh: str) -> bytes:
    """The form that gets a new access token for a refresh token (RFC 6749, section 6)."""
    fields = {"grant_type": "refresh_token", "client_id": client, "client_secret": secret, "refresh_token": refresh}
    return urlencode(fields).encode()


def token_in(body: bytes, where: str) -> tuple[str, timedelta, str]:
    """The access token, for how long it holds, and the refresh token that follows ("" when it stays). Raises
    Garbled."""
    found = _object(body, where)
    token, life, following = found.get("access_token"), found.get("expires_in"), found.get("refresh_token", "")
    if not isinstance(token, str) or not token or not isinstance(life, int | float) or not isinstance(following, str):
        raise Garbled(where, "Webex answered a sign-in without a token")
    return token, timedelta(seconds=min(max(life, 0), 10**8)), following


def seen_in(body: bytes, where: str) -> tuple[CiscoSeen, ...]:
    """The bookings in the answer to LIST. Raises Garbled."""
    result = _result(body, where)
    rows = result.get("Booking", [])
    total = _mapping(result.get("ResultInfo")).get("TotalRows", len(rows) if isinstance(rows, list) else 0)
    if not isinstance(rows, list) or (not rows and str(total) != "0"):
        raise Garbled(where, "its list cannot be read, or is not whole")
    return tuple(_seen(_mapping(row), where) for row in rows)


def _seen(row: Mapping[str, Any], where: str) -> CiscoSeen:
    times = _mapping(row.get("Time"))
    calls = _mapping(_mapping(row.get("DialInfo")).get("Calls")).get("Call", [])
    number = _mapping(calls[0]).get("Number", "") if isinstance(calls, list) and calls else ""
    start, end = (cisco.time_of(str(times.get(name, "")), where) for name in ("StartTime", "EndTime"))
    return cisco.seen_as(str(row.get("Id", "")), start, end, str(row.get("Title", "")), str(number))


def facts_in(body: bytes, now: datetime, where: str) -> Facts:
    """What it is, from the answer to `status_path`."""
    result = _result(body, where)
    unit = _mapping(result.get("SystemUnit"))
    version = str(_mapping(unit.get("Software")).get("Version", ""))
    seconds = str(unit.get("Uptime", ""))
    try:
        clock = datetime.fromisoformat(str(_mapping(result.get("Time")).get("SystemTime", "")))
    except ValueError:
        clock = None
    ahead = clock.astimezone(UTC) - now.replace(microsecond=0) if clock and clock.tzinfo else None
    return Facts(
        software=cisco.software(version, where).text if version else "",
        product=_line(unit.get("ProductId")),
        uptime=timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 10 else None,
        clock_offset=ahead,
        provisioning="Webex",
        interface="webex",
    )


def refusal(status: int, headers: Mapping[str, str], body: bytes, where: str) -> OtdError | None:
    """What is wrong with an answer; None when nothing is."""
    if 200 <= status < 300:
        return None
    if status == 401:
        return token_refused(where)
    if status == 403:
        mend = "give the app the scopes spark:xapi_commands and spark:xapi_statuses, and the device to its organisation"
        return Denied(where, "the app may not reach this device", mend, reason="role")
    if status == 404:
        return Missing(where, "Webex does not know this device", "check `device`; Control Hub shows its id")
    if status in (423, 429):
        return Busy(where, "Webex asks to wait", _pause(headers))
    if status == 400:
        return _bad_request(body, where)
    if 300 <= status < 400:
        return Garbled(where, "it redirects to another address", "is `address` the host of the Webex API?")
    return Unreachable(where, f"Webex answered HTTP {status}")


def token_refused(where: str) -> Denied:
    mend = f"set a token or refresh token that holds, then `otd endpoints retry {where}`"
    return Denied(where, "Webex refused the token", mend, reason="password")


def _bad_request(body: bytes, where: str) -> OtdError:
    """Its message says whether the device does not know the command, is away, or refused what it was sent. The message
    itself is not repeated: it may hold what was sent."""
    try:
        said = str(_object(body, where).get("message", "")).lower()
    except Garbled:
        said = ""
    if "not supported" in said:
        return Unsupported(where, "its software does not know Bookings", "update it, or reach it by kind cisco")
    if "microsoft teams" in said or "not available" in said:
        return cisco.teams_room(where)
    if any(word in said for word in _AWAY):
        return Unreachable(where, "Webex cannot reach the device")
    return Unsupported(where, "it refused what it was sent", "`otd endpoints probe` says what it can do", reason="list")


def _pause(headers: Mapping[str, str]) -> timedelta:
    """Retry-After in seconds, within reason."""
    text = headers.get("retry-after", "").strip()
    return min(timedelta(seconds=int(text)), _LONGEST_PAUSE) if text.isdecimal() and len(text) < 8 else _BUSY


def _result(body: bytes, where: str) -> Mapping[str, Any]:
    result = _object(body, where).get("result")
    if not isinstance(result, dict):
        raise Garbled(where, "the answer holds no result")
    return result


def _object(body: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Garbled(where, "the answer is not JSON") from None
    if not isinstance(found, dict):
        raise Garbled(where, "the answer is not the JSON that was expected")
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(value: object) -> str:
    return "".join(c for c in str(value or "") if c.isprintable())[:64]
