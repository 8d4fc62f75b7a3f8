"""The xCommands of a simulated Cisco codec. They do not know over which wire they were asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from otd.lab.codec_bookings import Call, Held, Tree, shown, write_time
from otd.lab.codec_documents import Refused, bookings_from_json, read_time
from otd.lab.codec_profiles import Command, Parameter
from otd.lab.codec_state import Slot, State, User
from otd.lab.codec_xml import Invocation

Status = Literal["OK", "Error", "ParameterError", "Unknown", "NotPermitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command gave. `wrote` are the ids of the list that it put, None when it put none."""

    name: str
    status: Status = "OK"
    tree: Tree = field(default_factory=dict, repr=False)
    reason: str = ""
    wrote: tuple[str, ...] | None = None


class _Failed(Exception):
    """The command ran and says no."""


class _BadParameter(Exception):
    """This parameter is unknown, missing, or has a value that it does not take."""


def run(state: State, asked: Invocation, user: User) -> Result:
    """Run one command on behalf of a user."""
    name = "".join(asked.path[-2:]) + "Result"
    command = state.profile.commands.get(asked.name)
    if command is None:
        return Result(name=name, status="Unknown", reason="Unknown command")
    if asked.name == "Bookings Put":
        name = state.habits.put_result
    if not command.roles & user.roles:
        return Result(name=name, status="NotPermitted", reason="Permission denied")
    if command.not_in_teams and state.teams:
        return Result(name=name, status="Error", reason="Not available in Microsoft Teams mode")
    try:
        arguments = _checked(asked.arguments, command)
        if command.multiline != (asked.body is not None):
            raise _BadParameter("body")
        return replace(_DOES[asked.name](state, arguments, asked.body or ""), name=_shown_name(state, asked, name))
    except _BadParameter as error:
        return Result(name=name, status="ParameterError", tree={str(error): "Invalid value"}, reason=str(error))
    except (_Failed, Refused) as error:
        return Result(name=name, status="Error", reason=str(error))


def _shown_name(state: State, asked: Invocation, name: str) -> str:
    return state.profile.list_root if asked.name == "Bookings List" else name


Arguments = Mapping[str, tuple[str, ...]]


def _checked(given: Arguments, command: Command) -> Arguments:
    for name, values in given.items():
        parameter = command.parameter(name)
        if parameter is None or not values or (len(values) > 1 and not parameter.many):
            raise _BadParameter(name)
        if not all(_takes(parameter, value) for value in values):
            raise _BadParameter(name)
    for parameter in command.parameters:
        if parameter.required and parameter.name not in given:
            raise _BadParameter(parameter.name)
    return given


def _takes(parameter: Parameter, value: str) -> bool:
    if parameter.kind == "choice":
        return value in parameter.choices
    if parameter.kind == "integer":
        return bool(re.fullmatch(r"[0-9]{1,9}", value)) and parameter.least <= int(value) <= parameter.most
    return parameter.least <= len(value) <= parameter.most


def _text(arguments: Arguments, name: str, default: str = "") -> str:
    return arguments.get(name, (default,))[0]


def _number(arguments: Arguments, name: str) -> int | None:
    return int(arguments[name][0]) if name in arguments else None


# --- Bookings -----------------------------------------------------------------------------------------------------


def _list(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        rows = [b for b in state.bookings if _in_days(state, arguments, b) and _in_schedule(state, arguments, b)]
        offset, limit = _number(arguments, "Offset") or 0, _number(arguments, "Limit")
        page = rows[offset : None if limit is None else offset + limit]
        total = len(page if state.habits.total_rows == "page" else rows)
        updated = state.last_updated
        tree: Tree = {
            "ResultInfo": {"TotalRows": total},
            "LastUpdated": write_time(updated) if updated is not None else "",
        }
        if page:
            tree["Booking"] = [shown(b, state.profile, state.faults.mutate) for b in page]
        return Result(name="", tree=tree)


def _in_days(state: State, arguments: Arguments, booking: Held) -> bool:
    """Days count from the codec's own midnight; without Days and DayOffset everything is in, past bookings too."""
    days, offset = _number(arguments, "Days"), _number(arguments, "DayOffset")
    if days is None and offset is None:
        return True
    first = _midnight(state, offset or 0)
    last = _midnight(state, (offset or 0) + days) if days is not None else None
    return booking.end > first and (last is None or booking.start < last)


def _midnight(state: State, days: int) -> datetime:
    today = state.now().astimezone(state.zone).date() + timedelta(days=days)
    return datetime(today.year, today.month, today.day, tzinfo=state.zone)


def _in_schedule(state: State, arguments: Arguments, booking: Held) -> bool:
    now = state.now()
    match _text(arguments, "ScheduleType"):
        case "Current":
            return booking.start <= now < booking.end
        case "Upcoming":
            return booking.start > now
        case _:
            return True


def _found(state: State, arguments: Arguments) -> Held:
    wanted, meeting = _text(arguments, "Id"), _text(arguments, "MeetingId")
    if not wanted and not meeting:
        raise _BadParameter("Id")
    for booking in state.bookings:
        if (wanted and booking.id == wanted) or (meeting and booking.meeting_id == meeting):
            return booking
    raise _Failed("Not found")


def _get(state: State, arguments: Arguments, body: str) -> Result:
    booking = shown(_found(state, arguments), state.profile, state.faults.mutate)
    return Result(name="", tree={"Booking": [booking]})


def _clear(state: State, arguments: Arguments, body: str) -> Result:
    state.put(())
    return Result(name="", wrote=())


def _put(state: State, arguments: Arguments, body: str) -> Result:
    bookings = bookings_from_json(body, state.profile, state.habits)
    state.put(bookings)
    return Result(name="", wrote=tuple(b.id for b in bookings))


def _delete(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        state.delete(_found(state, arguments))
    return Result(name="")


def _book(state: State, arguments: Arguments, body: str) -> Result:
    """What a person at the screen books; here it joins the list at once, without a calendar to be asked."""
    if state.settings["Bookings AdhocBooking Enabled"] != "True":
        raise _Failed("Booking from the device is not enabled")
    start = read_time(_text(arguments, "StartTime") or write_time(state.now()))
    number = _text(arguments, "Number")
    booking = Held(
        id=uuid4().hex,
        title=_text(arguments, "Title"),
        start=start,
        end=start + timedelta(minutes=_number(arguments, "Duration") or 30),
        calls=(Call(number=number, protocol=_text(arguments, "Protocol") or "SIP"),) if number else (),
        connect_mode="OBTP" if number else "Manual",
        first_name=_text(arguments, "OrganizerName"),
        email=_text(arguments, "OrganizerEmail"),
    )
    with state.changed:
        state.announce("BookingRequested", {"Duration": _number(arguments, "Duration") or 30})
        state.replace((*state.bookings, booking))
    return Result(name="", tree={"Id": booking.id})


# --- the rest -----------------------------------------------------------------------------------------------------


def _sessions(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        rows = [
            {"Id": s.id, "UserName": s.user, "Host": "127.0.0.1", "Origin": "WebService", "Since": write_time(s.since)}
            for s in state.sessions.values()
        ]
    return Result(name="", tree={"Session": rows} if rows else {})


def _terminate(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        session = next((s for s in state.sessions.values() if s.id == _text(arguments, "SessionId")), None)
        if session is None:
            raise _Failed("Not found")
        state.sign_out(session.token)
    return Result(name="")


def _register(state: State, arguments: Arguments, body: str) -> Result:
    slot = Slot(
        url=_text(arguments, "ServerUrl"),
        format=_text(arguments, "Format", "XML"),
        expressions=arguments.get("Expression", ()),
    )
    if not 1 <= len(slot.expressions) <= 15:
        raise _BadParameter("Expression")
    with state.changed:
        state.slots[_number(arguments, "FeedbackSlot") or 1] = slot
        state.slots_changed()
    return Result(name="")


def _deregister(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        state.slots.pop(_number(arguments, "FeedbackSlot") or 1, None)
    return Result(name="")


def _enable(state: State, arguments: Arguments, body: str) -> Result:
    with state.changed:
        slot = state.slots.get(_number(arguments, "FeedbackSlot") or 1)
        if slot is None:
            raise _Failed("Not registered")
        slot.failed = False
    return Result(name="")


def _boot(state: State, arguments: Arguments, body: str) -> Result:
    state.reboot()
    return Result(name="")


def _nothing(state: State, arguments: Arguments, body: str) -> Result:
    return Result(name="")


_DOES: Mapping[str, Callable[[State, Arguments, str], Result]] = {
    "Audio Volume Set": _nothing,
    "Bookings List": _list,
    "Bookings Get": _get,
    "Bookings Clear": _clear,
    "Bookings Put": _put,
    "Bookings Delete": _delete,
    "Bookings Book": _book,
    "HttpFeedback Register": _register,
    "HttpFeedback Deregister": _deregister,
    "HttpFeedback Enable": _enable,
    "Security Session List": _sessions,
    "Security Session Terminate": _terminate,
    "SystemUnit Boot": _boot,
}


def texts(values: Mapping[str, Sequence[object] | object]) -> Arguments:
    """Arguments as JSON brings them, as texts: booleans become True and False."""
    return {
        name: tuple(str(each) for each in value) if isinstance(value, list | tuple) else (str(value),)
        for name, value in values.items()
    }
