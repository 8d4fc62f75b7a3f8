"""relay.toml: the settings of a relay that is a process of its own, at a site. Checked and reported as otd.toml is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, ConfigDict, Strict, StrictBool, with_config

from otd.errors import BadSetting
from otd.reach import PRIVATE, Reach, reach_of
from otd.settings.documents import Merged, read_document
from otd.settings.inbound import FaceTable, FeedbackTable, check_told, face_access, feedback_access
from otd.settings.kinds import Address, LogForm, Networks, SecretName, Text, Url, host_and_port, listed
from otd.settings.mistakes import BadSettings, did_you_mean
from otd.settings.secrets import NamedSecrets
from otd.settings.tables import SecretsTable
from otd.settings.validation import checked_cas, checked_table
from otd.settings.values import FaceAccess, FeedbackAccess
from otd.tunnel import Proxy, proxy_at

_STRICT = ConfigDict(extra="forbid")


Entries = Annotated[tuple[Annotated[str, Strict()], ...], BeforeValidator(listed)]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTable:
    """[relay]"""

    centre: Url = ""
    ca: str = ""
    state: Text = "state"
    concurrency: Annotated[int, Strict(), Ge(1), Le(1000)] = 64
    log: LogForm = "console"
    metrics: Address = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTable:
    """[proxy]: the HTTP proxy towards the centre"""

    url: str = ""
    username: str = ""
    password: SecretName = ""
    bypass: Entries = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReachTable:
    """[reach]: where endpoints may be"""

    networks: Networks = PRIVATE
    lab: StrictBool = False


@dataclass(slots=True)
class _Tables:
    relay: RelayTable = field(default_factory=RelayTable)
    proxy: ProxyTable = field(default_factory=ProxyTable)
    reach: ReachTable = field(default_factory=ReachTable)
    face: FaceTable = field(default_factory=FaceTable)
    feedback: FeedbackTable = field(default_factory=FeedbackTable)
    secrets: SecretsTable = field(default_factory=SecretsTable)
    cas: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRelay:
    """A relay that is a process of its own. Nothing in here is secret."""

    path: Path
    centre: str  # https://..., "" for one that was set up by hand
    ca_file: Path | None  # vouches for the centre and the broker; None: the system's CAs
    state: Path
    concurrency: int
    log: Literal["console", "json"]
    metrics: tuple[str, int] | None  # where Prometheus finds it, on this machine
    proxy: ProxyTable
    reach: Reach
    face: FaceAccess | None
    feedback: FeedbackAccess | None
    cas: Mapping[str, Path]
    secrets_file: Path | None
    secrets_folder: Path | None

    @property
    def identity(self) -> Path:
        """The file that pairing writes."""
        return self.state / "identity.json"

    def secrets(self, environment: Mapping[str, str]) -> NamedSecrets:
        return NamedSecrets(environment=environment, file=self.secrets_file, folder=self.secrets_folder)

    def proxy_with(self, environment: Mapping[str, str]) -> Proxy | None:
        """The proxy of [proxy], else that of HTTPS_PROXY, with NO_PROXY; None for none. Raises BadSetting."""
        said = self.proxy
        if not said.url:
            url = environment.get("HTTPS_PROXY") or environment.get("https_proxy") or ""
            bypass = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
            return proxy_at(url, where="HTTPS_PROXY", bypass=bypass) if url else None
        found = proxy_at(said.url, where=f"{self.path.name}, proxy.url", bypass=" ".join(said.bypass))
        if not said.username:
            return found
        password = self.secrets(environment).get(said.password) if said.password else ""
        return replace(found, username=said.username, password=password)


def load(path: Path) -> SiteRelay:
    """The settings in this file. Raises BadSettings with every mistake."""
    path = path.absolute()
    merged, tables = Merged(), _Tables()
    missing = "`otd relay pair https://CENTRE` writes one; --config PATH names another"
    merged.main = read_document(path, path.name, merged.mistakes, missing=missing)
    if merged.main is not None:
        merged.tables = merged.main.tables
        _check(merged, tables, path.parent)
    if merged.mistakes:
        raise BadSettings(merged.mistakes)
    folder, said = path.parent, tables.relay
    return SiteRelay(
        path=path,
        centre=said.centre.rstrip("/"),
        ca_file=folder / said.ca if said.ca else None,
        state=folder / said.state,
        concurrency=said.concurrency,
        log=said.log,
        metrics=_metrics(said.metrics),
        proxy=tables.proxy,
        reach=reach_of(tables.reach.networks, lab=tables.reach.lab),
        face=face_access(tables.face, folder),
        feedback=feedback_access(tables.feedback, folder),
        cas=MappingProxyType({name: folder / file for name, file in tables.cas.items()}),
        secrets_file=folder / tables.secrets.file if tables.secrets.file else None,
        secrets_folder=folder / tables.secrets.folder if tables.secrets.folder else None,
    )


def _check(merged: Merged, tables: _Tables, folder: Path) -> None:
    shapes: dict[str, type[Any]] = {
        "relay": RelayTable,
        "proxy": ProxyTable,
        "reach": ReachTable,
        "face": FaceTable,
        "feedback": FeedbackTable,
        "secrets": SecretsTable,
    }
    for section in merged.tables:
        if section not in (*shapes, "cas"):
            merged.mistake((section,), f"there is no section {section!r}", did_you_mean(section, (*shapes, "cas")))
    for section, shape in shapes.items():
        if table := checked_table(merged, (section,), merged.tables.get(section, {}), shape):
            setattr(tables, section, table)
    tables.cas = checked_cas(merged)
    if merged.mistakes:  # what refers to a wrong value is not looked at
        return
    files = {("relay", "ca"): tables.relay.ca, ("face", "certificate"): tables.face.certificate}
    feedback = tables.feedback
    files |= {("feedback", "certificate"): feedback.certificate, ("feedback", "key"): feedback.key}
    check_told(merged, ("feedback", "address"), feedback.address, feedback.host)
    files |= {("face", "key"): tables.face.key} | {("cas", name): file for name, file in tables.cas.items()}
    for path, file in files.items():
        if file and not (folder / file).is_file():
            merged.mistake(path, f"there is no file {folder / file}", "look at its name and folder")
    if tables.proxy.url:
        try:
            proxy_at(tables.proxy.url, where="")
            if "@" in tables.proxy.url:
                merged.mistake(("proxy", "url"), "a password does not belong here", "use username and password")
        except BadSetting as error:
            merged.mistake(("proxy", "url"), error.why, error.mend)
    elif tables.proxy.username or tables.proxy.bypass:
        merged.mistake(("proxy",), "there is no url", "add url = ..., or leave the section out")


def _metrics(address: str) -> tuple[str, int] | None:
    if not address:
        return None
    host, port = host_and_port(address)
    return host, 9464 if port is None else port
