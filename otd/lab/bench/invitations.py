"""Bodies of invitations for benchmarks: the shapes of data/bench filled with numbers and words, each one different."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from importlib.resources import files
from string import Template

from otd.model import Meeting

SIZE = 16_000  # characters that a body has at least, as long as Outlook writes them
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
_WORDS = [
    "agenda",
    "review",
    "of",
    "the",
    "quarterly",
    "numbers",
    "and",
    "open",
    "points",
    "with",
    "our",
    "supplier",
    "please",
    "bring",
    "your",
    "own",
    "notes",
    "thanks",
    "regards",
    "team",
    "budget",
    "plan",
    "room",
    "status",
    "first",
    "second",
    "draft",
    "before",
    "after",
    "lunch",
    "questions",
    "answers",
    "next",
    "steps",
]
_FRAMES = ("head.html", "paragraph.html")


def bodies(count: int, seed: int, *, size: int = SIZE) -> list[str]:
    """HTML bodies of at least so many characters, no two alike; the same for the same seed."""
    chance = random.Random(seed)
    folder = files("otd.lab") / "data" / "bench"
    shapes = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    head, paragraph = (shapes.pop(name) for name in _FRAMES)
    blocks = [Template(shapes[name]) for name in sorted(shapes)]
    return [_body(chance, size, head, Template(paragraph), blocks[n % len(blocks)]) for n in range(count)]


def meetings(bodies: list[str]) -> list[Meeting]:
    """A meeting for each body, as a calendar would hand it over."""
    end = START + timedelta(hours=1)
    return [
        Meeting(id=f"m{n}", uid=f"u{n}", start=START, end=end, body=body, body_type="html")
        for n, body in enumerate(bodies)
    ]


def ics(body: str, uid: str) -> bytes:
    """An iCalendar file as Outlook writes it, with the body as its HTML twin."""
    from icalendar import Calendar, Event
    from icalendar.prop import vText

    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", START)
    event.add("dtstart", START)
    event.add("dtend", START + timedelta(hours=1))
    event.add("summary", "Review")
    event.add("description", "\n")
    twin = vText(body)
    twin.params["FMTTYPE"] = "text/html"
    event["X-ALT-DESC"] = twin
    calendar = Calendar()
    calendar.add("prodid", "-//OTD//lab//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "REQUEST")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def eml(calendar: bytes) -> bytes:
    """A mail with the calendar in it, in base64 as Exchange sends it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ida@example.com", "room1@example.com", "Review"
    mail.set_content("See the invitation.")
    mail.add_alternative(
        calendar, maintype="text", subtype="calendar", params={"method": "REQUEST", "charset": "utf-8"}
    )
    return bytes(mail)


def _body(chance: random.Random, size: int, head: str, paragraph: Template, block: Template) -> str:
    inner = block.substitute(_numbers(chance))
    pieces, length = [head], len(head) + len(inner)
    while length < size:
        words = " ".join(chance.choices(_WORDS, k=chance.randint(6, 30)))
        pieces.append(paragraph.substitute(words=words))
        length += len(pieces[-1])
    return "".join((*pieces, inner, "</div>\n</body>\n</html>\n"))


def _numbers(chance: random.Random) -> dict[str, str]:
    def digits(count: int) -> str:
        return str(chance.randint(1, 9)) + "".join(chance.choices("0123456789", k=count - 1))

    def letters(count: int, of: str) -> str:
        return "".join(chance.choices(of, k=count))

    native, vtc, pstn, zoom, webex = digits(12), digits(10), digits(9), digits(11), digits(11)
    return {
        "thread": letters(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
        "tenant": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "organizer": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "native": f"{native[:3]} {native[3:6]} {native[6:9]} {native[9:]}",
        "passcode": letters(6, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"),
        "key": digits(9),
        "vtc": vtc,
        "vtc_spaced": f"{vtc[:3]} {vtc[3:6]} {vtc[6:9]} {vtc[9:]}",
        "phone": f"+4685550{digits(4)}",
        "pstn": pstn,
        "pstn_spaced": f"{pstn[:3]} {pstn[3:6]} {pstn[6:]}",
        "focus": letters(8, "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"),
        "conference": digits(7),
        "zoom": zoom,
        "zoom_spaced": f"{zoom[:3]} {zoom[3:7]} {zoom[7:]}",
        "webex": webex,
        "webex_spaced": f"{webex[:4]} {webex[4:7]} {webex[7:]}",
        "digits": digits(6),
        "mtid": letters(32, "0123456789abcdef"),
    }
