"""What a Polycom endpoint finds to dial in a meeting: the encoded token, a sip: line, the location. Pure.

The token is a block at the end of the body that Polycom's add-in for Outlook writes: base64 of KEY=VALUE lines between
two marker lines.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from otd.lab.polycom_profiles import Habits, Source

BEGIN, END = "--=BEGIN POLYCOM VMR ENCODED TOKEN=--", "--=END POLYCOM VMR ENCODED TOKEN=--"
NONE = "none"
_ADDRESS = re.compile(r"[\w;:@.=&+?/\-]+", re.ASCII)  # what the command interface can give back as a number
_SIP = re.compile(r"(?<![\w.])sips?:\s*([\w.+\-]+@[\w.\-]*\w)", re.I | re.ASCII)
_EMAIL = re.compile(r"(?<![\w.+\-:])([\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+)", re.ASCII)
_BREAKS = re.compile(r"<br\b[^>]*>|</(?:p|div|tr|li|h\d)\s*>", re.I)
_UNSEEN = re.compile(r"<!--.*?-->|<(style|script|head)\b.*?</\1\s*>", re.I | re.S)
_TAGS = re.compile(r"<[^>]*>")
_KNOWN = "POLYCOM-VMRNUMBER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """Something to dial. Without protocols the endpoint tries what it has."""

    address: str = field(repr=False)
    media: Literal["video", "audio"] = "video"
    protocols: tuple[str, ...] = ()  # sip, h323


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What of a meeting is searched."""

    body: str = field(default="", repr=False)
    html: bool = False
    subject: str = field(default="", repr=False)
    location: str = field(default="", repr=False)
    conflink: str = field(default="", repr=False)

    @property
    def plain(self) -> str:
        return plain(self.body) if self.html else self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What it would dial, the first first. `problems` say what was there and could not be used."""

    numbers: tuple[Number, ...] = ()
    password: str = field(default="", repr=False)
    problems: tuple[str, ...] = ()

    @property
    def dialable(self) -> bool:
        return any(number.media == "video" for number in self.numbers)


class NoToken(ValueError):
    """There is a token block and it cannot be used."""


def plain(body: str) -> str:
    """The text of an HTML body, a line for each line that a person sees."""
    return html.unescape(_TAGS.sub("", _BREAKS.sub("\n", _UNSEEN.sub("", body)))).replace("\xa0", " ")


def token(text: str) -> dict[str, str] | None:
    """The keys of the token in a plain text; None without a block. Raises NoToken for one that cannot be read."""
    begin = text.find(BEGIN)
    if begin < 0:
        return None
    end = text.find(END, begin)
    if end < 0:
        raise NoToken("the block does not end")
    packed = "".join(text[begin + len(BEGIN) : end].split())
    try:
        lines = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NoToken("the block is not base64 of UTF-8") from error
    pairs = (line.partition("=") for line in re.split(r"\r?\n", lines) if "=" in line)
    found = {key: value for key, _, value in pairs}
    if found.get("POLYCOM-VERSION") != "1" or _KNOWN not in found:
        raise NoToken("the block is not complete")
    return found


def token_numbers(keys: Mapping[str, str]) -> tuple[Number, ...]:
    """The numbers of a token: an id with its prefix, the same at a SIP domain, or a whole SIP address."""
    vmr = keys.get(_KNOWN, "").strip()
    signalling = keys.get("POLYCOM-SIGNALINGPREFIX", "").strip().rstrip(":").casefold()
    domain = keys.get("POLYCOM-SIGNALINGPOSTFIX", "").strip().lstrip("@")
    numbers: list[Number] = []
    if "@" in vmr:
        numbers.append(Number(address=vmr, protocols=("sip",) if signalling == "sip" else ()))
    elif vmr:
        number = keys.get("POLYCOM-DIALINPREFIX", "").strip() + vmr
        numbers.append(Number(address=number))
        if domain:
            numbers.append(Number(address=f"{number}@{domain}", protocols=("sip",)))
    audio = (keys.get(f"POLYCOM-AUDIONUMBER{n}", "") for n in (1, 2))
    numbers += [Number(address=re.sub(r"[^\d+]", "", value), media="audio") for value in audio if value.strip()]
    return tuple(numbers)


def dialling(text: Text, reads: tuple[Source, ...], habits: Habits) -> Found:
    """What an endpoint that reads these sources finds. The first source that has a number is the one that is used;
    a ConfLink is offered beside what a token says."""
    numbers: list[Number] = []
    problems: list[str] = []
    password = ""
    for source in reads:
        if numbers and source != "conflink":
            continue
        if source == "token":
            found, password = _from_token(text, problems)
        else:
            found = _SOURCES[source](text, habits)
        numbers += [number for number in found if number not in numbers]
    good = [number for number in numbers if _ADDRESS.fullmatch(number.address)]
    if len(good) < len(numbers):
        problems.append("a number has characters that cannot be dialled")
    return Found(numbers=tuple(good), password=password, problems=tuple(problems))


def _from_token(text: Text, problems: list[str]) -> tuple[tuple[Number, ...], str]:
    try:
        keys = token(text.plain)
    except NoToken as error:
        problems.append(f"token: {error}")
        return (), ""
    if keys is None:
        return (), ""
    numbers = token_numbers(keys)
    if not numbers:
        problems.append("token: there is no number in it")
    return numbers, keys.get("POLYCOM-MEETINGPASSWORD", "").strip()


def _sip(text: Text, habits: Habits) -> tuple[Number, ...]:
    return tuple(Number(address=found, protocols=("sip",)) for found in _SIP.findall(text.plain))


def _location(text: Text, habits: Habits) -> tuple[Number, ...]:
    """Addresses with sip: before them, or a location that is an address and nothing else."""
    found = _SIP.findall(text.location)
    if not found and _EMAIL.fullmatch(text.location.strip()):
        found = [text.location.strip()]
    return tuple(Number(address=each, protocols=("sip",)) for each in found)


def _conflink(text: Text, habits: Habits) -> tuple[Number, ...]:
    """conf:sip:USER@DOMAIN;gruu;opaque=..., which only an endpoint in that Skype for Business organisation can dial."""
    address = text.conflink.removeprefix("conf:").removeprefix("sip:")
    return (Number(address=address, protocols=("sip",)),) if address else ()


def _text(text: Text, habits: Habits) -> tuple[Number, ...]:
    """As Trio's exchange.meeting.* parameters say."""
    if habits.parse_when == "Never" or (habits.parse_when == "NonSkypeMeeting" and text.conflink):
        return ()
    parts = {
        "All": (text.location, text.subject, text.plain),
        "Location": (text.location,),
        "LocationAndSubject": (text.location, text.subject),
        "Description": (text.plain,),
    }[habits.parse_option]
    found: dict[str, Number] = {}
    for part in parts:
        addresses = _SIP.findall(part) + (_EMAIL.findall(part) if habits.parse_emails_as_sip else [])
        for address in addresses:
            if _is_allowed(address, habits.allowed_sip_domains):
                found.setdefault(address.casefold(), Number(address=address, protocols=("sip",)))
        for pattern in filter(None, habits.phone_pattern.split("|")):
            shape = re.escape(pattern).replace("x", r"\d")
            for phone in re.findall(rf"(?<!\d){shape}(?!\d)", part):
                found.setdefault(phone, Number(address=phone))
    return tuple(found.values())


def _is_allowed(address: str, domains: tuple[str, ...]) -> bool:
    return not domains or address.rpartition("@")[2].casefold() in {domain.casefold() for domain in domains}


_SOURCES: Mapping[Source, Callable[[Text, Habits], tuple[Number, ...]]] = {
    "conflink": _conflink,
    "sip": _sip,
    "location": _location,
    "text": _text,
}
