"""Text put safely into another language: one function for each.

Whatever OTD writes that is made from names and labels (PowerShell lines, XML, patterns, metrics, settings, tables) goes
through the function of its language. What comes back is complete, its own quotes included, and means exactly the text
that was given; a character that the language cannot hold at all (NUL in a shell word, a control character in XML, half
of a surrogate pair in UTF-8) becomes U+FFFD. Pure.
"""

from __future__ import annotations

import re
import shlex
import unicodedata

_REPLACEMENT = "\ufffd"
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"  # PowerShell takes the typographic ones as quotes too
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # what spreadsheets take as the start of a formula


def powershell(text: str) -> str:
    """A PowerShell expression for the text, which works as an argument and as an operand.

    A single-quoted string, in which nothing is expanded. What cannot be seen on a line (line ends, NUL, direction
    marks) is joined in by its number, so that a line stays one line and shows all that it does.
    """
    parts: list[str] = []
    run = ""
    for ch in text:
        if unicodedata.category(ch) in _INVISIBLE:
            parts += [f"'{run}'"] if run else []
            parts.append(f"[char]0x{ord(ch):04X}" if ord(ch) <= 0xFFFF else f"[char]::ConvertFromUtf32(0x{ord(ch):X})")
            run = ""
        else:
            run += ch * 2 if ch in _SINGLE_QUOTES else ch
    if run or not parts:
        parts.append(f"'{run}'")
    if len(parts) == 1 and parts[0].startswith("'"):
        return parts[0]
    if not parts[0].startswith("'"):
        parts.insert(0, "''")  # the first operand decides that + joins text
    return "(" + "+".join(parts) + ")"


def shell(text: str) -> str:
    """One word of a POSIX shell's command line."""
    return shlex.quote(_SURROGATES.sub(_REPLACEMENT, text.replace("\0", _REPLACEMENT)))


def xml_text(text: str) -> str:
    """Character data between two tags."""
    escaped = _NOT_XML.sub(_REPLACEMENT, text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r", "&#13;")  # parsers turn a bare one into a line feed


def xml_attr(text: str) -> str:
    """An attribute's value, its double quotes included."""
    escaped = xml_text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{escaped}"'


def regex(text: str) -> str:
    """A pattern that matches just this text, in Python's `re`, RE2, PCRE and Erlang alike."""
    return re.sub(
        r"[\x00-\x1f\x7f]", lambda c: f"\\x{ord(c[0]):02x}", re.sub(r"([^\w\x00-\x1f\x7f-\U0010ffff])", r"\\\1", text)
    )


def metric_label(text: str) -> str:
    """A label's value in the Prometheus text format, its quotes included."""
    escaped = _SURROGATES.sub(_REPLACEMENT, text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'


def toml_string(text: str) -> str:
    """A TOML basic string on one line, its quotes included."""
    escaped = _SURROGATES.sub(_REPLACEMENT, text).replace("\\", r"\\").replace('"', r"\"")
    return (
        '"'
        + re.sub(
            r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", escaped
        )
        + '"'
    )


def csv_cell(text: str) -> str:
    """A cell of a comma- or semicolon-separated table, its quotes included.

    A text that a spreadsheet would run as a formula gets an apostrophe before it; `csv_text` takes that off again.
    """
    kept = _SURROGATES.sub(_REPLACEMENT, text.replace("\0", _REPLACEMENT))
    if kept.lstrip(" '").startswith(_FORMULA):
        kept = "'" + kept
    return '"' + kept.replace('"', '""') + '"'


def csv_text(cell: str) -> str:
    """What a cell written by `csv_cell` meant, once a CSV reader has taken its quotes off."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" '").startswith(_FORMULA) else cell
