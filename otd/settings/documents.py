"""The files of the settings: otd.toml and the tables beside it, read and merged, with the place of every key.

Beside `otd.toml` may lie a folder `otd.d`; its files `*.toml`, in the order of their names, add calendars, pools,
relays, rooms and endpoints. `otd rooms import` writes one of them, `otd.d/imported.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otd.settings.lines import Lines
from otd.settings.lines import Path as KeyPath
from otd.settings.mistakes import Mistake, did_you_mean
from otd.settings.tables import NAMED, SECTIONS

LARGEST = 16 * 1024 * 1024
SHARED = ("calendars", *NAMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its name as messages show it, its tables and the lines of its keys."""

    name: str
    tables: dict[str, Any]
    lines: Lines


@dataclass(slots=True)
class Merged:
    """All files together. `mistakes` grows while they are looked at."""

    tables: dict[str, Any] = field(default_factory=dict)
    homes: dict[tuple[str, str], Document] = field(default_factory=dict)  # of what a file beside otd.toml brought
    main: Document | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, path: KeyPath, why: str, mend: str, *, warning: bool = False) -> None:
        """Note a mistake about the key at this path."""
        home = self.homes.get((str(path[0]), str(path[1])) if len(path) > 1 else ("", ""), self.main)
        where = f"{home.name} line {home.lines.of(path)}" if home else ""
        self.mistakes.append(Mistake(where=where, key=dotted(path), why=why, mend=mend, warning=warning, path=path))


def dotted(path: KeyPath) -> str:
    """The path as a person would write it: dialplan.rules[2].pattern."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else ("." if text else "") + part
    return text


def read_files(path: Path, instead: Mapping[str, str]) -> Merged:
    """otd.toml and what lies beside it. Never raises for what stands in them.

    `instead` holds texts for files in the folder beside, by name, as if they were written there already.
    """
    merged = Merged()
    merged.main = read_document(
        path, path.name, merged.mistakes, missing="otd init writes one; --config PATH names another"
    )
    if merged.main is None:
        return merged
    merged.tables = {section: value for section, value in merged.main.tables.items() if _known(merged, section)}
    for section in SHARED:
        table = merged.tables.setdefault(section, {})
        if not isinstance(table, dict):
            merged.mistake((section,), f"{section} is a table", f"write [{section}.NAME]")
            merged.tables[section] = {}
    folder = beside(path)
    files = {file.name for file in folder.glob("*.toml")} if folder.is_dir() else set()
    for file in sorted(files | instead.keys()):
        name = f"{folder.name}/{file}"
        if document := read_document(folder / file, name, merged.mistakes, content=instead.get(file)):
            _merge(merged, document)
    return merged


def beside(path: Path) -> Path:
    """The folder of further tables: otd.d for otd.toml."""
    return path.with_suffix(".d")


def _known(merged: Merged, section: str) -> bool:
    if section not in SECTIONS:
        merged.mistake((section,), f"there is no section {section!r}", did_you_mean(section, SECTIONS))
    return section in SECTIONS


def _merge(merged: Merged, document: Document) -> None:
    def mistake(path: KeyPath, why: str, mend: str) -> None:
        where = f"{document.name} line {document.lines.of(path)}"
        merged.mistakes.append(Mistake(where=where, key=dotted(path), why=why, mend=mend, path=path))

    for section, tables in document.tables.items():
        if section not in SHARED:
            mistake((section,), f"a file beside otd.toml cannot hold {section!r}", f"only {', '.join(SHARED)}")
            continue
        if not isinstance(tables, dict):
            mistake((section,), f"{section} is a table", f"write [{section}.NAME]")
            continue
        for name, table in tables.items():
            if name in merged.tables[section]:
                first = merged.homes.get((section, name), merged.main)
                mistake(
                    (section, name),
                    f"{section}.{name} stands in {first.name if first else ''} already",
                    "remove one of the two",
                )
            else:
                merged.tables[section][name] = table
                merged.homes[section, name] = document


def read_document(
    path: Path, name: str, mistakes: list[Mistake], *, missing: str = "", content: str | None = None
) -> Document | None:
    def mistake(why: str, mend: str, where: str = name) -> None:
        mistakes.append(Mistake(where=where, key="", why=why, mend=mend))

    try:
        source = _source(path) if content is None else content
        return Document(name=name, tables=tomllib.loads(source), lines=Lines(source))
    except FileNotFoundError:
        mistake(f"there is no file {path}", missing or "look at its name and folder")
    except OSError as error:
        mistake(f"{path} cannot be read: {error.strerror}", "let OTD's user read it")
    except UnicodeDecodeError:
        mistake("the file is not UTF-8 text", "save it as UTF-8")
    except _TooLarge:
        mistake("the file is larger than 16 MiB", "is it the right file?")
    except RecursionError:
        mistake("the file is nested too deeply", "write arrays and tables on fewer levels")
    except tomllib.TOMLDecodeError as error:
        line, why = _syntax(str(error), source)
        mistake(why, _syntax_mend(why, source.split("\n")[line - 1]), f"{name} line {line}")
    return None


class _TooLarge(Exception):
    """Nobody writes settings of this size."""


def _source(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _TooLarge
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _syntax(message: str, source: str) -> tuple[int, str]:
    """The line and the words of tomllib's message; what may stand at that place is not repeated."""
    why, _, place = message.rpartition(" (at ")
    found = re.match(r"line (\d+), column (\d+)", place)
    last = max(1, source.rstrip().count("\n") + 1)
    line = min(int(found[1]), source.count("\n") + 1) if found else last
    return line, "this is not TOML: " + (why[:1].lower() + why[1:])


def _syntax_mend(why: str, line: str) -> str:
    value = line.partition("=")[2].strip()
    if "twice" in why or "overwrite" in why or "mutate" in why:
        return "a key or a [table] may stand once only; remove or rename one of the two"
    if "hex" in why or "escape" in why:
        return r"write texts with backslashes in single quotes: 'DOMAIN\name'"
    if "end of a table declaration" in why or "key" in why:
        return 'close headers as in [rooms.board]; write keys as in label = "Board"'
    if value.lower() in ("true", "false"):
        return "write true and false in small letters"
    if value.lower() in ("yes", "no", "on", "off", "none", "null"):
        return "write true or false, or leave the key out"
    if value and value[0] not in "\"'[{" and not value[0].isdigit():
        return 'put texts in quotes: key = "text"'
    if "Illegal character" in why or "illegal character" in why or "nterminated" in why:
        return "a quote is open: close it on the same line"
    return "look at the quotes, brackets and commas of this line and the one before"
