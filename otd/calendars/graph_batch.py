"""Requests that several threads have for Graph at one moment, sent as one `$batch`: for the first look at many rooms.

It saves round trips and nothing else: each request in it counts as one against every limit, so a batch holds no more
than Graph runs side by side.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from otd.calendars.graph_errors import refusal
from otd.calendars.graph_line import Call, GraphLine, decoded
from otd.errors import OtdError, Truncated, Unreachable
from otd.outbound import Answer
from otd.ports import Clock

SIZE = 4  # Graph runs so many requests of a batch at once; it would take twenty


@dataclass(slots=True, eq=False)
class _Waiting:
    url: str
    call: Call
    done: bool = False
    stated: Any = field(default=None, repr=False)
    error: Exception | None = None


class Batches:
    """Joins what comes at the same time; safe from several threads."""

    def __init__(self, line: GraphLine, clock: Clock, gather: timedelta) -> None:
        """`gather` is how long the first request waits for others."""
        self._line, self._clock, self._gather = line, clock, gather.total_seconds()
        self._came = threading.Condition()
        self._gathering: list[_Waiting] = []

    def get(self, url: str, call: Call) -> Any:
        """What is there, decoded. Raises OtdError and TimeoutError."""
        mine = _Waiting(url, call)
        together = self._gathered(mine)
        if len(together) == 1:
            return decoded(self._line.get(url, call), call.where)
        if together:
            self._ask(together)
        if mine.error is not None:
            raise mine.error
        if isinstance(mine.stated, str):
            return decoded(mine.stated.encode("utf-8", "replace"), call.where)
        return mine.stated

    def _gathered(self, mine: _Waiting) -> Sequence[_Waiting]:
        """Those that this thread is to ask for, its own the first; none when another thread has asked for it, too.

        Whoever stands first in line asks for itself and for those right behind.
        """
        with self._came:
            self._gathering.append(mine)
            self._came.notify_all()
            in_time = self._came.wait_for(
                lambda: mine.done or self._gathering[:1] == [mine], mine.call.deadline.remaining()
            )
            if mine.done:
                return ()
            if not in_time:
                self._gathering = [one for one in self._gathering if one is not mine]
                raise Unreachable(mine.call.where, "the batch that asked for it was not answered in time")
            self._came.wait_for(lambda: len(self._gathering) >= SIZE, self._gather)
            together, self._gathering = self._gathering[:SIZE], self._gathering[SIZE:]
            self._came.notify_all()
            return together

    def _ask(self, together: Sequence[_Waiting]) -> None:
        """Give each of them its answer, or why there is none."""
        try:
            answers = self._answers(together)
            for number, one in enumerate(together):
                self._give(one, answers.get(str(number)))
        except (OtdError, TimeoutError) as failure:
            for one in together:
                one.error = one.error or failure
        finally:
            with self._came:
                for one in together:
                    one.done = True
                self._came.notify_all()

    def _answers(self, together: Sequence[_Waiting]) -> Mapping[str, Any]:
        start = len(f"{self._line.root}/v1.0")
        steps = [
            {"id": str(n), "method": "GET", "url": one.url[start:], "headers": {"Prefer": self._line.prefer}}
            for n, one in enumerate(together)
        ]
        for one in together:
            one.call.requests += 1
        first = together[0].call
        outer = Call(first.where, first.deadline)  # not counted: its requests are
        said = self._line.send("POST", "/v1.0/$batch", {"requests": steps}, outer).get("responses")
        found = said if isinstance(said, list) else []
        return {one["id"]: one for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)}

    def _give(self, one: _Waiting, said: Any) -> None:
        if not isinstance(said, dict) or not isinstance(said.get("status"), int):
            one.error = Truncated(one.call.where, "Graph left this request of a batch unanswered")
        elif said["status"] == 200:
            one.stated = said.get("body")
        else:
            one.error = refusal(_alone(said), where=one.call.where, now=self._clock.now())


def _alone(said: Mapping[str, Any]) -> Answer:
    """One answer of a batch as if it had come alone."""
    stated, body = said.get("headers"), said.get("body")
    pairs = stated.items() if isinstance(stated, dict) else ()
    headers = httpx.Headers([(str(name), str(value)) for name, value in pairs])
    content = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return Answer(status=said["status"], headers=headers, body=content.encode("utf-8", "replace"))
