"""Mode bits that bind root, too, so that tests of what may not be read run as any user."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words for each set
_READS_ALL = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def mode_bits_bind() -> Iterator[None]:
    """In this thread, and in those that it starts, what a file's mode forbids is forbidden."""
    if os.geteuid() != 0:
        yield
        return
    before = _capabilities()
    _set([before[0] & ~_READS_ALL, *before[1:]])
    try:
        yield
    finally:
        _set(before)


def _capabilities() -> list[int]:
    """Effective, permitted and inheritable ones, of the lower and then of the upper 32."""
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", sets)
    return list(sets)


def _set(sets: list[int]) -> None:
    _call("capset", (ctypes.c_uint32 * 6)(*sets))


def _call(name: str, sets: ctypes.Array[ctypes.c_uint32]) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)  # 0: this thread
    if getattr(ctypes.CDLL(None, use_errno=True), name)(header, sets) != 0:
        raise OSError(ctypes.get_errno(), f"{name} failed")
