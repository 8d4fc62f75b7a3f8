"""SOAP envelopes as Exchange Server writes them, and its errors."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from otd.lab.ews_schema import MESSAGES, SOAP, TYPES

# Exchange SE, which prints itself as 15.2 like Exchange 2019; its schema is Exchange2016.
BUILD = (15, 2, 2562, 17)
SCHEMA = "V2017_07_11"
_VERSIONS = (
    "Exchange2007 Exchange2007_SP1 Exchange2009 Exchange2010 Exchange2010_SP1 Exchange2010_SP2 Exchange2012 "
    "Exchange2013 Exchange2013_SP1 Exchange2015 Exchange2016 V2015_10_05 V2016_01_06 V2016_04_13 V2016_07_13 "
    "V2016_10_10 V2017_01_07 V2017_04_14 V2017_07_11"
)
VERSIONS = tuple(_VERSIONS.split())  # oldest first
_ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MESSAGES = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate",
    "ErrorCalendarViewRangeTooBig": "The specified view range exceeds the maximum range of two years.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorImpersonateUserDenied": "The account does not have permission to impersonate the requested user.",
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidRequest": "The request is invalid.",
    "ErrorInvalidServerVersion": "The specified server version is invalid.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorMissingEmailAddress": "An account without a mailbox has to name one in every distinguished folder id.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorServerBusy": "The server cannot service this request right now. Try again later.",
    "ErrorTimeZone": "The specified time zone isn't valid.",
}


class EwsError(Exception):
    """A response code, for one response message or, when nothing of the request can be answered, as a SOAP fault."""

    def __init__(self, code: str, message: str = "", details: str = "") -> None:
        self.code, self.message, self.details = code, message or _MESSAGES.get(code, "An error occurred."), details
        super().__init__(f"{code}: {self.message}")


class SoapFault(EwsError):
    """One that ends the whole request: HTTP 500."""


def text(value: str) -> str:
    """Escaped for an element. Characters that XML 1.0 has no place for come as references, as Exchange sends them."""
    escaped = escape(value)
    return _NOT_XML.sub(lambda found: f"&#x{ord(found[0]):X};", escaped) if _NOT_XML.search(escaped) else escaped


def attribute(value: str) -> str:
    """Quoted and escaped for an attribute."""
    return quoteattr(value)


def busy(back_off_milliseconds: int | None) -> SoapFault:
    value = f'<t:Value Name="BackOffMilliseconds">{back_off_milliseconds}</t:Value>'
    return SoapFault("ErrorServerBusy", details="" if back_off_milliseconds is None else value)


def violation(message: str, line: int) -> SoapFault:
    """ErrorSchemaValidation with the place and the reason."""
    details = (
        f"<t:LineNumber>{line}</t:LineNumber><t:LinePosition>1</t:LinePosition>"
        f"<t:Violation>{text(message)}</t:Violation>"
    )
    return SoapFault("ErrorSchemaValidation", f"The request failed schema validation: {message}", details)


def envelope(body: str) -> str:
    """The answer to an operation."""
    return _HEAD + f'<s:Body xmlns:xsi="{_XSI}" xmlns:xsd="{_XSD}">{body}</s:Body></s:Envelope>'


def fault(error: EwsError) -> str:
    details = f'<t:MessageXml xmlns:t="{TYPES}">{error.details}</t:MessageXml>' if error.details else ""
    return (
        _HEAD + f'<s:Body><s:Fault><faultcode xmlns:a="{TYPES}">a:{error.code}</faultcode>'
        f'<faultstring xml:lang="en-US">{text(error.message)}</faultstring><detail>'
        f'<e:ResponseCode xmlns:e="{_ERRORS}">{error.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{_ERRORS}">{text(error.message)}</e:Message>{details}</detail></s:Fault>'
        "</s:Body></s:Envelope>"
    )


def response(operation: str, messages: str) -> str:
    return envelope(
        f'<m:{operation}Response xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><m:ResponseMessages>{messages}'
        f"</m:ResponseMessages></m:{operation}Response>"
    )


def bare(operation: str, content: str, *, code: str = "NoError") -> str:
    """The answer to an operation of which there is one only, without a list of messages."""
    worked = "Success" if code == "NoError" else "Error"
    return envelope(
        f'<m:{operation}Response ResponseClass="{worked}" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<m:ResponseCode>{code}</m:ResponseCode>{content}</m:{operation}Response>"
    )


def success(operation: str, content: str) -> str:
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}'
        f"</m:{operation}ResponseMessage>"
    )


def failure(operation: str, error: EwsError, content: str = "") -> str:
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Error"><m:MessageText>{text(error.message)}</m:MessageText>'
        f"<m:ResponseCode>{error.code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{content}"
        f"</m:{operation}ResponseMessage>"
    )


_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSD = "http://www.w3.org/2001/XMLSchema"
_HEAD = (
    f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>'
    f'<h:ServerVersionInfo MajorVersion="{BUILD[0]}" MinorVersion="{BUILD[1]}" MajorBuildNumber="{BUILD[2]}" '
    f'MinorBuildNumber="{BUILD[3]}" Version="{SCHEMA}" xmlns:h="{TYPES}" xmlns="{TYPES}" xmlns:xsd="{_XSD}" '
    f'xmlns:xsi="{_XSI}"/></s:Header>'
)
