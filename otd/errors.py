"""The error tree. An error answers one question: try again later, or tell a person?

    OtdError
    ├── Retryable          the same call may succeed later
    │   ├── Unreachable    no answer: refused, timed out, name not found, TLS broken off
    │   ├── Busy           the other side asked us to wait (retry_after)
    │   ├── Garbled        an answer came, but not one that can be read: HTML for SOAP, truncated, too large
    │   └── Truncated      the answer says that it is not the whole answer
    └── Permanent          a person has to change something
        ├── Denied         password, certificate, permission or role refused
        ├── Missing        the named thing does not exist there: mailbox, folder, interface
        ├── Unsupported    the other side can never do this
        ├── Untrusted      the certificate is not the one that was pinned, or no CA vouches for it
        └── BadSetting     something in otd.toml, a secret or a command line is wrong

`where` names the thing (an endpoint, a room, a file and line), `why` what happened, `mend` what to do about it.
None of the three may hold a password, a passcode, a meeting's subject, body or attendees.
"""

from __future__ import annotations

from datetime import timedelta

ELSEWHERE = "elsewhere"  # the reason of a Missing mailbox that another calendar may hold


class OtdError(Exception):
    """Something that OTD expects to go wrong, said in words for an administrator."""

    code = "error"

    requests = 0  # how many a calendar had made until it went wrong; they count against its budget

    def __init__(
        self,
        where: str,
        why: str,
        mend: str = "",
        *,
        reason: str = "",
        rest: timedelta | None = None,
        everywhere: bool = False,
    ) -> None:
        """`rest` is how long it should be left alone at least; `everywhere`: not it alone, but the whole lane."""
        super().__init__(f"{where}: {why}" + (f" ({mend})" if mend else ""))
        self.where, self.why, self.mend = where, why, mend
        self.rest, self.everywhere = rest, everywhere
        self.reason = reason  # a word that tells apart what has the same code, such as "password" and "role"


class Retryable(OtdError):
    """Try again later; the same call may succeed."""

    code = "retryable"


class Unreachable(Retryable):
    """No answer came within the deadline."""

    code = "unreachable"


class Busy(Retryable):
    """The other side asked us to wait for `retry_after`; that pause belongs to the whole lane."""

    code = "busy"

    def __init__(self, where: str, why: str, retry_after: timedelta, mend: str = "") -> None:
        super().__init__(where, why, mend, rest=retry_after, everywhere=True)
        self.retry_after = retry_after


class Garbled(Retryable):
    """An answer came that cannot be read."""

    code = "garbled"


class Truncated(Retryable):
    """The answer itself says that something is missing from it."""

    code = "truncated"


class Permanent(OtdError):
    """Trying again will not help; a person has to change something."""

    code = "permanent"


class Denied(Permanent):
    """A password, certificate, permission or role was refused."""

    code = "denied"


class Missing(Permanent):
    """What we asked for does not exist there."""

    code = "missing"


class Unsupported(Permanent):
    """The other side cannot do this at all."""

    code = "unsupported"


class Untrusted(Permanent):
    """The other side's certificate is not one that we trust; `shown` is its fingerprint, where that is known."""

    code = "untrusted"

    def __init__(self, where: str, why: str, mend: str = "", *, shown: str = "") -> None:
        super().__init__(where, why, mend)
        self.shown = shown


class BadSetting(Permanent):
    """A setting, a secret or a command line is wrong."""

    code = "bad_setting"
