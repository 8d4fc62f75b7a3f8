"""Secrets by name, from the environment, a secrets file or a folder of files.

The places, in this order; the first that has the name wins:

1. the environment: the secret `codec-admin` is OTD_SECRET_CODEC_ADMIN;
2. the secrets file, TOML, readable by its owner only (mode 0600):
       database-key = "..."
       codec-admin = "admin:password"          # a user name and a password are one secret, parted by the first colon,
       [exchange]                              # or a table of the two
       user = 'EXAMPLE\\svc-otd'
       password = "..."
       [codec-branch]                          # of an endpoint: `next` is tried once where `current` is refused
       current = "admin:password"
       next = "admin:new password"
3. a folder with one file per secret, as container platforms mount them; one line end at its end is not part of it.

What follows a secret NAME is the secret NAME-next in every one of these places.

They are read when they are asked for, so that a changed secret counts at once. No value is ever in a repr, a log line
or an error.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from otd.errors import BadSetting
from otd.quoting import shell

LARGEST = 64 * 1024
NEXT = "-next"  # the name of the secret that follows another one ends so
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


class NamedSecrets:
    """`otd.ports.Secrets` from the places above. `file` and `folder` may be None: then that place is not looked in."""

    def __init__(self, *, environment: Mapping[str, str], file: Path | None, folder: Path | None) -> None:
        self._environment, self._file, self._folder = environment, file, folder

    def get(self, name: str) -> str:
        """The secret; a table of user and password comes as `user:password`.

        Raises BadSetting, which names the secret and the places that were looked in, never values.
        """
        if not NAME.match(name):
            raise BadSetting(f"secret {name[:80]!r}", "this is not a name", "use a-z, 0-9 and hyphens, 63 at most")
        for look in (self._in_environment, self._in_file, self._in_folder):
            value = look(name)
            if value is not None:
                if not value:
                    raise BadSetting(f"secret {name}", "it is empty", f"give it a value: {self.places(name)}")
                return value
        raise BadSetting(f"secret {name}", f"it was not found; looked in {self.places(name)}", "add it to one of them")

    def has(self, name: str) -> bool:
        """Whether there is such a secret that can be read."""
        try:
            self.get(name)
        except BadSetting:
            return False
        return True

    def places(self, name: str) -> str:
        """Where this secret is looked for, for a message."""
        places = [f"the environment ({variable(name)})"]
        places += [f"the file {self._file}"] if self._file else []
        places += [f"the folder {self._folder}"] if self._folder else []
        return ", ".join(places)

    def __repr__(self) -> str:
        return f"NamedSecrets(file={str(self._file)!r}, folder={str(self._folder)!r})"

    def _in_environment(self, name: str) -> str | None:
        return self._environment.get(variable(name))

    def _in_file(self, name: str) -> str | None:
        if self._file is None or not self._file.exists():
            return None
        values = _secrets_file(self._file)
        value = values.get(name)
        if value is None:
            former = values.get(name.removesuffix(NEXT)) if name.endswith(NEXT) else None
            value = former.get("next") if isinstance(former, dict) else None
        elif isinstance(value, dict) and "current" in value and set(value) <= {"current", "next"}:
            value = value["current"]
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, dict) and set(value) == {"user", "password"}:
            user, password = value["user"], value["password"]
            if isinstance(user, str) and isinstance(password, str) and user and ":" not in user:
                return f"{user}:{password}"
        raise BadSetting(
            f"secret {name} in {self._file}",
            "it is neither a text nor a table of user and password (both texts, no colon in the user)",
            f'write {name} = "..." or [{name}] with user and password, or with current and next',
        )

    def _in_folder(self, name: str) -> str | None:
        if self._folder is None:
            return None
        path = self._folder / name
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise BadSetting(f"secret {name}", f"{path} is larger than {LARGEST} bytes", "is it the right file?")
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise BadSetting(f"secret {name}", f"{path} is not UTF-8 text", "store the secret as text") from None
        except OSError as error:
            raise BadSetting(
                f"secret {name}", f"{path} cannot be read: {error.strerror}", "let OTD's user read it"
            ) from None
        return text.removesuffix("\n").removesuffix("\r")


def variable(name: str) -> str:
    """The environment variable of a secret."""
    return "OTD_SECRET_" + name.upper().replace("-", "_")


def user_and_password(name: str, secret: str) -> tuple[str, str]:
    """The two halves of a secret `user:password`. Raises BadSetting, without the value, when there is no colon."""
    user, colon, password = secret.partition(":")
    if not (user and colon):
        raise BadSetting(f"secret {name}", "it must hold a user name and a password", 'write it as "user:password"')
    return user, password


def _secrets_file(path: Path) -> dict[str, object]:
    """The file's content, if nobody but its owner may read it. The check is made on the opened file itself."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise BadSetting(
                    str(path),
                    f"others may read or change this secrets file (mode {mode:04o})",
                    f"chmod 600 {shell(str(path))}",
                )
            content = file.read(LARGEST * 16 + 1)
        if len(content) > LARGEST * 16:
            raise BadSetting(str(path), "the secrets file is larger than 1 MiB", "is it the right file?")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise BadSetting(
            str(path), f"the secrets file cannot be read: {error.strerror}", "let OTD's user read it"
        ) from None
    except UnicodeDecodeError:
        raise BadSetting(str(path), "the secrets file is not UTF-8 text", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (.*?)\)", str(error))
        raise BadSetting(
            f"{path}, {place[1] if place else 'somewhere'}",
            "the secrets file is not TOML",
            'write name = "value", one a line',
        ) from None
