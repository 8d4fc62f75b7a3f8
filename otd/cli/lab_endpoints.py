"""`otd lab codec`, `otd lab polycom` and `otd lab fleet`: single simulated endpoints, and very many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from otd.cli.lab import until_stopped
from otd.cli.options import examples
from otd.cli.output import plain, print_fields
from otd.errors import BadSetting

if TYPE_CHECKING:
    from otd.lab.codec import Codec
    from otd.lab.polycom import Poll, PolycomEndpoint

PASSWORD = "OTD_LAB_PASSWORD"  # noqa: S105 - the name of an environment variable
_LOOK = 0.5  # seconds between two looks at what changed


@click.command(
    epilog=examples(
        "otd lab codec --profile roomos11",
        "otd lab codec --profile ce9.6 --port 8443 --fault slow=3s",
        "otd lab codec --fault status=503 --fault times=2 --fault only=/putxml",
    )
)
@click.option("--profile", default="roomos11", show_default=True, help="The software version; a wrong one lists them.")
@click.option("--port", default=0, metavar="N", help="The HTTPS port; without it a free one.")
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME[=VALUE]", help="What goes wrong; a wrong one lists them."
)
@click.option("--habit", "habits", multiple=True, metavar="NAME=VALUE", help="What real ones may do either way.")
def codec(profile: str, port: int, faults: tuple[str, ...], habits: tuple[str, ...]) -> int:
    """Start one simulated Cisco endpoint on loopback, until Ctrl-C, and print its list whenever it changes.

    It speaks HTTPS (/getxml, /putxml, /bookingsputxml, sessions) and, where the version does, JSON-RPC over WebSocket.
    Faults and habits are the fields of otd.lab.codec_faults; spans are written like 300ms or 5s.
    """
    from otd.lab.codec import Codec
    from otd.lab.codec_profiles import PROFILES
    from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER

    _known("profile", profile, PROFILES)
    unit = Codec(profile=profile, name=f"{profile}-codec", users={CODEC_USER: CODEC_PASSWORD}, port=port)
    switch("fault", unit.faults, faults)
    switch("habit", unit.habits, habits)
    with until_stopped() as stopped, unit:
        print_fields(
            {"endpoint": profile, "url": unit.url, "user": f"{CODEC_USER} {CODEC_PASSWORD}", "pin": unit.fingerprint}
        )
        _follow_list(unit, stopped)
    return 0


def _follow_list(unit: Codec, stopped: Callable[[float | None], bool]) -> None:
    seen: object = None
    while not stopped(_LOOK):
        if (seen, seen := unit.bookings)[0] != seen:
            click.echo(f"{len(unit.bookings)} bookings")
            for b in unit.bookings:
                click.echo(plain(f"  {b.start:%d %b %H:%M}-{b.end:%H:%M} UTC  {b.title}  {b.number or '-'}"))


@click.command(
    epilog=examples("otd lab webex --ca lab-ca.pem", "otd lab webex --profile roomos26 --port 8450 --ca lab-ca.pem")
)
@click.option("--profile", default="roomos11", show_default=True, help="The device's software; a wrong one lists them.")
@click.option("--port", default=0, metavar="N", help="The HTTPS port of the cloud; without it a free one.")
@click.option("--ca", default="", metavar="FILE", help='Write its certificate there, for [cas] and trust = "ca:NAME".')
def webex(profile: str, port: int, ca: str) -> int:
    """Start a simulated Webex cloud on loopback with one device, until Ctrl-C, and print its list whenever it changes.

    The device is reached through the cloud only, as kind = "webex". The secret that is printed is that of a service
    app: its access token is fetched with a refresh token.
    """
    from pathlib import Path

    from otd.lab.codec import Codec
    from otd.lab.codec_profiles import PROFILES
    from otd.lab.webex import Webex

    _known("profile", profile, PROFILES)
    with until_stopped() as stopped, Webex(port=port) as cloud:
        unit = cloud.register("Y2lzY29zcGFyazovL3VzL0RFVklDRS9sYWI", Codec(profile=profile, name=f"{profile}-device"))
        secret = f"lab-app:lab-secret:{cloud.app('lab-app', 'lab-secret')}"
        if ca:
            Path(ca).write_text(cloud.certificate, encoding="ascii")
        print_fields({"address": cloud.address, "device": next(iter(cloud.devices)), "secret": secret})
        _follow_list(unit, stopped)
    return 0


@click.command(
    epilog=examples(
        "otd lab polycom --profile gs --url https://127.0.0.1:8443 --user huddle-poly --email huddle@example.com",
        "otd lab polycom --profile hdx --url https://relay-a --url https://relay-b --user huddle-poly --ca ca.pem",
        "otd lab polycom --url https://relay-a --user huddle-poly --auth ntlm-first --habit http10=yes",
    )
)
@click.option("--profile", default="gs", show_default=True, help="hdx, gs, videoos or trio.")
@click.option("--url", "urls", multiple=True, required=True, help="The calendar server; several are polled in turn.")
@click.option("--user", required=True, help="Its user there. The password is asked for, or in OTD_LAB_PASSWORD.")
@click.option("--email", default="", help="The room's mailbox.")
@click.option("--domain", default="", help="The domain of the user.")
@click.option("--interval", default="30s", show_default=True, metavar="SPAN", help="From one poll to the next.")
@click.option("--zone", default="UTC", show_default=True, help="Where it stands: today begins at midnight there.")
@click.option(
    "--auth", type=click.Choice(["basic", "challenge", "ntlm-first"]), default="basic", help="How it signs in."
)
@click.option("--version-header", default="", help="none, Exchange2007, Exchange2010 ...; else as the profile has it.")
@click.option("--autodiscover", is_flag=True, help="Ask for the server's URL first.")
@click.option("--ca", default="", metavar="FILE", help="Accept only certificates of this CA; without it any.")
@click.option("--port", default=0, metavar="N", help="The port of its own REST interface; without it a free one.")
@click.option("--command-port", default=0, metavar="N", help="The port of its command line; without it a free one.")
@click.option("--habit", "habits", multiple=True, metavar="NAME=VALUE", help="How it behaves; a wrong one lists them.")
def polycom(urls: tuple[str, ...], habits: tuple[str, ...], **how: Any) -> int:
    """Start one simulated Polycom endpoint on loopback, until Ctrl-C, and print what each poll brought when it differs.

    It polls the calendar server as an installer would have set it up, shows what it could dial, and says what that
    server did that Exchange would not have done. Its own command line and REST interface have the password admin.
    Habits are the fields of otd.lab.polycom_profiles.Habits.
    """
    from otd.lab.polycom import PolycomEndpoint, Registration
    from otd.lab.polycom_profiles import PROFILES

    _known("profile", how["profile"], PROFILES)
    registration = Registration(
        urls=urls,
        user=how["user"],
        password=_password(),
        email=how["email"],
        domain=how["domain"],
        version_header=how["version_header"],
        auth=how["auth"],
        autodiscover=how["autodiscover"],
        ca=_file(how["ca"]),
    )
    _known("zone", how["zone"], _zones())
    unit = PolycomEndpoint(
        profile=how["profile"],
        registration=registration,
        interval=span_of("interval", how["interval"]),
        zone=how["zone"],
        password="admin",  # noqa: S106 - of a simulated endpoint on loopback
        port=how["port"],
        command_port=how["command_port"],
    )
    switch("habit", unit.habits, habits)
    with until_stopped() as stopped, unit:
        places = {"endpoint": unit.profile.model, "rest": unit.url, "commands": f"127.0.0.1:{unit.command_port}"}
        print_fields({what: where for what, where in places.items() if where and not where.endswith(":0")})
        _follow(unit, stopped)
    return 0


def _follow(unit: PolycomEndpoint, stopped: Callable[[float | None], bool]) -> None:
    shown: tuple[object, ...] = ()
    while not stopped(_LOOK):
        polls, meetings, complaints = unit.polls, unit.meetings, unit.complaints
        if not polls or (now := (polls[-1].outcome, polls[-1].why, meetings, complaints)) == shown:
            continue
        shown = now
        click.echo(_line(polls[-1]))
        for held in meetings:
            number = held.dials or "-"
            click.echo(plain(f"  {held.start:%d %b %H:%M}-{held.end:%H:%M} UTC  {unit.state.subject(held)}  {number}"))
        for complaint in complaints:
            click.echo(plain(f"  ! {complaint}"))


def _line(poll: Poll) -> str:
    """A poll in a line."""
    what = f"{poll.found} meetings, {poll.fetched} fetched" if poll.outcome == "ok" else poll.why
    return plain(f"{poll.at:%H:%M:%S} {poll.url}: {poll.outcome}, {what}")


@click.command(
    epilog=examples("otd lab fleet --url https://relay-a --logins logins.txt --for 5m", "otd lab fleet --help")
)
@click.option("--url", required=True, help="The calendar server.")
@click.option("--logins", required=True, metavar="FILE", help="One endpoint a line: user:password.")
@click.option("--interval", default="30s", show_default=True, metavar="SPAN", help="From one poll to the next.")
@click.option("--for", "lasts", default="1m", show_default=True, metavar="SPAN", help="How long.")
@click.option("--ca", default="", metavar="FILE", help="Accept only certificates of this CA; without it any.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def fleet(url: str, logins: str, interval: str, lasts: str, ca: str, as_json: bool) -> int:
    """Poll a calendar server as very many Polycom endpoints at once, and print how long it took to answer.

    Every poll is a new TLS connection; polls are spread evenly. Exit code 1 when a poll failed.
    """
    from dataclasses import asdict

    from otd.cli.output import print_json, progress
    from otd.lab.polycom_fleet import Fleet, Load

    pairs = [line.partition(":") for line in _file(logins).splitlines() if line.strip()]
    if not pairs or not all(user and colon for user, colon, _ in pairs):
        raise BadSetting(f"file {logins}", "not every line is user:password", "write one endpoint a line")
    load = Load(
        url=url,
        logins=tuple((user, password) for user, _, password in pairs),
        interval=span_of("interval", interval),
        lasts=span_of("for", lasts),
        ca=_file(ca),
    )
    with progress(f"polling as {len(pairs)} endpoints"):
        figures = Fleet(load).run()
    found = asdict(figures)
    if as_json:
        print_json(found)
    else:
        causes = ", ".join(f"{why} ({times})" for why, times in figures.failures.items())
        print_fields(found | {"failures": causes or "none"})
    return 1 if figures.failed else 0


# --- what is typed ------------------------------------------------------------------------------------------------


def switch(kind: str, target: Any, assignments: Iterable[str]) -> None:
    """Set fields of a dataclass from NAME=VALUE; NAME alone is NAME=yes. Raises BadSetting, which lists the names."""
    from typing import get_type_hints

    known = {name: hint for name, hint in get_type_hints(type(target)).items() if not name.startswith("_")}
    for assignment in assignments:
        name, given, value = assignment.partition("=")
        name = name.strip().replace("-", "_")
        _known(kind, name, known)
        try:
            setattr(target, name, _value(known[name], value if given else "yes", getattr(target, name)))
        except ValueError as error:
            raise BadSetting(f"{kind} {name}", f"{value!r} is no value for it", str(error)) from error


def _value(hint: Any, text: str, now: object) -> object:
    """The value of a field by its annotation. Raises ValueError, which says how to write one."""
    from types import NoneType, UnionType
    from typing import Literal, Union, get_args, get_origin

    kind, inner = get_origin(hint), get_args(hint)
    if kind in (UnionType, Union):
        if NoneType in inner and text == "none":
            return None
        if choices := [choice for each in inner if get_origin(each) is Literal for choice in get_args(each)]:
            return _choice(text, choices)
        return _value(next(each for each in inner if each is not NoneType), text, now)
    if kind is Literal:
        return _choice(text, inner)
    if kind is tuple:
        return tuple(_value(inner[0], part, now) for part in text.split(",") if part)
    if inner and isinstance(now, dict):  # a path in a booking, and what stands there instead
        path, colon, value = text.partition(":")
        return {**now, path: value if colon else None}
    return _SIMPLE[getattr(hint, "__name__", "str")](text)


def _choice(text: str, choices: Iterable[str]) -> str:
    if text not in choices:
        raise ValueError(f"it is one of {', '.join(filter(None, choices))}")
    return text


def _flag(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("it is yes or no")
    return text == "yes"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("it is a number")
    return int(text)


def _time(text: str) -> timedelta:
    from otd.settings.kinds import span

    try:
        return span(text)
    except ValueError:
        raise ValueError("it is a span of time such as 500ms, 30s or 5m") from None


def _tls(text: str) -> object:
    import ssl

    if text not in ssl.TLSVersion.__members__:
        raise ValueError("it is two of TLSv1, TLSv1_1, TLSv1_2, TLSv1_3, the lowest and the highest")
    return ssl.TLSVersion[text]


_SIMPLE: dict[str, Callable[[str], object]] = {
    "bool": _flag,
    "int": _number,
    "timedelta": _time,
    "TLSVersion": _tls,
    "bytes": str.encode,
    "str": str,
}


def span_of(name: str, text: str) -> timedelta:
    """The span that an option states. Raises BadSetting."""
    try:
        return _time(text)
    except ValueError as error:
        raise BadSetting(f"--{name} {text}", "this is no span of time", str(error)) from error


def _known(kind: str, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name not in names:
        listed = ", ".join(names) if len(names) < 60 else "its name, such as Europe/Berlin"
        raise BadSetting(f"{kind} {name}", f"there is no such {kind}", f"use {listed}")


def _zones() -> Iterable[str]:
    from zoneinfo import available_timezones

    return available_timezones()


def _file(path: str) -> str:
    from pathlib import Path

    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"file {path}", "it cannot be read", "give the path of a text file") from error


def _password() -> str:
    """From the environment or the keyboard, never from the command line, which everybody can read."""
    import os

    found = os.environ.get(PASSWORD)
    return found if found is not None else str(click.prompt("Password", hide_input=True, err=True))
