"""The README's map of files is true: every module stands in it, and it names none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SELF_EVIDENT = {"__init__", "__main__"}


def mapped() -> dict[str, set[str]]:
    """Folder -> the modules that the README names in it."""
    rows = re.findall(r"^\| `((?:otd|workers)[^`]*)/` \|[^|]*\|([^|]*)\|$", (ROOT / "README.md").read_text(), re.M)
    found: dict[str, set[str]] = {}
    for folder, names in rows:
        found.setdefault(folder, set()).update(names.split())
    return found


def test_every_module_stands_in_the_map_and_no_other() -> None:
    found: dict[str, set[str]] = {}
    for top in ("otd", "workers"):
        for path in (ROOT / top).rglob("*.py"):
            folder = path.parent.relative_to(ROOT).as_posix()
            if path.stem not in SELF_EVIDENT and "migrations" not in folder:
                found.setdefault(folder, set()).add(path.stem)
    assert mapped() == found
