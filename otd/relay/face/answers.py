"""What an operation gives back, and what it may be told beside the request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lxml import etree

from otd.relay.face.soap import EwsError, Fault, failure, success


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is not known of endpoints for certain, and can be set."""

    body_in_find: bool = False  # FindItem gives the body, too, which Exchange never does
    uid_for_2007: bool = True  # clients of Exchange 2007 get the UID, which came with its first service pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The response inside the SOAP body. `whole` says that the client was given the whole list it asked for."""

    xml: str
    whole: bool = False


def each(
    operation: str, elements: Iterable[etree._Element], make: Callable[[etree._Element], str], *, tail: str = ""
) -> list[str]:
    """One response message per element, each good or bad on its own. A Fault ends all."""
    messages = []
    for element in elements:
        try:
            messages.append(success(operation, make(element)))
        except Fault:
            raise
        except EwsError as error:
            messages.append(failure(operation, error, tail))
    return messages


def some(container: etree._Element | None, most: int) -> list[etree._Element]:
    """What a request lists, at least one and not too many. Raises Fault."""
    found = list(container) if container is not None else []
    if not found:
        raise Fault("ErrorSchemaValidation")
    if len(found) > most:
        raise Fault("ErrorInvalidRequest", f"More than {most} at once.")
    return found
