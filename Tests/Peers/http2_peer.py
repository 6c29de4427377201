"""HTTP/2 frame by frame: a client that sends exactly what it is told, and what it may expect of a server."""
import socket
import struct
import time

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, _, STREAM_CLOSED, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, WINDOW, FRAME_MAX, LIST_MAX = range(1, 7)
CONNECT_PROTOCOL = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SECONDS = 10
LARGEST = 2**31 - 1
CASES = {}


class Wrong(Exception):
    """The server did otherwise."""


def case(function):
    """Adds a case under the function's name."""
    CASES[function.__name__] = function
    return function


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def block(fields):
    """Literals that are not indexed, no Huffman code."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)


def fields(*more, method=b"GET", path=b"/", scheme=b"http", authority=b"api.example.com"):
    return [(b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path), *more]


def get(stream, *more, **changed):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, block(fields(*more, **changed)))


def post(stream, *more):
    """A request whose body is still to come."""
    return frame(HEADERS, END_HEADERS, stream, block(fields(*more, method=b"POST")))


class Client:
    """One connection."""

    def __init__(self, port, *first, preface=PREFACE, own=None):
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input, self.frames, self.at = b"", [], 0
        self.send(preface + (settings() if own is None else own), *first)

    def send(self, *parts):
        """What cannot be sent any more is not missed: what counts is what the server says."""
        try:
            self.socket.sendall(b"".join(parts))
        except OSError:
            pass

    def next(self):
        """The next frame as (type, flags, stream, payload), or None at the end."""
        deadline = time.monotonic() + SECONDS
        while True:
            length = int.from_bytes(self.input[:3]) if len(self.input) >= 9 else None
            if length is not None and len(self.input) >= 9 + length:
                kind, flags, stream = self.input[3], self.input[4], int.from_bytes(self.input[5:9]) & LARGEST
                payload, self.input = self.input[9:9 + length], self.input[9 + length:]
                if kind == SETTINGS and not flags & ACK:
                    self.send(frame(SETTINGS, ACK, 0))
                return kind, flags, stream, payload
            left = deadline - time.monotonic()
            if left <= 0:
                raise Wrong("nothing came")
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                raise Wrong("nothing came") from None
            except OSError:
                more = b""
            if not more:
                return None
            self.input += more

    def until(self, wanted):
        """Frames up to the one that `wanted(kind, flags, stream, payload)` takes, which is returned; None at the end."""
        while (one := self.next()) is not None:
            if wanted(*one):
                return one
        return None

    def connection_error(self, *codes):
        """The connection ends, with GOAWAY and one of these codes."""
        goaway = self.until(lambda kind, *_: kind == GOAWAY)
        if goaway is None:
            raise Wrong("the connection ended without GOAWAY")
        code = int.from_bytes(goaway[3][4:8])
        if code not in codes:
            raise Wrong(f"GOAWAY with {code}, not one of {codes}")
        if self.until(lambda *_: False) is not None:
            raise Wrong("the connection goes on after GOAWAY")

    def stream_error(self, stream, *codes):
        """The stream is reset with one of these codes, and the connection goes on."""
        found = self.until(lambda kind, _, which, __: kind == GOAWAY or (kind == RST_STREAM and which == stream))
        if found is None or found[0] == GOAWAY:
            raise Wrong(f"the connection ends instead of the stream: {found}")
        code = int.from_bytes(found[3][:4])
        if code not in codes:
            raise Wrong(f"RST_STREAM with {code}, not one of {codes}")
        self.is_alive()

    def either_error(self, stream, code):
        """The stream or the whole connection ends with this code."""
        found = self.until(lambda kind, _, which, __: kind == GOAWAY or (kind == RST_STREAM and which == stream))
        if found is None or int.from_bytes(found[3][4:8] if found[0] == GOAWAY else found[3][:4]) != code:
            raise Wrong(f"{found}")

    def is_alive(self):
        """A ping is answered, and nothing is wrong."""
        self.send(frame(PING, 0, 0, b"still up"))
        found = self.until(lambda kind, flags, _, payload: kind == GOAWAY or (
            kind == PING and flags & ACK and payload == b"still up"))
        if found is None or found[0] == GOAWAY:
            raise Wrong(f"the connection ended: {found}")

    def answer(self, stream):
        """The body of the whole answer to a request."""
        body = b""
        while (one := self.next()) is not None:
            kind, flags, which, payload = one
            if kind == GOAWAY or (kind == RST_STREAM and which == stream):
                raise Wrong(f"no answer, but {one}")
            if which != stream:
                continue
            if kind == DATA:
                body += payload
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return body
        raise Wrong("the connection ended")

    def refused(self, stream):
        """A malformed request: a stream error, or an answer that says 400."""
        found = self.until(lambda kind, flags, which, _: kind == GOAWAY or (
            which == stream and (kind == RST_STREAM or (kind == HEADERS and flags & END_HEADERS))))
        if found is None or found[0] == GOAWAY:
            raise Wrong(f"the connection ended: {found}")
        if found[0] == RST_STREAM and int.from_bytes(found[3][:4]) != PROTOCOL:
            raise Wrong(f"RST_STREAM with {int.from_bytes(found[3][:4])}")
        # Index 12 of the static table, or a literal.
        if found[0] == HEADERS and not (found[3][:1] == b"\x8c" or b"400" in found[3][:8] or b"\x82\x68\x01" in found[3][:8]):
            raise Wrong(f"an answer that begins with {found[3][:8]!r}")
        self.is_alive()
