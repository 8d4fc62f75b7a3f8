"""What can be set wrong on a simulated Cisco codec while it runs, and what nobody outside Cisco knows for sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Literal

NO_TIME = timedelta(0)


class _Switches:
    """Fields that can be set at any time; each request reads them anew."""

    __slots__ = ()

    def clear(self) -> None:
        """Back to how they were at the beginning."""
        fresh: Any = type(self)()
        for each in fields(self):  # type: ignore[arg-type]
            setattr(self, each.name, getattr(fresh, each.name))


@dataclass(slots=True, kw_only=True)
class Faults(_Switches):
    """What goes wrong. The first two groups hit the requests that `only` and `times` select, the third the list."""

    only: tuple[str, ...] = ()  # paths, with or without query ("/putxml"); empty: every path
    times: int | None = None  # so many requests are hit, then no more; None: all of them

    # the network and the web server
    slow: timedelta = NO_TIME  # before the request is looked at; it is carried out even if the client left meanwhile
    late: timedelta = NO_TIME  # before the answer begins; the request is carried out at once
    drip_head: timedelta | None = None  # between any two bytes of the answer, from the status line on
    drip_body: timedelta | None = None  # the head at once, then between any two bytes of the body
    silent: bool = False  # the request is taken and never answered
    reset: bool = False  # the connection ends without an answer
    cut: bool = False  # the connection ends in the middle of the body
    status: int = 0  # this status for everything: 500, 502 (the backend is down), 503, 404, 401, 403
    headers: Mapping[str, str] = field(default_factory=dict)  # with `status`, such as Retry-After
    redirect: str = ""  # 302 to this address, with the path added
    sign_in_page: bool = False  # 200 and the HTML page on which people sign in

    # the answers of the xAPI
    truncate: bool = False  # properly framed, but the XML ends in the middle
    empty_command: bool = False  # /putxml answers <Command/> and does nothing
    control_bytes: bool = False  # bytes in the XML that XML does not allow, as HDMI names bring them in
    huge: int = 0  # the XML is padded to at least so many bytes

    # the list
    ignore_put: bool = False  # says OK, keeps the old list
    lose_put: bool = False  # says OK, has no list afterwards
    foreign_after: timedelta | None = None  # so long after each put another system overwrites the list
    mutate: Mapping[str, str | None] = field(default_factory=dict)  # path in a booking: another value, or None (gone)

    def take(self, path: str, query: str = "") -> Faults:
        """The faults as they stand for this request: none when it is not one of those that are hit."""
        whole = f"{path}?{query}" if query else path
        if (self.only and path not in self.only and whole not in self.only) or self.times == 0:
            return Faults()
        if self.times is not None:
            self.times -= 1
        return replace(self)


@dataclass(slots=True, kw_only=True)
class Habits(_Switches):
    """What is not established about real codecs and therefore can go either way; set here as what seems likeliest.

    Where a likelier and a stricter behaviour compete, it is the stricter one.
    """

    bookingsputxml: bool = True  # whether there is a /bookingsputxml at all
    bookingsputxml_answer: bytes = b'<?xml version="1.0"?>\n<Success/>\n'
    malformed_status: int = 400  # /bookingsputxml with something that is no list of bookings
    not_admin_status: int = 403  # /bookingsputxml by a user without the role Admin
    not_permitted: Literal["error", "forbidden"] = "error"  # a command without the role: a result, or HTTP 403
    unknown_command: Literal["", "result", "action", "empty"] = ""  # "": as the profile has it
    command_attribute: bool = False  # insists on command="True"
    unknown_keys: bool = True  # bookings may have fields that the schema does not name
    duplicates: Literal["reject", "keep-first", "keep-last"] = "reject"
    empty_number: bool = True  # Bookings Put takes a booking with Number ""
    most_bookings: int | None = None
    longest_title: int | None = None
    put_result: str = "BookingsPutResult"
    error_element: Literal["Error", "Reason"] = "Error"
    split_organizer: bool = True  # Bookings Put: Organizer.Name is split at its first space
    put_connect_mode: Literal["OBTP", "Manual"] = "OBTP"  # what a booking from Bookings Put reads back as
    keep_past: bool = True  # bookings stay in the list when they are over
    total_rows: Literal["matching", "page"] = "matching"  # TotalRows counts before or after Limit and Offset
    persist_across_reboot: bool = False
    session_cookies: tuple[str, ...] = ()  # (): SecureSessionId over TLS, SessionId without
