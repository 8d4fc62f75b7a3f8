"""JSON as Microsoft Graph gives it -> Entries: one event, a calendarView, a list of events, the answer to a $batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from otd.errors import Garbled
from otd.formats import graph_event
from otd.formats.detection import text_of
from otd.formats.document import ENTRY_LIMIT, Document, Entry, Notes, entry_of, trimmed

_MEND = "give an event, a calendarView or a $batch answer of Microsoft Graph"


def read(data: bytes, zone: tzinfo) -> Document:
    """Every event in it, masters of series too. Raises Garbled when it is not JSON, or nothing that Graph gives."""
    try:
        answer = json.loads(text_of(data))
    except (ValueError, RecursionError):
        raise Garbled("the JSON", "cannot be read", _MEND) from None
    notes = Notes()
    entries: list[Entry] = []
    for event in _events(answer, notes):
        if len(entries) == ENTRY_LIMIT:
            notes.add(f"it holds more than {ENTRY_LIMIT} meetings; the rest was left out")
            break
        try:
            if graph_event.is_draft(event):
                notes.add("a draft was left out")
            else:
                entries.append(entry_of(trimmed(graph_event.meeting(event, zone), notes)))
        except ValueError as error:
            notes.add(f"a meeting was left out: {error}")
    return Document(entries=tuple(entries), notes=notes.all())


def _events(answer: Any, notes: Notes) -> Iterator[Mapping[str, Any]]:
    """Raises Garbled for what is none of the shapes."""
    if isinstance(answer, dict) and isinstance(answer.get("responses"), list):
        for one in answer["responses"]:
            body = one.get("body") if isinstance(one, dict) else None
            if not isinstance(body, dict) or "error" in body:
                notes.add("a part of the $batch answer is an error")
            else:
                yield from _events(body, notes)
    elif isinstance(answer, dict) and isinstance(answer.get("value"), list):
        if answer.get("@odata.nextLink"):
            notes.add("it is one page of several; the next ones are not in it")
        yield from _events(answer["value"], notes)
    elif isinstance(answer, list):
        for one in answer:
            if isinstance(one, dict):
                yield one
            else:
                notes.add("something in the list is no event")
    elif isinstance(answer, dict) and "start" in answer and "end" in answer:
        yield answer
    else:
        raise Garbled("the JSON", "holds no event", _MEND)
