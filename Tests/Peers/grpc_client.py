"""Calls the service of grpc_server.py through a proxy, in every way gRPC has, and says what came of each.

    grpc_client.py PORT AUTHORITY [CA.crt]        with a file: over TLS

Prints a line for each case: `NAME ok`, or `NAME failed: WHY`.
"""
import queue
import sys
import time
import traceback
import uuid

import grpc

SECONDS = 30
LARGE = bytes(range(256)) * 4096  # 1 MiB


class Peer:
    """The methods of the service over one channel."""

    def __init__(self, channel):
        self.unary = channel.unary_unary("/peer.Echo/Unary")
        self.fails = channel.unary_unary("/peer.Echo/Fails")
        self.count = channel.unary_stream("/peer.Echo/Count")
        self.total = channel.stream_unary("/peer.Echo/Total")
        self.chat = channel.stream_stream("/peer.Echo/Chat")
        self.stuck = channel.unary_stream("/peer.Echo/Stuck")
        self.was_cancelled = channel.unary_unary("/peer.Echo/WasCancelled")
        self.deadline = channel.unary_unary("/peer.Echo/Deadline")
        self.missing = channel.unary_unary("/peer.Echo/Missing")
        self.unrouted = channel.unary_unary("/unrouted.Service/Method")
        self.refused = channel.unary_unary("/refused.Service/Method")


def same(found, expected):
    """Ends the case unless both are equal."""
    if found != expected:
        raise AssertionError(f"{found!r:.200} is not {expected!r:.200}")


def code_of(call):
    """The status that a call fails with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def unary(peer):
    answer, call = peer.unary.with_call(b"hello", timeout=SECONDS, metadata=(("x-ask", "this"),))
    same(answer, b"hello")
    same(dict(call.initial_metadata())["x-initial"], "this")
    trailing = dict(call.trailing_metadata())
    same((trailing["x-trailing"], trailing["x-data-bin"]), ("end", b"\x00\xff\x01"))


def empty_message(peer):
    same(peer.unary(b"", timeout=SECONDS), b"")


def large_message(peer):
    same(peer.unary(LARGE, timeout=SECONDS), LARGE)


def status_and_message(peer):
    for name in ("NOT_FOUND", "RESOURCE_EXHAUSTED", "DATA_LOSS"):
        try:
            peer.fails(name.encode(), timeout=SECONDS)
        except grpc.RpcError as error:
            same((error.code().name, error.details()), (name, "as asked: ä%"))
        else:
            raise AssertionError("no failure")


def unknown_method(peer):
    same(code_of(lambda: peer.missing(b"", timeout=SECONDS)), grpc.StatusCode.UNIMPLEMENTED)


def server_streaming(peer):
    same([int(message) for message in peer.count(b"500", timeout=SECONDS)], list(range(500)))


def client_streaming(peer):
    same(peer.total((LARGE[:1000] for _ in range(500)), timeout=SECONDS), b"500 500000")


def empty_streams(peer):
    same(list(peer.count(b"0", timeout=SECONDS)), [])
    same(peer.total(iter(()), timeout=SECONDS), b"0 0")


def bidirectional_streaming(peer):
    """Each message is answered before the next one is sent: nothing may be held back."""
    messages = queue.Queue()
    answers = peer.chat(iter(messages.get, None), timeout=SECONDS)
    for number in range(20):
        messages.put(str(number).encode())
        same(next(answers), f"you said {number}".encode())
    messages.put(None)
    same(list(answers), [])


def deadline_is_told(peer):
    """The service learns how long the client waits, with some rounding up."""
    left = float(peer.deadline(b"", timeout=SECONDS))
    if not 0 < left <= SECONDS + 1:
        raise AssertionError(f"{left} s are left")


def deadline(peer):
    name = uuid.uuid4().bytes
    begin = time.monotonic()
    # The gateway knows of the deadline as well. Where its clock is first, as on a busy machine, it resets the stream, as the
    # answer has begun: gRPC calls that INTERNAL.
    ended = code_of(lambda: list(peer.stuck(name, timeout=0.5)))
    if ended not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL):
        raise AssertionError(f"{ended} ended the call")
    if time.monotonic() - begin > SECONDS / 2:
        raise AssertionError("far too late")
    same(peer.was_cancelled(name, timeout=SECONDS), b"yes")


def cancellation(peer):
    name = uuid.uuid4().bytes
    call = peer.stuck(name, timeout=SECONDS)
    same(next(call), b"begun")
    call.cancel()
    same(call.code(), grpc.StatusCode.CANCELLED)
    same(peer.was_cancelled(name, timeout=SECONDS), b"yes")


def many_at_once(peer):
    """300 calls and 20 streams on one connection."""
    calls = [peer.unary.future(str(number).encode(), timeout=SECONDS) for number in range(300)]
    streams = [peer.count(b"50", timeout=SECONDS) for _ in range(20)]
    same([int(call.result()) for call in calls], list(range(300)))
    for stream in streams:
        same(len(list(stream)), 50)


def slow_reader(peer):
    """One stream that is not read for a while does not stop another."""
    slow = peer.chat((LARGE[:100_000] for _ in range(50)), timeout=SECONDS)
    same(peer.unary(b"meanwhile", timeout=SECONDS), b"meanwhile")
    same(sum(len(message) for message in slow), 50 * (100_000 + len(b"you said ")))


def unrouted(peer):
    """The proxy's own answer where no route is."""
    same(code_of(lambda: peer.unrouted(b"", timeout=SECONDS)), grpc.StatusCode.UNIMPLEMENTED)


def refused(peer):
    """The proxy's own answer where no upstream listens."""
    same(code_of(lambda: peer.refused(b"", timeout=SECONDS)), grpc.StatusCode.UNAVAILABLE)


CASES = (unary, empty_message, large_message, status_and_message, unknown_method, server_streaming, client_streaming,
         empty_streams, bidirectional_streaming, deadline_is_told, deadline, cancellation, many_at_once, slow_reader,
         unrouted, refused)


def main(port, authority, ca=None):
    """Runs all cases."""
    options = [("grpc.default_authority", authority), ("grpc.max_receive_message_length", -1),
               ("grpc.enable_retries", 0)]
    target = f"127.0.0.1:{port}"
    if ca:
        with open(ca, "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        channel = grpc.secure_channel(target, credentials, [*options, ("grpc.ssl_target_name_override", authority)])
    else:
        channel = grpc.insecure_channel(target, options)
    with channel:
        peer = Peer(channel)
        for case in CASES:
            try:
                case(peer)
                print(case.__name__, "ok", flush=True)
            except Exception:  # whatever it is, the other cases are to be tried
                print(case.__name__, "failed:", " ".join(traceback.format_exc().split()[-60:]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
