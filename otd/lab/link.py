"""A stretch of network between a client and a server, which can be broken and silenced."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


class Link:
    """Forwards TCP from 127.0.0.1:`port` to the server. Everything that it does is undone by `close`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows = threading.Event()  # cleared: nothing is forwarded, and nobody is told
        self._flows.set()
        self._up = True
        threading.Thread(target=self._accept, name="link", daemon=True).start()

    def silence(self) -> None:
        """Stop forwarding, without a FIN or RST: as when a cable is cut somewhere in between."""
        self._flows.clear()

    def heal(self) -> None:
        """Forward again, what waited too, and let new connections through."""
        self._up = True
        self._flows.set()

    def break_off(self) -> None:
        """Reset every connection, and refuse new ones until `heal`."""
        self._up = False
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                _reset(side)
        self._flows.set()

    def close(self) -> None:
        self.break_off()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), name="link", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._flows.wait()
        if not self._up:
            _reset(near)
            return
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        with self._lock:
            self._pairs.append((near, far))
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(source, sink), name="link", daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _reset(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        side.close()
