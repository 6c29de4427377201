"""Cases about each kind of frame: RFC 9113 section 6."""
from http2_peer import *  # noqa: F403


# 6: each kind of frame

@case
def data_on_stream_zero(client):
    client.send(frame(DATA, END_STREAM, 0, b"x"))
    client.connection_error(PROTOCOL)


@case
def data_with_too_much_padding(client):
    client.send(post(1), frame(DATA, END_STREAM | PADDED, 1, b"\x06xxxx"))
    client.connection_error(PROTOCOL)


@case
def data_that_is_all_padding(client):
    client.send(post(1), frame(DATA, END_STREAM | PADDED, 1, b"\x04xxxx"))
    client.answer(1)


@case
def data_with_a_padding_flag_alone(client):
    client.send(post(1), frame(DATA, END_STREAM | PADDED, 1, b""))
    client.connection_error(FRAME_SIZE, PROTOCOL)


@case
def headers_on_stream_zero(client):
    client.send(get(0))
    client.connection_error(PROTOCOL)


@case
def headers_with_too_much_padding(client):
    whole = block(fields())
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([len(whole) + 1]) + whole))
    client.connection_error(PROTOCOL)


@case
def headers_with_padding_and_priority(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | HAS_PRIORITY, 1,
                      b"\x03" + struct.pack(">IB", 0, 15) + block(fields()) + b"\0\0\0"))
    client.answer(1)


@case
def headers_too_short_for_their_priority(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | HAS_PRIORITY, 1, b"\0\0"))
    client.connection_error(FRAME_SIZE, PROTOCOL)


@case
def priority_on_stream_zero(client):
    client.send(frame(PRIORITY, 0, 0, bytes(5)))
    client.connection_error(PROTOCOL)


@case
def priority_of_the_wrong_size(client):
    client.send(post(1), frame(PRIORITY, 0, 1, bytes(4)))
    client.either_error(1, FRAME_SIZE)


@case
def reset_on_stream_zero(client):
    client.send(reset(0))
    client.connection_error(PROTOCOL)


@case
def reset_of_the_wrong_size(client):
    client.send(post(1), frame(RST_STREAM, 0, 1, bytes(3)))
    client.connection_error(FRAME_SIZE)


@case
def settings_with_an_acknowledgement_and_content(client):
    client.send(frame(SETTINGS, ACK, 0, bytes(6)))
    client.connection_error(FRAME_SIZE)


@case
def settings_on_a_stream(client):
    client.send(frame(SETTINGS, 0, 1))
    client.connection_error(PROTOCOL)


@case
def settings_of_the_wrong_size(client):
    client.send(frame(SETTINGS, 0, 0, bytes(5)))
    client.connection_error(FRAME_SIZE)


@case
def settings_enable_push_is_a_flag(client):
    client.send(settings((ENABLE_PUSH, 2)))
    client.connection_error(PROTOCOL)


@case
def settings_that_overflow_the_window_of_a_stream(client):
    """6.9.2: an error of the whole connection, although the window is one stream's."""
    client.send(post(1), window(1, LARGEST - 65535), settings((WINDOW, 65536)))
    client.connection_error(FLOW_CONTROL)


@case
def settings_that_fill_the_window_of_a_stream(client):
    client.send(post(1), window(1, LARGEST - 65536), settings((WINDOW, 65536)), frame(DATA, END_STREAM, 1, b"x"))
    client.answer(1)


@case
def settings_window_has_a_limit(client):
    client.send(settings((WINDOW, LARGEST + 1)))
    client.connection_error(FLOW_CONTROL)


@case
def settings_frame_size_has_a_lower_limit(client):
    client.send(settings((FRAME_MAX, 16383)))
    client.connection_error(PROTOCOL)


@case
def settings_frame_size_has_an_upper_limit(client):
    client.send(settings((FRAME_MAX, 2**24)))
    client.connection_error(PROTOCOL)


@case
def settings_that_nobody_knows_are_ignored(client):
    client.send(settings((0xfefe, 1), (0x99, 0xffffffff)), get(1))
    client.answer(1)


@case
def the_last_of_several_settings_counts(client):
    client.send(settings((WINDOW, 100), (WINDOW, 1)), get(1))
    first = client.until(lambda kind, *_: kind in (DATA, GOAWAY))
    if first is None or first[0] == GOAWAY or len(first[3]) != 1:
        raise Wrong(f"{first}")


@case
def clients_do_not_push(client):
    client.send(get(1), frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + block(fields())))
    client.connection_error(PROTOCOL)


@case
def pings_are_answered_with_what_they_brought(client):
    client.send(frame(PING, 0, 0, b"12345678"))
    if client.until(lambda kind, flags, _, payload: kind == PING and flags == ACK and payload == b"12345678") is None:
        raise Wrong("the connection ended")


@case
def an_answered_ping_is_not_answered(client):
    client.send(frame(PING, ACK, 0, b"nobodys "))
    client.is_alive()


@case
def ping_on_a_stream(client):
    client.send(frame(PING, 0, 1, bytes(8)))
    client.connection_error(PROTOCOL)


@case
def ping_of_the_wrong_size(client):
    client.send(frame(PING, 0, 0, bytes(6)))
    client.connection_error(FRAME_SIZE)


@case
def goaway_on_a_stream(client):
    client.send(frame(GOAWAY, 0, 1, bytes(8)))
    client.connection_error(PROTOCOL)


@case
def streams_before_goaway_are_answered(client):
    client.send(post(1), frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR)), frame(DATA, END_STREAM, 1, b"x"))
    client.answer(1)


@case
def error_codes_that_nobody_knows_are_harmless(client):
    client.send(post(1), reset(1, 0xff), get(3))
    client.answer(3)


@case
def window_of_the_connection_by_zero(client):
    client.send(window(0, 0))
    client.connection_error(PROTOCOL)


@case
def window_of_a_stream_by_zero(client):
    client.send(post(1), window(1, 0))
    client.either_error(1, PROTOCOL)


@case
def window_of_the_wrong_size(client):
    client.send(frame(WINDOW_UPDATE, 0, 0, bytes(3)))
    client.connection_error(FRAME_SIZE)


@case
def window_of_the_connection_overflows(client):
    client.send(window(0, LARGEST), window(0, LARGEST))
    client.connection_error(FLOW_CONTROL)


@case
def window_of_a_stream_overflows(client):
    client.send(post(1), window(1, LARGEST), window(1, LARGEST))
    client.stream_error(1, FLOW_CONTROL)


@case
def window_of_a_stream_overflows_by_settings(client):
    client.send(post(1), window(1, LARGEST - 65535), settings((WINDOW, 65536)))
    client.either_error(1, FLOW_CONTROL)


@case
def windows_are_respected_and_changed_by_settings(client):
    """A window that shrinks below what was sent has to grow back first."""
    client.send(settings((WINDOW, 10)), get(1))
    first = client.until(lambda kind, *_: kind in (DATA, GOAWAY))
    if first is None or len(first[3]) != 10:
        raise Wrong(f"{first}")
    client.send(settings((WINDOW, 4)), window(1, 5), frame(PING, 0, 0, b"no more?"))
    after = client.until(lambda kind, flags, *_: kind in (DATA, GOAWAY) or (kind == PING and flags & ACK))
    if after is None or after[0] != PING:
        raise Wrong(f"sent beyond the window: {after}")
    client.send(window(1, 3))
    rest = client.until(lambda kind, *_: kind in (DATA, GOAWAY))
    if rest is None or len(rest[3]) != 2:
        raise Wrong(f"{rest}")
    client.send(window(1, 1000))
    client.answer(1)


@case
def continuations_make_one_block(client):
    whole = block(fields((b"x-a", b"y" * 100)))
    pieces = [whole[at:at + 20] for at in range(0, len(whole), 20)]
    client.send(frame(HEADERS, END_STREAM, 1, pieces[0]),
                *(frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1]),
                frame(CONTINUATION, END_HEADERS, 1, pieces[-1]))
    client.answer(1)


@case
def continuation_on_stream_zero(client):
    client.send(frame(HEADERS, END_STREAM, 1, block(fields())[:10]), frame(CONTINUATION, END_HEADERS, 0, b""))
    client.connection_error(PROTOCOL)


@case
def continuation_after_a_whole_block(client):
    client.send(post(1), frame(CONTINUATION, END_HEADERS, 1, block([(b"x", b"y")])))
    client.connection_error(PROTOCOL)


@case
def continuation_after_data(client):
    client.send(post(1), frame(DATA, 0, 1, b"x"), frame(CONTINUATION, END_HEADERS, 1, block([(b"x", b"y")])))
    client.connection_error(PROTOCOL)
