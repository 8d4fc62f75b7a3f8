"""HttpFeedback of a simulated Cisco codec: what was registered in its slots, and the posts that it sends.

A slot whose post did not arrive is Failed and stays silent until it is enabled or registered again.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from otd.lab.codec_bookings import Tree
from otd.lab.codec_state import Event, Slot, State
from otd.lab.codec_xml import document, steps, value_at

_PATIENCE = 5.0  # seconds for a post


@dataclass(slots=True)
class _Seen:
    """What a slot was told of a status last."""

    values: dict[tuple[str | int, ...], str] = field(default_factory=dict)


class Poster:
    """Sends the posts of one codec from a thread of its own, which begins with the first slot."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._seen: dict[int, _Seen] = {}
        self._thread: threading.Thread | None = None
        state.slots_changed = self._begin

    def resume(self) -> None:
        if self._state.slots:
            self._begin()

    def stop(self) -> None:
        """Post nothing more."""
        if self._thread is None:
            return
        with contextlib.suppress(ValueError):
            self._state.listeners.remove(self._events.put)
        self._events.put(None)
        self._thread.join()
        self._thread = None

    def _begin(self) -> None:
        for number, slot in self._state.slots.items():
            self._seen[number] = _Seen({path: self._value(path) for path in _paths(slot, "Status")})
        if self._thread is None:
            self._state.listeners.append(self._events.put)
            self._thread = threading.Thread(target=self._run, name="otd-lab-feedback", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            coming = self._state.next_due()
            try:
                event = self._events.get(timeout=coming.total_seconds() + 0.001 if coming is not None else None)
            except queue.Empty:
                self._state.tick()
                continue
            if event is None:
                return
            for number, slot in tuple(self._state.slots.items()):
                self._tell(number, slot, event)

    def _tell(self, number: int, slot: Slot, event: Event) -> None:
        path = ("Event", *event.path)
        if not slot.failed and any(wanted == path[: len(wanted)] for wanted in _paths(slot, "Event")):
            self._post(slot, "Event", _nest(event.path, dict(event.fields)))
        for wanted in _paths(slot, "Status"):
            now, seen = self._value(wanted), self._seen.setdefault(number, _Seen())
            if not slot.failed and seen.values.get(wanted) != now:
                seen.values[wanted] = now
                self._post(slot, "Status", _nest(wanted[1:], value_at(self._state.documents(), wanted)))

    def _value(self, path: tuple[str | int, ...]) -> str:
        return json.dumps(value_at(self._state.documents(), path))

    def _post(self, slot: Slot, root: str, content: Tree) -> None:
        whole = {"Identification": self._identification(), **content}
        if slot.format == "JSON":
            body, kind = json.dumps({root: _valued(whole)}).encode(), "application/json"
        else:
            body, kind = document(root, whole, items=True), "text/xml"
        verify = self._state.settings.get("HttpFeedback TlsVerify", "Off") == "On"
        try:
            with httpx.Client(verify=verify, timeout=_PATIENCE, trust_env=False) as client:
                arrived = client.post(slot.url, content=body, headers={"Content-Type": kind}).is_success
        except (httpx.HTTPError, httpx.InvalidURL):
            arrived = False
        with self._state.changed:
            slot.failed = not arrived
            self._state.changed.notify_all()

    def _identification(self) -> Mapping[str, str]:
        status = self._state.status()
        return {
            "SystemName": self._state.settings["SystemUnit Name"],
            "MACAddress": value_at(status, ("Network", 1, "Ethernet", "MacAddress")),
            "IPAddress": value_at(status, ("Network", 1, "IPv4", "Address")),
            "ProductType": value_at(status, ("SystemUnit", "ProductType")),
            "ProductID": value_at(status, ("SystemUnit", "ProductId")),
            "SWVersion": self._state.profile.version,
            "SerialNumber": self._state.serial,
        }


def _paths(slot: Slot, root: str) -> list[tuple[str | int, ...]]:
    found = [path for expression in slot.expressions if (path := steps(expression)) is not None]
    return [path for path in found if path[0] == root]


def _nest(path: tuple[str | int, ...], content: Any) -> Tree:
    for step in reversed(path):
        content = {step: content} if isinstance(step, str) else [content]
    return dict(content)


def _valued(value: Any) -> Any:
    """JSON with every leaf in a Value, as posts have it."""
    if isinstance(value, dict):
        return {key: _valued(each) for key, each in value.items()}
    if isinstance(value, list):
        return [{"id": str(number)} | _valued(each) for number, each in enumerate(value, 1)]
    return {"Value": str(value)}
