"""The line of every key in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.quoting import toml_string
from otd.settings.lines import Lines, Path

SOURCE = '''# a comment with [brackets] and "quotes
title = "x"  # = [y]
[calendars.office]
kind = "graph"
nested = [1, # one
  "two]", { d = "e,}", f.g = [ ] },
]
text = """
fake = 1
[fake]
"""  # over
[[dialplan.rules]]
name = 'a#b'
[[dialplan.rules]]
name = """a "quoted"" text"""
"dotted.key".sub = 2026-01-05T09:00:00Z
[dialplan.rules.more]
x = 1
[rooms."board room"]
label = "B"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("calendars", "office"), 3),
        (("calendars", "office", "kind"), 4),
        (("calendars", "office", "nested", 1), 6),
        (("calendars", "office", "nested", 2, "f", "g"), 6),
        (("calendars", "office", "text"), 8),
        (("dialplan", "rules", 0, "name"), 13),
        (("dialplan", "rules", 1, "name"), 15),
        (("dialplan", "rules", 1, "dotted.key", "sub"), 16),
        (("dialplan", "rules", 1, "more", "x"), 18),
        (("rooms", "board room", "label"), 20),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int) -> None:
    assert Lines(SOURCE).of(path) == line


def test_a_key_that_is_missing_is_reported_at_its_table() -> None:
    assert Lines(SOURCE).of(("calendars", "office", "tenant")) == 3
    assert Lines(SOURCE).of(("nowhere", "at", "all")) == 1


def test_what_only_looks_like_a_key_has_no_line() -> None:
    assert ("fake",) not in Lines(SOURCE).known


KEYS = st.one_of(st.text(alphabet="abc-_1", min_size=1), st.text(max_size=5).map(lambda s: s.replace("\ud800", "")))
VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def written(value: Any, newline: str) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_string(value)
        case list():
            return "[" + ",".join(newline + written(one, newline) for one in value) + newline + "]"
        case dict():
            return "{ " + ", ".join(f"{toml_string(key)} = {written(one, '')}" for key, one in value.items()) + " }"
        case _:
            return repr(value)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(one, (*path, key))


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.sampled_from(["", "\n# ]\n"]),
)
def test_every_path_of_a_document_has_a_line(top: dict[str, Any], table: dict[str, Any], newline: str) -> None:
    source = "".join(f"{toml_string(k)} = {written(v, newline)}\n" for k, v in top.items() if k != "table")
    source += "[table]\n" + "".join(f"{toml_string(k)} = {written(v, newline)}\n" for k, v in table.items())
    document = tomllib.loads(source)
    found = Lines(source).known
    assert set(found) == set(paths(document))
    for key in document["table"]:
        assert source.split("\n")[found["table", key] - 1].startswith(toml_string(key))
