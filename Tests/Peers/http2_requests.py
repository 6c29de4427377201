"""Cases about requests and their compression: RFC 9113 section 8, RFC 7541."""
from http2_peer import *  # noqa: F403


# 8: requests

@case
def trailers_end_the_stream(client):
    client.send(post(1), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS, 1, block([(b"x", b"y")])))
    client.refused(1)


@case
def trailers_have_no_pseudo_fields(client):
    client.send(post(1), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS | END_STREAM, 1, block([(b":path", b"/")])))
    client.refused(1)


@case
def trailers_are_taken(client):
    client.send(post(1), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS | END_STREAM, 1, block([(b"x", b"y")])))
    client.answer(1)


def malformed(name, *more, **changed):
    """Adds a case of one malformed request."""
    def one(client):
        client.send(get(1, *more, **changed))
        client.refused(1)
    CASES[name] = one


def malformed_list(name, listed):
    """Adds a case of one malformed list of fields."""
    def one(client):
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(listed)))
        client.refused(1)
    CASES[name] = one


malformed("names_are_in_lower_case", (b"X-A", b"y"))
malformed("pseudo_fields_that_nobody_knows", (b":test", b"y"))
malformed("pseudo_fields_of_answers", (b":status", b"200"))
malformed("connection_fields", (b"connection", b"keep-alive"))
malformed("proxy_connection_fields", (b"proxy-connection", b"keep-alive"))
malformed("transfer_encoding", (b"transfer-encoding", b"chunked"))
malformed("upgrade", (b"upgrade", b"websocket"))
malformed("te_other_than_trailers", (b"te", b"trailers, deflate"))
malformed("an_empty_path", path=b"")
malformed("pseudo_fields_twice", (b":path", b"/"))
malformed("values_with_line_ends", (b"x-a", b"y\r\nx: z"))
malformed("values_with_nul", (b"x-a", b"y\0"))
malformed("content_length_without_content", (b"content-length", b"1"))
malformed_list("a_pseudo_field_after_others", [(b":method", b"GET"), (b":scheme", b"http"), (b"x", b"y"),
                                               (b":authority", b"api.example.com"), (b":path", b"/")])
malformed_list("no_method", fields()[1:])
malformed_list("no_scheme", [one for one in fields() if one[0] != b":scheme"])
malformed_list("no_path", fields()[:3])


@case
def less_content_than_announced(client):
    client.send(post(1, (b"content-length", b"9")), frame(DATA, END_STREAM, 1, b"x"))
    client.refused(1)


@case
def more_content_than_announced(client):
    client.send(post(1, (b"content-length", b"1")), frame(DATA, 0, 1, b"xx"), frame(DATA, END_STREAM, 1, b""))
    client.refused(1)


# RFC 7541

@case
def a_field_that_is_in_no_table(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\xff\x20"))
    client.connection_error(COMPRESSION)


@case
def the_field_with_index_zero(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x80"))
    client.connection_error(COMPRESSION)


@case
def a_table_larger_than_allowed(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe2\xff\x0f" + block(fields())))
    client.connection_error(COMPRESSION)


@case
def a_table_that_changes_in_the_middle(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x20"))
    client.connection_error(COMPRESSION)


@case
def padding_of_a_whole_byte_after_huffman_code(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x00\x01x\x83\x1c\x64\xff\xff"[:8]))
    client.connection_error(COMPRESSION)


@case
def padding_of_zeros_after_huffman_code(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x00\x01x\x81\x1e"))
    client.connection_error(COMPRESSION)


@case
def the_end_of_huffman_code_inside(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x00\x01x\x84\xff\xff\xff\xff"))
    client.connection_error(COMPRESSION)


@case
def a_value_that_is_cut_off(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields()) + b"\x00\x01x\x09y"))
    client.connection_error(COMPRESSION)
