"""The line protocol of HDX, Group Series and VideoOS (port 24 of real ones): commands and their answers. Pure but for
the state that commands change.

Answers are lines without their ends. What real endpoints print where nothing is known of it (errors, `status` beyond
the calendar) follows the pattern of what is known.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from otd.lab.polycom_dialling import NONE
from otd.lab.polycom_state import Held, State

LONGEST_SPAN = timedelta(days=31)
_TIME = re.compile(r"(?:(?P<day>today|tomorrow)|(?P<date>\d{4}-\d\d-\d\d))(?::(?P<clock>\d\d:\d\d))?")
_ILLEGAL = "error: command has illegal parameters"
_UNKNOWN = "error: command not found"


@dataclass(slots=True)
class Session:
    """One connection, signed in."""

    notifies: bool = False
    registered: bool = False


class _Wrong(Exception):
    """The parameters are not right."""


def answer(line: str, state: State, session: Session) -> list[str]:
    """The lines that a command brings back; an empty line brings none."""
    try:
        words = shlex.split(line, posix=True)
    except ValueError:
        return [_ILLEGAL]
    if not words:
        return []
    command = _COMMANDS.get(words[0].casefold())
    if command is None:
        return [_UNKNOWN]
    try:
        return command(words[1:], state, session)
    except _Wrong:
        return [_ILLEGAL]


# --- the calendar -------------------------------------------------------------------------------------------------


def _calendar_status(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "get")
    return [f"calendarstatus {'established' if state.established else 'unavailable'}"]


def _calendar_meetings(words: list[str], state: State, session: Session) -> list[str]:
    if words[:1] == ["list"] and len(words) in (2, 3):
        return _list(words[1:], state)
    if words[:1] == ["info"] and len(words) == 2:
        return _info(words[1], state)
    raise _Wrong


def _list(words: list[str], state: State) -> list[str]:
    start = _time(words[0], state)
    end = start + LONGEST_SPAN
    if len(words) == 2:
        end = min(end, _time(words[1], state, last=True))
    lines = [
        f"meeting|{held.id}|{_local(held.start, state)}|{_local(held.end, state)}|{_line(state.subject(held))}"
        for held in state.meetings
        if held.start < end and held.end > start
    ]
    return ["calendarmeetings list begin", *lines, "calendarmeetings list end"]


def _info(id: str, state: State) -> list[str]:
    held = state.meeting(id)
    if held is None:
        raise _Wrong
    hidden = held.private and not state.habits.show_private
    flags = f"{'dialable' if held.dialable else 'nondialable'}|{'private' if held.private else 'public'}"
    return [
        "calendarmeetings info start",
        f"id|{held.id}",
        f"{_local(held.start, state)}|{_local(held.end, state)}|{flags}",
        *([] if hidden else [f"organizer|{_line(held.organizer)}", f"location|{_line(held.location)}"]),
        f"subject|{_line(state.subject(held))}",
        *("|".join(("dialingnumber", n.media, n.address, *n.protocols)) for n in held.numbers),
        f"meetingpassword|{held.password or NONE}",
        *([] if hidden else _attendees(held)),
        "calendarmeetings info end",
    ]


def _attendees(held: Held) -> list[str]:
    return [f"attendee|{_line(name)}" for name in (*held.required, *held.optional)]


def _time(text: str, state: State, *, last: bool = False) -> datetime:
    """A time of the endpoint's own. A day without a time of day is its beginning, as the end of a span its end."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise _Wrong
    today = state.local(state.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if found["date"]:
            day = datetime.strptime(found["date"], "%Y-%m-%d").replace(tzinfo=state.zone)
        else:
            day = today + timedelta(days=found["day"] == "tomorrow")
        if found["clock"] is None:
            return day + timedelta(days=1) if last else day
        hour, minute = map(int, found["clock"].split(":"))
        return day.replace(hour=hour, minute=minute)
    except ValueError as error:
        raise _Wrong from error


def _local(time: datetime, state: State) -> str:
    return state.local(time).strftime("%Y-%m-%d:%H:%M")


def _line(text: str) -> str:
    return " ".join(text.split())


# --- how it is registered -----------------------------------------------------------------------------------------


def _register(words: list[str], state: State, session: Session) -> list[str]:
    if words in (["yes"], ["no"]):
        with state.changed:
            state.registration = replace(state.registration, enabled=words == ["yes"])
            state.changed.notify_all()
    else:
        _only(words, "get")
    return [f"calendarregisterwithserver {'yes' if state.registration.enabled else 'no'}"]


def _setting(command: str, name: str, *, secret: bool = False) -> Callable[[list[str], State, Session], list[str]]:
    """`COMMAND get` and `COMMAND set "x"` for a field of the registration."""

    def answered(words: list[str], state: State, session: Session) -> list[str]:
        if words[:1] == ["set"] and len(words) == 2:
            value: object = (_as_url(words[1]),) if name == "urls" else words[1]
            with state.changed:
                state.registration = replace(state.registration, **{name: value})  # type: ignore[arg-type]
                state.changed.notify_all()
        else:
            _only(words, "get")
        value = getattr(state.registration, name)
        if name == "urls":
            value = _host(state.registration.urls[0]) if state.registration.urls else ""
        return [f'{command} "{"" if secret else value}"']

    return answered


def _as_url(host: str) -> str:
    return host if "://" in host else f"https://{host}"


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _show_private(words: list[str], state: State, session: Session) -> list[str]:
    if words in (["yes"], ["no"]):
        state.habits.show_private = words == ["yes"]
    else:
        _only(words, "get")
    return [f"calendarshowpvtmeetings {'yes' if state.habits.show_private else 'no'}"]


def _play_tone(words: list[str], state: State, session: Session) -> list[str]:
    if words in (["yes"], ["no"]):
        state.habits.plays_tone = words == ["yes"]
    else:
        _only(words, "get")
    return [f"calendarplaytone {'yes' if state.habits.plays_tone else 'no'}"]


def _reminder_time(words: list[str], state: State, session: Session) -> list[str]:
    if words[:1] == ["set"] and len(words) == 2 and words[1].isdigit():
        state.habits.reminder = timedelta(minutes=int(words[1]))
    else:
        _only(words, "get")
    return [f"calendarremindertime {int(state.habits.reminder / timedelta(minutes=1))}"]


def _notify(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "calendarmeetings")
    session.notifies = True
    return ["notify calendarmeetings success"]


def _no_notify(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "calendarmeetings")
    session.notifies = False
    return ["nonotify calendarmeetings success"]


def _all_register(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "register")
    session.registered = True
    return ["all registered"]


# --- the rest of it -----------------------------------------------------------------------------------------------


def _status(words: list[str], state: State, session: Session) -> list[str]:
    if words:
        raise _Wrong
    return [
        "inacall " + ("online" if state.call else "offline"),
        "calendar " + ("online" if state.established else "offline"),
        "status end",
    ]


def _whoami(words: list[str], state: State, session: Session) -> list[str]:
    if words:
        raise _Wrong
    return [
        f"Hi, my name is : {state.name}",
        f"Model: {state.profile.model}",
        f"Software Version: {state.profile.software}",
        f"The time is {state.local(state.now()):%Y-%m-%d %H:%M:%S}",
    ]


def _uptime(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "get")
    minutes = int((state.now() - state.up_since) / timedelta(minutes=1))
    return [f"uptime {minutes // 1440} days, {minutes // 60 % 24} hours, {minutes % 60} minutes"]


def _system_setting(words: list[str], state: State, session: Session) -> list[str]:
    if words != ["get", "model"]:
        raise _Wrong
    return [f'systemsetting model "{state.profile.model}"']


def _dial(words: list[str], state: State, session: Session) -> list[str]:
    if len(words) == 4 and words[0] == "manual" and words[1].isdigit() and words[3] in ("sip", "h323"):
        state.dial(words[2], words[3])
        return [f'dialing manual "{words[1]}" "{words[2]}" {words[3]}']
    if words[:1] == ["phone"]:
        return ["info: AUDIO call not enabled"]
    raise _Wrong


def _hang_up(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "all")
    state.hang_up()
    return ["hanging up all"]


def _call_info(words: list[str], state: State, session: Session) -> list[str]:
    _only(words, "all")
    if state.call is None:
        return ["system is not in a call"]
    return [
        "callinfo begin",
        f"callinfo:1::{state.call.address}:384:connected:notmuted:outgoing:videocall",
        "callinfo end",
    ]


def _only(words: list[str], wanted: str) -> None:
    if words != [wanted]:
        raise _Wrong


_COMMANDS: dict[str, Callable[[list[str], State, Session], list[str]]] = {
    "calendarstatus": _calendar_status,
    "calendarmeetings": _calendar_meetings,
    "calendarregisterwithserver": _register,
    "calendarserver": _setting("calendarserver", "urls"),
    "calendarresource": _setting("calendarresource", "email"),
    "calendardomain": _setting("calendardomain", "domain"),
    "calendaruser": _setting("calendaruser", "user"),
    "calendarpassword": _setting("calendarpassword", "password", secret=True),
    "calendarshowpvtmeetings": _show_private,
    "calendarplaytone": _play_tone,
    "calendarremindertime": _reminder_time,
    "notify": _notify,
    "nonotify": _no_notify,
    "all": _all_register,
    "status": _status,
    "whoami": _whoami,
    "uptime": _uptime,
    "systemsetting": _system_setting,
    "dial": _dial,
    "hangup": _hang_up,
    "callinfo": _call_info,
}
