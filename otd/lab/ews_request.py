"""Reads a SOAP request as Exchange does: well-formed, as the schema wants it, for a version that it knows."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from otd.lab.ews_schema import HEADERS, OPERATIONS, Violation, check, tag
from otd.lab.ews_soap import VERSIONS, SoapFault, violation
from otd.lab.zones import zone

LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request that passed the schema."""

    body: etree._Element  # the operation
    operation: str  # FindItem ...
    version: int  # how new the requested version is: its place in VERSIONS
    impersonated: str = ""  # the address in the impersonation header
    address: str = ""  # whom it is about: that, or the mailbox named in a folder id


def read(body: bytes) -> Envelope:
    """Raises SoapFault."""
    root = _parsed(body)
    if root.tag != tag("s:Envelope"):
        raise violation("The root element is not a SOAP 1.1 envelope.", 1)
    header, operation = _halves(root)
    headers = {str(child.tag): child for child in header if isinstance(child.tag, str)}
    try:
        for name, child in headers.items():
            if name in HEADERS:
                check(child, HEADERS[name])
        name = etree.QName(operation).localname
        if operation.tag not in OPERATIONS:
            raise SoapFault("ErrorInvalidRequest", f"The lab does not simulate the operation {name}.")
        check(operation, OPERATIONS[str(operation.tag)])
    except Violation as wrong:
        raise violation(wrong.message, wrong.line) from wrong
    impersonated = _impersonated(headers)
    return Envelope(
        body=operation,
        operation=name,
        version=_version(headers),
        impersonated=impersonated,
        address=impersonated or operation.findtext(f".//{tag('t:EmailAddress')}", ""),
    )


def _parsed(body: bytes) -> etree._Element:
    if len(body) > LIMIT:
        raise SoapFault("ErrorInvalidRequest", "The request is too large.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise violation(f"The request is not well-formed XML: {error.msg}", error.lineno or 1) from error
    if b"<!DOCTYPE" in body:
        raise violation("A document type is prohibited in this XML document.", 1)
    return root


def _halves(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    """The header (an empty one when there is none) and the operation."""
    parts = list(root)
    header = parts.pop(0) if parts and parts[0].tag == tag("s:Header") else etree.Element(tag("s:Header"))
    if len(parts) != 1 or parts[0].tag != tag("s:Body") or len(parts[0]) != 1:
        raise violation("The envelope has to have one body with one operation in it.", 1)
    return header, parts[0][0]


def _version(headers: dict[str, etree._Element]) -> int:
    """Without a RequestServerVersion Exchange takes the client for one of its first version."""
    element = headers.get(tag("t:RequestServerVersion"))
    if element is None:
        return 0
    wanted = str(element.get("Version"))
    if wanted not in VERSIONS:
        raise SoapFault("ErrorInvalidServerVersion")
    return VERSIONS.index(wanted)


def _impersonated(headers: dict[str, etree._Element]) -> str:
    context = headers.get(tag("t:TimeZoneContext"))
    if context is not None and (name := context[0].get("Id")) and zone(str(name)) is None:
        raise SoapFault("ErrorTimeZone")
    element = headers.get(tag("t:ExchangeImpersonation"))
    return (element[0][0].text or "").strip() if element is not None else ""
