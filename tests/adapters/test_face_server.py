"""The face's server: TLS and its certificates, and clients that are old, odd or hostile."""

from __future__ import annotations

import base64
import gc
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from otd.certificates import CertificateFiles
from otd.errors import BadSetting
from otd.inbound import Server, serve
from otd.lab.certificates import Certificate, self_signed
from otd.relay.face.app import Face, FaceSettings
from otd.relay.lists import Lists
from tests.adapters.face_client import GET_FOLDER, KEY, PASSWORD, a_list, envelope, find_item
from tests.values import MINUTE, SECOND, FixedClock

BASIC = "Basic " + base64.b64encode(f"poly1:{PASSWORD}".encode()).decode()
SETTINGS = FaceSettings(hold_back=timedelta(0), within=SECOND / 4)


def a_face() -> Face:
    lists = Lists(None, KEY)
    lists.put(a_list())
    return Face(lists, on_fetch=lambda fetch: None, clock=FixedClock(), settings=SETTINGS)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()  # what was not closed would warn here, and warnings are errors
    assert set(threading.enumerate()) <= before


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=None) as server:
        yield server


@dataclass
class Line:
    """A connection, spoken to in bytes."""

    socket: socket.socket
    rest: bytes = field(default=b"")

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.rest!r}"
            self.rest += more
        found, _, self.rest = self.rest.partition(mark)
        return found

    def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        head = self.until(b"\r\n\r\n").lower()
        size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]) if b"content-length: " in head else 0
        while len(self.rest) < size:
            self.rest += self.socket.recv(65536)
        body, self.rest = self.rest[:size], self.rest[size:]
        return int(head.split()[1]), head, body

    def is_closed(self) -> bool:
        """Whether the connection ends, after what may still be on its way."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    with socket.create_connection((server.address, server.port), timeout=10) as connection:
        yield Line(connection)


def a_request(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"POST /ews/EXCHANGE.asmx HTTP/{version}", "Host: otd.example.com", *headers]
    if not any("chunked" in header for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


AUTH = f"Authorization: {BASIC}"
ASKED = envelope(find_item())


def test_an_endpoint_that_begins_with_ntlm_goes_on_with_basic_on_the_same_connection(line: Line) -> None:
    line.send(a_request(ASKED * 50, "Authorization: NTLM TlRMTVNTUAABAAAA"))
    status, head, _ = line.answer()
    assert status == 401
    assert head.count(b"www-authenticate") == 1
    assert b'www-authenticate: basic realm="otd.example.com"' in head
    line.send(a_request(ASKED, AUTH))
    assert line.answer()[0] == 200


def test_http_1_0_is_answered_and_closed(line: Line) -> None:
    line.send(a_request(ASKED, AUTH, version="1.0"))
    status, _, body = line.answer()
    assert status == 200
    assert body.endswith(b"</s:Envelope>")
    assert line.is_closed()


def test_a_chunked_body_without_content_type_and_with_a_byte_order_mark_is_read(line: Line) -> None:
    body = b"\xef\xbb\xbf" + ASKED
    line.send(a_request(b"", AUTH, "Transfer-Encoding: chunked"))
    for start in range(0, len(body), 100):
        piece = body[start : start + 100]
        line.send(b"%x\r\n" % len(piece), piece, b"\r\n")
    line.send(b"0\r\n\r\n")
    assert line.answer()[0] == 200


def test_a_client_that_waits_for_a_go_ahead_gets_one(line: Line) -> None:
    whole = a_request(ASKED, AUTH, "Expect: 100-continue")
    line.send(whole[: -len(ASKED)])
    assert line.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
    line.send(ASKED)
    assert line.answer()[0] == 200


def test_a_request_that_is_too_large_is_cut_off(line: Line) -> None:
    line.send(a_request(b"", AUTH, f"X: {'Content'}", "Transfer-Encoding: chunked"))
    piece = b"x" * 65536
    try:
        for _ in range(17):
            line.send(b"%x\r\n" % len(piece), piece, b"\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has been answered already
    assert line.answer()[0] == 413


def test_a_request_that_drips_is_cut_off(line: Line) -> None:
    line.send(a_request(ASKED, AUTH)[:-10])
    status, head, _ = line.answer()
    assert status == 408
    assert b"connection: close" in head
    assert line.is_closed()


def test_what_is_not_http_is_refused(line: Line) -> None:
    line.send(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1 hello\r\n\r\n")
    assert line.answer()[0] == 400
    assert line.is_closed()


HOSTILE = {
    "entities": b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c SYSTEM "file:///etc/passwd">]>' + ASKED.partition(b"?>")[2],
    "utf-16 document type": ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>').encode(
        "utf-16"
    ),
    "not xml": b"hello",
    "nothing": b"",
    "cut": ASKED[:-20],
    "no body": b"<Envelope/>",
    "two operations": ASKED.replace(b"</s:Body>", b"<m:GetItem/></s:Body>"),
    "deep": b"<x>" * 5000 + b"</x>" * 5000,
    "no shape": envelope("<m:FindItem/>"),
    "no ids": envelope("<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape></m:GetItem>"),
    "unknown version": envelope(GET_FOLDER, "Exchange1999"),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_nonsense_is_a_fault_and_the_connection_goes_on(line: Line, body: bytes) -> None:
    line.send(a_request(body, AUTH))
    status, _, answer = line.answer()
    assert status == 500
    assert b"<s:Fault>" in answer
    assert b"ServerVersionInfo" in answer
    assert b"root:" not in answer
    line.send(a_request(ASKED, AUTH))
    assert line.answer()[0] == 200


def test_every_request_of_a_pipeline_is_answered_in_order(line: Line) -> None:
    line.send(a_request(ASKED, AUTH) + a_request(b"x", AUTH) + a_request(ASKED, AUTH))
    assert [line.answer()[0] for _ in range(3)] == [200, 500, 200]


def test_a_stop_breaks_off_what_is_open(server: Server, line: Line) -> None:
    line.send(a_request(ASKED, AUTH)[:-10])
    server.stop()
    assert line.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.address, server.port), timeout=5)


def test_an_address_that_is_taken_is_a_setting_to_mend(server: Server) -> None:
    with pytest.raises(BadSetting, match=f"{server.port}.*Address already in use"):
        serve(a_face(), name="face", address="127.0.0.1", port=server.port, certificate=None)


# --- curl -------------------------------------------------------------------------------------------------------------

CURL = shutil.which("curl")


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--user", f"OTD\\poly1:{PASSWORD}", "/EWS/Exchange.asmx"), "200"),
        (("/EWS/Exchange.asmx",), "401"),
        (("--anyauth", "--user", f"poly1:{PASSWORD}", "--data-binary", ASKED.decode(), "/EWS/Exchange.asmx"), "200"),
        (("--http1.0", "--user", f"poly1:{PASSWORD}", "--data-binary", ASKED.decode(), "/EWS/Exchange.asmx"), "200"),
        (("--user", f"poly1:{PASSWORD}", "--data", "x", "/EWS/Services.wsdl"), "404"),
        (("--user", f"poly1:{PASSWORD}", "--request", "DELETE", "/EWS/Exchange.asmx"), "405"),
        (("/ready",), "200"),
        (("/health",), "200"),
    ],
)
def test_curl_is_answered(server: Server, arguments: tuple[str, ...], status: str) -> None:
    *options, path = arguments
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--output", "/dev/null", "--max-time", "10"]
    done = subprocess.run(
        [*command, "--write-out", "%{http_code}", *options, server.url + path],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == status


# --- TLS --------------------------------------------------------------------------------------------------------------


def pem(folder: Path, certificate: Certificate) -> Path:
    path = folder / "face.pem"
    path.write_text(certificate.key + certificate.pem)
    return path


def pfx(folder: Path, certificate: Certificate, password: bytes) -> Path:
    path = folder / "face.pfx"
    key = serialization.load_pem_private_key(certificate.key.encode(), None)
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"face",
            key,  # type: ignore[arg-type]
            x509.load_pem_x509_certificate(certificate.pem.encode()),
            None,
            serialization.BestAvailableEncryption(password),
        )
    )
    return path


def shown(server: Server, trusted: Certificate, version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> str:
    """The TLS version that was agreed upon with a client that trusts this certificate; asks once."""
    context = ssl.create_default_context(cadata=trusted.pem)
    context.maximum_version = version
    with (
        socket.create_connection((server.address, server.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        line = Line(secure)
        line.send(a_request(ASKED, AUTH, "Connection: close"))
        assert line.answer()[0] == 200
        return secure.version() or ""


def test_a_certificate_from_pem_or_pfx_is_shown_and_its_end_is_known(tmp_path: Path) -> None:
    certificate = self_signed("face")
    end = datetime.now(UTC) + timedelta(days=3650)
    for files in (
        CertificateFiles(certificate=pem(tmp_path, certificate)),
        CertificateFiles(certificate=pfx(tmp_path, certificate, b"open sesame"), password="open sesame"),
    ):
        with serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=files) as server:
            assert shown(server, certificate) == "TLSv1.3"
            assert server.expires is not None
            assert abs(server.expires - end) < 5 * MINUTE


def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not(tmp_path: Path) -> None:
    first, second = self_signed("first"), self_signed("second")
    files = CertificateFiles(certificate=pem(tmp_path, first))
    with serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=files) as server:
        assert shown(server, first)
        assert not server.refresh()
        (tmp_path / "face.pem").write_text(second.key[:50])
        assert not server.refresh()
        assert shown(server, first)
        pem(tmp_path, second)
        assert server.refresh()
        assert shown(server, second)
        with pytest.raises(ssl.SSLCertVerificationError):
            shown(server, first)


def test_the_server_looks_for_a_new_certificate_by_itself(tmp_path: Path) -> None:
    first, second = self_signed("first"), self_signed("second")
    files = CertificateFiles(certificate=pem(tmp_path, first))
    with serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=files, look=SECOND / 50) as server:
        pem(tmp_path, second)
        for _ in range(200):
            try:
                assert shown(server, second)
                break
            except ssl.SSLCertVerificationError:
                threading.Event().wait(0.02)
        else:
            pytest.fail("the new certificate was never shown")


def test_old_endpoints_speak_old_tls_only_where_a_setting_says_so(tmp_path: Path) -> None:
    certificate = self_signed("face")
    path = pem(tmp_path, certificate)
    hello = _an_old_hello()
    answers = {}
    for minimum in ("1.0", "1.2"):
        files = CertificateFiles(certificate=path, minimum=minimum)
        with (
            serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=files) as server,
            socket.create_connection((server.address, server.port), timeout=10) as plain,
        ):
            plain.sendall(hello)
            answers[minimum] = plain.recv(6)
            assert shown(server, certificate) == "TLSv1.3"
    assert answers["1.0"][:3] == b"\x16\x03\x01", "a handshake in TLS 1.0"
    assert answers["1.2"][:1] in (b"", b"\x15"), "closed, or an alert"


def test_a_listener_may_insist_on_tls_1_3(tmp_path: Path) -> None:
    certificate = self_signed("face")
    files = CertificateFiles(certificate=pem(tmp_path, certificate), minimum="1.3")
    with serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=files) as server:
        assert shown(server, certificate) == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            shown(server, certificate, ssl.TLSVersion.TLSv1_2)


def _an_old_hello() -> bytes:
    """A ClientHello of TLS 1.0 that offers ECDHE-ECDSA-AES128-SHA on P-256, without a server name."""
    extensions = bytes.fromhex("000a00040002001700" + "0b00020100")
    ciphers = bytes.fromhex("c009")
    body = b"\x03\x01" + bytes(32) + b"\x00" + len(ciphers).to_bytes(2, "big") + ciphers + b"\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


@pytest.mark.parametrize(
    ("content", "why"), [(None, "no such file"), ("", "cannot be read"), ("nonsense", "cannot be read")]
)
def test_a_certificate_that_cannot_be_used_is_a_setting_to_mend(tmp_path: Path, content: str | None, why: str) -> None:
    for name in ("face.pem", "face.pfx"):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(BadSetting, match=why):
            serve(a_face(), name="face", address="127.0.0.1", port=0, certificate=CertificateFiles(certificate=path))


def test_a_tls_version_that_does_not_exist_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"1\.4 is not one of"):
        CertificateFiles(certificate=tmp_path / "face.pem", minimum="1.4")
