"""`otd parse` and `otd rules` over real files, as a person calls them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from otd.cli import call

POLY = """\
Microsoft Teams
Join: https://teams.microsoft.com/l/meetup-join/19%3ameeting_NoSuchThread%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-3333-4444-555555555555%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d
Meeting ID: 212 345 678 901
Passcode: aB3dE6
Join on a video conferencing device
Tenant key: 220011223@t.plcm.vc
Video ID: 112 233 445 5
More info: https://dialin.plcm.vc/teams/?key=220011223&conf=1122334455
"""
TEAMS = POLY.partition("Join on a video")[0]
FOREIGN = "Dial sip:boardroom@vc.partner.example to join.\n"

SERIES = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Example//EN\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:series-1\r
DTSTAMP:20260101T000000Z\r
DTSTART:20260105T090000Z\r
DTEND:20260105T093000Z\r
RRULE:FREQ=DAILY;COUNT=5\r
SUMMARY:Standup\r
DESCRIPTION:Dial sip:boardroom@vc.partner.example to join.\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:series-1\r
DTSTAMP:20260101T000000Z\r
RECURRENCE-ID:20260107T090000Z\r
DTSTART:20260107T100000Z\r
DTEND:20260107T103000Z\r
SUMMARY:Standup\\, later\r
DESCRIPTION:No video today.\r
END:VEVENT\r
END:VCALENDAR\r
"""

OTD_TOML = """\
[dialplan]
own_domains = ["example.com"]
allowed_domains = ["partner.example"]

[[dialplan.rules]]
name = "teams-join-by-id"
enabled = true
gateway = "gw.example.com"
rooms = ["attic"]

[calendars.office]
kind = "files"
folder = "invitations"

[rooms.attic]
calendar = "office"
timezone = "Europe/Oslo"

[rooms.cellar]
calendar = "office"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTD_CONFIG", raising=False)
    (tmp_path / "poly.txt").write_text(POLY)
    (tmp_path / "teams.txt").write_text(TEAMS)
    (tmp_path / "foreign.txt").write_text(FOREIGN)
    (tmp_path / "series.ics").write_text(SERIES, newline="")
    return tmp_path


@pytest.fixture
def site(here: Path) -> Path:
    (here / "otd.toml").write_text(OTD_TOML)
    (here / "invitations").mkdir()
    return here


def records(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert call([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


# --- parse ---


def test_an_invitation_is_read_into_one_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(capsys, "parse", "poly.txt")

    assert (found["platform"], found["partner"], found["rule"], found["reason"]) == ("teams", "poly", "teams-poly", "")
    assert found["dial"] == {"protocol": "sip", "uri": "220011223.1122334455@t.plcm.vc", "allowed": True}
    assert found["ids"]["meeting_id"] == "212345678901"
    assert found["join_url"].startswith("https://teams.microsoft.com/l/meetup-join/")
    assert found["evidence"] == [{"source": "more_info_url", "detail": "dialin.plcm.vc", "wrappers": []}]
    assert (found["start"], found["end"], found["cancelled"], found["alternatives"]) == (None, None, False, [])


def test_a_meeting_without_interop_says_why_nothing_is_dialled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(capsys, "parse", "teams.txt")

    assert (found["dial"], found["reason"]) == (None, "link_only")


def test_a_foreign_domain_is_shown_and_marked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(capsys, "parse", "foreign.txt")

    assert found["dial"] == {"protocol": "sip", "uri": "boardroom@vc.partner.example", "allowed": False}
    assert found["reason"] == "domain_not_allowed"


def test_a_series_is_one_record_and_its_exception_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "parse", "series.ics")

    assert [(one["uid"], one["kind"], one["start"]) for one in found] == [
        ("series-1", "series", "2026-01-05T09:00:00Z"),
        ("series-1", "exception", "2026-01-07T10:00:00Z"),
    ]
    assert [one["subject"] for one in found] == ["Standup", "Standup, later"]
    assert (found[1]["dial"], found[1]["reason"]) == (None, "no_link")


def test_a_window_expands_the_series(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "parse", "series.ics", "--window", "2026-01-06/2026-01-08T12:00:00+01:00")

    assert [one["start"] for one in found] == ["2026-01-06T09:00:00Z", "2026-01-07T10:00:00Z", "2026-01-08T09:00:00Z"]
    assert [one["dial"] is None for one in found] == [False, True, False]


def test_a_cancellation_is_not_dialled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "cancel.ics").write_text(SERIES.replace("METHOD:REQUEST", "METHOD:CANCEL"), newline="")

    found = records(capsys, "parse", "cancel.ics")

    assert {(one["cancelled"], one["dial"], one["reason"]) for one in found} == {(True, None, "cancelled")}


def test_a_mail_comes_in_by_standard_input(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = f"From: ann@example.com\nSubject: Weekly\nMIME-Version: 1.0\nContent-Type: text/plain\n\n{POLY}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail.encode())))

    (found,) = records(capsys, "parse", "-")

    assert (found["file"], found["subject"], found["rule"]) == ("-", "Weekly", "teams-poly")


def test_a_folder_stands_for_the_invitations_in_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "notes.md").write_text("not an invitation")

    assert {one["file"] for one in records(capsys, "parse", str(here))} == {
        str(here / name) for name in ("foreign.txt", "poly.txt", "series.ics", "teams.txt")
    }


def test_what_cannot_be_read_is_said_and_the_rest_is_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "broken.json").write_text("{")

    assert call(["parse", "--json", "missing.ics", "broken.json", "poly.txt"]) == 2
    said = capsys.readouterr()
    assert [one["file"] for one in json.loads(said.out)] == ["poly.txt"]
    assert "otd: missing.ics: cannot be read: no such file" in said.err
    assert "otd: broken.json: " in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "window", ["2026-01-06", "2026-01-07/2026-01-06", "a/b", "2026-01-06/9999-12-31T23:59:59-12:00"]
)
def test_a_window_that_is_none_is_refused_in_words(here: Path, capsys: pytest.CaptureFixture[str], window: str) -> None:
    assert call(["parse", "series.ics", "--window", window]) == 2
    assert "two dates or times" in capsys.readouterr().err


def test_a_person_sees_the_dial_string_the_rule_and_where_it_was_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["parse", "poly.txt", "series.ics"]) == 0
    said = capsys.readouterr().out

    assert "dial      sip:220011223.1122334455@t.plcm.vc" in said
    assert "rule      teams-poly" in said
    assert "read from more_info_url dialin.plcm.vc" in said
    assert "when      2026-01-05 09:00 to 09:30 UTC, a series" in said


def test_a_person_sees_the_reason_and_the_line_to_add(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["parse", "foreign.txt"]) == 0
    said = capsys.readouterr().out

    assert "reason    domain_not_allowed: " in said
    assert 'allowed_domains = ["vc.partner.example"]' in said


def test_a_title_cannot_write_over_the_screen(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "evil.html").write_text("<title>\x1b[2J&#27;[31mevil\u202e</title><p>x")

    assert call(["parse", "evil.html"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_the_settings_decide_what_is_allowed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(capsys, "parse", "foreign.txt")

    assert found["dial"]["allowed"]


def test_a_room_brings_its_rules_and_its_zone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (for_attic,) = records(capsys, "parse", "teams.txt", "--room", "attic")
    (for_cellar,) = records(capsys, "parse", "teams.txt", "--room", "cellar")
    call(["parse", "series.ics", "--room", "attic"])

    assert (for_attic["rule"], for_attic["dial"]["uri"]) == ("teams-join-by-id", "212345678901@gw.example.com")
    assert for_cellar["reason"] == "link_only"
    assert "2026-01-05 10:00 to 10:30 CET" in capsys.readouterr().out


def test_an_unknown_room_is_a_mistake_with_a_mend(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["parse", "teams.txt", "--room", "atic"]) == 2
    assert "did you mean attic?" in capsys.readouterr().err


def test_a_room_without_settings_is_a_mistake(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["parse", "teams.txt", "--room", "attic"]) == 2
    assert "--config" in capsys.readouterr().err


def test_settings_that_were_asked_for_have_to_be_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["parse", "teams.txt", "--config", "none.toml"]) == 2
    assert "none.toml" in capsys.readouterr().err


# --- rules ---


def test_the_rules_are_listed_in_their_order(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = records(capsys, "rules", "list")
    call(["rules", "list"])
    shown = capsys.readouterr().out

    names = [rule["name"] for rule in found["rules"]]
    assert names.index("teams-poly") < names.index("teams-join-by-id") < names.index("zoom") < names.index("stated-sip")
    assert found["version"] >= 1
    assert "teams-guest-join" in shown
    assert "offer" in shown
    assert "changed" in shown


def test_a_rule_is_shown_as_it_would_be_written(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    from otd.dialplan import builtin, read_rules

    for rule in builtin():
        assert call(["rules", "show", rule.name, "--config", str(site / "otd.toml")]) == 0
        table = tomllib.loads(capsys.readouterr().out)["dialplan"]["rules"][0]
        if rule.name != "teams-join-by-id":
            assert read_rules([table])[0] == (rule,)


def test_an_unknown_rule_is_a_mistake_with_a_mend(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["rules", "show", "teams-polly"]) == 2
    assert "did you mean teams-poly?" in capsys.readouterr().err


def test_doubtful_rules_are_found(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "new.toml").write_text('[[rules]]\nname = "all"\nsource = "body"\npattern = \'\\S+@\\S+\'\n')

    assert call(["rules", "check"]) == 0
    assert "no findings" in capsys.readouterr().out
    (found,) = records(capsys, "rules", "check", "--rules", "new.toml", code=1)
    assert (found["kind"], found["rule"]) == ("broad", "all")


@pytest.mark.parametrize("text", ["[[rules]", "version = 1\nrule = []", '[[rules]]\nname = "x"\ntemplate = "{{"'])
def test_a_broken_rules_file_is_refused_in_words(here: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (here / "new.toml").write_text(text)

    assert call(["rules", "check", "--rules", "new.toml"]) == 2
    assert "otd: new.toml" in capsys.readouterr().err


def test_a_trial_lists_what_would_change_with_both_rules(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "new.toml").write_text(
        """
        [[dialplan.rules]]
        name = "teams-poly"
        template = "{{ vtc_id }}@t.plcm.vc"
        [[dialplan.rules]]
        name = "teams-join-by-id"
        enabled = true
        gateway = "gw.example.com"
        [[dialplan.rules]]
        name = "stated-sip"
        enabled = false
        """
    )
    found = records(capsys, "rules", "try", "--rules", "new.toml", "poly.txt", "teams.txt", "foreign.txt", "series.ics")

    assert found["counts"] == {"gain": 1, "lose": 2, "change": 1, "same": 1}
    effects = {one["file"]: (one["effect"], one["before"]["rule"], one["after"]["rule"]) for one in found["meetings"]}
    assert effects == {
        "poly.txt": ("change", "teams-poly", "teams-poly"),
        "teams.txt": ("gain", "", "teams-join-by-id"),
        "foreign.txt": ("lose", "stated-sip", "stated-sip"),
        "series.ics": ("lose", "stated-sip", "stated-sip"),
    }
    assert call(["rules", "try", "--rules", "new.toml", "poly.txt"]) == 0
    shown = capsys.readouterr().out
    assert "sip:1122334455@t.plcm.vc (teams-poly)" in shown
    assert "0 would gain a dial string, 0 would lose theirs, 1 would change it; 0 would stay" in shown


def test_a_newer_rule_set_can_be_tried(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "set.toml").write_text('version = 2\n[[rules]]\nname = "n"\ntemplate = "{{ vtc_id }}@x.example"\n')

    found = records(capsys, "rules", "try", "--rules", "set.toml", "poly.txt")

    assert found["meetings"][0]["effect"] == "lose"
    assert found["meetings"][0]["after"]["dial"]["allowed"] is False


def test_the_domains_that_invitations_need_are_listed_with_the_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = records(capsys, "rules", "domains", str(here))
    call(["rules", "domains", str(here)])

    assert found == [{"domain": "vc.partner.example", "meetings": 2, "by": {"stated-sip": 2}}]
    assert 'allowed_domains = ["vc.partner.example"]' in capsys.readouterr().out


def test_nothing_needs_opening_where_everything_may_be_dialled(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert records(capsys, "rules", "domains", str(site)) == []


@pytest.mark.parametrize("command", [["try", "--rules", "set.toml"], ["domains"]])
def test_a_file_that_cannot_be_read_counts_in_rules_too(
    here: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    (here / "set.toml").write_text("")

    assert call(["rules", *command, "missing.ics"]) == 2
    assert "missing.ics" in capsys.readouterr().err
