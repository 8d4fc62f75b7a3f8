"""relay.toml: the one that pairing writes mentions every setting, and what it mentions is right."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from otd.cli.init import filled
from otd.errors import BadSetting
from otd.settings.inbound import FaceTable, FeedbackTable
from otd.settings.relay import ProxyTable, ReachTable, RelayTable, load
from otd.settings.tables import SecretsTable

TABLES = {
    "relay": RelayTable,
    "proxy": ProxyTable,
    "reach": ReachTable,
    "face": FaceTable,
    "feedback": FeedbackTable,
    "secrets": SecretsTable,
}


def written() -> str:
    """As pairing writes it, with CA and proxy."""
    return filled(
        "relay.toml",
        CENTRE='"https://otd.example.com"',
        CA="",
        CA_FILE='"corp-ca.pem"',
        PROXY="",
        PROXY_URL='"http://proxy.example.com:3128"',
    )


@pytest.mark.parametrize("section", TABLES)
def test_it_mentions_every_setting(section: str) -> None:
    text = re.split(rf"(?m)^#?\[{section}\]$", written())[1].split("\n#[")[0].split("\n[")[0]
    mentioned = set(re.findall(r"(?m)^#?([a-z_]+) = ", text))
    assert mentioned == {key.name for key in fields(TABLES[section])}


def test_what_it_mentions_is_right(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(re.sub(r"(?m)^#(?=\[|[a-z_]+ = )", "", written()))
    for name in ("corp-ca.pem", "face.pfx", "face.key", "relay.pem", "relay.key"):
        (tmp_path / name).touch()
    found = load(path)
    assert (found.centre, found.concurrency) == ("https://otd.example.com", 64)
    assert found.reach.allows("10.1.2.3")
    assert found.face is not None
    assert found.feedback is not None
    assert found.feedback.root == "https://relay1.example.com:8444"
    assert found.proxy.username == "relay"


@pytest.mark.parametrize(
    ("said", "root"),
    [
        ('address = "192.0.2.10"', "http://192.0.2.10:8444"),
        ('address = "[2001:db8::7]:9000"', "http://[2001:db8::7]:9000"),
        ('address = "0.0.0.0:9000"\nhost = "relay1.example.com"', "http://relay1.example.com:9000"),
        ('address = "0.0.0.0:9000"\nhost = "nat.example.com:443"', "http://nat.example.com:443"),
    ],
)
def test_endpoints_are_told_where_to_post(tmp_path: Path, said: str, root: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(f"[feedback]\n{said}\n")
    found = load(path).feedback
    assert found is not None
    assert found.root == root


@pytest.mark.parametrize("address", ["0.0.0.0:8444", "[::]"])
def test_endpoints_cannot_be_told_every_address_of_the_machine(tmp_path: Path, address: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(f'[feedback]\naddress = "{address}"\n')
    with pytest.raises(BadSetting, match="add host"):
        load(path)
    path.write_text("[relay]\n")
    assert load(path).feedback is None


def test_the_proxy_comes_from_the_settings_else_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text("[relay]\n")
    environment = {"HTTPS_PROXY": "http://u:p@proxy.example.com:8080", "NO_PROXY": "bus.example.com"}
    proxy = load(path).proxy_with(environment)
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.username) == ("proxy.example.com", 8080, "u")
    assert not proxy.serves("bus.example.com", 5671)
    assert load(path).proxy_with({}) is None
    path.write_text('[proxy]\nurl = "http://other.example.com:3128"\nusername = "relay"\npassword = "proxy-password"\n')
    with pytest.raises(BadSetting, match="proxy-password"):
        load(path).proxy_with(environment)
    proxy = load(path).proxy_with(environment | {"OTD_SECRET_PROXY_PASSWORD": "x"})
    assert proxy is not None
    assert proxy.host == "other.example.com"
