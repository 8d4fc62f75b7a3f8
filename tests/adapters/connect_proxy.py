"""A real HTTP proxy for tests: CONNECT only, with rules and credentials as a site has them."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from dataclasses import dataclass, field

_HEAD = 16 * 1024


@dataclass
class ConnectProxy:
    """`allowed` are the targets that may be connected to, as (host, port) -> where they really are: "443 only" is a
    rule that names port 443 and leads to the high port on which a test listens. None allows everything.
    `credentials` is "user:password" when it asks for them; `offers` says in which way."""

    allowed: dict[tuple[str, int], tuple[str, int]] | None = None
    credentials: str = ""
    offers: str = 'Basic realm="site"'
    seen: list[str] = field(default_factory=list)  # "HOST:PORT STATUS", in order

    def __enter__(self) -> ConnectProxy:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection through it."""
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._spawn(self._serve, client)

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _HEAD:
                part = client.recv(4096)
                if not part:
                    return
                head += part
            lines = head.decode("latin-1").split("\r\n")
            method, target, *_ = [*lines[0].split(" "), "", ""]
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            given = {line.partition(": ")[2] for line in lines if line.lower().startswith("proxy-authorization: ")}
            status, behind = self._judge(method, target, given, headers)
            self.seen.append(f"{target} {status}")
            if behind is None:
                more = f"Proxy-Authenticate: {self.offers}\r\n" if status == 407 else ""
                client.sendall(f"HTTP/1.1 {status} No\r\n{more}Content-Length: 0\r\n\r\n".encode())
                return
            with behind:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 site\r\n\r\n")
                self._open |= {client, behind}
                other = threading.Thread(target=_pump, args=(behind, client), daemon=True)
                other.start()
                _pump(client, behind)
                other.join()
                self._open -= {client, behind}

    def _judge(
        self, method: str, target: str, given: set[str], headers: dict[str, str]
    ) -> tuple[int, socket.socket | None]:
        if method != "CONNECT":
            return 405, None
        if self.credentials and given != {"Basic " + base64.b64encode(self.credentials.encode()).decode()}:
            return 407, None
        host, _, port = target.rpartition(":")
        where = (host.strip("[]"), int(port))
        if self.allowed is not None:
            if where not in self.allowed:
                return 403, None
            where = self.allowed[where]
        try:
            return 200, socket.create_connection(where, timeout=5)
        except OSError:
            return 502, None


def _pump(source: socket.socket, sink: socket.socket) -> None:
    source.settimeout(None)
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
