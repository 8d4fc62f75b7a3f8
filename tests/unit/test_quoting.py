"""Hostile names and labels in every language that OTD writes: read back by that language's own reader where one is at
hand, they are the text that went in, and never more than one value."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import tomllib

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from otd import quoting

HOSTILE = [
    "",
    "Board room",
    'O\'Brien "the" room',
    "\u2018curly\u2019 \u201alow\u201b \u201cdouble\u201d",
    "$(Remove-Mailbox *) `$x ${env:PATH} `n",
    "a; rm -rf / & del * | more && x || y > z < w",
    "two\nlines\r\nand\ttabs",
    "nul\0inside",
    "\u202eright to left\u202c \u2066isolated\u2069",
    "😀 👩‍👩‍👧 \U000e0001tag",
    "]]> <!-- & &amp; </Command> ' \"",
    "\x1b[2J\x07\x08 control",
    "\\ backslash \\n \\",
    "# % {{ jinja }} ${x} \u2028\u2029",
    "--option -x",
    "=cmd|' /C calc'!A0",
    "'",
    '"""',
    "\udc80 half a pair",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(), st.text(alphabet="'\"`$\\\n\r\t;&<>|=+-@ \u2019\0a\u202e"))
REPLACED = "\ufffd"


def without_halves(text: str) -> str:
    return re.sub("[\ud800-\udfff]", REPLACED, text)


# --- PowerShell ---------------------------------------------------------------------------------------------------


def powershell_reads(expression: str) -> str:
    """What PowerShell makes of a joined expression of single-quoted strings and characters by number; anything else
    fails. Each of the five single quotes ends a string unless it is doubled (PowerShell's tokenizer)."""
    quotes = "'\u2018\u2019\u201a\u201b"
    if expression.startswith("("):
        assert expression.endswith(")")
        expression = expression[1:-1]
    out, at = "", 0
    while True:
        if number := re.compile(r"\[char\](?:::ConvertFromUtf32\()?0x([0-9A-F]+)\)?").match(expression, at):
            out += chr(int(number[1], 16))
            at = number.end()
        else:
            assert expression[at] in quotes
            at += 1
            while not (expression[at] in quotes and expression[at + 1 : at + 2] not in (*quotes,)):
                at += expression[at] in quotes
                out += expression[at]
                at += 1
            at += 1
        if at == len(expression):
            return out
        assert expression[at] == "+"
        at += 1


@given(TEXTS)
def test_powershell_reads_the_same_text_and_nothing_runs(text: str) -> None:
    assert powershell_reads(quoting.powershell(text)) == text


@given(TEXTS)
def test_a_powershell_line_stays_one_line_that_shows_all_it_does(text: str) -> None:
    quoted = quoting.powershell(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", quoted)


def test_powershell_takes_typographic_quotes_as_quotes() -> None:
    assert quoting.powershell("Anna\u2019s room") == "'Anna\u2019\u2019s room'"
    assert quoting.powershell("plain") == "'plain'"
    assert quoting.powershell("a\nb") == "('a'+[char]0x000A+'b')"
    assert quoting.powershell("\n1") == "(''+[char]0x000A+'1')"


# --- the shell ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_the_shell_reads_one_word_with_the_same_text(text: str) -> None:
    done = subprocess.run(["/bin/sh", "-c", f"printf '%s|' {quoting.shell(text)} end"], capture_output=True, check=True)
    assert done.stdout.decode() == without_halves(text.replace("\0", REPLACED)) + "|end|"


# --- XML ----------------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_xml_holds_the_text_and_only_the_text(text: str) -> None:
    kept = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", REPLACED, text)
    element = etree.fromstring(f"<a b={quoting.xml_attr(text)}>{quoting.xml_text(text)}</a>".encode())
    assert (element.text or "") == kept
    assert element.get("b") == kept
    assert len(element) == 0


# --- patterns -----------------------------------------------------------------------------------------------------


@given(TEXTS.filter(lambda text: text == without_halves(text)))
def test_a_pattern_matches_the_text_and_nothing_else(text: str) -> None:
    pattern = quoting.regex(text)
    assert re.fullmatch(pattern, text)
    assert re2.fullmatch(pattern, text)
    assert not re.fullmatch(pattern, text + "x")
    assert re.compile(pattern).groups == 0


# --- metrics ------------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_metric_keeps_its_one_label(text: str) -> None:
    (family,) = text_string_to_metric_families(f"otd_rooms{{room={quoting.metric_label(text)}}} 1\n")
    (sample,) = family.samples
    assert sample.labels == {"room": without_halves(text)}
    assert sample.value == 1


# --- TOML ---------------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_toml_reads_the_same_text_on_one_line(text: str) -> None:
    quoted = quoting.toml_string(text)
    assert tomllib.loads(f"key = {quoted}") == {"key": without_halves(text)}
    assert not re.search("[\n\r\u202e]", quoted)


# --- CSV ----------------------------------------------------------------------------------------------------------


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_table_gives_back_its_cells(texts: list[str]) -> None:
    line = ",".join(quoting.csv_cell(text) for text in texts)
    (row,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    assert [quoting.csv_text(cell) for cell in row] == [without_halves(t.replace("\0", REPLACED)) for t in texts]


@given(st.sampled_from("=+-@\t\r\uff1d\uff0b\uff0d\uff20"), TEXTS, st.sampled_from(["", " ", "'"]))
def test_no_cell_is_a_formula(start: str, rest: str, before: str) -> None:
    (row,) = csv.reader(io.StringIO(quoting.csv_cell(before + start + rest), newline=""))
    assert row[0].startswith("'")
