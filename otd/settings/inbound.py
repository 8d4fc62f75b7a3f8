"""Where a relay listens for endpoints: in relay.toml the tables [face] and [feedback]; in otd.toml the same keys in
[relays.NAME], with `face_` and `feedback_` before them, and `face` and `feedback` for the address."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, with_config

from otd.settings.documents import Merged
from otd.settings.kinds import Address, SecretName, host_and_port
from otd.settings.lines import Path as KeyPath
from otd.settings.tables import MinimumTls, RelayTable
from otd.settings.validation import UNKNOWN
from otd.settings.values import FaceAccess, FeedbackAccess

FACE, FEEDBACK = 443, 8444  # the ports, unless one is given
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104  where nobody can be reached


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTable:
    """[face]: the calendar server that this relay is to Polycom endpoints"""

    address: Address = ""
    certificate: str = ""
    key: str = ""
    passphrase: SecretName = ""
    minimum_tls: MinimumTls = "1.2"
    host: str = ""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackTable:
    """[feedback]: where Cisco endpoints tell this relay that they restarted"""

    address: Address = ""
    certificate: str = ""
    key: str = ""
    passphrase: SecretName = ""
    minimum_tls: MinimumTls = "1.2"
    host: Address = ""


_Shape = TypeVar("_Shape", FaceTable, FeedbackTable)


def of_relay(table: RelayTable, section: str, shape: type[_Shape]) -> _Shape:
    """What a relay's table in otd.toml says of this section."""
    keys = {key.name: section if key.name == "address" else f"{section}_{key.name}" for key in fields(shape)}
    return shape(**{name: getattr(table, key) for name, key in keys.items()})


def face_access(table: FaceTable, folder: Path) -> FaceAccess | None:
    """None where no address is given."""
    if not table.address:
        return None
    host, port = host_and_port(table.address)
    return FaceAccess(
        address=host,
        port=FACE if port is None else port,
        certificate=folder / table.certificate if table.certificate else None,
        key=folder / table.key if table.key else None,
        passphrase=table.passphrase,
        minimum_tls=table.minimum_tls,
        host=table.host,
    )


def feedback_access(table: FeedbackTable, folder: Path) -> FeedbackAccess | None:
    """None where no address is given. Endpoints are told `host`, with or without a port, instead of the address."""
    if not table.address:
        return None
    host, port = host_and_port(table.address)
    name, told_port = host_and_port(table.host) if table.host else (host, None)
    port = FEEDBACK if port is None else port
    bracketed = f"[{name}]" if ":" in name else name
    return FeedbackAccess(
        address=host,
        port=port,
        root=f"{'https' if table.certificate else 'http'}://{bracketed}:{told_port or port}",
        certificate=folder / table.certificate if table.certificate else None,
        key=folder / table.key if table.key else None,
        passphrase=table.passphrase,
        minimum_tls=table.minimum_tls,
    )


def check_told(merged: Merged, path: KeyPath, address: str, told: str) -> None:
    """That endpoints can be told where to post. Mistakes go to `merged`; `path` is that of the address."""
    if address and UNKNOWN not in (address, told) and not told and host_and_port(address)[0] in _ANY:
        key = "host" if path[-1] == "address" else "feedback_host"
        why = "it stands for every address of this machine, and endpoints have to be told one"
        merged.mistake(path, why, f'add {key} = "192.0.2.10", as endpoints reach it')
