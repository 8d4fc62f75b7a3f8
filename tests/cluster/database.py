"""A PostgreSQL cluster of the tests' own, which can be stopped and set back."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.node import free_port

_POSTGRES = "postgres"  # PostgreSQL refuses to run as root


class OwnDatabase:
    """A PostgreSQL cluster of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._port = free_port()
        self.url = f"postgresql://{_POSTGRES}@127.0.0.1:{self._port}/postgres"
        self._run("initdb", "--auth=trust", "--no-sync", "-U", _POSTGRES, "-D", str(self._data))

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-D", str(self._data), "-o", options, "-l", log, "start")

    def stop(self) -> None:
        """At once; it recovers when it is started again."""
        self._run("pg_ctl", "-w", "-D", str(self._data), "-m", "immediate", "stop")

    def keep_copy(self) -> None:
        """For `restore`; the cluster is stopped for a moment."""
        self.stop()
        shutil.rmtree(self._folder / "copy", ignore_errors=True)
        self._run("cp", "-a", str(self._data), str(self._folder / "copy"))
        self.start()

    def restore(self) -> None:
        """Everything is as it was when the copy was kept."""
        self.stop()
        shutil.rmtree(self._data)
        self._run("cp", "-a", str(self._folder / "copy"), str(self._data))
        self.start()

    def _run(self, *arguments: str) -> None:
        as_whom = {"user": _POSTGRES, "group": _POSTGRES} if os.getuid() == 0 else {}
        # pg_ctl hands its outputs on to the server, which would keep a pipe open for ever.
        with (self._folder / "commands").open("ab") as log:
            subprocess.run(
                arguments,
                check=True,
                stdout=log,
                stderr=log,
                timeout=120,
                cwd=self._folder,
                **as_whom,  # type: ignore[call-overload]
            )


@contextlib.contextmanager
def own_database() -> Iterator[OwnDatabase]:
    folder = Path(tempfile.mkdtemp(prefix="otd-test-"))
    if os.getuid() == 0:
        shutil.chown(folder, _POSTGRES, _POSTGRES)
    try:
        found = OwnDatabase(folder)
        found.start()
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
