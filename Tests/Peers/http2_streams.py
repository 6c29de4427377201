"""Cases about connections and streams: RFC 9113 sections 3.4, 4 and 5."""
import time

from http2_peer import *  # noqa: F403


# 3.4: the preface

@case
def the_server_begins_with_settings(client):
    """Even before the client has said anything but its preface."""
    first = client.next()
    if first is None or first[0] != SETTINGS or first[1] & ACK:
        raise Wrong(f"{first}")


@case
def settings_are_acknowledged(client):
    if client.until(lambda kind, flags, *_: kind == SETTINGS and flags & ACK) is None:
        raise Wrong("no acknowledgement")


def first_frame_is_not_settings(port):
    client = Client(port, own=frame(PING, 0, 0, b"too soon"))
    client.connection_error(PROTOCOL)


def preface_is_spoilt(port):
    client = Client(port, preface=b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
    while (chunk := client.socket.recv(65536)):
        if chunk.startswith(b"HTTP/1.1 200"):
            raise Wrong("it was answered")


def preface_in_pieces(port):
    client = Client(port, preface=b"", own=b"")
    for byte in PREFACE + settings() + get(1):
        client.send(bytes([byte]))
        time.sleep(0.001)
    client.answer(1)


BEFORE_THE_PREFACE = (first_frame_is_not_settings, preface_is_spoilt, preface_in_pieces)


# 4: frames

@case
def unknown_frames_are_ignored(client):
    client.send(frame(0x16, 0xff, 0, b"whatever"), frame(0xfe, 0, 1, b""), get(1))
    client.answer(1)


@case
def undefined_flags_are_ignored(client):
    client.send(frame(PING, 0xfe & ~ACK, 0, b"8 bytes "), get(1))
    client.answer(1)


@case
def the_reserved_bit_is_ignored(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1 | 1 << 31, block(fields())))
    client.answer(1)


@case
def a_frame_of_the_largest_size_is_taken(client):
    client.send(post(1), frame(DATA, END_STREAM, 1, b"x" * 16384))
    client.answer(1)


@case
def data_may_not_be_larger_than_allowed(client):
    client.send(post(1), frame(DATA, END_STREAM, 1, b"x" * 16385))
    client.connection_error(FRAME_SIZE)


@case
def headers_may_not_be_larger_than_allowed(client):
    more = [(b"x-%d" % number, b"x" * 100) for number in range(160)]
    client.send(get(1, *more))
    client.connection_error(FRAME_SIZE)


@case
def a_header_block_that_cannot_be_decoded(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"))
    client.connection_error(COMPRESSION)


@case
def nothing_comes_between_headers_and_continuation(client):
    whole = block(fields())
    client.send(frame(HEADERS, END_STREAM, 1, whole[:10]), frame(PRIORITY, 0, 1, bytes(5)),
                frame(CONTINUATION, END_HEADERS, 1, whole[10:]))
    client.connection_error(PROTOCOL)


@case
def no_other_stream_comes_between_headers_and_continuation(client):
    client.send(frame(HEADERS, END_STREAM, 1, block(fields())[:10]), get(3))
    client.connection_error(PROTOCOL)


@case
def no_unknown_frame_comes_between_headers_and_continuation(client):
    client.send(frame(HEADERS, END_STREAM, 1, block(fields())[:10]), frame(0x16, 0, 0, b"x"))
    client.connection_error(PROTOCOL)


# 5.1: the states of a stream

@case
def data_on_an_idle_stream(client):
    client.send(frame(DATA, END_STREAM, 1, b"x"))
    client.connection_error(PROTOCOL)


@case
def reset_of_an_idle_stream(client):
    client.send(reset(1))
    client.connection_error(PROTOCOL)


@case
def window_of_an_idle_stream(client):
    client.send(window(1, 100))
    client.connection_error(PROTOCOL)


@case
def continuation_on_an_idle_stream(client):
    client.send(frame(CONTINUATION, END_HEADERS, 1, block(fields())))
    client.connection_error(PROTOCOL)


@case
def priority_of_an_idle_stream_is_allowed(client):
    client.send(frame(PRIORITY, 0, 3, struct.pack(">IB", 0, 15)), get(1))
    client.answer(1)


@case
def data_after_the_end_of_the_request(client):
    """Half-closed (remote); on a stream that is answered at once it may be closed by then."""
    client.send(get(1), frame(DATA, END_STREAM, 1, b"x"))
    client.either_error(1, STREAM_CLOSED)


@case
def headers_after_the_end_of_the_request(client):
    client.send(get(1), get(1))
    client.either_error(1, STREAM_CLOSED)


@case
def continuation_after_the_end_of_the_request(client):
    client.send(get(1), frame(CONTINUATION, END_HEADERS, 1, block([(b"x", b"y")])))
    client.connection_error(PROTOCOL)


@case
def data_after_the_clients_reset(client):
    client.send(post(1), reset(1), frame(DATA, END_STREAM, 1, b"x"))
    client.either_error(1, STREAM_CLOSED)


@case
def headers_after_the_clients_reset(client):
    client.send(post(1), reset(1), frame(HEADERS, END_HEADERS | END_STREAM, 1, block([(b"x", b"y")])))
    client.either_error(1, STREAM_CLOSED)


@case
def data_on_a_closed_stream(client):
    client.send(get(1))
    client.answer(1)
    client.send(frame(DATA, END_STREAM, 1, b"x"))
    client.connection_error(STREAM_CLOSED)


@case
def headers_on_a_closed_stream(client):
    client.send(get(1))
    client.answer(1)
    client.send(get(1))
    client.connection_error(STREAM_CLOSED, PROTOCOL)


@case
def continuation_on_a_closed_stream(client):
    client.send(get(1))
    client.answer(1)
    client.send(frame(CONTINUATION, END_HEADERS, 1, block([(b"x", b"y")])))
    client.connection_error(STREAM_CLOSED, PROTOCOL)


@case
def some_frames_may_come_late_to_a_closed_stream(client):
    client.send(get(1))
    client.answer(1)
    client.send(window(1, 10), reset(1), frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 15)))
    client.is_alive()


@case
def clients_use_odd_streams(client):
    client.send(get(2))
    client.connection_error(PROTOCOL)


@case
def a_new_stream_is_not_lower_than_an_earlier_one(client):
    client.send(get(5))
    client.answer(5)
    client.send(get(3))
    client.connection_error(PROTOCOL, STREAM_CLOSED)


@case
def a_stream_that_was_passed_over_is_closed(client):
    """5.1.1: opening stream 5 closes 1 and 3, which were idle."""
    client.send(post(5), frame(DATA, 0, 3, b"x"))
    client.connection_error(PROTOCOL, STREAM_CLOSED)


@case
def streams_beyond_the_limit_are_refused(client):
    limit = None
    while limit is None:
        one = client.next()
        if one is None or (one[0] == SETTINGS and not one[1] & ACK):
            pairs = struct.iter_unpack(">HI", one[3] if one else b"")
            limit = dict(pairs).get(MAX_STREAMS, 0)
    if not 0 < limit <= 10_000:
        raise Wrong(f"a limit of {limit} streams")
    client.send(*(post(2 * number + 1) for number in range(limit + 1)))
    found = client.until(lambda kind, *_: kind in (RST_STREAM, GOAWAY))
    if found is None or (found[0] == RST_STREAM and found[2] != 2 * limit + 1):
        raise Wrong(f"{found}")
    code = int.from_bytes(found[3][4:8] if found[0] == GOAWAY else found[3][:4])
    if code not in (REFUSED, PROTOCOL):
        raise Wrong(f"refused with {code}")
