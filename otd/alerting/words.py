"""Notices in words and in JSON. What is told names rooms, endpoints, times and causes; never subjects or dial strings.

The JSON form, version 1 (what is added later does not change the version):

    {"version": 1, "source": "otd", "alerts": [{
        "id": "endpoint_unreachable/endpoint:lobby-codec/1",     the same however often it is sent
        "event": "raised" | "cleared" | "test",
        "severity": "critical" | "warning",
        "cause": "endpoint_unreachable", "stage": "endpoint", "thing": "endpoint:lobby-codec",
        "sentence": "No relay reaches the endpoint.", "detail": "...", "mend": "...",
        "at": "2026-01-05T09:45:00+00:00",
        "note": "..."                                            why it was cleared
    }]}
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from otd.causes import CAUSES
from otd.model import Notice

VERSION = 1
_WARNINGS = frozenset({"expiry", "invitation", "alert"})
_WARNING_CODES = frozenset({"relay_gone", "relay_clock"})


def severity(cause: str) -> str:
    """Whether people will stand before a screen without a button ("critical"), or may do so one day."""
    return "warning" if CAUSES[cause].stage in _WARNINGS or cause in _WARNING_CODES else "critical"


def document(notices: Sequence[Notice]) -> bytes:
    """The JSON form, as it is sent."""
    return json.dumps({"version": VERSION, "source": "otd", "alerts": [_plain(one) for one in notices]}).encode()


def _plain(notice: Notice) -> dict[str, str]:
    alert, cause = notice.alert, CAUSES[notice.alert.cause]
    return {
        "id": notice.id,
        "event": notice.event,
        "severity": severity(cause.code),
        "cause": cause.code,
        "stage": cause.stage,
        "thing": alert.thing,
        "sentence": cause.sentence,
        "detail": alert.detail,
        "mend": alert.mend,
        "at": notice.at.isoformat(timespec="seconds"),
        "note": notice.note,
    }


def subject(notices: Sequence[Notice]) -> str:
    """What a mail's subject says: the first, and how many others there are."""
    first = notices[0]
    more = f" (and {len(notices) - 1} more)" if len(notices) > 1 else ""
    return f"OTD: {_name(first)}: {_said(first)}{more}"


def text(notices: Sequence[Notice]) -> str:
    """The mail itself."""
    return (
        "\n".join(_paragraph(notice) for notice in notices)
        + "\n-- \nOne Touch Dial; `otd alerts list` shows what stands.\n"
    )


def _paragraph(notice: Notice) -> str:
    alert = notice.alert
    lines = [f"{_name(notice)}: {_said(notice)}"]
    if notice.event != "cleared":
        lines += [f"  found:  {alert.detail}"] * bool(alert.detail)
        lines += [f"  to do:  {alert.mend}"] * bool(alert.mend)
    else:
        lines += [f"  because: {notice.note}"] * bool(notice.note)
    lines.append(f"  when:   {notice.at:%Y-%m-%d %H:%M:%S} UTC   cause: {alert.cause}")
    return "\n".join(lines) + "\n"


def _name(notice: Notice) -> str:
    return notice.alert.thing.replace(":", " ", 1)


def _said(notice: Notice) -> str:
    sentence = CAUSES[notice.alert.cause].sentence
    return {"raised": sentence, "cleared": f"over: {sentence}", "test": "this is a test"}[notice.event]
