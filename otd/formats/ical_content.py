"""What a VEVENT says besides its times: body, places, people, hidden properties, state.

What the properties named X-MICROSOFT- mean is in MS-OXCICAL; the hidden properties of online meetings come out under
their MAPI names (otd.formats.hidden).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

from otd.formats.hidden import HIDDEN, canonical
from otd.formats.lines import Component, Value
from otd.model import NOBODY, Person, Response, Sensitivity, ShowAs

SENSITIVITIES: dict[str, Sensitivity] = {
    "PRIVATE": "private",
    "CONFIDENTIAL": "confidential",
    "PERSONAL": "personal",
    "X-PERSONAL": "personal",
}
SHOWN: dict[str, ShowAs] = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "WORKINGELSEWHERE": "elsewhere",
}
RESPONSES: dict[str, Response] = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
    "NEEDS-ACTION": "unanswered",
}

_TAG = re.compile(r"<[^<>]*>")
_HTML = re.compile(r"</?(?:html|body|p|br|a|div|span|table|b|u|ul|li|strong)(?:\s[^<>]*)?/?>", re.I)
_PAGE = re.compile(r"<(?:html|body)\b", re.I)
_BODY = re.compile(r"<body\b", re.I)
_MICROSOFT = "X-MICROSOFT-"
_HIDDEN = frozenset(name.upper() for name in HIDDEN)
_KNOWN_OTHERWISE = frozenset(("X-ALT-DESC", "X-MICROSOFT-LOCATIONS"))
_MAILTO = re.compile(r"mailto:", re.I)
_JOINABLE = re.compile(r"://|\bsips?:|\bh323:", re.I)


def body(event: Component) -> tuple[str, bool]:
    """The body, and whether it is HTML: the HTML twin of the description if it shows anything, else the description."""
    description = event.get("DESCRIPTION")
    for twin in (*event.all("X-ALT-DESC"), *event.all("STYLED-DESCRIPTION")):
        kind = twin.param("FMTTYPE").casefold()
        if kind in ("", "text/html") and shows(html := twin.plain()):
            return html, True
    twin_of = description.param("ALTREP") if "ALTREP" in description.params.upper() else ""
    if twin_of[:15].casefold().startswith("data:text/html"):  # Thunderbird
        html = unquote(twin_of.partition(",")[2])
        if shows(html):
            return html, True
    text = description.plain()
    if "<" not in text or not _HTML.search(text):
        return text, False
    if "\n" in text and not _PAGE.search(text):  # Google mixes tags into lines
        text = text.replace("\n", "<br>\n")
    return text, True


def shows(html: str) -> bool:
    """Whether there is anything to read in the HTML."""
    page = _BODY.search(html)
    text = _TAG.sub("", html[page.start() :] if page else html)
    return bool(text.replace("&nbsp;", " ").strip())


def properties(event: Component) -> Iterator[tuple[str, str]]:
    for name, values in event.values.items():
        short = name.removeprefix(_MICROSOFT)
        if short in _HIDDEN and short != name:
            yield from ((canonical(short), text) for one in values if (text := one.plain().strip()))
        elif name in ("CONFERENCE", "URL") or (name.startswith("X-") and name not in _KNOWN_OTHERWISE):
            texts = (one.plain().strip() for one in values)
            yield from ((name, text) for text in texts if _JOINABLE.search(text[:2_000]))


def places(event: Component) -> tuple[str, ...]:
    """Further places, and addresses of places that are links."""
    location = event.get("LOCATION")
    main = location.plain()
    found = [location.param("ALTREP")] if location.params else []
    text = event.get("X-MICROSOFT-LOCATIONS").plain()
    if text.lstrip()[:1] == "[" and len(text) < 16_000:
        try:
            stated = json.loads(text)
        except (ValueError, RecursionError):
            stated = []
        for one in stated if isinstance(stated, list) else []:
            if isinstance(one, dict):
                uri = str(one.get("LocationUri") or "")
                found += [str(one.get("DisplayName") or ""), uri if _JOINABLE.search(uri) else ""]
    return tuple(dict.fromkeys(place for place in found if place and place != main))


def person(value: Value) -> Person:
    if value.text == value.params == "":
        return NOBODY
    address = _MAILTO.split(value.text.strip())[-1]  # a name with a colon in it may stand before
    if "@" not in address:  # Exchange writes invalid:nomail for somebody without an address
        address = value.param("EMAIL")
    return Person(name=value.param("CN"), address=address.strip())


def response(event: Component, organizer: Person) -> Response:
    """The room's own answer, when it can be told which attendee the room is."""
    rooms = [one for one in event.all("ATTENDEE") if one.param("CUTYPE").upper() in ("ROOM", "RESOURCE")]
    if len(rooms) == 1 and organizer.address and person(rooms[0]).address.casefold() == organizer.address.casefold():
        return "organizer"
    answers = {RESPONSES.get(one.param("PARTSTAT").upper() or "NEEDS-ACTION", "none") for one in rooms}
    return answers.pop() if len(answers) == 1 else "none"


def shown(event: Component, method: str) -> ShowAs:
    """How the organiser means it. Outlook's requests are TENTATIVE until accepted, with the intention beside it."""
    intended = event.get("X-MICROSOFT-CDO-INTENDEDSTATUS").text.strip().upper()
    busy = event.get("X-MICROSOFT-CDO-BUSYSTATUS").text.strip().upper()
    if method == "REQUEST" and (intended or busy == "TENTATIVE"):
        busy = intended
    if busy in SHOWN:
        return SHOWN[busy]
    if event.get("TRANSP").text.strip().upper() == "TRANSPARENT":
        return "free"
    return "tentative" if event.get("STATUS").text.strip().upper() == "TENTATIVE" else "busy"
