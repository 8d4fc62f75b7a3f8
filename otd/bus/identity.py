"""What makes a process a relay of this installation: one JSON file that only its owner may read (mode 0600).

    {
      "v": 1,
      "relay": "hq-1",                    its name, and the `kid` of its keys
      "pool": "hq",
      "broker": {
        "host": "broker.example.com", "port": 5671, "tls": true, "ca_pem": "",
        "vhost": "otd-relays", "user": "otd-relays.hq-1", "password": "..."
      },
      "centre": "...",                    the centre's public signing key
      "signing": "...",                   its own private keys: Ed25519, to sign reports,
      "sealing": "..."                    and X25519, to open orders
    }

Keys as in otd.bus.seal. `ca_pem` is the PEM text of the CA that vouches for the broker, "" for the system's. The name
of the broker's user is `user_of(vhost, relay)`: the broker vouches for it on every report.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from otd.bus.broker import Broker
from otd.bus.seal import new_key
from otd.errors import BadSetting, Garbled
from otd.quoting import shell

VERSION = 1
LARGEST = 256 * 1024  # bytes of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """See above."""

    relay: str
    pool: str
    broker: Broker
    centre: str
    signing: str = field(repr=False)
    sealing: str = field(repr=False)


def user_of(vhost: str, relay: str) -> str:
    """The broker's user of a relay. Users are shared by all virtual hosts of a broker, so the vhost stands in front."""
    return f"{vhost}.{relay}"


def granted(said: bytes, *, centre: str, signing: str, sealing: str) -> Identity:
    """The identity from what the centre gives a relay when it lets it in: relay, pool and broker. Raises Garbled."""
    try:
        found = {**json.loads(said), "centre": centre, "signing": signing, "sealing": sealing}
        return TypeAdapter(Identity).validate_python(found)
    except (ValidationError, ValueError, TypeError):
        raise Garbled("the centre", "what it gives is not an identity", "is this OTD of the same version?") from None


def keys_in(path: Path) -> tuple[str, str]:
    """Private keys for signing and sealing, of a relay that is set up by hand; made when the file is not there. Raises
    BadSetting."""
    if not path.exists():
        made = {"signing": new_key(), "sealing": new_key()}
        _write_private(path, json.dumps(made) + "\n")
    try:
        found = json.loads(_read_private(path))
        return str(found["signing"]), str(found["sealing"])
    except (ValueError, KeyError, TypeError):
        raise BadSetting(str(path), "it does not hold keys", "remove it, and adopt the relay anew") from None


def save(identity: Identity, path: Path) -> None:
    """Write the file, whole or not at all, readable by its owner only. Raises BadSetting."""
    _write_private(path, json.dumps({"v": VERSION, **asdict(identity)}, indent=2) + "\n")


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise BadSetting(
            str(path), f"it cannot be written: {error.strerror}", "check the folder and its rights"
        ) from None


def load(path: Path) -> Identity:
    """The identity in this file. Raises BadSetting, never with what stands in it."""
    content = _read_private(path)
    try:
        found: dict[str, Any] = json.loads(content)
        version = found.pop("v", None)
        if version != VERSION:
            raise BadSetting(str(path), f"it is not an identity of version {VERSION}", "pair this relay anew")
        return TypeAdapter(Identity).validate_python(found)
    except (ValidationError, ValueError, AttributeError, TypeError):
        raise BadSetting(str(path), "it does not hold a relay's identity", "pair this relay anew") from None


def _read_private(path: Path) -> bytes:
    """What stands in a file that nobody else may read."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                why = f"others may read this relay's keys (mode {mode:04o})"
                raise BadSetting(str(path), why, f"chmod 600 {shell(str(path))}")
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        mend = "pair this relay: `otd relay pair https://CENTRE`"
        raise BadSetting(str(path), "there is no such file: this relay has no identity yet", mend) from None
    except OSError as error:
        raise BadSetting(str(path), f"it cannot be read: {error.strerror}", "let OTD's user read it") from None
