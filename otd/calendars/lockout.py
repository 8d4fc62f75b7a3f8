"""A refused password is not tried for every room: a directory locks an account after a few wrong attempts."""

from __future__ import annotations

import time
from datetime import timedelta
from hashlib import sha256
from threading import Lock

from otd.errors import Denied

ATTEMPTS = 3  # one could be a server that is in trouble: Exchange answers 401 then, too
PAUSE = timedelta(minutes=30)  # directories count wrong passwords of the last half hour or so


class Lockout:
    """Counts the refusals of one account in a row; safe from several threads."""

    def __init__(self, attempts: int = ATTEMPTS, pause: timedelta = PAUSE) -> None:
        self._attempts, self._pause = attempts, pause.total_seconds()
        self._lock = Lock()
        self._password = b""
        self._refused = 0
        self._until = 0.0

    def check(self, password: str, where: str) -> None:
        """Raises Denied when this password was refused too often of late; after the pause, one attempt passes."""
        with self._lock:
            if self._digest(password) != self._password or self._refused < self._attempts:
                return
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + self._pause
                return
            raise Denied(
                where,
                f"the account was refused {self._refused} times; it is not tried again for half an hour, so that it "
                "is not locked out",
                "correct the password, or unlock the account",
                rest=timedelta(seconds=self._until - time.monotonic()),
                everywhere=True,
            )

    def refused(self, password: str) -> bool:
        """The server did not accept it; whether that was so often that it is not tried for a while."""
        with self._lock:
            digest = self._digest(password)
            self._refused = self._refused + 1 if digest == self._password else 1
            self._password = digest
            self._until = time.monotonic() + self._pause
            return self._refused >= self._attempts

    def accepted(self) -> None:
        """The server answered to the account."""
        if self._refused:
            with self._lock:
                self._refused, self._password = 0, b""

    @staticmethod
    def _digest(password: str) -> bytes:
        return sha256(password.encode("utf-8", "surrogatepass")).digest()
