"""A small organisation to try OTD on: rooms in a simulated Exchange Online, on a simulated Exchange Server and in a
folder of files; simulated Cisco endpoints; and the otd.toml that fits.

    with Scene(folder) as scene:
        ...  # `otd run --config FOLDER/otd.toml` now works; scene.mailboxes, scene.codecs

`otd demo`, `otd lab` and the scenario tests all use it, so that what they show is OTD as anybody would configure it.
"""

from __future__ import annotations

import base64
import os
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from otd.calendars.files import write_marker
from otd.errors import BadSetting
from otd.lab.campus import Campus
from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.defaults import CODEC_PASSWORD, CODEC_USER, CODECS
from otd.lab.ews import Ews
from otd.lab.graph import Graph
from otd.lab.mailboxes import Mailbox, Mailboxes
from otd.lab.ntlm import Ntlm
from otd.lab.server import Server
from otd.model import Meeting, Person
from otd.quoting import toml_string

CLIENT_ID = "6a1f3c52-0d4e-4b87-9c10-5e2d7f8a9b03"
SERVICE_ACCOUNT = "CONTOSO\\svc-otd"
DOMAIN = "contoso.example"
FIVE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The loopback ports of the scene; 0 takes a free one."""

    graph: int = 0
    ews: int = 0
    codecs: tuple[int, ...] = (0, 0, 0, 0)


FIXED = Ports(graph=8440, ews=8441, codecs=(*(port for _, _, port in CODECS), 8445, 8446))
"""Where `otd lab` listens; the settings that `otd init` writes know its first two codecs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A room of the scene, the calendar it is on, and the endpoint in it with its software."""

    name: str
    label: str
    calendar: str
    endpoint: str
    profile: str


PLACES = (
    Place("boardroom", "Boardroom", "online", "boardroom-codec", "roomos11"),
    Place("atrium", "Atrium", "server", "atrium-codec", "ce9.6"),
    Place("library", "Library", "files", "library-codec", "roomos11"),
    Place("workshop", "Workshop", "online", "workshop-codec", "ce9.15"),
)


@dataclass(frozen=True, slots=True)
class Booked:
    """A meeting of the scene: where, when from now (in minutes), and the file in otd/lab/data with its invitation."""

    room: str
    subject: str
    after: int
    minutes: int
    body: str
    organizer: str
    private: bool = False
    weekly: bool = False


BOOKED = (
    Booked("boardroom", "Quarterly numbers", 10, 60, "teams-poly.html", "Ann Example"),
    Booked("boardroom", "Supplier call", 120, 30, "zoom.txt", "Bo Sample"),
    Booked("boardroom", "Salary round", 240, 45, "teams-poly.html", "Ann Example", private=True),
    Booked("atrium", "Projekt Nordlicht", 15, 45, "teams-webex.html", "Cem Muster"),
    Booked("atrium", "Design review", 180, 60, "webex.html", "Dee Sample"),
    Booked("library", "Comité de lecture", 20, 60, "teams-pexip-safelinks.html", "Eve Exemple"),
    Booked("library", "Excursion", 300, 60, "walk.txt", "Eve Exemple"),
    Booked("workshop", "Plant review", 25, 30, "skype.html", "Ann Example", weekly=True),
    Booked("workshop", "Stand-up of the team abroad", 90, 15, "teams-only.html", "Fay Example"),
)


class Scene:
    """The running scene. It writes otd.toml and what belongs to it into `folder`.

    On `FIXED` ports the codecs have the password that `otd init` writes, and certificates stay the same from start to
    start; otherwise every secret is a new one.
    """

    def __init__(
        self, folder: Path, *, ports: Ports | None = None, now: datetime | None = None, campus: Campus | None = None
    ) -> None:
        """`campus`: very many rooms besides, every other one on the Exchange Server."""
        self.folder = folder
        self.now = _next_five((now or datetime.now(UTC)) - FIVE)
        self._campus = campus
        self.mailboxes = campus or Mailboxes()
        self.graph, self.ews = Graph(self.mailboxes), Ews(self.mailboxes)
        ports = ports or Ports()
        lasting = ports == FIXED
        certificate = self_signed("otd-lab-exchange", lasting=lasting)
        self._graph_server = Server(self.graph, port=ports.graph, tls=True, certificate=certificate)
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("graph", "ews", "codec")}
        signed_in = Ntlm(self.ews, {SERVICE_ACCOUNT: self.passwords["ews"]}, certificate.pem)
        self._ews_server = Server(signed_in, port=ports.ews, tls=True, certificate=certificate)
        if lasting:
            self.passwords["codec"] = CODEC_PASSWORD
        self.codecs: Mapping[str, Codec] = {
            place.endpoint: Codec(
                profile=place.profile,
                name=place.label,
                users={CODEC_USER: self.passwords["codec"]},
                port=port,
                speed=None,
                certificate=self_signed(f"otd-lab-{place.endpoint}", lasting=lasting),
            )
            for place, port in zip(PLACES, ports.codecs, strict=True)
        }
        self.graph.tenant.register(CLIENT_ID, secret=self.passwords["graph"])
        self.ews.account(SERVICE_ACCOUNT, self.passwords["ews"])
        self.ids: dict[str, str] = {}  # subject -> id of the item in its mailbox

    def __enter__(self) -> Scene:
        self._start()
        self._write_settings()
        for place in PLACES:
            if place.calendar != "files":
                self.mailboxes.add(self.address(place.name), name=place.label, timezone="Europe/Berlin")
        for booked in BOOKED:
            self.book(booked)
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts():
            part.stop()

    def _start(self) -> None:
        for part in self._parts():
            try:
                part.start()
            except OSError as error:
                self.__exit__()
                raise BadSetting(
                    f"port {part.port}",
                    f"the lab cannot listen there: {error.strerror}",
                    "is another `otd lab` running?",
                ) from None

    def _parts(self) -> tuple[Server | Codec, ...]:
        return (self._graph_server, self._ews_server, *self.codecs.values())

    @property
    def config(self) -> Path:
        return self.folder / "otd.toml"

    @property
    def graph_url(self) -> str:
        return self._graph_server.url

    @property
    def ews_url(self) -> str:
        return f"{self._ews_server.url}/EWS/Exchange.asmx"

    def address(self, room: str) -> str:
        return f"{room}@{DOMAIN}"

    def mailbox(self, room: str) -> Mailbox:
        """The mailbox of a room that is not on the calendar of files."""
        return self.mailboxes[self.address(room)]

    def room_folder(self, room: str) -> Path:
        return self.folder / "invitations" / room

    def book(self, booked: Booked) -> None:
        """Put the invitation where the room's calendar has it."""
        meeting = self.meeting(booked)
        if _place(booked.room).calendar == "files":
            path = self.room_folder(booked.room) / f"{_slug(booked.subject)}.ics"
            path.write_bytes(as_ics(meeting))
            return
        rule = "FREQ=WEEKLY;COUNT=4" if booked.weekly else ""
        self.ids[booked.subject] = self.mailbox(booked.room).add(meeting, rule=rule)

    def meeting(self, booked: Booked) -> Meeting:
        start = self.now + timedelta(minutes=booked.after)
        name, _, kind = booked.body.partition(".")
        return Meeting(
            id="",
            uid=f"{_slug(booked.subject)}@{DOMAIN}" if _place(booked.room).calendar == "files" else "",
            subject=booked.subject,
            start=start,
            end=start + timedelta(minutes=booked.minutes),
            organizer=Person(name=booked.organizer, address=f"{_slug(booked.organizer).replace('-', '.')}@{DOMAIN}"),
            body=(resources.files("otd.lab") / "data" / f"{name}.{kind}").read_text(encoding="utf-8"),
            body_type="html" if kind == "html" else "text",
            sensitivity="private" if booked.private else "normal",
        )

    def _write_settings(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "lab-ca.pem").write_text(self._graph_server.certificate)
        secrets_file = self.folder / "secrets.toml"
        with open(os.open(secrets_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f'database-key = "{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"\n')
            file.write(f'graph = "{self.passwords["graph"]}"\n')
            file.write(f'exchange = "{self.passwords["ews"]}"\n')
            file.write(f'codec = "{CODEC_USER}:{self.passwords["codec"]}"\n')
        for place in PLACES:
            if place.calendar == "files":
                self.room_folder(place.name).mkdir(parents=True, exist_ok=True)
                write_marker(self.room_folder(place.name))
        self.config.write_text(self._settings(), encoding="utf-8")

    def _settings(self) -> str:
        lines = [
            "# The lab's organisation. `otd run` with this file works on the lab as long as it runs.",
            "",
            "[calendars.online]",
            'kind = "graph"',
            f"tenant = {toml_string(self.graph.tenant.id)}",
            f"client_id = {toml_string(CLIENT_ID)}",
            'secret = "graph"',
            f"authority = {toml_string(self.graph_url)}",
            f"root = {toml_string(self.graph_url)}",
            'ca = "lab"',
            "",
            "[calendars.server]",
            'kind = "ews"',
            f"url = {toml_string(self.ews_url)}",
            f"username = {toml_string(SERVICE_ACCOUNT)}",
            'password = "exchange"',
            'ca = "lab"',
            "",
            "[calendars.files]",
            'kind = "files"',
            'folder = "invitations"',
            "",
            "[cas]",
            'lab = "lab-ca.pem"',
            "",
            "[pools.hq]",
            'label = "Head office"',
            "",
            "[relays.relay-a]",
            'pool = "hq"',
            "",
            "[relays.relay-b]",
            'pool = "hq"',
            "",
            "[dialplan]",
            f"own_domains = [{toml_string(DOMAIN)}]",
            'allowed_domains = ["example.com"]',
            "",
            "[[dialplan.rules]]  # Skype for Business goes through a gateway of the site",
            'name = "skype-pexip"',
            "enabled = true",
            "",
            "[site]",
            'skype_hosts = ["meet.example.com"]',
            "",
            "[run]",
            f'refresh = "{"30s" if self._campus else "2s"}"',
            'verify = "30s"',
            "",
        ]
        for place in PLACES:
            mailbox = place.name if place.calendar == "files" else self.address(place.name)
            lines += [
                f"[rooms.{place.name}]",
                f"label = {toml_string(place.label)}",
                f"calendar = {toml_string(place.calendar)}",
                f"mailbox = {toml_string(mailbox)}",
                'timezone = "Europe/Berlin"',
                "",
                f"[endpoints.{place.endpoint}]",
                'kind = "cisco"',
                f"address = {toml_string(self.codecs[place.endpoint].address)}",
                'pool = "hq"',
                f"rooms = [{toml_string(place.name)}]",
                'credential = "codec"',
                "",
            ]
        return "\n".join([*lines, *self._campus_settings()])

    def _campus_settings(self) -> Iterator[str]:
        campus = self._campus
        for room in map(campus.room, range(1, campus.rooms + 1)) if campus else ():
            yield f"[rooms.{room.name}]"
            yield f"label = {toml_string(room.label)}"
            yield f"calendar = {toml_string(('server', 'online')[room.number % 2])}"
            yield f"mailbox = {toml_string(room.address)}"
            yield f"timezone = {toml_string(room.timezone)}"
            yield ""


def as_ics(meeting: Meeting) -> bytes:
    """The meeting as an invitation file (RFC 5545)."""
    from icalendar import Calendar, Event, vCalAddress, vText

    event = Event()
    event.add("uid", meeting.uid)
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", meeting.start)
    event.add("dtend", meeting.end)
    event.add("summary", meeting.subject)
    organizer = vCalAddress(f"mailto:{meeting.organizer.address}")
    organizer.params["cn"] = vText(meeting.organizer.name)
    event.add("organizer", organizer)
    if meeting.body_type == "html":
        event.add("x-alt-desc", vText(meeting.body), parameters={"fmttype": "text/html"})
    else:
        event.add("description", meeting.body)
    calendar = Calendar()
    calendar.add("prodid", "-//One Touch Dial//lab//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "REQUEST")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _place(room: str) -> Place:
    return next(place for place in PLACES if place.name == room)


def _next_five(time: datetime) -> datetime:
    """The next full five minutes."""
    seconds = int(FIVE.total_seconds())
    return datetime.fromtimestamp((int(time.timestamp()) // seconds + 1) * seconds, UTC)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split())
