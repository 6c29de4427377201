"""A client with one request under way at a time, taking several keep-alive connections in turn.

What a proxy does for a request then depends on nothing but the request: how many events it finds at once, which would
differ from run to run under load, is always one.
"""
import socket

from harness.programs import BENCH_HOST

HEAD_END = b"\r\n\r\n"
RECEIVE_BYTES = 64 * 1024
TIMEOUT_SECONDS = 30


class Client:
    """Some keep-alive connections to one port, in TLS if there is a context for it."""

    def __init__(self, port, connections, tls=None):
        self.sockets = [socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) for _ in range(connections)]
        for one in self.sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sockets = [tls.wrap_socket(one, server_hostname=BENCH_HOST) for one in self.sockets]
        self.done = 0

    def run(self, requests, count):
        """Sends `count` requests, rotating over `requests` (bytes each), and expects 200 for all."""
        for _ in range(count):
            connection = self.sockets[self.done % len(self.sockets)]
            connection.sendall(requests[self.done % len(requests)])
            status = receive(connection)
            if status != b"200":
                raise ConnectionError(f"status {status.decode()} to request {self.done}")
            self.done += 1

    def close(self):
        """Closes the connections."""
        for one in self.sockets:
            one.close()


def receive(connection):
    """Reads one response with a Content-Length and returns its status."""
    received = b""
    while (end := received.find(HEAD_END)) < 0:
        received += more(connection)
    head = received[:end].lower()
    length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
    missing = end + len(HEAD_END) + length - len(received)
    while missing > 0:
        missing -= len(more(connection))
    return head.split(None, 2)[1]


def more(connection):
    """The next bytes of a connection that must not end."""
    chunk = connection.recv(RECEIVE_BYTES)
    if not chunk:
        raise ConnectionError("the proxy closed a connection")
    return chunk

