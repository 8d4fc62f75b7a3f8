"""What `otd relay check` tries, from this machine to the centre, its broker and the endpoints, and where endpoints call
it: each step of each way in a line of its own, so that the first one that fails says what to mend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otd.cli.relay_inbound import inbound
from otd.cli.relay_ways import WITHIN, Line, Way, issuer_of, opened, trusting
from otd.errors import OtdError, Unreachable
from otd.tunnel import PROXY, Proxy

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from otd.bus.identity import Identity
    from otd.model import Endpoint
    from otd.relay.memory import Memory
    from otd.settings.relay import SiteRelay

CLOCK = timedelta(seconds=10)  # an offset that is a fault


def everything(settings: SiteRelay) -> list[Line]:
    """All lines, in the order in which a person reads them."""
    from otd.bus.identity import load
    from otd.errors import BadSetting

    proxy = settings.proxy_with(os.environ)
    identity, unpaired = None, ""
    try:
        identity = load(settings.identity)
    except BadSetting as error:
        unpaired = f"{error.why} ({error.mend})"
    with ThreadPoolExecutor(16) as threads:
        centre = threads.submit(_centre, settings, proxy, identity)
        broker = threads.submit(_broker, settings, proxy, identity, unpaired)
        with _endpoints(settings) as (memory, endpoints):
            reached = [threads.submit(_endpoint, settings, memory, one) for one in endpoints if memory is not None]
            lines = [*centre.result(), *broker.result(), *inbound(settings), *(one.result() for one in reached)]
    return lines


# --- the centre ---------------------------------------------------------------------------------------------------


def _centre(settings: SiteRelay, proxy: Proxy | None, identity: Identity | None) -> list[Line]:
    if not settings.centre:
        found = "no centre is set: this relay is looked after by hand"
        return [Line(way="centre", step="HTTPS", result="skip", found=found)]
    parts = urlsplit(settings.centre)
    way = Way(
        name="centre",
        host=parts.hostname or "",
        port=parts.port or 443,
        needed=identity is None,
        consequence="its password cannot be renewed, which is due every 30 days"
        if identity is not None
        else "this relay cannot be paired",
        proxy=proxy,
        context=trusting(str(settings.ca_file or "")),
    )
    lines, shown = opened(way, tls=parts.scheme == "https")
    if shown is None:
        return [*lines, Line(way="clock", step="clock", result="skip", found="not known: the centre was not reached")]
    return [*lines, *_https(settings, way, identity, shown)]


def _https(settings: SiteRelay, way: Way, identity: Identity | None, shown: Certificate) -> list[Line]:
    import json

    from otd.outbound import Http, public_trust
    from otd.pairing import data, is_proof

    trust = public_trust(str(settings.ca_file or ""))
    with Http(trust=trust, proxy=way.proxy, connections=1) as http:
        ask = partial(http.request, "GET", where=f"the centre {settings.centre}", within=WITHIN)
        try:
            before = datetime.now(UTC)
            health = ask(f"{settings.centre}/health")
            took = datetime.now(UTC) - before
            said = json.loads(health.body)
            signed = json.loads(ask(f"{settings.centre}/certificate").body)
            theirs, signature = str(signed["certificate"]), data(str(signed["signature"]))
            ready = bool(said["live"]) and bool(said["ready"])
        except OtdError as error:
            return [way.line("HTTPS", "FAIL", error.why, error.mend)]
        except (ValueError, KeyError, TypeError):
            mend = "is this the address at which `otd serve` answers? Does something in between show a page of its own?"
            return [way.line("HTTPS", "FAIL", "what answers is not the centre", mend)]
    lines = []
    if not ready:
        lines.append(way.line("HTTPS", "warn", "the centre answers, but its database is away", "look at the centre"))
    else:
        lines.append(way.line("HTTPS", "ok", f"the centre answers, in {took.total_seconds() * 1000:.0f} ms"))
    vouched = identity is None or is_proof(identity.centre, "certificate", theirs.encode(), signature)
    lines.append(_re_signed(way, shown, theirs, vouched=vouched))
    lines.append(_clock(health.headers.get("date", ""), before, took))
    return lines


def _re_signed(way: Way, shown: Certificate, theirs: str, *, vouched: bool) -> Line:
    """Whether the certificate that we see is the one that the centre shows, and vouches for."""
    from cryptography.hazmat.primitives import hashes

    step, ours = "in between", f"sha256:{shown.fingerprint(hashes.SHA256()).hex()}"
    if not vouched:
        found = "what answers is not the centre that this relay was paired with"
        return way.line(step, "warn", found, "was the centre set up anew? Then pair this relay anew")
    if not theirs:
        return way.line(step, "skip", "not known: TLS ends at a proxy of the centre's own")
    if ours != theirs:
        found = f"something re-signs TLS: it shows a certificate of {issuer_of(shown.issuer)}, not the centre's own"
        mend = (
            f"except {way.host}:{way.port} from TLS inspection: what relays say is sealed, but inspection may break it"
        )
        return way.line(step, "warn", found, mend)
    return way.line(step, "ok", "nothing re-signs TLS: the centre vouches for the certificate that is seen here")


def _clock(date: str, before: datetime, took: timedelta) -> Line:
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return Line(way="clock", step="clock", result="skip", found="the centre does not say what time it is")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    offset = before + took / 2 - theirs - timedelta(milliseconds=500)  # its header has whole seconds
    if abs(offset) <= CLOCK:
        return Line(way="clock", step="clock", result="ok", found=f"right, within {max(1, abs(offset).seconds)} s")
    ahead = "ahead" if offset > timedelta(0) else "behind"
    return Line(
        way="clock",
        step="clock",
        result="warn",
        found=f"{abs(offset).total_seconds():.0f} s {ahead} of the centre's",
        consequence="it judges by the centre's time, but certificates and logs go by its own",
        mend="let NTP through (UDP 123), and look at timedatectl",
    )


# --- the broker ---------------------------------------------------------------------------------------------------


def _broker(settings: SiteRelay, proxy: Proxy | None, identity: Identity | None, unpaired: str) -> list[Line]:
    from otd.bus.broker import AMQPS, HTTPS

    if identity is None:
        return [Line(way="broker", step="AMQPS", result="skip", found=unpaired)]
    broker = identity.broker
    way = Way(
        name="broker",
        host=broker.host,
        port=broker.port,
        needed=True,
        consequence="no list reaches an endpoint through this relay; Polycom endpoints keep the last ones for 12 hours",
        proxy=proxy,
        context=trusting(str(settings.ca_file or ""), broker.ca_pem),
    )
    lines, _ = opened(way, tls=broker.tls)
    if lines[-1].result == "FAIL" and broker.tls and broker.port == AMQPS:
        beside = replace(way, port=HTTPS)
        others, _ = opened(beside)
        if others[-1].result == "ok":  # the relay takes that one by itself
            lines[-1] = replace(
                lines[-1], result="warn", works_without=True, consequence=f"port {HTTPS} is used instead"
            )
            return [*lines, *others, _amqps(settings, beside, identity, proxy)]
    if lines[-1].result == "FAIL":
        if not way.through and broker.port != 443 and lines[-1].step == "TCP":
            other = "or offer the broker on port 443 at the centre ([bus] relays_address)"
            lines[-1] = way.line("TCP", "FAIL", lines[-1].found, f"{lines[-1].mend}; {other}")
        return lines
    return [*lines, _amqps(settings, way, identity, proxy)]


def _amqps(settings: SiteRelay, way: Way, identity: Identity, proxy: Proxy | None) -> Line:
    from otd.bus.amqp import pool_queue, relay_queue
    from otd.bus.broker import BROKEN, connect, drop, meaning

    broker = replace(identity.broker, port=way.port, proxy=proxy, ca_file=str(settings.ca_file or ""))
    try:
        connection = connect(broker)
    except OtdError as error:
        mend = "was it revoked? `otd relay pair --again` pairs it anew" if error.code == "denied" else error.mend
        return way.line("AMQPS", "FAIL", error.why, error.mend if error.reason == PROXY else mend)
    try:
        channel = connection.channel()
        others = channel.queue_declare(pool_queue(identity.pool), passive=True).consumer_count
        channel.queue_declare(relay_queue(identity.relay), passive=True)
    except BROKEN as error:
        mend = "are `otd run` or workers at work at the centre? They make the queues"
        return way.line("AMQPS", "warn", f"signed in, but: {meaning(error, broker).why}", mend)
    finally:
        drop(connection)
    found = f"signed in as {identity.relay}; pool {identity.pool} has {others} relay{'s' * (others != 1)} at work"
    return way.line("AMQPS", "ok", found)


# --- endpoints ----------------------------------------------------------------------------------------------------


@contextmanager
def _endpoints(settings: SiteRelay) -> Iterator[tuple[Memory | None, tuple[Endpoint, ...]]]:
    """Those that this relay has had orders for."""
    from otd.relay.memory import Memory

    path = settings.state / "relay.db"
    if not path.exists():
        yield None, ()
        return
    memory = Memory(path)
    try:
        yield memory, memory.endpoints()
    finally:
        memory.close()


def _endpoint(settings: SiteRelay, memory: Memory, endpoint: Endpoint) -> Line:
    from otd import wiring
    from otd.cli.checks import LookedAtPins, check_endpoint
    from otd.placing import KINDS
    from otd.reach import confined

    way = f"endpoint {endpoint.name}"
    if endpoint.kind in KINDS:
        return Line(
            way=way, step="face", result="skip", found="it asks this relay: `otd relay status` says what it got"
        )
    pins = LookedAtPins(memory)
    drivers = wiring.drivers_with(settings.secrets(os.environ), pins, settings.cas)
    try:
        with confined(settings.reach):
            checked = check_endpoint(drivers[endpoint.kind], endpoint, pins, within=WITHIN)
    finally:
        for driver in drivers.values():
            driver.close()
    if checked.ok:
        return Line(way=way, step=endpoint.address, result="ok", found=checked.result)
    mend = checked.mend
    if checked.result.startswith(Unreachable.code):
        mend = f"is it on? Else add a rule to the firewall: allow TCP from this machine to {endpoint.address}"
    return Line(
        way=way,
        step=endpoint.address,
        result="FAIL",
        found=checked.result,
        consequence=f"{checked.consequence}, unless another relay of its pool reaches it",
        mend=mend,
    )
