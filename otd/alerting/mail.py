"""Alerts by mail: SMTP with a deadline for the whole conversation."""

from __future__ import annotations

import contextlib
import os
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from otd.alerting.access import MailAccess
from otd.alerting.words import subject, text
from otd.errors import BadSetting, Denied, Garbled, OtdError, Retryable, Unreachable, Untrusted
from otd.model import Notice
from otd.ports import Secrets

_AT_ONCE = 50  # notices in one message


class Mail:
    """`otd.ports.Channel`. A refused password is not tried again by itself, since servers lock accounts."""

    name = "mail"

    def __init__(self, access: MailAccess, *, secrets: Secrets) -> None:
        self._access, self._secrets = access, secrets

    def tell(self, notices: tuple[Notice, ...], *, within: timedelta) -> None:
        login = self._login()
        where = f"the mail server {self._access.host}:{self._access.port}"
        over = threading.Event()
        try:
            with self._session(within, over) as server:
                if login:
                    _sign_in(server, *login)
                for start in range(0, len(notices), _AT_ONCE):
                    server.send_message(self._message(notices[start : start + _AT_ONCE]))
        except (OSError, ValueError, smtplib.SMTPException) as error:  # ValueError: a socket that was closed under it
            if over.is_set():
                raise Unreachable(where, f"it did not take the message within {within.total_seconds():g} s") from None
            raise _explained(error, where, self._access) from None

    def close(self) -> None:
        """There is no connection between two messages."""

    def _login(self) -> tuple[str, str] | None:
        """User and password. Raises BadSetting, without the value."""
        name = self._access.login
        if not name:
            return None
        user, colon, password = self._secrets.get(name).partition(":")
        if not (user and colon):
            raise BadSetting(f"secret {name}", "it must hold a user and a password", 'write it as "user:password"')
        return user, password

    @contextmanager
    def _session(self, within: timedelta, over: threading.Event) -> Iterator[smtplib.SMTP]:
        """A greeted connection, secured as configured, that is broken off when the time is over, however it drips."""
        access, seconds = self._access, within.total_seconds()
        connection = socket.create_connection((access.host, access.port), timeout=seconds)
        watch = threading.Timer(seconds, _break_off, (connection.fileno(), over))
        watch.daemon = True
        watch.start()
        server = _server(connection, seconds)
        server.sock = self._secured(connection) if access.tls == "tls" else connection
        try:
            _expect(server.getreply(), 220)
            server.ehlo_or_helo_if_needed()
            if access.tls == "starttls":
                if not server.has_extn("starttls"):
                    raise smtplib.SMTPNotSupportedError
                _expect(server.docmd("STARTTLS"), 220)
                server = _server(connection, seconds)  # knows nothing of what was said in the clear
                server.sock = self._secured(connection)
                server.ehlo_or_helo_if_needed()
            yield server
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            watch.cancel()
            server.close()
            connection.close()

    def _secured(self, connection: socket.socket) -> ssl.SSLSocket:
        return self._context().wrap_socket(connection, server_hostname=self._access.host)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._access.ca_file or None)

    def _message(self, notices: tuple[Notice, ...]) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = subject(notices)[:200]
        message["From"] = self._access.sender
        message["To"] = ", ".join(self._access.to)
        message["Date"] = format_datetime(notices[-1].at)
        ids = "\n".join(notice.id for notice in notices)
        message["Message-ID"] = f"<{sha256(ids.encode()).hexdigest()[:32]}@otd.invalid>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text(notices))
        return message


def _server(connection: socket.socket, seconds: float) -> smtplib.SMTP:
    """Who we are is said as an address (RFC 5321, section 4.1.3): to find out a name may take for ever."""
    host = connection.getsockname()[0]
    return smtplib.SMTP(local_hostname=f"[IPv6:{host}]" if ":" in host else f"[{host}]", timeout=seconds)


def _sign_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """By one mechanism and once: each try that fails counts towards locking the account."""
    server.user, server.password = user, password
    if "PLAIN" in server.esmtp_features.get("auth", "").upper().split():
        server.auth("PLAIN", server.auth_plain)
    elif server.has_extn("auth"):
        server.auth("LOGIN", server.auth_login)
    else:
        raise smtplib.SMTPNotSupportedError


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise smtplib.SMTPResponseException(reply[0], b"")


def _break_off(descriptor: int, over: threading.Event) -> None:
    """Shut the connection, whoever holds it now: a socket that TLS took over is the same to the system."""
    over.set()
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)


def _explained(error: Exception, where: str, access: MailAccess) -> OtdError:
    """In our words; what the server says may repeat what it was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Denied(where, "it refuses the user or the password", f"set the secret {access.login} and restart")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Retryable(where, "it offers no TLS, or no login", "see mail_tls and mail_login; nothing was sent")
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused):
        return Retryable(
            where, "it refuses the sender or a recipient", "check mail_from and mail_to, or its relay rules"
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return Retryable(where, f"it answered {error.smtp_code}", "look into its log")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(where, f"its certificate is not trusted: {error.verify_message}", "name its CA with mail_ca")
    if isinstance(error, smtplib.SMTPException | ssl.SSLError | ValueError):
        return Garbled(where, "it does not speak SMTP as expected", "is it the right port? see mail_tls")
    said = error.strerror if isinstance(error, OSError) and error.strerror else "the connection failed"
    return Unreachable(where, said.lower(), "check mail_server and the firewall")
