"""`otd relay cert check`: what a certificate for the face lacks, before an endpoint finds out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from otd.cli.options import examples, with_json
from otd.cli.output import coloured, plain, print_json
from otd.errors import BadSetting

if TYPE_CHECKING:
    from cryptography import x509

SOON = timedelta(days=30)
LOCKED = "locked"
Finding = tuple[str, str, str, str]  # result, what, what was found, the mend


@click.group(epilog=examples("otd relay cert check face.pfx"))
def cert() -> None:
    """Look at certificates for the face of a relay."""


@cert.command(
    epilog=examples(
        "otd relay cert check face.pfx --host otd.example.com",
        "otd relay cert check chain.pem --key face.key",
        "otd relay cert check face.pfx --passphrase face-passphrase",
    )
)
@click.argument("file")
@click.option("--key", metavar="FILE", default="", help="The private key, when it is in a file of its own.")
@click.option("--host", metavar="NAME", default="", help="The name or address by which endpoints reach the relay.")
@click.option("--passphrase", metavar="NAME", default="", help="The secret that opens it; else it is asked for.")
@click.option("--secrets", "secrets_file", metavar="FILE", default="secrets.toml", help="Where secrets are looked for.")
@with_json
def check(file: str, key: str, host: str, passphrase: str, secrets_file: str, as_json: bool) -> int:
    """Say what FILE (PFX or PEM) lacks to serve as the certificate of a face: leaf, key, chain, names, expiry.

    The exit code is 1 when it cannot serve.
    """
    path, key_path, password = Path(file), Path(key) if key else None, _password(passphrase, secrets_file)
    try:
        certificates, private = read(path, key_path, password)
    except BadSetting as error:
        if error.reason != LOCKED or password or not sys.stdin.isatty():
            raise
        certificates, private = read(path, key_path, str(click.prompt("Passphrase", hide_input=True)))
    found = findings(certificates, private, host, datetime.now(UTC))
    if as_json:
        print_json([dict(zip(("result", "what", "found", "mend"), one, strict=True)) for one in found])
    else:
        for result, what, said, mend in found:
            colour = {"ok": "green", "warn": "yellow", "FAIL": "red"}[result]
            click.echo(f"{coloured(result.ljust(4), colour)} {what}: {plain(said)}" + (f" ({mend})" if mend else ""))
    return int(any(one[0] == "FAIL" for one in found))


def _password(name: str, secrets_file: str) -> str:
    import os

    from otd.settings.secrets import NamedSecrets

    if not name:
        return ""
    return NamedSecrets(environment=os.environ, file=Path(secrets_file), folder=None).get(name)


def read(path: Path, key: Path | None, password: str) -> tuple[list[x509.Certificate], Any]:
    """The certificates in the order of the file, and the private key, None when there is none. Raises BadSetting, whose
    reason is LOCKED when the password does not open it."""
    try:
        data = path.read_bytes()
        keys = key.read_bytes() if key is not None else data
    except OSError as error:
        raise BadSetting(str(error.filename), f"it cannot be read: {error.strerror}", "look at its name") from None
    try:
        certificates, private = _parsed(path, data, keys, password)
    except (ValueError, TypeError):
        raise BadSetting(str(path), "a certificate in it cannot be read", "export it anew, as PFX or PEM") from None
    if not certificates and private is None:
        raise BadSetting(str(path), "there is neither a certificate nor a key in it", "is it PFX (.pfx, .p12) or PEM?")
    return certificates, private


def _parsed(path: Path, data: bytes, keys: bytes, password: str) -> tuple[list[x509.Certificate], Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import pkcs12

    if path.suffix.casefold() in (".pfx", ".p12"):
        try:
            private, leaf, chain = pkcs12.load_key_and_certificates(data, password.encode() or None)
        except ValueError:
            raise _locked(path, "the passphrase does not open it, or it is no PFX file") from None
        return [one for one in (leaf, *chain) if one is not None], private
    certificates = x509.load_pem_x509_certificates(data) if b"-----BEGIN CERTIFICATE" in data else []
    return certificates, _private(path, keys, password)


def _private(path: Path, data: bytes, password: str) -> Any:
    from cryptography.hazmat.primitives import serialization

    if b"PRIVATE KEY-----" not in data:
        return None
    try:
        return serialization.load_pem_private_key(data, password.encode() or None)
    except TypeError:
        if b"ENCRYPTED" in data:
            raise _locked(path, "its key is locked") from None
        return serialization.load_pem_private_key(data, None)  # a passphrase that nobody asked for
    except ValueError:
        raise _locked(path, "the passphrase does not open its key") from None


def _locked(path: Path, why: str) -> BadSetting:
    mend = "name the secret that opens it: --passphrase NAME, passphrase in relay.toml"
    return BadSetting(str(path), why, mend, reason=LOCKED)


def findings(certificates: list[x509.Certificate], private: Any, host: str, now: datetime) -> list[Finding]:
    """What it has and lacks, in the order in which to mend it."""
    leaf = _leaf(certificates, private)
    if leaf is None:
        there = f"{len(certificates)} certificates of authorities only" if certificates else "no certificate"
        return [("FAIL", "leaf", there, "export the server's own certificate too"), _key(None, private)]
    found = [("ok", "leaf", _called(leaf), ""), _key(leaf, private), *_order(certificates, leaf)]
    return [*found, _chain(certificates, leaf), *_names(leaf, host), _usage(leaf), _expiry(certificates, now)]


def _leaf(certificates: list[x509.Certificate], private: Any) -> x509.Certificate | None:
    """The certificate of the key, else the first one that is not an authority's."""
    own = [one for one in certificates if private is not None and one.public_key() == private.public_key()]
    servers = [one for one in certificates if not _is_authority(one)]
    return next(iter([*own, *servers]), None)


def _key(leaf: x509.Certificate | None, private: Any) -> Finding:
    if private is None:
        return ("FAIL", "key", "there is no private key", "export it with its private key, or name it with --key")
    if leaf is not None and leaf.public_key() != private.public_key():
        return ("FAIL", "key", "it belongs to another certificate", "find the one that the request was made with")
    size = getattr(private, "key_size", 0)
    if type(private).__name__.startswith("RSA") and size < 2048:
        return ("FAIL", "key", f"RSA with {size} bits is refused by today's software", "use 2048 or more")
    return ("ok", "key", f"fits, {size} bits" if size else "fits", "")


def _order(certificates: list[x509.Certificate], leaf: x509.Certificate) -> list[Finding]:
    if certificates[0] is leaf:
        return []
    return [
        ("FAIL", "order", "the server's certificate is not the first in the file", "put it first, then its issuers")
    ]


def _chain(certificates: list[x509.Certificate], leaf: x509.Certificate) -> Finding:
    """Whether each issuer up to a root stands in the file; the root itself need not."""
    from cryptography.exceptions import InvalidSignature

    current, seen = leaf, [leaf]
    while current.issuer != current.subject:
        issuer = None
        for one in certificates:
            try:
                current.verify_directly_issued_by(one)
                issuer = one
                break
            except (ValueError, TypeError, InvalidSignature):
                continue
        if issuer is None or issuer in seen:
            break
        seen.append(issuer)
        current = issuer
    words = " <- ".join(_called(one) for one in seen)
    if current.issuer == current.subject:
        alone = " (self-signed: endpoints must be told to trust it)" if len(seen) == 1 else ""
        return ("ok", "chain", f"{words}{alone}", "")
    missing = _name_of(current.issuer)
    if len(seen) > 1:
        return ("ok", "chain", f"{words} <- {missing}, which is not in the file: right if that is a root", "")
    mend = f"add the certificate of {missing} behind it, unless that is a root which every endpoint knows"
    return ("warn", "chain", f"{words}: its issuer {missing} is not in the file", mend)


def _names(leaf: x509.Certificate, host: str) -> list[Finding]:
    from ipaddress import ip_address

    from cryptography import x509

    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [("FAIL", "names", "it has no subject alternative names", "issue it with the relay's name in them")]
    names = alternative.get_values_for_type(x509.DNSName)
    addresses = [str(one) for one in alternative.get_values_for_type(x509.IPAddress)]
    found: list[Finding] = [("ok", "names", ", ".join([*names, *addresses]) or "none that a server has", "")]
    if not host:
        return found
    wanted = host.casefold().rstrip(".")
    try:
        fits = str(ip_address(wanted)) in addresses
    except ValueError:
        fits = any(_covers(name.casefold(), wanted) for name in names)
    return (
        found if fits else [("FAIL", "names", f"it is not for {host}, but for {found[0][2]}", f"issue it for {host}")]
    )


def _covers(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _usage(leaf: x509.Certificate) -> Finding:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ("ok", "use", "not restricted", "")
    if ExtendedKeyUsageOID.SERVER_AUTH in usage:
        return ("ok", "use", "server authentication", "")
    return ("FAIL", "use", "it is not for servers", "issue it with server authentication")


def _expiry(certificates: list[x509.Certificate], now: datetime) -> Finding:
    first = min(certificates, key=lambda one: one.not_valid_after_utc)
    until, whose = first.not_valid_after_utc, _called(first)
    if late := next((one for one in certificates if one.not_valid_before_utc > now), None):
        return ("FAIL", "expiry", f"{_called(late)} is not valid before {late.not_valid_before_utc:%Y-%m-%d}", "wait")
    if until <= now:
        return ("FAIL", "expiry", f"{whose} ran out on {until:%Y-%m-%d}", "renew it")
    if until - now < SOON:
        return ("warn", "expiry", f"{whose} runs out on {until:%Y-%m-%d}", "renew it soon")
    return ("ok", "expiry", f"until {until:%Y-%m-%d}", "")


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _called(certificate: x509.Certificate) -> str:
    return _name_of(certificate.subject)


def _name_of(name: x509.Name) -> str:
    from otd.cli.relay_ways import issuer_of

    return issuer_of(name)
