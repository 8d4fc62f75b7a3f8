"""otd.toml: what is read from it, and how each mistake in it is reported."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from otd.calendars.access import EwsAccess, GraphAccess
from otd.errors import BadSetting
from otd.model import Endpoint, Policy, Room
from otd.settings import BadSettings, FilesAccess, Mistake, load, read
from otd.settings.kinds import host_and_port, span, span_text
from otd.settings.tables import DialplanTable, PolicyTable

GOOD = """\
[run]
refresh = "1m30s"
log = "json"

[secrets]
folder = "/run/secrets"

[cas]
corp = "corp.pem"

[calendars.office]
kind = "graph"
tenant = "example.com"
client_id = "11111111-2222-3333-4444-555555555555"
secret = "graph-secret"

[calendars.server]
kind = "ews"
url = "https://mail.example.com/EWS/Exchange.asmx"
username = 'EXAMPLE\\svc-otd'
password = "exchange-password"
ca = "corp"
at_once = 2

[calendars.post]
kind = "files"
folder = "post"

[pools.hq]

[relays.hq-1]
pool = "hq"

[rooms.board]
calendar = "office"
mailbox = "board@example.com"
label = "Board room, 2nd floor"
timezone = "Europe/Berlin"

[rooms.lab]
calendar = "server"
mailbox = "lab@example.com"

[rooms.den]
calendar = "post"

[endpoints.board-codec]
kind = "cisco"
address = "192.0.2.7:8443"
pool = "hq"
rooms = ["board", "lab"]
credential = "codec-admin"
trust = "ca:corp"

[endpoints.den-codec]
kind = "cisco"
address = "[2001:db8::7]"
pool = "hq"
rooms = ["den"]
credential = "codec-admin"
trust = "sha256:AA:BBccddeeff00112233445566778899AABBCCDDEEFF00112233445566778899"

[dialplan]
own_domains = ["Example.com"]
allowed_domains = ["partner.example.net"]

[[dialplan.rules]]
name = "gateway"
platform = "teams"
template = "{{ meeting_id }}@gw.example.com"
rooms = ["board"]

[site]
skype_hosts = ["meet.example.com"]
cms_hosts = { "join.example.com" = "cms.example.com" }

[policy]
ahead = "14d"
title = "organizer"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "otd.toml"
    path.write_text(text)
    (folder / "corp.pem").touch()
    return path


def mistakes(folder: Path, text: str, environment: dict[str, str] | None = None) -> tuple[Mistake, ...]:
    found = read(write(folder, text), environment or {})
    assert (found.settings is None) == any(not mistake.warning for mistake in found.mistakes)
    return found.mistakes


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new, 1)


# --- what is read -------------------------------------------------------------------------------------------------


def test_the_words_come_out_as_values_of_the_model(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD), {})
    assert settings.rooms["board"] == Room(
        name="board",
        calendar="office",
        mailbox="board@example.com",
        label="Board room, 2nd floor",
        timezone="Europe/Berlin",
    )
    assert settings.endpoints["board-codec"] == Endpoint(
        name="board-codec",
        kind="cisco",
        address="192.0.2.7:8443",
        pool="hq",
        rooms=("board", "lab"),
        credential="codec-admin",
        trust="ca:corp",
    )
    assert (
        settings.endpoints["den-codec"].trust
        == "sha256:aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899"
    )
    assert settings.policy == Policy(
        ahead=timedelta(days=14),
        title="organizer",
        own_domains=("example.com",),
        allowed_domains=("partner.example.net",),
    )
    assert settings.relays["hq-1"].pool == "hq"
    assert [rule.name for rule in settings.rules] == ["gateway"]
    assert settings.site.own_domains == ("example.com",)
    assert settings.site.cms_hosts == (("join.example.com", "cms.example.com"),)
    assert settings.warnings == ()


def test_calendars_come_out_with_what_it_takes_to_reach_them(tmp_path: Path) -> None:
    calendars = load(write(tmp_path, GOOD), {}).calendars
    assert calendars["office"].access == GraphAccess(
        tenant="example.com", client_id="11111111-2222-3333-4444-555555555555", secret="graph-secret"
    )
    assert calendars["server"].access == EwsAccess(
        url="https://mail.example.com/EWS/Exchange.asmx",
        username="EXAMPLE\\svc-otd",
        password="exchange-password",
        ca_file=str(tmp_path / "corp.pem"),
        connections=2,
    )
    assert calendars["post"].access == FilesAccess(folder=tmp_path / "post")
    assert [calendar.kind for calendar in calendars.values()] == ["graph", "ews", "files"]
    assert calendars["server"].at_once == 2


def test_a_room_in_files_has_the_folder_of_its_name(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD), {}).rooms["den"].mailbox == "den"


def test_paths_are_meant_from_the_folder_of_the_settings_file(tmp_path: Path) -> None:
    run = load(write(tmp_path, GOOD), {}).run
    assert (run.database_file, run.state) == (tmp_path / "otd.db", tmp_path / "state")
    assert (run.secrets_file, run.secrets_folder) == (tmp_path / "secrets.toml", Path("/run/secrets"))


def test_the_environment_overrides_what_differs_between_containers(tmp_path: Path) -> None:
    environment = {
        "OTD_DATABASE": "/data/otd.db",
        "OTD_STATE": "/data/state",
        "OTD_LOG": "console",
        "OTD_SECRETS_FILE": "/etc/otd/secrets.toml",
        "OTD_SECRETS_FOLDER": "/mnt/secrets",
    }
    run = load(write(tmp_path, GOOD), environment).run
    assert (run.database_file, run.state, run.log) == (Path("/data/otd.db"), Path("/data/state"), "console")
    assert (run.secrets_file, run.secrets_folder) == (Path("/etc/otd/secrets.toml"), Path("/mnt/secrets"))
    assert run.refresh == timedelta(seconds=90)


def test_a_database_on_a_server_and_a_broker_are_named_without_their_passwords(tmp_path: Path) -> None:
    text = changed(
        "[run]", '[run]\ndatabase = "postgresql://otd@db.example.com/otd"\ndatabase_password = "db-password"'
    )
    text = re.sub(r"(?ms)^\[relays\..*?(?=^\[)", "", text)
    text += '\n[bus]\nbroker = "broker-url"\nca = "corp"\n'
    settings = load(write(tmp_path, text), {})
    assert (settings.run.database, settings.run.database_file) == ("postgresql://otd@db.example.com/otd", None)
    assert settings.bus is not None
    assert (settings.bus.work_vhost, settings.bus.relays_vhost) == ("otd", "otd-relays")
    assert settings.bus.ca_file == str(tmp_path / "corp.pem")
    assert {"db-password", "broker-url"} <= settings.secret_names().keys()
    assert "codec-admin" not in settings.secret_names(), "it lies with the relays, which are elsewhere"
    assert load(write(tmp_path, GOOD), {"OTD_DATABASE": "postgresql://otd@db/otd"}).run.database_file is None


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("postgresql://otd:hunter2@db.example.com/otd", "a password does not belong into this file"),
        ("mysql://otd@db.example.com/otd", "is not a database that OTD knows"),
        ("postgresql://otd@db.example.com", "is not a database that OTD knows"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_mistake_that_repeats_no_password(
    tmp_path: Path, database: str, why: str
) -> None:
    found = read(write(tmp_path, changed("[run]", f'[run]\ndatabase = "{database}"')), {}).mistakes
    assert [why in mistake.why for mistake in found] == [True]
    assert "hunter2" not in str(found)


def test_the_secrets_that_are_needed_are_known_with_their_users(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD), {}).secret_names() == {
        "database-key": ("the database",),
        "graph-secret": ("calendar office",),
        "exchange-password": ("calendar server",),
        "codec-admin": ("endpoint board-codec", "endpoint den-codec"),
    }


def test_the_digest_changes_with_what_decides_the_screens_and_with_nothing_else(tmp_path: Path) -> None:
    def digest(old: str, new: str) -> str:
        return load(write(tmp_path, changed(old, new)), {}).digest

    same = load(write(tmp_path, GOOD), {}).digest
    assert digest('log = "json"', 'log = "console"') == same
    assert digest("[run]", "# a comment\n[run]") == same
    for old, new in [
        ("gw.example.com", "gw2.example.com"),
        ('"14d"', '"13d"'),
        ("board@example.com", "board2@example.com"),
        ('"codec-admin"', '"codec-admin-2"'),
        ('rooms = ["den"]', 'rooms = ["den", "board"]'),
        ("partner.example.net", "partner.example.org"),
    ]:
        assert digest(old, new) != same


def test_tables_in_the_folder_beside_are_merged(tmp_path: Path) -> None:
    (tmp_path / "otd.d").mkdir()
    (tmp_path / "otd.d" / "imported.toml").write_text(
        '[rooms.hall]\ncalendar = "office"\nmailbox = "hall@example.com"\n'
        '[endpoints.hall-codec]\nkind = "cisco"\naddress = "192.0.2.9"\npool = "hq"\nrooms = ["hall"]\n'
        'credential = "codec-admin"\n'
    )
    settings = load(write(tmp_path, GOOD), {})
    assert settings.rooms["hall"].mailbox == "hall@example.com"
    assert settings.endpoints["hall-codec"].rooms == ("hall",)


def test_a_mistake_in_a_file_beside_names_that_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "otd.d").mkdir()
    (tmp_path / "otd.d" / "imported.toml").write_text(
        '[rooms.board]\ncalendar = "office"\n\n[rooms.hall]\ncalendar = "ofice"\nmailbox = "h@example.com"\n[run]\n'
    )
    assert [(m.where, m.key) for m in mistakes(tmp_path, GOOD)] == [
        ("otd.d/imported.toml line 1", "rooms.board"),
        ("otd.d/imported.toml line 5", "rooms.hall.calendar"),
        ("otd.d/imported.toml line 7", "run"),
    ]


def test_every_field_of_the_policy_can_be_set() -> None:
    here = {field.name for table in (PolicyTable, DialplanTable) for field in fields(table)}
    assert here == {field.name for field in fields(Policy)}


def test_the_defaults_are_those_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "otd.toml").touch()
    settings = load(tmp_path / "otd.toml", {})
    assert settings.policy == Policy()
    assert settings.run.refresh == timedelta(seconds=30)


# --- one mistake, and how it is reported --------------------------------------------------------------------------

ONE_MISTAKE = [
    # (what stands in GOOD, what stands there instead, line, key, words of why, words of the mend)
    ('log = "json"', 'lgo = "json"', 3, "run.lgo", "no key 'lgo'", "did you mean log?"),
    ('log = "json"', 'log = "xml"', 3, "run.log", "not one of the choices", "'console' or 'json'"),
    ('"1m30s"', "90", 2, "run.refresh", "90 is not a span", '"30s"'),
    ('"1m30s"', '"2h"', 2, "run.refresh", "not between 1s and 1h", "in between"),
    ("[site]", "[sites]", 73, "sites", "no section 'sites'", "did you mean site?"),
    (
        'kind = "graph"',
        'kind = "graf"',
        12,
        "calendars.office.kind",
        "no kind of calendar 'graf'",
        "did you mean graph?",
    ),
    ('kind = "graph"\n', "", 11, "calendars.office", "the key kind is missing", '"graph or ews or files"'),
    ('secret = "graph-secret"\n', "", 11, "calendars.office", "a secret, a certificate or a pfx", "exactly one"),
    (
        'secret = "graph-secret"',
        'secret = "graph-secret"\ncertificate = "pem"',
        16,
        "calendars.office.certificate",
        "secret and certificate exclude each other",
        "exactly one",
    ),
    ('secret = "graph-secret"', 'pfx = "no.pfx"', 15, "calendars.office.pfx", "there is no file", "name and folder"),
    ("https://mail", "http://mail", 19, "calendars.server.url", "in clear", "https://"),
    ("at_once = 2", 'tenant = "x"', 23, "calendars.server.tenant", "does not use it", "or change auth"),
    ("at_once = 2", 'auth = "digest"', 23, "calendars.server.auth", "", "ntlm"),
    ('password = "exchange-password"\n', "", 17, "calendars.server", "password is missing", "needs it"),
    ("at_once = 2", 'moved_to = ["ofice"]', 23, "calendars.server.moved_to", "no calendar 'ofice'", "mean office?"),
    ("at_once = 2", 'moved_to = ["server"]', 23, "calendars.server.moved_to", "no mailbox moves", "other calendars"),
    ("at_once = 2", 'moved_to = ["post"]', 23, "calendars.server.moved_to", "no mailbox moves", "other calendars"),
    ("at_once = 2", "at_once = 0", 23, "calendars.server.at_once", "out of range", "greater than or equal to 1"),
    ("at_once = 2", 'at_once = "2"', 23, "calendars.server.at_once", "whole number", "without quotes"),
    ('ca = "corp"', 'ca = "crop"', 22, "calendars.server.ca", "no ca 'crop'", "did you mean corp?"),
    ("corp.pem", "crop.pem", 9, "cas.corp", "there is no file", "name and folder"),
    ('pool = "hq"', 'pool = "qh"', 32, "relays.hq-1.pool", "no pool 'qh'", "known here: hq"),
    ("[relays.hq-1]", "[relays.HQ_1]", 31, "relays.HQ_1", "cannot be a name", "call it hq-1"),
    ('calendar = "office"', 'calendar = "ofice"', 35, "rooms.board.calendar", "no calendar 'ofice'", "mean office?"),
    ('mailbox = "board@example.com"\n', "", 34, "rooms.board", "mailbox is missing", "add mailbox ="),
    ("board@example.com", "board", 36, "rooms.board.mailbox", "not a mailbox address", "room1@example.com"),
    ("Europe/Berlin", "Europe/Berlim", 38, "rooms.board.timezone", "no time zone", "did you mean Europe/Berlin?"),
    ("Europe/Berlin", "W. Europe Standard Time", 38, "rooms.board.timezone", "no time zone", "Europe/Berlin?"),
    ('label = "Board', 'label = "\\nBoard', 37, "rooms.board.label", "one line", "line ends"),
    ('calendar = "post"', 'calendar = "post"\nmailbox = "../x"', 46, "rooms.den.mailbox", "name of a folder", "path"),
    ('kind = "cisco"', 'kind = "sisco"', 48, "endpoints.board-codec.kind", "not one of the choices", "'cisco'"),
    ("192.0.2.7:8443", "https://192.0.2.7", 49, "endpoints.board-codec.address", "not a host", "without https://"),
    ("192.0.2.7:8443", "192.0.2.7:99999", 49, "endpoints.board-codec.address", "not a host", "without https://"),
    ("192.0.2.7:8443", "192.0.2.777", 49, "endpoints.board-codec.address", "not a host", "without https://"),
    (
        '["board", "lab"]',
        '["board", "lob"]',
        51,
        "endpoints.board-codec.rooms[2]",
        "no room 'lob'",
        "did you mean lab?",
    ),
    ('["board", "lab"]', '["lab", "board", "lab"]', 51, "endpoints.board-codec.rooms[3]", "twice", "remove one"),
    ('["board", "lab"]', '"board"', 51, "endpoints.board-codec.rooms", "a list is needed", "brackets"),
    ('rooms = ["den"]', "rooms = []", 59, "endpoints.den-codec.rooms", "shows no room", "at least one"),
    ('credential = "codec-admin"\n', "", 47, "endpoints.board-codec", "credential is missing", "name of a secret"),
    ('"ca:corp"', '"none"', 53, "endpoints.board-codec.trust", "not a way to trust", "pin"),
    ('"ca:corp"', '"ca:crop"', 53, "endpoints.board-codec.trust", "no ca 'crop'", "did you mean corp?"),
    (
        "[2001:db8::7]",
        "192.0.2.7:8443",
        57,
        "endpoints.den-codec.address",
        "board-codec has this address",
        "several rooms",
    ),
    ('"Example.com"', '"@example.com"', 64, "dialplan.own_domains[1]", "not a domain", "without @"),
    ("template =", "tmplate =", 70, "dialplan.rules[1].tmplate", "no such key", "template"),
    ('rooms = ["board"]', 'rooms = ["bord"]', 71, "dialplan.rules[1].rooms", "no room 'bord'", "did you mean board?"),
    ('"organizer"', '"organiser"', 79, "policy.title", "not one of the choices", "'organizer'"),
    ('ahead = "14d"', "free = 1", 78, "policy.free", "true or false", "without quotes"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "why", "mend"), ONE_MISTAKE, ids=[m[3] + ": " + m[4] for m in ONE_MISTAKE]
)
def test_a_mistake_is_reported_with_its_line_its_key_and_the_mend(
    tmp_path: Path, old: str, new: str, line: int, key: str, why: str, mend: str
) -> None:
    text = changed(old, new)
    found = [mistake for mistake in mistakes(tmp_path, text) if not mistake.warning]
    assert [mistake.key for mistake in found] == [key]
    (mistake,) = found
    assert why in mistake.why
    assert mend in mistake.mend
    assert mistake.where == f"otd.toml line {line}"


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD
    for old, new in [
        ('log = "json"', 'log = "xml"'),
        ('secret = "graph-secret"', 'sekret = "graph-secret"'),
        ("https://mail", "ftp://mail"),
        ('pool = "hq"', 'pool = "qh"'),
        ("Europe/Berlin", "Berlin"),
        ("192.0.2.7:8443", "https://192.0.2.7"),
        ('["board", "lab"]', '["bord", "Lab"]'),
        ('credential = "codec-admin"\ntrust', "trust"),
        ('"ca:corp"', '"ca:crop"'),
    ]:
        text = changed(old, new, text)
    keys = [mistake.key for mistake in mistakes(tmp_path, text, {"OTD_LOG": "xml"})]
    assert keys == [
        "run.log",
        "calendars.office",
        "calendars.office.sekret",
        "calendars.server.url",
        "relays.hq-1.pool",
        "rooms.board.timezone",
        "endpoints.board-codec",
        "endpoints.board-codec.address",
        "endpoints.board-codec.rooms[2]",
        "endpoints.board-codec.rooms[1]",
        "endpoints.board-codec.trust",
        "",
    ]


def test_loading_raises_every_mistake_one_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, changed('log = "json"', 'log = "xml"', changed("https://mail", "ftp://mail")))
    with pytest.raises(BadSettings) as raised:
        load(path, {})
    assert isinstance(raised.value, BadSetting)
    assert len(raised.value.mistakes) == 2
    assert [line.partition(",")[0] for line in str(raised.value).split("\n")] == ["otd.toml line 3", "otd.toml line 19"]


@pytest.mark.parametrize("name", ["office", "house"])
def test_a_pool_cannot_have_the_name_of_another_lane(tmp_path: Path, name: str) -> None:
    (mistake,) = mistakes(tmp_path, GOOD.replace('"hq"', f'"{name}"').replace("[pools.hq]", f"[pools.{name}]"))
    assert mistake.key == f"pools.{name}"


def test_a_change_can_be_tried_before_it_is_made(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    better = '[rooms.hall]\ncalendar = "post"\n'
    found = read(path, {}, {"imported.toml": better})
    assert found.settings is not None
    assert "hall" in found.settings.rooms
    (mistake,) = read(path, {}, {"imported.toml": better.replace("post", "pots")}).mistakes
    assert (mistake.where, mistake.path) == ("otd.d/imported.toml line 2", ("rooms", "hall", "calendar"))
    assert not (tmp_path / "otd.d").exists()


def test_two_rooms_cannot_have_one_mailbox(tmp_path: Path) -> None:
    text = changed("[rooms.lab]", '[rooms.twin]\ncalendar = "office"\nmailbox = "BOARD@example.com"\n[rooms.lab]')
    (mistake,) = mistakes(tmp_path, text)
    assert mistake.key == "rooms.twin.mailbox"
    assert "the room board has this mailbox already" in mistake.why


# --- warnings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ('rooms = ["board", "lab"]', 'rooms = ["board"]', "rooms.lab", "no endpoint shows this room"),
        ('[relays.hq-1]\npool = "hq"', "", "pools.hq", "no relay is in this pool"),
        (
            "[pools.hq]",
            '[relays.far-1]\npool = "far"\n[pools.far]\n[pools.hq]',
            "pools.far",
            "no endpoint is in this pool",
        ),
        ("[pools.hq]", '[calendars.more]\nkind = "files"\nfolder = "x"\n[pools.hq]', "calendars.more", "no room uses"),
    ],
)
def test_what_nobody_uses_is_a_warning_and_the_settings_hold(
    tmp_path: Path, old: str, new: str, key: str, why: str
) -> None:
    path = write(tmp_path, changed(old, new))
    (warning,) = load(path, {}).warnings
    assert warning.warning
    assert warning.key == key
    assert why in warning.why
    assert warning.mend


@pytest.mark.parametrize(("budget", "warned"), [(100, True), (239, True), (240, False), (0, False)])
def test_a_budget_that_is_too_small_for_quiet_rooms_is_a_warning_with_what_it_means(
    tmp_path: Path, budget: int, warned: bool
) -> None:
    text = changed('secret = "graph-secret"', f'secret = "graph-secret"\nrequests_per_day = {budget}')
    found = load(write(tmp_path, text), {}).warnings  # one room, which is looked at every six minutes
    assert [warning.key for warning in found] == (["calendars.office.requests_per_day"] if warned else [])
    if budget == 100:
        assert "1 rooms take 240 requests a day" in found[0].why
        assert "every 864 s" in found[0].why


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('secret = "graph-secret"', 'secret = "graph-secret"\nnotifications = true', "calendars.office.notifications"),
        (
            'secret = "graph-secret"',
            'secret = "graph-secret"\nsecret_expires = "2027-01-01"',
            "calendars.office.secret_expires",
        ),
        (
            'secret = "graph-secret"',
            'secret = "graph-secret"\nrequests_per_day = -1',
            "calendars.office.requests_per_day",
        ),
    ],
)
def test_what_a_calendar_cannot_do_with_is_reported_with_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    (mistake,) = (one for one in mistakes(tmp_path, changed(old, new)) if not one.warning)
    assert mistake.key == key
    assert mistake.mend


def test_a_misspelt_environment_variable_is_a_warning(tmp_path: Path) -> None:
    environment = {"OTD_DATABSE": "x", "OTD_SECRET_CODEC_ADMIN": "x", "OTD_CONFIG": "x", "HOME": "/"}
    (warning,) = load(write(tmp_path, GOOD), environment).warnings
    assert (warning.where, warning.mend) == ("environment variable OTD_DATABSE", "did you mean OTD_DATABASE?")


# --- secrets put in the wrong place -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"graph-secret"', '"Canary~7f3a"'),
        ('password = "exchange-password"', 'password = "Canary~7f3a!"'),
        ('credential = "codec-admin"', 'credential = "admin:Canary~7f3a"'),
        ('credential = "codec-admin"', 'credential = { user = "admin", password = "Canary~7f3a" }'),
        ("https://mail.example.com", "https://svc:Canary~7f3a@mail.example.com"),
        ("192.0.2.7:8443", "admin:Canary~7f3a@192.0.2.7"),
        ('password = "exchange-password"', 'password = "Canary~7f3a'),
        ('password = "exchange-password"', "password = Canary~7f3a"),
        ('password = "exchange-password"', 'passwort = "Canary~7f3a"'),
    ],
)
def test_a_password_in_the_wrong_place_is_reported_but_not_repeated(tmp_path: Path, old: str, new: str) -> None:
    found = mistakes(tmp_path, changed(old, new))
    assert found
    assert "Canary" not in " ".join(map(str, found))
    assert "Canary" not in repr(found)


# --- files that are not TOML --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        ('a = "x"\nb = board\n', 2, "put texts in quotes"),
        ("a = True\n", 1, "small letters"),
        ("a = yes\n", 1, "true or false"),
        ("[a]\nx = 1\n[a]\n", 3, "may stand once only"),
        ("x = 1\nx = 2", 2, "may stand once only"),
        ('x = "C:\\Users"\n', 1, "single quotes"),
        ('x = "DOMAIN\\svc"\n', 1, "single quotes"),
        ('x = "open\ny = 1\n', 1, "close it"),
        ("[rooms.a\nx = 1\n", 1, "close headers"),
        ("x = [1, 2\ny = 3\n", 2, "brackets"),
    ],
)
def test_a_file_that_is_not_toml_is_reported_with_line_and_mend(
    tmp_path: Path, text: str, line: int, mend: str
) -> None:
    (mistake,) = mistakes(tmp_path, text)
    assert mistake.where == f"otd.toml line {line}"
    assert "not TOML" in mistake.why
    assert mend in mistake.mend


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    (mistake,) = read(tmp_path / "otd.toml", {}).mistakes
    assert "there is no file" in mistake.why
    assert "otd init" in mistake.mend


def test_a_file_as_windows_editors_write_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path, {}).rooms["board"].label == "Board room, 2nd floor"


@pytest.mark.parametrize("content", ["[run]\n".encode("utf-16"), b"\xff\xfe\x00", b"[" * 5000, b"a = " + b"[" * 5000])
def test_a_file_that_is_no_text_or_nested_without_end_is_one_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "otd.toml").write_bytes(content)
    (mistake,) = read(tmp_path / "otd.toml", {}).mistakes
    assert mistake.mend


@pytest.mark.parametrize(
    "section", ["calendars", "pools", "rooms", "endpoints", "dialplan", "site", "policy", "run", "cas"]
)
@pytest.mark.parametrize(
    "value", ["3", '"x"', "[1]", "[[1]]", "{ x = 3 }", "{ x = [{}] }", "{ rules = 3 }", "{ x = { kind = [] } }"]
)
def test_no_shape_of_a_section_breaks_the_reader(tmp_path: Path, section: str, value: str) -> None:
    found = mistakes(tmp_path, f"{section} = {value}\n")
    assert any(not mistake.warning and section in mistake.key for mistake in found)


# --- kinds of values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("250ms", 0.25)]
)
def test_spans_are_written_with_their_unit(text: str, seconds: float) -> None:
    assert span(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "m", "-5m", "5m30", "1.5h", "9999999999d", "999999999d999999999h", "5M", "1s1m", "٣s"]
)
def test_a_span_without_unit_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a span|too long"):
        span(text)


def test_a_span_is_written_the_shortest_way() -> None:
    for text in ("0s", "30s", "90s", "5m", "2h", "7d", "250ms"):
        assert span_text(span(text)) == text
    assert span_text(span("1h30m")) == "90m"


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("codec", "codec", None),
        ("codec.example.com:443", "codec.example.com", 443),
        ("192.0.2.1", "192.0.2.1", None),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
    ],
)
def test_an_address_is_a_host_with_or_without_a_port(address: str, host: str, port: int | None) -> None:
    assert host_and_port(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    [
        "",
        ":443",
        "a:b",
        "a:0",
        "a:70000",
        "2001:db8::1",
        "[::1",
        "[codec]",
        "a/b",
        "a@b",
        "a b",
        "-a",
        "a..b",
        "300.1.1.1",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"not |Expected|Octet|octet|colons"):
        host_and_port(address)


def test_a_moved_mailbox_is_looked_for_on_every_other_exchange_unless_the_settings_name_them(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD), {}).elsewhere() == {"office": ("server",), "server": ("office",)}
    named = GOOD.replace("at_once = 2", "moved_to = []")
    assert load(write(tmp_path, named), {}).elsewhere() == {"office": ("server",), "server": ()}


def test_an_application_signs_in_to_exchange_server_by_oauth(tmp_path: Path) -> None:
    old = "username = 'EXAMPLE\\svc-otd'\npassword = \"exchange-password\"\n"
    application = 'auth = "oauth"\ntenant = "example.com"\nclient_id = "an-app"\nsecret = "app-secret"\n'
    found = load(write(tmp_path, changed(old, application)), {})
    access = found.calendars["server"].access
    assert isinstance(access, EwsAccess)
    assert access.addresses() == ("https://login.microsoftonline.com", "https://mail.example.com")
    assert found.secret_names()["app-secret"] == ("calendar server",)
    assert "exchange-password" not in found.secret_names()
    (missing,) = mistakes(tmp_path, changed(old, application.replace('secret = "app-secret"\n', "")))
    assert "a secret, a certificate or a pfx" in missing.why


def test_kerberos_needs_no_password(tmp_path: Path) -> None:
    old = "username = 'EXAMPLE\\svc-otd'\npassword = \"exchange-password\"\n"
    assert mistakes(tmp_path, changed(old, 'auth = "kerberos"\n')) == ()


def test_a_relay_of_this_process_reaches_the_networks_that_are_named(tmp_path: Path) -> None:
    write(tmp_path, changed("[relays.hq-1]", '[relays.hq-1]\nreach = ["10.20.0.0/16"]'))
    reach = load(tmp_path / "otd.toml", {}).relays["hq-1"].reach
    assert reach is not None
    assert (reach.allows("10.20.1.1"), reach.allows("10.21.1.1")) == (True, False)
    write(tmp_path, GOOD)
    assert load(tmp_path / "otd.toml", {}).relays["hq-1"].reach is None


def test_a_relay_of_this_process_may_listen_for_endpoints_that_restarted(tmp_path: Path) -> None:
    more = 'feedback = "192.0.2.10"\nfeedback_certificate = "relay.pem"\nfeedback_passphrase = "relay-passphrase"\n'
    path = tmp_path / "otd.toml"
    path.write_text(GOOD.replace('[relays.hq-1]\npool = "hq"\n', f'[relays.hq-1]\npool = "hq"\n{more}'))
    (tmp_path / "corp.pem").touch()
    settings = load(path, {})
    found = settings.relays["hq-1"].feedback
    assert found is not None
    assert (found.root, found.certificate) == ("https://192.0.2.10:8444", tmp_path / "relay.pem")
    assert settings.secret_names()["relay-passphrase"] == ("relay hq-1",)
    path.write_text(path.read_text().replace("192.0.2.10", "[::]"))
    with pytest.raises(BadSettings, match="add feedback_host"):
        load(path, {})
