"""What a Cisco endpoint says of itself: paths into its status and configuration, and what their answers mean.

Every part may be missing: software versions differ in what they know, and a path that one does not know is answered
with an error inside an answer that is fine as HTTP (Cisco xAPI schemas 9.15 to 26.4). Nothing here raises for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from otd.endpoints.cisco_documents import Software, command, parse, result, software
from otd.errors import OtdError
from otd.model import Facts

UNIT_PATH = "/getxml?location=/Status/SystemUnit"
TIME_PATH = "/getxml?location=/Status/Time/SystemTime"
TEAMS_PATH = "/getxml?location=/Status/MicrosoftTeams"
PROVISIONING_PATH = "/getxml?location=/Configuration/Provisioning/Mode"
BOOKINGS_PATH = "/getxml?location=/Configuration/UserInterface/Bookings"
_LONGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in to the endpoint."""

    id: str
    user: str
    since: datetime


def unit(body: bytes, where: str) -> tuple[Software, Facts]:
    """From UNIT_PATH: what it runs, what it is, and for how long it has been up. Raises Unsupported for software that
    is neither TC nor CE nor RoomOS."""
    root = parse(body, where)
    node = next(root.iter("{*}SystemUnit"), root)
    version = _text(node, "Software", "Version") or root.get("version", "")
    runs = software(version, where)
    seconds = _text(node, "Uptime")
    uptime = timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 10 else None
    serial = _text(node, "Hardware", "Module", "SerialNumber")
    return runs, Facts(software=runs.text, product=_text(node, "ProductId"), serial=serial, uptime=uptime)


def system_time(body: bytes, where: str) -> datetime | None:
    """From TIME_PATH. Endpoints write their offset without a colon; one that states none is not guessed."""
    try:
        found = datetime.fromisoformat(_first(parse(body, where), "SystemTime"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def is_teams_room(body: bytes, where: str) -> bool:
    """From TEAMS_PATH: whether Microsoft's software is installed, which then owns the calendar."""
    root = parse(body, where)
    versions = (node for software in root.iter("{*}Software") for node in software.iter())
    return root.get("status") != "Error" and any((node.text or "").strip() for node in versions)


def provisioning(body: bytes, where: str) -> str:
    """From PROVISIONING_PATH: who manages it."""
    return _first(parse(body, where), "Mode")


def hides(body: bytes, where: str) -> tuple[str, ...]:
    """From BOOKINGS_PATH: the settings under Visibility that hide something."""
    found = (node for visibility in parse(body, where).iter("{*}Visibility") for node in visibility)
    return tuple(sorted(_local(node) for node in found if (node.text or "").strip() == "Hidden"))


def session_list_command() -> bytes:
    """`xCommand Security Session List`, which only an Admin may ask: it changes nothing."""
    return command("Security", "Session", "List")


def session_end_command(id: str) -> bytes:
    return command("Security", "Session", "Terminate", SessionId=id)


def sessions(body: bytes, where: str) -> Iterator[Session]:
    """Who is signed in; those whose start it does not say are left out. Raises Denied to anybody but an Admin."""
    for node in result(body, "SessionListResult", where).iter("{*}Session"):
        try:
            since = datetime.fromisoformat(_text(node, "Since"))
        except ValueError:
            continue
        if since.tzinfo is not None:
            yield Session(id=_text(node, "Id"), user=_text(node, "UserName"), since=since.astimezone(UTC))


def says_no_more(error: OtdError) -> bool:
    """Whether an error only means that this endpoint does not know what it was asked."""
    return error.code in ("missing", "unsupported")


def _first(root: etree._Element, tag: str) -> str:
    node = next(root.iter("{*}" + tag), None)
    return _clean(node.text) if node is not None else ""


def _text(node: etree._Element, *path: str) -> str:
    for name in path:
        found = next((child for child in node if _local(child) == name), None)
        if found is None:
            return ""
        node = found
    return _clean(node.text)


def _clean(text: str | None) -> str:
    return "".join(c for c in (text or "").strip() if c.isprintable())[:_LONGEST]


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""
