"""What travels in a task: a claim with the version of its form.

    {"v": 1, "claim": {the fields of otd.model.Work}}

Fields that are not known are passed over. A version is raised only when older workers could not do the work rightly;
then version N goes on writing the form of N-1 for one release, so that workers of both run side by side. A worker drops
what it cannot read: the row's lease runs out, and it is claimed anew.
"""

from __future__ import annotations

from typing import Any

from otd import wire
from otd.errors import Garbled
from otd.model import Work

VERSION = 1


def write(work: Work) -> dict[str, Any]:
    return {"v": VERSION, "claim": wire.plain(work)}


def read(message: Any) -> Work:
    """Raises Garbled."""
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise Garbled("a task", f"it is not of version {VERSION}")
    work: Work = wire.value(Work, message.get("claim"), "a task")
    return work
