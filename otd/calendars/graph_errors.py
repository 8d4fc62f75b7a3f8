"""What Microsoft Graph and Entra ID refuse, in OTD's words: again later, or a person, and what that person does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from otd.calendars.waits import FORBIDDEN, NOT_THERE, REFUSED, retry_after
from otd.errors import (
    ELSEWHERE,
    BadSetting,
    Busy,
    Denied,
    Garbled,
    Missing,
    OtdError,
    Truncated,
    Unreachable,
    Unsupported,
)
from otd.outbound import Answer

BUSY = timedelta(seconds=15)  # when Graph asks to wait and does not say how long
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_REQUEST_ID = re.compile(r"[0-9A-Fa-f-]{8,64}")

_SCOPE = (
    "let the application read this mailbox: the role Application Calendars.Read over a scope that holds it (RBAC for "
    "Applications); Exchange takes 30 minutes to 2 hours to see a change"
)
_ADDRESS = "correct the room's mailbox in the settings; it is the primary SMTP address"
_ELSEWHERE = (
    "the mailbox is on an Exchange Server, has no licence or is being deleted: put the room on a calendar of kind ews "
    "if it is on-premises"
)


def refusal(answer: Answer, *, where: str, now: datetime) -> OtdError:
    """The error for an answer of Graph whose status is not 200. Nothing of its text is quoted but codes and ids."""
    code = _code(answer.body)
    said = f"Graph answered {answer.status}{f' {code}' if code else ''}{_request_id(answer)}"
    if code in ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI"):
        return Missing(where, said, _ELSEWHERE, rest=NOT_THERE, reason=ELSEWHERE)
    match answer.status:
        case 401:
            mend = "a fresh token was refused: check tenant, cloud and application id"
            return Denied(where, said, mend, rest=REFUSED, everywhere=True)
        case 403:
            return Denied(where, said, _SCOPE, rest=FORBIDDEN)
        case 404:
            return Missing(where, said, _ADDRESS, rest=NOT_THERE, reason=ELSEWHERE)
        case 410:
            return Truncated(where, f"{said}: the page to read on from is gone")
        case 429:
            return Busy(where, said, retry_after(answer.headers.get("retry-after", ""), now) or BUSY)
        case 503 | 504 if (wait := retry_after(answer.headers.get("retry-after", ""), now)) is not None:
            return Busy(where, said, wait)
        case status if status >= 500:
            return Unreachable(where, said)
        case status if 300 <= status < 400:
            return Garbled(where, f"{said}, a redirect, which is not followed", "look for a proxy on the way to Graph")
        case 408:
            return Unreachable(where, said)
        case _:
            return Unsupported(where, said, "this looks like a change in Graph or a wrong cloud: report it")


def _code(body: bytes) -> str:
    """Graph's own word for what is wrong, if the body is Graph's and the word is a word."""
    try:
        stated = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return stated if isinstance(stated, str) and _WORD.fullmatch(stated) else ""


def _request_id(answer: Answer) -> str:
    """What Microsoft's support asks for."""
    stated = answer.headers.get("request-id", "")
    return f" (request-id {stated})" if _REQUEST_ID.fullmatch(stated) else ""


# AADSTS numbers (Microsoft Entra documentation, "authentication and authorization error codes").
_SIGN_IN: Mapping[int, tuple[str, str]] = {
    7000215: ("the client secret is wrong", "store the secret's value, not its id"),
    7000222: ("the client secret has expired", "make a new client secret in Entra ID and store it"),
    7000218: ("no credential reached Entra ID", "give the calendar a secret or a certificate"),
    700027: ("the certificate is not one of the application's", "upload this certificate to the application"),
    700024: ("the clock of this machine is wrong", "set the clock"),
    700016: ("the application is not known in this tenant", "check tenant and client_id"),
    90002: ("the tenant is not known", "check tenant and cloud"),
    500011: ("the tenant does not know this Graph", "check cloud"),
    53003: ("a Conditional Access policy blocks the application", "let this machine's addresses through the policy"),
    7000112: ("the application is switched off in this tenant", "enable its sign-in in Entra ID"),
}


def sign_in_refused(result: Mapping[str, Any], where: str) -> OtdError:
    """The error for what msal gives back in place of a token."""
    codes = [c for c in result.get("error_codes") or () if isinstance(c, int)]
    stated = result.get("error")
    word = stated if isinstance(stated, str) and _WORD.fullmatch(stated) else "no token"
    number = f" (AADSTS{codes[0]})" if codes else ""
    known = next((_SIGN_IN[c] for c in codes if c in _SIGN_IN), None)
    if known is not None:
        why = f"Entra ID gives no token: {known[0]}{number}"
        return Denied(where, why, known[1], rest=REFUSED, everywhere=True)
    if word in ("temporarily_unavailable", "server_error"):
        return Unreachable(where, f"Entra ID gives no token: {word}{number}")
    why = f"Entra ID gives no token: {word}{number}"
    return Denied(where, why, "check tenant, client_id and credential", rest=REFUSED, everywhere=True)


def sign_in_failed(answer: Answer, where: str, now: datetime) -> OtdError | None:
    """The error for an answer of Entra ID that is not one for msal to read; None when it is."""
    if answer.status == 429 or answer.status >= 500:
        wait = retry_after(answer.headers.get("retry-after", ""), now)
        if wait is not None or answer.status == 429:
            return Busy(where, f"Entra ID answered {answer.status}", wait if wait is not None else BUSY)
        return Unreachable(where, f"Entra ID answered {answer.status}")
    if 300 <= answer.status < 400:
        return Garbled(where, f"Entra ID answered {answer.status}, a redirect, which is not followed")
    try:
        stated = json.loads(answer.body)
    except (ValueError, RecursionError):
        stated = None
    if not isinstance(stated, dict):
        return Garbled(
            where, f"Entra ID answered {answer.status} with something else than JSON", "look for a proxy on the way"
        )
    return None


def tenant_unknown(where: str) -> OtdError:
    """Entra ID has no such tenant."""
    why, mend = "Entra ID does not know the tenant", "check tenant and cloud"
    return BadSetting(where, why, mend, rest=REFUSED, everywhere=True)
