"""How a dial string reaches a Polycom endpoint: the text of the body, and the location, by strategy.

No Polycom endpoint takes a dial string in a field of its own; each model reads it from the text of the invitation. A
strategy is a set of words; the model has one of its own, and an endpoint may be given another:

- token: the POLYCOM VMR ENCODED TOKEN block, as the Polycom Conferencing Add-in for Outlook writes it at the end of an
  invitation; the whole address is its VMR number.
- token-split: the same block with number and domain apart, for numeric addresses; others are written whole.
- sip: a line with a `sip:` address, which phones find by text.
- location: the `sip:` address is the location, too.
- html: the body is HTML for a client that leaves the choice to the server.
"""

from __future__ import annotations

from base64 import b64encode

from otd.model import Booking, DialString, Endpoint
from otd.quoting import xml_text

WORDS = ("token", "token-split", "sip", "location", "html")
STRATEGIES: dict[str, tuple[str, ...]] = {
    "hdx": ("token",),
    "gs": ("token", "sip"),
    "videoos": ("token", "sip"),
    "trio": ("sip", "location"),
}
OTHERS = ("token", "sip")  # a model that is not known: what most of them read

_BEGIN = "--=BEGIN POLYCOM VMR ENCODED TOKEN=--"
_END = "--=END POLYCOM VMR ENCODED TOKEN=--"
_WARNING = "Please do not edit or remove the text below."


def strategy(endpoint: Endpoint) -> tuple[str, ...]:
    """The words that hold for this endpoint."""
    return endpoint.strategy or STRATEGIES.get(endpoint.model, OTHERS)


def lines(booking: Booking, words: tuple[str, ...]) -> tuple[str, ...]:
    """The body, line by line; nothing when there is nothing to dial. The text of the invitation itself is never given:
    the endpoint does not need it, and it may hold what nobody should read on a screen."""
    dial = booking.dial
    if dial is None:
        return ()
    found: list[str] = []
    if "sip" in words:
        found += ["", f"Join: {address(dial)}"]
    if "token" in words or "token-split" in words:
        found += ["", _WARNING, _BEGIN, token(dial, split="token-split" in words), _END]
    return tuple(found)


def text(found: tuple[str, ...]) -> str:
    """A line feed alone ends a line: a carriage return would come as a character reference, on which simple parsers of
    XML stumble."""
    return "\n".join(found)


def html(found: tuple[str, ...]) -> str:
    """The same lines with a break between them, and no markup inside."""
    if not found:
        return ""
    return f"<html><body>{'<br>'.join(xml_text(line) for line in found)}</body></html>"


def location(booking: Booking, endpoint: Endpoint, words: tuple[str, ...]) -> str:
    """Where it is: the address to dial, for models that look for it there, or the room."""
    if "location" in words and booking.dial is not None:
        return address(booking.dial)
    return booking.room if len(endpoint.rooms) > 1 else endpoint.label or booking.room


def address(dial: DialString) -> str:
    """With its scheme, in which form even a phone that looks for nothing else finds it."""
    return f"{dial.protocol}:{dial.uri}"


def token(dial: DialString, *, split: bool = False) -> str:
    """The block's inner line: base64 of KEY=VALUE lines, never wrapped. Keys that are not used are there, empty."""
    number, prefix, postfix = dial.uri, "sip" if dial.protocol == "sip" else "", ""
    user, _, domain = dial.uri.partition("@")
    if split and domain and user.isascii() and user.isdecimal():
        number, prefix, postfix = user, "", domain
    pairs = (
        ("VERSION", "1"),
        ("DIALINPREFIX", ""),
        ("VMRNUMBER", number),
        ("SIGNALINGPREFIX", prefix),
        ("SIGNALINGPOSTFIX", postfix),
        ("MEETINGPASSWORD", ""),
        ("CHAIRPASSWORD", ""),
        ("CHAIRPASSWORDREQUIRED", "false"),
        ("RECORDMEETING", "false"),
        ("STREAMMEETING", "false"),
        ("RSSVMRNAME", ""),
        ("RECORDINGURI", ""),
        ("INVITATIONLANGUAGE", "en_US"),
        ("AUDIONUMBER1", ""),
        ("AUDIONUMBER2", ""),
        ("MEETING-URL", ""),
    )
    return b64encode("\r\n".join(f"POLYCOM-{key}={value}" for key, value in pairs).encode()).decode()
