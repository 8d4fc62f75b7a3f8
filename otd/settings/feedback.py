"""Where a relay listens for endpoints that tell it of their restarts: the same in otd.toml and in relay.toml."""

from __future__ import annotations

from pathlib import Path

from otd.settings.documents import Merged
from otd.settings.kinds import host_and_port
from otd.settings.lines import Path as KeyPath
from otd.settings.validation import UNKNOWN
from otd.settings.values import FeedbackAccess

PORT = 8444  # unless one is given
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104  where nobody can be reached


def feedback_access(
    address: str, *, told: str, certificate: Path | None, key: Path | None, passphrase: str, minimum_tls: str
) -> FeedbackAccess | None:
    """None where no address is given. `told` is the host, with or without its port, that endpoints are told instead."""
    if not address:
        return None
    host, port = host_and_port(address)
    name, told_port = host_and_port(told) if told else (host, None)
    port = PORT if port is None else port
    bracketed = f"[{name}]" if ":" in name else name
    return FeedbackAccess(
        address=host,
        port=port,
        root=f"{'https' if certificate else 'http'}://{bracketed}:{told_port or port}",
        certificate=certificate,
        key=key,
        passphrase=passphrase,
        minimum_tls=minimum_tls,
    )


def check_told(merged: Merged, path: KeyPath, address: str, told: str) -> None:
    """That endpoints can be told where to post. Mistakes go to `merged`; `path` is that of the address."""
    if address and UNKNOWN not in (address, told) and not told and host_and_port(address)[0] in _ANY:
        key = "host" if path[-1] == "address" else "feedback_host"
        why = "it stands for every address of this machine, and endpoints have to be told one"
        merged.mistake(path, why, f'add {key} = "192.0.2.10", as endpoints reach it')
