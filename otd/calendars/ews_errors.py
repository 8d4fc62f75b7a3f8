"""What Exchange Web Services refuse, in OTD's words. Nothing of an answer is quoted but the names of its codes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from exchangelib import errors as ews
from requests import RequestException

from otd.calendars.waits import FORBIDDEN, NOT_THERE, back_off, retry_after
from otd.errors import ELSEWHERE, Busy, Denied, Garbled, Missing, OtdError, Truncated, Unreachable, Unsupported

BUSY = timedelta(seconds=15)  # when the server asks to wait and does not say how long

_ACCOUNT = (
    "check the account's name, password and lock; with NTLM, a proxy or load balancer that ends TLS breaks Exchange's "
    "Extended Protection"
)
_OFF = (
    "a room in Exchange Online belongs on a calendar of kind graph; on Exchange Server, look at EwsEnabled and the "
    "EWS access lists of the organisation, the account and the mailbox"
)
_RIGHT = (
    "give the account the role ApplicationImpersonation over a scope that holds this mailbox, or with right = "
    '"delegate" at least the right to read its calendar'
)
_ADDRESS = (
    "correct the room's mailbox in the settings (its primary SMTP address); if it has moved to Exchange Online, put "
    "the room on a calendar of kind graph"
)
_BUILD = "set build to the server's version: 15.0 for 2013, 15.1 for 2016, 15.2 for 2019 and SE"
_URL = "check url: it is like https://mail.example.com/EWS/Exchange.asmx"
_ONLINE = ("office365.com", "office365.us", "office.com", "outlook.cn", "apps.mil")  # also of national clouds
_CROWD = "let connections be fewer for this calendar"


class FullViewError(Truncated):
    """There is more in the window than the server shows at once."""


_TABLE: tuple[tuple[type[OtdError], str, str], ...] = (
    (
        Denied,
        _RIGHT,
        "ErrorAccessDenied ErrorImpersonateUserDenied ErrorImpersonationDenied ErrorImpersonationFailed "
        "ErrorCallerIsInvalidADAccount",
    ),
    (Denied, _ACCOUNT, "ErrorAccountDisabled ErrorPasswordExpired ErrorPasswordChangeRequired UnauthorizedError"),
    (
        Missing,
        _ADDRESS,
        "ErrorNonExistentMailbox ErrorInvalidSmtpAddress ErrorMissingEmailAddress ErrorNonPrimarySmtpAddress "
        "ErrorMailRecipientNotFound",
    ),
    (Missing, f"the mailbox shows no calendar to this account: {_RIGHT}", "ErrorFolderNotFound"),
    (FullViewError, "", "ErrorExceededFindCountLimit"),
    (Truncated, "", "ErrorItemNotFound ErrorRecurrenceHasNoOccurrence ErrorStaleObject CutOffError"),
    (
        Unsupported,
        _BUILD,
        "ErrorInvalidServerVersion ErrorIncorrectSchemaVersion ErrorInvalidSchemaVersionForMailboxVersion "
        "ErrorInvalidRequest ErrorSchemaValidation ErrorInvalidPropertyRequest",
    ),
    (Unsupported, "make the window shorter", "ErrorCalendarViewRangeTooBig"),
    (Garbled, "look for a proxy or a sign-in page before the server", "SOAPError MalformedResponseError"),
)
_CODES = {name: (made, mend) for made, mend, names in _TABLE for name in names.split()}


def translated(error: Exception, *, where: str) -> OtdError:
    """The error for whatever exchangelib raised or put among the items."""
    name = type(error).__name__
    if isinstance(error, OtdError):
        return error
    if isinstance(error, ews.ErrorServerBusy):
        hidden = error.__context__  # FailFast makes "busy" of other errors, with a pause of its own invention
        if isinstance(hidden, ews.ErrorTooManyObjectsOpened | ews.ErrorInternalServerTransientError):
            return translated(hidden, where=where)
        return Busy(where, f"Exchange answered {name}", back_off(error.back_off, BUSY))
    if isinstance(error, ews.ErrorExceededConnectionCount | ews.ErrorTooManyObjectsOpened):
        return Busy(where, f"Exchange answered {name}", BUSY, _CROWD)
    if name in _CODES:
        made, mend = _CODES[name]
        if mend is _ADDRESS:
            return made(where, _said(name, made), mend, rest=NOT_THERE, reason=ELSEWHERE)
        if mend is _RIGHT:
            return made(where, _said(name, made), mend, rest=FORBIDDEN)
        return made(where, _said(name, made), mend)
    if isinstance(error, ews.EWSError):  # TransportError: the code is none that exchangelib knows
        return Unreachable(where, f"Exchange answered {'an unknown code' if name == 'TransportError' else name}")
    if isinstance(error, TimeoutError):
        return Unreachable(where, "no whole answer within the time")
    if isinstance(error, PermissionError) or type(error).__module__.partition(".")[0] == "spnego":
        return Denied(where, f"the server and we could not agree on NTLM ({name})", _ACCOUNT)
    if isinstance(error, RequestException):
        return Unreachable(where, f"the call failed ({name})", _URL)
    return Garbled(where, f"the call failed ({name})")


def _said(name: str, made: type[OtdError]) -> str:
    if made is Garbled:
        return "the answer is not one of Exchange Web Services"
    if name == "CutOffError":
        return "the answer stops in the middle"
    if made is Truncated:
        return f"the mailbox changed while it was read ({name})"
    return f"Exchange answered {name}"


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, where: str, now: datetime) -> OtdError:
    """The error for an HTTP status that is not 200. The body is only searched, never quoted."""
    said = f"the server answered {status}"
    match status:
        case 401 if b"account is currently locked out" in body:
            return Denied(where, "the account is locked out", "unlock it, and find out who uses an old password")
        case 401:
            return Denied(where, f"{said}: it does not accept the account", _ACCOUNT)
        case 403:
            return Denied(
                where,
                f"{said}: Exchange Web Services are switched off here (in Exchange Online by default since October "
                "2026, for good on 1 April 2027)",
                _OFF,
                rest=FORBIDDEN,
            )
        case 404:
            return Missing(where, f"{said}: there are no Exchange Web Services at this address", _URL)
        case 429:
            return Busy(where, said, retry_after(headers.get("Retry-After", ""), now) or BUSY)
        case 503 | 504 if (wait := retry_after(headers.get("Retry-After", ""), now)) is not None:
            return Busy(where, said, wait)
        case _ if 300 <= status < 400 and _is_online(headers.get("Location", "")):
            return Missing(where, f"{said}, a redirect to Exchange Online", _ADDRESS, rest=NOT_THERE, reason=ELSEWHERE)
        case _ if 300 <= status < 400:
            return Garbled(where, f"{said}, a redirect, which is not followed", f"{_URL}; no sign-in page before it")
        case _ if status >= 500 or status == 408:
            return Unreachable(where, said)
        case _:
            return Unsupported(where, said, _URL)


def _is_online(location: str) -> bool:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return False
    return any(host == known or host.endswith(f".{known}") for known in _ONLINE)
