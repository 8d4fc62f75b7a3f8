"""`otd relay pair`: ask the centre to let this relay in, and keep the identity that it gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otd.cli.options import examples, with_relay_config

if TYPE_CHECKING:
    from otd.bus.identity import Identity
    from otd.relay.pairing import Collected
    from otd.settings.relay import SiteRelay


@click.command(
    epilog=examples(
        "otd relay pair https://otd.example.com",
        "otd relay pair https://otd.example.com --ca corp-ca.pem",
        "otd relay pair https://otd.example.com --proxy http://relay@proxy.example.com:3128",
    )
)
@click.argument("centre", required=False)
@click.option("--ca", metavar="FILE", default="", help="The CA that vouches for the centre, instead of the system's.")
@click.option("--proxy", metavar="URL", default="", help="The HTTP proxy on the way, perhaps with USER@ before it.")
@click.option("--again", is_flag=True, help="Pair a relay anew that has an identity already.")
@with_relay_config
def pair(centre: str | None, ca: str, proxy: str, again: bool, config: str) -> int:
    """Ask the centre (https://...) to let this relay in, and wait until it did.

    It shows a registration code, which an administrator types at the centre; then both screens show a fingerprint,
    which he confirms when they are the same. What is under way, and why it stalls, is printed. The settings are written
    to relay.toml, unless there is one; what the proxy asks for is looked up as the secret proxy-password.
    """
    import secrets
    import socket
    import time

    from otd.bus import seal
    from otd.bus.identity import save
    from otd.errors import BadSetting
    from otd.outbound import Http, public_trust
    from otd.pairing import Keys
    from otd.relay.pairing import Door, Own
    from otd.relay.pairing import pair as ask

    path = Path(config)
    fresh = not path.exists()
    if fresh:
        _write(path, centre or "", ca, proxy)
    found = _settings(path, fresh, centre or "", ca, proxy)
    if found.identity.exists() and not again:
        from otd.bus.identity import load

        known = load(found.identity)
        raise BadSetting(
            str(found.identity),
            f"this is relay {known.relay} of pool {known.pool} already",
            "`otd relay run` starts it; --again pairs it anew, after `otd relays revoke` at the centre",
        )
    found.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    signing, sealing = seal.new_key(), seal.new_key()
    public = Keys(signing=seal.public_signing(signing), sealing=seal.public_sealing(sealing))
    own = Own(signing=signing, public=public, nonce=secrets.token_bytes(32))
    trust = public_trust(str(found.ca_file or ""))
    said: list[str] = []

    def say(step: str) -> None:
        said.append(step)
        _say(step)

    try:
        with Http(trust=trust, proxy=found.proxy_with(os.environ), connections=1) as http:
            collected = ask(Door(http, found.centre), own, host=socket.gethostname(), say=say, rest=time.sleep)
    except BaseException:
        if fresh and not any(step.startswith("registration code") for step in said):
            path.unlink(missing_ok=True)  # what was typed led nowhere: it may be typed again in another way
        raise
    identity = opened(collected, signing, sealing)
    save(identity, found.identity)
    _say(f"paired: this is relay {identity.relay} of pool {identity.pool} (identity in {found.identity})")
    option = "" if config == "relay.toml" else f" --config {config}"
    _say(f"next: otd relay check{option}, then otd relay run{option}")
    return 0


@click.command(epilog=examples("otd relay keys", "otd relay keys --config /etc/otd/relay.toml"))
@with_relay_config
def keys(config: str) -> int:
    """Make this relay's keys, unless it has some, and show the public ones: for a set-up by hand.

    At the centre `otd relays adopt NAME --pool POOL --keys ...` takes them and prints what is still to be done.
    """
    from otd.bus import seal
    from otd.bus.identity import keys_in
    from otd.settings.relay import load

    found = load(Path(config))
    signing, sealing = keys_in(found.state / "keys.json")
    click.echo(f"{seal.public_signing(signing)}.{seal.public_sealing(sealing)}")
    return 0


@click.command(epilog=examples("otd relay accept eyJyZWxheSI6ICJyZWxheTEi..."))
@click.argument("grant")
@with_relay_config
def accept(grant: str, config: str) -> int:
    """Take the GRANT that `otd relays adopt` printed at the centre: for a set-up by hand.

    Asks for the password that this relay's user was given at the broker; without a terminal it is read from standard
    input.
    """
    import json
    import sys
    from base64 import urlsafe_b64decode

    from otd.bus.identity import granted, keys_in, save
    from otd.errors import BadSetting
    from otd.settings.relay import load

    found = load(Path(config))
    try:
        said = json.loads(urlsafe_b64decode(grant))
        centre, broker = str(said.pop("centre")), dict(said["broker"])
    except (ValueError, TypeError, KeyError):
        raise BadSetting("GRANT", "it cannot be read", "copy the whole line that `otd relays adopt` printed") from None
    tty = sys.stdin.isatty()
    password = (
        click.prompt(f"Password of {broker.get('user')}", hide_input=True) if tty else sys.stdin.readline().strip()
    )
    if not password:
        raise BadSetting("the password", "it is empty", "type the one that the broker's user was given")
    signing, sealing = keys_in(found.state / "keys.json")
    said["broker"] = broker | {"password": password}
    identity = granted(json.dumps(said).encode(), centre=centre, signing=signing, sealing=sealing)
    save(identity, found.identity)
    click.echo(f"this is relay {identity.relay} of pool {identity.pool}; next: otd relay check, then otd relay run")
    return 0


def opened(collected: Collected, signing: str, sealing: str) -> Identity:
    """The identity that the centre sealed for this relay. Raises Untrusted for one that it did not."""
    from otd.bus.identity import granted
    from otd.bus.seal import open_order

    said = open_order(collected.sealed, collected.relay, sealing, collected.centre)
    return granted(said, centre=collected.centre, signing=signing, sealing=sealing)


def _say(step: str) -> None:
    click.echo(step)


def _write(path: Path, centre: str, ca: str, proxy: str) -> None:
    """A relay.toml with what was said on the command line."""
    from urllib.parse import urlsplit

    from otd.cli.init import filled
    from otd.errors import BadSetting
    from otd.quoting import toml_string

    if not centre.startswith("https://"):
        raise BadSetting("the centre", "its address is needed, with https://", "otd relay pair https://otd.example.com")
    parts = urlsplit(proxy if "://" in proxy or not proxy else f"http://{proxy}")
    if parts.password:
        mend = "write USER@ only, and set the secret proxy-password: OTD_SECRET_PROXY_PASSWORD or in secrets.toml"
        raise BadSetting("--proxy", "a password on a command line is seen by every user of this machine", mend)
    where = proxy.replace(f"{parts.username}@", "", 1) if parts.username else proxy
    text = filled(
        "relay.toml",
        CENTRE=toml_string(centre),
        CA="" if ca else "#",
        CA_FILE=toml_string(str(Path(ca).absolute())) if ca else '"corp-ca.pem"',
        PROXY="" if proxy else "#",
        PROXY_URL=toml_string(where) if proxy else '"http://proxy.example.com:3128"',
    )
    if parts.username:
        text = text.replace('#username = "relay"', f"username = {toml_string(parts.username)}")
        text = text.replace("#password = ", "password = ")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadSetting(str(path), f"it cannot be written: {error.strerror}", "name another with --config") from None


def _settings(path: Path, fresh: bool, centre: str, ca: str, proxy: str) -> SiteRelay:
    """What stands in the file; what was said on the command line must not differ. A file that was just written and is
    wrong is not left behind."""
    from otd.errors import BadSetting
    from otd.settings.relay import load

    try:
        found = load(path)
    except BadSetting:
        if fresh:
            path.unlink(missing_ok=True)
        raise
    if not fresh and (ca or proxy):
        raise BadSetting(str(path), "it is there already, and says itself which CA and proxy to use", "change it there")
    if centre and centre.rstrip("/") != found.centre:
        raise BadSetting(str(path), f"it names another centre: {found.centre or 'none'}", "change it there")
    if not found.centre:
        raise BadSetting(str(path), "it names no centre", "add centre = ... under [relay]")
    return found
