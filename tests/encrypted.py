"""TLS for tests: a certificate made on the spot, and a listener that ends TLS in front of a plain port of loopback."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def certificate(folder: Path) -> None:
    """Make `cert.pem` and `key.pem` for localhost and 127.0.0.1, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip


@contextmanager
def tls_in_front_of(port: int, folder: Path) -> Iterator[int]:
    """Listen with the folder's certificate and hand each connection on to a port; yields the listener's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_accept, args=(listener, context, port))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            taken, _ = listener.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_serve, args=(taken, context, port), daemon=True).start()


def _serve(taken: socket.socket, context: ssl.SSLContext, port: int) -> None:
    try:
        outer = context.wrap_socket(taken, server_side=True)
    except OSError:  # the other side does not trust us
        taken.close()
        return
    with outer, socket.create_connection(("127.0.0.1", port)) as inner:
        there = threading.Thread(target=_copy, args=(outer, inner), daemon=True)
        there.start()
        _copy(inner, outer)
        there.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
