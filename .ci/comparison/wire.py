"""HTTP/1.1 as the comparison speaks it: requests written byte for byte, answers read without repairing anything."""
import socket
from dataclasses import dataclass, field

ANSWER_SECONDS = 10
# A fixed address, so that what proxies write about the client is the same on every machine.
LOOPBACK = "127.0.0.1"


class Refused(Exception):
    """The peer closed the connection, or sent something that is no answer."""


@dataclass(frozen=True)
class Request:
    """One request. `headers` are lines in order, Host among them."""

    method: str
    target: str
    headers: tuple
    body: bytes = b""

    def bytes(self, tag):
        """As it goes out; the tag joins it with the proxy's log."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        if self.body:
            lines.append(f"content-length: {len(self.body)}")
        lines.append(f"x-tag: {tag}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    def header(self, wanted):
        """The first line of a name, or None."""
        return next((value for name, value in self.headers if name.lower() == wanted), None)

    def with_header(self, name, value):
        """The same request with one more line."""
        return Request(self.method, self.target, (*self.headers, (name, value)), self.body)

    def __str__(self):
        text = self.bytes("N").decode("latin-1").replace("\r\n", "\n")
        return text.rstrip("\n")


@dataclass
class Answer:
    """One answer, or what came instead of one as `failure`."""

    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    failure: str = ""
    client_port: int = 0

    def all(self, wanted):
        """All lines of a name."""
        return [value for name, value in self.headers if name.lower() == wanted]


class Client:
    """A kept-alive connection to one port, opened again when the other side closed it."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.buffer = b""

    def ask(self, request, tag):
        """Sends a request and reads its answer; a connection that ended while idle is replaced once."""
        for _ in range(2):
            was_open = self.socket is not None
            try:
                return self._ask(request, tag)
            except (OSError, Refused) as error:
                self.close()
                if not was_open:
                    return Answer(failure=f"{type(error).__name__}: {error}")
        return Answer(failure="the connection ended twice")

    def close(self):
        """Ends the connection."""
        if self.socket is not None:
            self.socket.close()
        self.socket, self.buffer = None, b""

    def _ask(self, request, tag):
        if self.socket is None:
            self.socket = socket.create_connection((LOOPBACK, self.port), timeout=ANSWER_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = Answer(client_port=self.socket.getsockname()[1])
        self.socket.sendall(request.bytes(tag))
        while True:
            answer.status, answer.headers = self._head()
            if answer.status >= 200:
                break
        answer.body = self._body(request.method, answer)
        if any("close" in value.lower() for value in answer.all("connection")):
            self.close()
        return answer

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise Refused("the connection was closed")
        self.buffer += data

    def _until(self, mark):
        while (end := self.buffer.find(mark)) < 0:
            self._fill()
        text, self.buffer = self.buffer[:end], self.buffer[end + len(mark):]
        return text

    def _exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _head(self):
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdigit():
            raise Refused(f"no answer: {first!r}")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise Refused(f"no header: {line!r}")
            headers.append((name, value.strip()))
        return int(rest[:3]), headers

    def _body(self, method, answer):
        if method == "HEAD" or answer.status in (204, 304):
            return b""
        if any(value.lower() == "chunked" for value in answer.all("transfer-encoding")):
            return self._chunks()
        lengths = answer.all("content-length")
        if lengths:
            return self._exactly(int(lengths[0]))
        raise Refused("an answer without a length")

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return body
            body += self._exactly(size)
            self._exactly(2)
