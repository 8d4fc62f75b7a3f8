"""Which line of a TOML file each key stands on.

`tomllib` keeps no places. This scans the same source once more, knowing that it is valid TOML, and notes the line of
every table, key and array element under its path: ("rooms", "board", "mailbox"), ("dialplan", "rules", 0, "pattern").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_STRING = re.compile(  # the four kinds of TOML strings; three-quoted ones may end in up to five quotes
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})(?!")' r"|'''.*?'''(?:'{0,2})(?!')" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class Lines:
    """The lines of one file, a valid TOML document, counted from 1. It is scanned when the first line is asked for."""

    def __init__(self, source: str) -> None:
        self._source = source

    @cached_property
    def known(self) -> Mapping[Path, int]:
        """The line of every path in the file."""
        return _Scan(self._source).document()

    def of(self, path: Path) -> int:
        """The line of this path, or of the nearest thing around it that stands in the file; 1 when nothing does."""
        while path and path not in self.known:
            path = path[:-1]
        return self.known.get(path, 1)


class _Scan:
    """One pass over the source; `at` is where it stands."""

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0
        self.line, self.counted = 1, 0
        self.known: dict[Path, int] = {}
        self.last_element: dict[Path, int] = {}  # of each array of tables, the index of its last [[table]]

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self.skip()
        while self.at < len(self.source):
            line = self.here()
            if self.source.startswith("[[", self.at):
                array = self.header(2)
                self.last_element[array] = self.last_element.get(array, -1) + 1
                table = (*array, self.last_element[array])
                self.note(table, line)
            elif self.source[self.at] == "[":
                table = self.header(1)
                self.note(table, line)
            else:
                self.pair(table)
            self.skip()
        return self.known

    def header(self, brackets: int) -> Path:
        self.at += brackets
        path: Path = ()
        words = self.key()
        for place, word in enumerate(words):
            path = (*path, word)
            if path in self.last_element and not (brackets == 2 and place == len(words) - 1):
                path = (*path, self.last_element[path])
        self.at += brackets
        return path

    def pair(self, table: Path) -> None:
        line = self.here()
        path = (*table, *self.key())
        self.note(path, line)
        self.at += 1  # the equals sign
        self.skip()
        self.value(path)

    def key(self) -> tuple[str, ...]:
        words: list[str] = []
        while True:
            self.skip()
            if found := _STRING.match(self.source, self.at):
                words.append(_unquoted(found[0]))
            elif found := _BARE_KEY.match(self.source, self.at):
                words.append(found[0])
            else:
                raise ValueError(f"no key at {self.at}")
            self.at = found.end()
            self.skip()
            if self.source[self.at] != ".":
                return tuple(words)
            self.at += 1

    def value(self, path: Path) -> None:
        if found := _STRING.match(self.source, self.at):
            self.at = found.end()
        elif self.source[self.at] == "[":
            self.at += 1
            index = 0
            while self.more("]"):
                self.note((*path, index), self.here())
                self.value((*path, index))
                index += 1
        elif self.source[self.at] == "{":
            self.at += 1
            while self.more("}"):
                self.pair(path)
        elif found := _BARE_VALUE.match(self.source, self.at):
            self.at = found.end()
        else:
            raise ValueError(f"no value at {self.at}")

    def more(self, end: str) -> bool:
        """Step over blanks and a comma; at the end of the array or inline table step over that and say so."""
        self.skip()
        if self.source[self.at] == ",":
            self.at += 1
            self.skip()
        if self.source[self.at] == end:
            self.at += 1
            return False
        return True

    def skip(self) -> None:
        if found := _BLANK.match(self.source, self.at):
            self.at = found.end()

    def here(self) -> int:
        self.line += self.source.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def note(self, path: Path, line: int) -> None:
        for size in range(1, len(path) + 1):  # a dotted key stands for its tables too, unless they stand elsewhere
            self.known.setdefault(path[:size], line)


def _unquoted(word: str) -> str:
    import tomllib

    (key,) = tomllib.loads(f"{word} = 0")
    return key
