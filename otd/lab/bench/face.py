"""How much of a processor the face takes to serve polling endpoints, and how near it is to a server doing nothing."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from otd.lab.bench import Ratio, Result, in_turns, ratio, whole

SENTENCE = "The face polled by 1,000 Polycom endpoints, and its requests against a bare Starlette handler's."
OPTIONS = {
    "endpoints": "How many endpoints poll (default 1000).",
    "seconds": "For how long they poll, by the wall clock (default 10).",
    "rounds": "How often the face and the bare handler are asked in turns (default 5).",
    "requests": "How many requests each is asked in a round (default 600).",
}
EVERY = timedelta(seconds=30)  # from one poll of an endpoint to its next
CHANGED = 10  # every tenth poll finds that something changed
BOOKINGS = 30  # in each endpoint's list
PASSWORD = "k7m2p9qrstuvwx34"  # noqa: S105 - of endpoints that exist in this benchmark only
SALT = b"sixteen of salt!"
_CONNECTIONS = 8  # asked at once
_ITEM = re.compile(rb'<t:ItemId Id="([^"]+)" ChangeKey="([^"]+)"/>')


def run(options: Mapping[str, str]) -> Result:
    """Requests per second of one core from keep-alive connections without TLS, for both; then the polls, each on a new
    connection with TLS (ECDSA P-256), while the relay's processor time is watched."""
    count = whole(options, "endpoints", 1000)
    with tempfile.TemporaryDirectory() as folder, _Process("face", str(count)) as face:
        requests, rounds = whole(options, "requests", 600), whole(options, "rounds", 5)
        figures, ratios = _requests(face, Path(folder), count, requests, rounds)
        figures |= _polls(face, count, whole(options, "seconds", 10))
    ratios["core"] = ratio(figures, "relay_processor_s", "polls_wall_s", limit=0.25)
    polls = f"{count} endpoints polling every {EVERY.seconds} s, {BOOKINGS} bookings each"
    return Result(figures=figures, ratios=ratios, notes=(polls, "The generator is a process of its own."))


class _Process:
    """The process that is measured."""

    def __init__(self, kind: str, argument: str) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "otd.lab.bench.face_process", kind, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        where = self._answer()
        self.http, self.https, self.certificate = where["http"], where["https"], where["certificate"]

    def tell(self, line: str) -> Any:
        """Its answer to a line."""
        if self._child.stdin is not None:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        line = self._child.stdout.readline() if self._child.stdout is not None else ""
        return json.loads(line)

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.communicate()


# --- requests per second ----------------------------------------------------------------------------------------------


def _requests(
    face: _Process, folder: Path, count: int, requests: int, rounds: int
) -> tuple[dict[str, float], dict[str, Ratio]]:
    """Both are asked the same, by different endpoints in turn, and give the same bytes. The times are processor time of
    the process that answers, which other work on the machine lengthens least."""
    find = [_post("/EWS/Exchange.asmx", _find_item(), number) for number in range(count)]
    (reply,) = _burst(face.http, find[:1])
    ids = [id.decode() for id, _ in _ITEM.findall(reply)[:2]]
    get = [_post("/EWS/Exchange.asmx", _get_item(ids), 0)]
    (folder / "find").write_bytes(_body(reply))
    (folder / "get").write_bytes(_body(*_burst(face.http, get)))
    with _Process("bare", str(folder)) as bare:
        asked = {
            "find_item_us": (face.http, find),
            "bare_find_us": (bare.http, [_post("/find", _find_item(), number) for number in range(count)]),
            "get_item_us": (face.http, get),
            "bare_get_us": (bare.http, [_post("/get", _get_item(ids), 0)]),
        }
        _burst(face.http, find)  # every list has been fetched once
        calls = {name: _call(*what, requests) for name, what in asked.items()}
        best = in_turns(calls, rounds=rounds, clock=lambda: face.tell("time") + bare.tell("time"))
    figures: dict[str, float] = {name: round(seconds / requests * 1e6, 1) for name, seconds in best.items()}
    figures["face_requests_per_s"] = round(1e6 / figures["find_item_us"])
    figures["bare_requests_per_s"] = round(1e6 / figures["bare_find_us"])
    return figures, {
        "find_item": ratio(figures, "find_item_us", "bare_find_us", limit=3),
        "get_item": ratio(figures, "get_item_us", "bare_get_us", limit=3),
    }


def _call(port: int, requests: Sequence[bytes], number: int) -> Any:
    many = [requests[index % len(requests)] for index in range(number)]
    return lambda: _burst(port, many)


def _burst(port: int, requests: Sequence[bytes]) -> list[bytes]:
    """Every request over one of a few connections, always one on each under way; the answers."""
    connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(_CONNECTIONS)]
    answers = []
    try:
        for first in range(0, len(requests), _CONNECTIONS):
            batch = list(zip(connections, requests[first : first + _CONNECTIONS], strict=False))
            for connection, request in batch:
                connection.sendall(request)
            answers += [_answer(connection) for connection, _ in batch]
    finally:
        for connection in connections:
            connection.close()
    return answers


def _answer(connection: socket.socket) -> bytes:
    """One whole answer. Raises RuntimeError when it is not a success."""
    answer = bytearray(connection.recv(262144))
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(262144)
    head, _, _ = bytes(answer).partition(b"\r\n\r\n")
    size = len(head) + 4 + int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(answer) < size:
        answer += connection.recv(262144)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server under measurement answered {head[:40]!r}")
    return bytes(answer)


# --- polls ------------------------------------------------------------------------------------------------------------


def _polls(face: _Process, count: int, seconds: int) -> dict[str, float]:
    """Endpoints poll one after the other, evenly spread, and ask for the items that changed."""
    tls = ssl.create_default_context(cadata=face.certificate)
    pause = EVERY.total_seconds() / count
    known: dict[int, set[tuple[bytes, bytes]]] = {}
    find, got = _find_item(), 0
    for number, reply in enumerate(_burst(face.http, [_post("/EWS/Exchange.asmx", find, n) for n in range(count)])):
        known[number] = set(_ITEM.findall(reply))
    began, before = time.perf_counter(), face.tell("time")
    polls = max(1, int(seconds / pause))
    for poll in range(polls):
        time.sleep(max(0.0, began + poll * pause - time.perf_counter()))
        number = poll % count
        if poll % CHANGED == 0:
            face.tell(f"change {number}")
        plain = socket.create_connection(("127.0.0.1", face.https), timeout=30)
        with tls.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(_post("/EWS/Exchange.asmx", find, number))
            items = set(_ITEM.findall(_answer(connection)))
            if changed := items - known[number]:
                ids = [id.decode() for id, _ in changed]
                connection.sendall(_post("/EWS/Exchange.asmx", _get_item(ids), number))
                _answer(connection)
                got += 1
            known[number] = items
    time.sleep(max(0.0, began + polls * pause - time.perf_counter()))
    after, ended = face.tell("time"), time.perf_counter()
    return {
        "polls_count": polls,
        "polls_with_get_item_count": got,
        "polls_wall_s": round(ended - began, 3),
        "relay_processor_s": round(after - before, 3),
        "poll_ms": round((after - before) / polls * 1000, 3),
    }


# --- what endpoints send ----------------------------------------------------------------------------------------------


def _post(path: str, body: bytes, number: int) -> bytes:
    login = base64.b64encode(f"poly{number}:{PASSWORD}".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Polycom/1.0\r\nAuthorization: Basic {login}\r\n"
        f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _find_item() -> bytes:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = (day.strftime("%Y-%m-%dT%H:%M:%SZ") for day in (today, today + timedelta(days=7)))
    return _envelope(
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>'
        f'<m:CalendarView StartDate="{start}" EndDate="{end}"/>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>'
    )


def _get_item(ids: Sequence[str]) -> bytes:
    listed = "".join(f'<t:ItemId Id="{id}"/>' for id in ids)
    return _envelope(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Text</t:BodyType></m:ItemShape>"
        f"<m:ItemIds>{listed}</m:ItemIds></m:GetItem>"
    )


def _envelope(operation: str) -> bytes:
    base = "http://schemas.microsoft.com/exchange/services/2006"
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:m="{base}/messages" xmlns:t="{base}/types"><s:Body>{operation}</s:Body></s:Envelope>'
    ).encode()


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]
