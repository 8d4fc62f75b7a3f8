"""Patterns that operators write: RE2, so that no pattern and no text takes longer than linear time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

LONGEST_PATTERN = 1000
LONGEST_TEXT = 256 * 1024  # characters of a field that a pattern looks at
_REFERENCE = re.compile(r"\\(?:(?P<number>[0-9]{1,2})|g<(?P<name>\w+)>|(?P<other>.))", re.DOTALL)


class Pattern:
    """A compiled pattern with its replacement."""

    __slots__ = ("_compiled", "_numbered", "blank", "groups", "names", "replacement")

    def __init__(self, pattern: str, replacement: str = "") -> None:
        """Raises ValueError, in words, when RE2 does not take the pattern or the replacement names no group of it."""
        if len(pattern) > LONGEST_PATTERN or len(replacement) > LONGEST_PATTERN:
            raise ValueError(f"longer than {LONGEST_PATTERN} characters")
        self._compiled: Any = _compile(pattern)
        self.groups: int = self._compiled.groups
        self.names: dict[str, int] = dict(self._compiled.groupindex)
        self.blank = dict.fromkeys(self.names, "")
        self._numbered = ("value", *(f"m{number}" for number in range(1, self.groups + 1)))
        self.replacement = replacement
        for reference in _REFERENCE.finditer(replacement):
            self._check(reference)

    def _check(self, reference: re.Match[str]) -> None:
        number, name, other = reference["number"], reference["name"], reference["other"]
        if number is not None and int(number) > self.groups:
            raise ValueError(f"the replacement names group {number}, and the pattern has {self.groups}")
        if name is not None and not name.isdigit() and name not in self.names:
            raise ValueError(f"the replacement names group {name!r}, which the pattern does not have")
        if name is not None and name.isdigit() and int(name) > self.groups:
            raise ValueError(f"the replacement names group {name}, and the pattern has {self.groups}")
        if other is not None and other != "\\":
            raise ValueError(f"the replacement has \\{other}; a backslash is written \\\\")

    def search(self, text: str) -> dict[str, str] | None:
        """None when the text does not hold it; else `value` (the replacement, or what was found) and the groups.

        Groups go by their names, and by m1, m2, ...; one that took no part is "".
        """
        found = self._compiled.search(text[:LONGEST_TEXT].encode("utf-8", "replace"))
        if found is None:
            return None
        parts = (found[0], *found.groups(default=b"")) if self.groups else (found[0],)
        groups = [part.decode("utf-8", "replace") for part in parts]
        values = dict(zip(self._numbered, groups, strict=True))
        if self.replacement:
            values["value"] = self._replaced(groups)
        for name, number in self.names.items():
            if groups[number]:
                values[name] = groups[number]
        return values

    def _replaced(self, groups: list[str]) -> str:
        def expand(reference: re.Match[str]) -> str:
            if reference["other"]:
                return "\\"
            which = reference["number"] or reference["name"]
            return groups[int(which) if which.isdigit() else self.names[which]]

        return _REFERENCE.sub(expand, self.replacement)


@lru_cache(maxsize=512)
def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0]
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None
