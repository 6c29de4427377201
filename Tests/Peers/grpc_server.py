"""A gRPC service without generated code, for tests of the proxy in front of it: messages are plain bytes.

    grpc_server.py          listens on a free loopback port and prints it
"""
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "peer.Echo"
CANCELLED = {}  # a call's id -> set when the service has noticed its end
SECONDS = 30


def metadata(context):
    """What the client sent along."""
    return {key: value for key, value in context.invocation_metadata()}


def unary(request, context):
    """Gives the message back, with metadata before and after it."""
    told = metadata(context)
    context.send_initial_metadata((("x-initial", told.get("x-ask", "none")),))
    context.set_trailing_metadata((("x-trailing", "end"), ("x-data-bin", b"\x00\xff\x01")))
    return request


def fails(request, context):
    """Ends with the status that the message names."""
    context.abort(next(code for code in grpc.StatusCode if code.name == request.decode()), "as asked: ä%")


def count(request, context):
    """As many messages as asked for."""
    for number in range(int(request)):
        yield str(number).encode()


def total(requests, context):
    """How many messages and bytes came."""
    lengths = [len(request) for request in requests]
    return f"{len(lengths)} {sum(lengths)}".encode()


def chat(requests, context):
    """Answers each message before the next one comes."""
    for request in requests:
        yield b"you said " + request


def stuck(request, context):
    """Sends one message and then nothing, until the call ends; remembers that it did."""
    ended = CANCELLED.setdefault(request, threading.Event())
    context.add_callback(ended.set)
    yield b"begun"
    ended.wait(SECONDS)


def was_cancelled(request, context):
    """Whether the call of that id has ended, waiting for it."""
    return b"yes" if CANCELLED.setdefault(request, threading.Event()).wait(SECONDS) else b"no"


def deadline(request, context):
    """The seconds that are left, as the service sees them."""
    left = context.time_remaining()
    return b"none" if left is None else f"{left:.3f}".encode()


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Fails": grpc.unary_unary_rpc_method_handler(fails),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Total": grpc.stream_unary_rpc_method_handler(total),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Stuck": grpc.unary_stream_rpc_method_handler(stuck),
    "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
    "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
}


def main():
    """Serves until it is ended."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32),
                         options=(("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, HANDLERS),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    sys.exit(main())
