"""SOAP as Exchange speaks it: reading a request from hostile bytes, and the frame around every answer.

The prefixes `s:`, `m:` and `t:` are fixed: some endpoints look elements up by their literal names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from otd.quoting import xml_text

_TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
_MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
_ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    '<h:ServerVersionInfo MajorVersion="15" MinorVersion="0" MajorBuildNumber="847" MinorBuildNumber="32"'
    f' Version="V2_8" xmlns:h="{_TYPES}" xmlns="{_TYPES}"/></s:Header>'
    '<s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
)
_FOOT = "</s:Body></s:Envelope>"
_VERSION = re.compile(r"(?:Exchange(20\d\d)(?:_SP\d)?|V(20\d\d)_\d\d_\d\d)")
_UTF8_BOM = b"\xef\xbb\xbf"
_TEXTS = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate.",
    "ErrorCalendarViewRangeTooBig": "The view is longer than two years.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorImpersonateUserDenied": "The account does not have permission to impersonate the requested user.",
    "ErrorInternalServerError": "An internal server error occurred.",
    "ErrorInternalServerTransientError": "The calendar is not there at the moment. Try again later.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidRequest": "The request is invalid.",
    "ErrorInvalidServerVersion": "The specified server version is invalid.",
    "ErrorInvalidSubscriptionRequest": "Only pull subscriptions are possible here.",
    "ErrorInvalidSyncStateData": "The synchronization state data is invalid.",
    "ErrorInvalidWatermark": "The watermark is not one of this subscription.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorNoFreeBusyAccess": "The free/busy times of this mailbox cannot be told.",
    "ErrorSchemaValidation": "The request failed schema validation.",
    "ErrorSubscriptionNotFound": "Subscription not found.",
}


class EwsError(Exception):
    """What a client did wrong or may not have, for one response message of an answer."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code, self.text = code, text or _TEXTS[code]


class Fault(EwsError):
    """What ends the whole request: HTTP 500 with a SOAP fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One operation as it was asked for. `generation` is the year of the schema that the client understands."""

    operation: str
    element: etree._Element
    version: str
    generation: int
    impersonated: str = ""


def parse(body: bytes) -> etree._Element:
    """The document. Entities and document types are refused. Raises Fault."""
    body = body.removeprefix(_UTF8_BOM).lstrip()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    if b"<!DOCTYPE" in body:
        raise Fault("ErrorSchemaValidation", "A document type is not allowed.")
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Fault("ErrorSchemaValidation", "The request is not well-formed XML.") from None
    if root.getroottree().docinfo.internalDTD is not None:  # in an encoding in which it does not look like one
        raise Fault("ErrorSchemaValidation", "A document type is not allowed.")
    return root


def request(body: bytes) -> Request:
    """The operation in an envelope; without a version header it is one of Exchange 2007. Raises Fault."""
    envelope = parse(body)
    asked = child(envelope, "Body") if local(envelope) == "Envelope" else None
    operations = list(asked.iterchildren(tag=etree.Element)) if asked is not None else []
    if len(operations) != 1:
        raise Fault("ErrorSchemaValidation", "A SOAP envelope with one operation is expected.")
    version, generation, impersonated = "", 2007, ""
    header = child(envelope, "Header")
    for element in header if header is not None else ():
        if local(element) == "RequestServerVersion":
            version = element.get("Version", "")
            if not (found := _VERSION.fullmatch(version)):
                raise Fault("ErrorInvalidServerVersion")
            generation = int(found[1] or found[2])
        elif local(element) == "ExchangeImpersonation":
            impersonated = "".join(str(text) for text in element.itertext()).strip()
    return Request(
        operation=local(operations[0]),
        element=operations[0],
        version=version,
        generation=generation,
        impersonated=impersonated,
    )


def local(element: etree._Element) -> str:
    """Its name without the namespace: clients are free in their prefixes."""
    return str(element.tag).rpartition("}")[2]


def child(element: etree._Element, name: str) -> etree._Element | None:
    """The first child of this name."""
    return next(children(element, name), None)


def children(element: etree._Element | None, name: str) -> Iterator[etree._Element]:
    return (one for one in (element if element is not None else ()) if local(one) == name)


def word(element: etree._Element, name: str, default: str = "") -> str:
    """The text of the first child of this name."""
    found = child(element, name)
    return (found.text or "").strip() if found is not None else default


def envelope(inner: str) -> bytes:
    return f"{_HEAD}{inner}{_FOOT}".encode()


def response(operation: str, messages: Iterable[str], extra: str = "") -> str:
    """The operation's answer around its response messages."""
    return (
        f'<m:{operation}Response xmlns:m="{_MESSAGES}" xmlns:t="{_TYPES}">'
        f"<m:ResponseMessages>{''.join(messages)}</m:ResponseMessages>{extra}</m:{operation}Response>"
    )


def bare_response(operation: str, inner: str) -> str:
    """The answer of an operation that has no list of response messages."""
    return f'<m:{operation}Response xmlns:m="{_MESSAGES}" xmlns:t="{_TYPES}">{inner}</m:{operation}Response>'


def success(operation: str, inner: str = "") -> str:
    """One response message of what went well."""
    name = f"m:{operation}ResponseMessage"
    return f'<{name} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inner}</{name}>'


def failure(operation: str, error: EwsError, tail: str = "") -> str:
    """One response message of what did not; `tail` is the empty element that some operations end with."""
    name = f"m:{operation}ResponseMessage"
    return (
        f'<{name} ResponseClass="Error"><m:MessageText>{xml_text(error.text)}</m:MessageText>'
        f"<m:ResponseCode>{error.code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{tail}</{name}>"
    )


def fault(error: EwsError) -> bytes:
    """The whole answer to a request that cannot be answered."""
    text = xml_text(error.text)
    return envelope(
        f'<s:Fault><faultcode xmlns:a="{_TYPES}">a:{error.code}</faultcode>'
        f'<faultstring xml:lang="en-US">{text}</faultstring><detail>'
        f'<e:ResponseCode xmlns:e="{_ERRORS}">{error.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{_ERRORS}">{text}</e:Message></detail></s:Fault>'
    )
