"""The XML of Cisco's xAPI: results as elements, and the documents that carry commands and configurations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from otd.lab.codec_bookings import Tree
from otd.lab.codec_documents import local

HEAD = '<?xml version="1.0"?>\n'


def element(name: str, content: Any, *, items: bool = False, attributes: Mapping[str, str] | None = None) -> str:
    """A value as an element, two spaces deeper with every level. With `items` every element carries item="1"."""
    return "".join(_lines(name, content, items, dict(attributes or {}), ""))


def document(name: str, content: Any, *, items: bool = False, attributes: Mapping[str, str] | None = None) -> bytes:
    """The same as a whole document. What the content holds that XML does not allow goes out as it is."""
    text = HEAD + element(name, content, items=items, attributes=attributes)
    return text.encode("utf-8", "replace")


def _lines(name: str, content: Any, items: bool, attributes: Mapping[str, str], indent: str) -> Iterator[str]:
    start = indent + "<" + name + "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    if not isinstance(content, dict):
        text = escape(str(content))
        yield f"{start}>{text}</{name}>\n" if text else f"{start}/>\n"
        return
    if not content:
        yield f"{start}/>\n"
        return
    yield f"{start}>\n"
    for child, value in content.items():
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                counted = {"item": str(number), "maxOccurrence": "n"}
                yield from _lines(child, each, items, counted, indent + "  ")
        else:
            yield from _lines(child, value, items, {"item": "1"} if items else {}, indent + "  ")
    yield f"{indent}</{name}>\n"


# --- documents that carry commands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command as it was asked for. `arguments` are texts by name; what is repeated has several."""

    path: tuple[str, ...]
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    body: str | None = field(default=None, repr=False)
    marked: bool = False  # it carried command="True"

    @property
    def name(self) -> str:
        return " ".join(self.path)


def invocations(root: etree._Element, known: Mapping[str, object], *, only_marked: bool) -> tuple[Invocation, ...]:
    """The commands in a <Command> document, in their order.

    A node marked command="True" is a command whether it is known or not; an unmarked one only if it is known and
    `only_marked` is off.
    """
    return tuple(each for child in root for each in _invocations(child, (), known, only_marked))


def _invocations(
    node: etree._Element, above: tuple[str, ...], known: Mapping[str, object], only_marked: bool
) -> Iterator[Invocation]:
    path = (*above, local(node))
    marked = node.get("command") == "True"
    if marked or (" ".join(path) in known and not only_marked):
        yield _invocation(node, path, marked)
        return
    for child in node:
        yield from _invocations(child, path, known, only_marked)


def _invocation(node: etree._Element, path: tuple[str, ...], marked: bool) -> Invocation:
    arguments: dict[str, tuple[str, ...]] = {}
    body: str | None = None
    for child in node:
        if local(child) == "body":
            body = child.text or ""
        else:
            arguments[local(child)] = (*arguments.get(local(child), ()), (child.text or "").strip())
    return Invocation(path=path, arguments=arguments, body=body, marked=marked)


def settings(root: etree._Element) -> tuple[tuple[str, str], ...]:
    """The leaves of a <Configuration> document as ("NetworkServices Websocket", "Off")."""
    return tuple(each for child in root for each in _settings(child, ()))


def _settings(node: etree._Element, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    path = (*above, local(node))
    if not len(node):
        yield " ".join(path), (node.text or "").strip()
    for child in node:
        yield from _settings(child, path)


# --- addresses ----------------------------------------------------------------------------------------------------

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(?:@item=['\"])?(\d+)(?:['\"])?\])?")


def steps(location: str) -> tuple[str | int, ...] | None:
    """/Status/Network[@item='1']/IPv4 as ("Status", "Network", 1, "IPv4"); None when it is no address."""
    found: list[str | int] = []
    for part in location.strip().strip("/").split("/"):
        step = _STEP.fullmatch(part)
        if step is None:
            return None
        found.append(step[1])
        if step[2]:
            found.append(int(step[2]))
    return tuple(found)


def subtree(tree: Any, path: tuple[str | int, ...]) -> Any:
    """What is left of the tree when only this address is kept, its ancestors included; None when there is nothing."""
    if not path:
        return tree
    step, rest = path[0], path[1:]
    if not isinstance(tree, dict) or not isinstance(step, str) or step not in tree:
        return None
    inside = tree[step]
    if not isinstance(inside, list):
        kept = subtree(inside, rest[1:] if rest[:1] == (1,) else rest)
        return None if kept is None else {step: kept}
    chosen, rest = (inside, rest) if not rest or isinstance(rest[0], str) else (_item(inside, rest[0]), rest[1:])
    several = [kept for each in chosen if (kept := subtree(each, rest)) is not None]
    return {step: several} if several else None


def _item(inside: list[Any], number: int) -> list[Any]:
    return inside[number - 1 : number] if number > 0 else []


def value_at(tree: Any, path: tuple[str | int, ...]) -> Any:
    """The value at an address, without its ancestors; None when there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(step, int) and isinstance(tree, list) and 0 < step <= len(tree):
            tree = tree[step - 1]
        else:
            return None
    return tree


def as_json(value: Any) -> Any:
    """A tree as the WebSocket gives it: numbers stay numbers, what repeats carries its id."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        items = [as_json(each) if isinstance(each, dict) else {"Value": each} for each in value]
        return [{"id": number, **each} for number, each in enumerate(items, 1)]
    return value


def nested(flat: Mapping[str, str | Tree]) -> Tree:
    """{"NetworkServices HTTP Mode": "HTTPS"} as a tree."""
    tree: Tree = {}
    for name, value in flat.items():
        *above, last = name.split(" ")
        at = tree
        for step in above:
            at = at.setdefault(step, {})
        at[last] = value
    return tree
