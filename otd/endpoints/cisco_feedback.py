"""HttpFeedback on a Cisco endpoint: one of its slots posts to a relay when the endpoint restarts.

Register replaces what a slot held, so only a slot that is empty, or holds an address that a relay of our pool gave to
this very endpoint, is ever written; slot 3 is Cisco TMS's and is left alone whatever it holds. A slot whose post did
not arrive is Failed and silent until it is enabled (a command of CE 9.15 and later) or registered again. What is to be
posted depends on the software, so a slot of ours that posts something else is registered again, too; each relay sees to
its own. The parameter Format is left out: TC does not know it, and nobody reads the posts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from otd.endpoints.cisco_documents import Software, command, parse, result
from otd.endpoints.cisco_line import Line
from otd.errors import OtdError, Permanent
from otd.ports import Hooks

SLOTS = (4, 2, 1)  # in the order in which they are taken; 3 is never
SLOTS_PATH = "/getxml?location=/Status/HttpFeedback"
VERIFY_PATH = "/getxml?location=/Configuration/HttpFeedback/TlsVerify"
_BOOT, _SYNC = "/Event/BootEvent", "/Event/Bookings/SyncRequired"
Why = Literal["", "full", "untrusted", "failed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What is registered in a slot."""

    url: str = field(default="", repr=False)
    expressions: tuple[str, ...] = ()
    failed: bool = False

    def posts_other_than(self, wanted: tuple[str, ...]) -> bool:
        """Whether it says that it posts something else, in whatever order and notation."""
        return bool(self.expressions) and set(map(_steps, self.expressions)) != set(map(_steps, wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done, in one slot. `why` is what a person should know of it."""

    does: Literal["nothing", "register", "enable", "deregister"] = "nothing"
    slot: int = 0
    why: Why = ""


def slots(body: bytes, where: str) -> dict[int, Slot]:
    """From SLOTS_PATH: the slots by number, the empty ones too. Raises Garbled."""
    found: dict[int, Slot] = {}
    for place, node in enumerate(parse(body, where).iter("{*}HttpFeedback"), start=1):
        number = node.get("item", "")
        url, status = (node.findtext("{*}" + tag, "").strip() for tag in ("URL", "Status"))
        at = int(number) if number.isdecimal() and len(number) < 3 else place
        posted = tuple((expression.text or "").strip() for expression in node.iterfind("{*}Expression"))
        found[at] = Slot(url=url, expressions=tuple(filter(None, posted)), failed=status.casefold() == "failed")
    return found


def step(found: Mapping[int, Slot], endpoint: str, hooks: Hooks, wanted: tuple[str, ...]) -> Step:
    """What to do so that the endpoint posts what is `wanted` to a relay of the pool; one of them is enough. Pure."""
    url = hooks.url(endpoint)
    ours = {number: slot for number in SLOTS if (slot := found.get(number)) and _is_ours(slot.url, endpoint, hooks)}
    for number, slot in ours.items():
        if slot.url == url:
            why: Why = "failed" if slot.failed else ""
            if slot.posts_other_than(wanted):
                return Step(does="register", slot=number, why=why)
            return Step(does="enable", slot=number, why=why) if slot.failed else Step()
    for number, slot in ours.items():
        if hooks.is_ours(slot.url, endpoint):  # an older address of this relay
            return Step(does="register", slot=number)
    if ours:  # those of other relays: one takes over when all of them are gone
        gone = all(slot.failed for slot in ours.values())
        return Step(does="register", slot=next(iter(ours))) if gone else Step()
    if not found:  # it does not say what its slots hold
        return Step(why="refused")
    empty = next((number for number in SLOTS if number in found and not found[number].url), 0)
    return Step(does="register", slot=empty) if empty else Step(why="full")


def taken_back(found: Mapping[int, Slot], endpoint: str, hooks: Hooks, *, all_of_pool: bool) -> tuple[Step, ...]:
    """What to do so that the endpoint tells this relay no more, or none of the pool. Pure."""
    held = [(number, slot.url) for number in SLOTS if (slot := found.get(number))]
    mine = (n for n, url in held if (_is_ours(url, endpoint, hooks) if all_of_pool else hooks.is_ours(url, endpoint)))
    return tuple(Step(does="deregister", slot=number) for number in mine)


def _steps(expression: str) -> tuple[str, ...]:
    """/Event/BootEvent and `Event BootEvent` are the same."""
    return tuple(expression.casefold().replace("/", " ").split())


def _is_ours(url: str, endpoint: str, hooks: Hooks) -> bool:
    return hooks.is_of_pool(url, endpoint) or hooks.is_ours(url, endpoint)


def expressions(software: Software) -> tuple[str, ...]:
    """What is to be posted: that it booted, and from RoomOS 26 on that it needs its list anew."""
    return (_BOOT, _SYNC) if software.major >= 26 else (_BOOT,)


def can_enable(software: Software) -> bool:
    """Whether it is known to have the command (first seen in the schema of CE 9.15)."""
    return software >= Software(major=9, minor=15)


def register_command(slot: int, url: str, wanted: tuple[str, ...]) -> bytes:
    root = etree.fromstring(command("HttpFeedback", "Register", FeedbackSlot=str(slot), ServerUrl=url))
    register = next(root.iter("Register"))
    for number, expression in enumerate(wanted, start=1):
        etree.SubElement(register, "Expression", item=str(number)).text = expression
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def verifies(body: bytes, where: str) -> bool:
    """From VERIFY_PATH: whether it looks at the certificate of whom it posts to; software that does not know the
    setting does not."""
    node = next(parse(body, where).iter("{*}TlsVerify"), None)
    return node is not None and (node.text or "").strip().casefold() == "on"


# --- asking the endpoint ------------------------------------------------------------------------------------------


def see_to(line: Line, software: Software, hooks: Hooks) -> Why:
    """Have the endpoint tell a relay of the pool, and no more one that does not listen now. Says why it may not: what
    goes wrong here takes nothing from the rest."""
    name = line.endpoint.name
    try:
        if not hooks.url(name):
            if hooks.is_hooked(name):
                take_back(line, hooks, all_of_pool=False)
            return ""
        return _set_up(line, software, hooks)
    except OtdError as error:
        return "refused" if isinstance(error, Permanent) else ""


def take_back(line: Line, hooks: Hooks, *, all_of_pool: bool) -> None:
    """Have it tell this relay no more, or none of the pool. Raises OtdError."""
    name = line.endpoint.name
    found = slots(line.get(SLOTS_PATH), name)
    for one in taken_back(found, name, hooks, all_of_pool=all_of_pool):
        _run(line, "Deregister", command("HttpFeedback", "Deregister", FeedbackSlot=str(one.slot)))
    hooks.hook(name, False)


def _set_up(line: Line, software: Software, hooks: Hooks) -> Why:
    name, wanted = line.endpoint.name, expressions(software)
    todo = step(slots(line.get(SLOTS_PATH), name), name, hooks, wanted)
    if todo.does == "enable" and can_enable(software):
        _run(line, "Enable", command("HttpFeedback", "Enable", FeedbackSlot=str(todo.slot)))
    elif todo.does != "nothing":
        hooks.hook(name, True)  # before: whatever becomes of the answer, it is taken back one day
        _run(line, "Register", register_command(todo.slot, hooks.url(name), wanted))
    return todo.why


def _run(line: Line, word: str, document: bytes) -> None:
    result(line.post("/putxml", document), f"HttpFeedback{word}Result", line.endpoint.name)
