"""Very many simulated codecs in a process of their own.

    python -m otd.lab.codec_fleet COUNT PASSWORD MILLISECONDS

Every answer takes so long, as real endpoints take their time. It says in a line of JSON at which addresses they listen,
and stops at the end of its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from otd.lab.certificates import self_signed
from otd.lab.codec import Codec
from otd.lab.defaults import CODEC_USER


@contextmanager
def fleet(count: int, password: str, slow: timedelta) -> Iterator[tuple[str, ...]]:
    """Their addresses, for as long as the process runs."""
    milliseconds = str(slow // timedelta(milliseconds=1))
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "otd.lab.codec_fleet", str(count), password, milliseconds],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        yield tuple(json.loads(line))
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()
        if process.stdout:
            process.stdout.close()


def main(count: str, password: str, milliseconds: str) -> None:
    certificate = self_signed("otd-lab-fleet")
    codecs = [
        Codec(name=f"codec{number}", users={CODEC_USER: password}, speed=None, certificate=certificate)
        for number in range(int(count))
    ]
    for codec in codecs:
        codec.start()
        codec.faults.slow = timedelta(milliseconds=int(milliseconds))
    print(json.dumps([codec.address for codec in codecs]), flush=True)  # noqa: T201
    sys.stdin.read()
    for codec in codecs:
        codec.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
