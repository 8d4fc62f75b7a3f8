"""A reading goes to a colleague's laptop: exported here, imported there, and the same replay gives the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.cli import SETTINGS, Otd, Said, an_installation
from tests.adapters.cli import otd as otd  # a fixture
from tests.adapters.test_cli_replay import RULES, a_stored_reading

OTHER_ROOM = SETTINGS.replace("board", "attic")


@pytest.fixture
def here(otd: Otd, tmp_path: Path) -> Otd:
    """An installation with a stored reading."""
    an_installation(tmp_path)
    a_stored_reading()
    (tmp_path / "new.toml").write_text(RULES)
    return otd


@pytest.fixture
def laptop(here: Otd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Another installation, of settings without that room, where nothing ever ran."""
    folder = tmp_path / "laptop"
    folder.mkdir()
    an_installation(folder, OTHER_ROOM)
    (folder / "new.toml").write_text(RULES)

    def run(*arguments: Any) -> Said:
        with monkeypatch.context() as there:
            there.chdir(folder)
            return here(*arguments)

    return run


def exported(here: Otd, tmp_path: Path, *options: str) -> tuple[str, Path]:
    """The id of the reading, and its file."""
    (listed,) = json.loads(here("readings", "list", "board", "--json").out)
    file = tmp_path / "case.json"
    assert here("readings", "export", "board", "--to", file, "--force", *options).code == 0
    return listed["id"], file


def bare(said: Said) -> tuple[int, Any]:
    """The exit code, and what was found but for titles."""
    found = json.loads(said.out)
    for reading in found["readings"]:
        for change in reading["changes"]:
            del change["title"]
    return said.code, found


@pytest.mark.parametrize("options", [(), ("--redact",)])
@pytest.mark.parametrize("rules", [(), ("--rules", "new.toml")])
def test_the_same_replay_gives_the_same(
    here: Otd, laptop: Otd, tmp_path: Path, options: tuple[str, ...], rules: tuple[str, ...]
) -> None:
    id, file = exported(here, tmp_path, *options)
    said = laptop("readings", "import", file)
    assert (said.code, said.err) == (0, "")
    assert f"{id}: 1 meetings, {'without' if options else 'with'} subjects" in said.out
    there = laptop("replay", "board", "--json", *rules)
    assert bare(there) == bare(here("replay", "board", "--json", *rules))
    assert there.out == laptop("replay", id, "--json", *rules).out
    assert laptop("replay", "board", "--since", "2d ago", "--json", *rules).out == there.out
    assert ("Layoffs" in there.out) is bool(rules and not options)


def test_a_second_import_changes_nothing(here: Otd, laptop: Otd, tmp_path: Path) -> None:
    id, file = exported(here, tmp_path)
    laptop("readings", "import", file, "--why", "case 17")
    again = laptop("readings", "import", file)
    assert (again.code, again.out) == (0, f"{id}: it is here already\n")
    acts = json.loads(laptop("history", "--json").out)
    assert [(act["thing"], act["word"], act["why"]) for act in acts] == [("room:board", "import reading", "case 17")]
    assert "import reading" in laptop("history", "room:board").out


def test_where_it_comes_from_there_is_nothing_to_import(here: Otd, tmp_path: Path) -> None:
    _, file = exported(here, tmp_path)
    assert "own" in here("readings", "import", file).out
    assert json.loads(here("readings", "list", "--json").out) == []


def test_it_is_listed_handed_on_and_forgotten(here: Otd, laptop: Otd, tmp_path: Path) -> None:
    id, file = exported(here, tmp_path)
    laptop("readings", "import", file)
    assert "imported" in laptop("readings", "list").out
    (listed,) = json.loads(laptop("readings", "list", "board", "--json").out)
    assert (listed["id"], listed["imported"]) == (id, True)
    assert laptop("readings", "export", id, "--redact", "--to", "less.json").code == 0
    assert "Layoffs" not in (tmp_path / "laptop" / "less.json").read_text()
    assert laptop("readings", "forget", id).code == 0
    assert "there is no such room" in laptop("replay", "board").err
    assert laptop("readings", "forget", id).code == 1


def test_it_holds_nothing_in_the_clear(here: Otd, laptop: Otd, tmp_path: Path) -> None:
    _, file = exported(here, tmp_path)
    laptop("readings", "import", file)
    held = b"".join(one.read_bytes() for one in (tmp_path / "laptop").glob("otd.db*"))
    assert held
    assert not any(word in held for word in (b"Layoffs", b"471100", b"webex.com"))


def test_screens_are_told_nothing_by_it(here: Otd, laptop: Otd, tmp_path: Path) -> None:
    id, file = exported(here, tmp_path)
    laptop("readings", "import", file)
    for what in (id, "board"):
        said = laptop("replay", what, "--deliver")
        assert said.code == 2
        assert "was imported" in said.err
    assert json.loads(laptop("replay", "--all", "--json").out)["replayed"]["readings"] == 0


def altered(file: Path, *path: Any, to: Any) -> None:
    said = json.loads(file.read_text())
    at = said
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    file.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("path", "to", "says"),
    [
        (("form",), "otd-reading-2", "newer OTD (form 2, this one reads 1) (update OTD here"),
        (("form",), "otd-reading-x", "not a reading"),
        (("form",), "another-thing-1", "not a reading"),
        (("form",), 7, "not a reading"),
        (("room", "name"), "other", "damaged"),
        (("room", "name"), "../etc", "damaged"),
        (("room", "timezone"), "Mars/Olympus", "damaged"),
        (("room", "timezone"), "../../etc/passwd", "damaged"),
        (("reading", "at"), "yesterday", "damaged"),
        (("reading", "at"), "0001-01-01T00:00:00+14:00", "damaged"),
        (("reading", "meetings", 0, "meeting", "subject"), 5, "damaged"),
        (("reading", "meetings", 0, "meeting", "show_as"), "away", "damaged"),
        (("reading", "meetings", 0, "meeting", "end"), "2001-01-01T00:00:00+00:00", "damaged"),
        (("reading", "meetings", 0, "meeting", "properties"), [["one"]], "damaged"),
        (("endpoints", 0, "name"), ["x"], "damaged"),
        (("endpoints",), None, "damaged"),
        (("told", "board-codec", 0, "dial"), "sip", "damaged"),
    ],
)
def test_what_is_foreign_newer_or_damaged_is_refused_with_the_mend(
    here: Otd, laptop: Otd, tmp_path: Path, path: tuple[Any, ...], to: Any, says: str
) -> None:
    _, file = exported(here, tmp_path)
    altered(file, *path, to=to)
    said = laptop("readings", "import", file)
    assert (said.code, said.out) == (2, "")
    assert str(file) in said.err
    assert says in said.err
    assert laptop("readings", "list").out == "No reading was imported.\n" or not (tmp_path / "laptop/otd.db").exists()


@pytest.mark.parametrize("text", ["", "null", "[]", '"x"', "\xff", "[" * 100_000, '{"form": "otd-reading-1"'])
def test_a_file_that_is_none(laptop: Otd, tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="latin-1")
    said = laptop("readings", "import", file)
    assert said.code == 2
    assert "otd readings export" in said.err
    assert "Traceback" not in said.err


def test_a_file_that_cannot_be_read(laptop: Otd, tmp_path: Path) -> None:
    assert "no such file" in laptop("readings", "import", "none.json").err
    assert "is a directory" in laptop("readings", "import", tmp_path).err


@pytest.mark.parametrize(("option", "value"), [("--since", "2d ago"), ("--until", "now"), ("--after", "board/1")])
def test_a_span_of_one_reading_is_a_mistake(here: Otd, tmp_path: Path, option: str, value: str) -> None:
    id, file = exported(here, tmp_path)
    assert f"{option} chooses" in here("replay", id, option, value).err
    assert f"{option} chooses" in here("replay", "--file", file, option, value).err
