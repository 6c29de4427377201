// The origin of rows that speak HTTP/2 to upstreams: one epoll loop over libnghttp2 that answers from memory, over plain
// TCP with prior knowledge. It is meant to be cheaper than any proxy in front of it.
//
//     backend_h2 PORT                         on 127.0.0.1
//
//     content-type: application/grpc          a message of 128 bytes, and grpc-status 0 in a trailer
//     /count                                  the number of requests answered so far, itself not counted
//     everything else                         128 bytes
//
// An answer begins when the whole request is there.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_PER_WAIT = 256,
    READ_BYTES = 64 * 1024,
    FRAME_BYTES_MAX = 17 * 1024,  // what nghttp2 hands out at once
    OUTPUT_BYTES = 64 * 1024,
    BODY_BYTES = 128,
    GRPC_PREFIX_BYTES = 5,
    STREAMS_MAX = 1000,
};

struct connection {
    int fd;
    int waits_to_write;
    nghttp2_session *session;
    size_t unsent_at, unsent_end;  // what the socket has not taken of `output`
    uint8_t output[OUTPUT_BYTES];
};

// A request under way. nghttp2 keeps the pointer for the stream; it is freed when the stream closes.
struct request {
    int is_grpc, is_count;
    size_t body_at, body_end;
    uint8_t body[GRPC_PREFIX_BYTES + BODY_BYTES];
};

static unsigned long answered;
static nghttp2_session_callbacks *callbacks;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

#define FIELD(name, value) {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, \
    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}
static const nghttp2_nv plain_head[] = {
    FIELD(":status", "200"), FIELD("content-type", "text/plain"), FIELD("content-length", "128")};
static const nghttp2_nv count_head[] = {FIELD(":status", "200"), FIELD("content-type", "text/plain")};
static const nghttp2_nv grpc_head[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
static const nghttp2_nv grpc_trailer[] = {FIELD("grpc-status", "0")};

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct request *request = calloc(1, sizeof *request);
    if (!request) fail("calloc");
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, request);
}

static int is(const uint8_t *bytes, size_t count, const char *text) {
    return strlen(text) == count && memcmp(bytes, text, count) == 0;
}

static int on_header(
    nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_bytes, const uint8_t *value,
    size_t value_bytes, uint8_t flags, void *user) {
    (void)flags, (void)user;
    struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!request) return 0;
    if (is(name, name_bytes, ":path")) request->is_count = is(value, value_bytes, "/count");
    if (is(name, name_bytes, "content-type")) request->is_grpc = is(value, value_bytes, "application/grpc");
    return 0;
}

static ssize_t read_body(
    nghttp2_session *session, int32_t stream, uint8_t *target, size_t room, uint32_t *flags, nghttp2_data_source *source,
    void *user) {
    (void)user;
    struct request *request = source->ptr;
    size_t count = request->body_end - request->body_at;
    if (count > room) count = room;
    memcpy(target, request->body + request->body_at, count);
    request->body_at += count;
    if (request->body_at < request->body_end) return (ssize_t)count;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (request->is_grpc) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, stream, grpc_trailer, 1) != 0) return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return (ssize_t)count;
}

static int answer(nghttp2_session *session, int32_t stream, struct request *request) {
    size_t prefix = request->is_grpc ? GRPC_PREFIX_BYTES : 0;
    const nghttp2_nv *head = request->is_grpc ? grpc_head : plain_head;
    request->body_end = prefix + BODY_BYTES;
    if (request->is_grpc) request->body[GRPC_PREFIX_BYTES - 1] = BODY_BYTES;
    for (size_t i = 0; i < BODY_BYTES; i++) request->body[prefix + i] = (uint8_t)('a' + i % 26);
    if (request->is_count) {
        head = count_head;
        request->body_end = (size_t)snprintf((char *)request->body, sizeof request->body, "%lu", answered);
    } else {
        answered++;
    }
    nghttp2_data_provider body = {.source.ptr = request, .read_callback = read_body};
    return nghttp2_submit_response(session, stream, head, head == plain_head ? 3 : 2, &body);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    int ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!ends || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) return 0;
    struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    return request ? answer(session, frame->hd.stream_id, request) : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
    (void)code, (void)user;
    free(nghttp2_session_get_stream_user_data(session, stream));
    return 0;
}

static void interest(int epoll, struct connection *connection, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, operation, connection->fd, &event) != 0) fail("epoll_ctl");
}

// Fills the output with frames as long as one more certainly fits.
static int gather(struct connection *connection) {
    while (connection->unsent_end + FRAME_BYTES_MAX <= OUTPUT_BYTES) {
        const uint8_t *frame;
        ssize_t count = nghttp2_session_mem_send(connection->session, &frame);
        if (count <= 0) return (int)count;
        memcpy(connection->output + connection->unsent_end, frame, (size_t)count);
        connection->unsent_end += (size_t)count;
    }
    return 0;
}

// Sends what there is, many frames in a system call. Returns -1 when the connection is lost.
static int flush_output(int epoll, struct connection *connection) {
    for (;;) {
        if (gather(connection) != 0) return -1;
        size_t left = connection->unsent_end - connection->unsent_at;
        if (left == 0) break;
        ssize_t sent = send(connection->fd, connection->output + connection->unsent_at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) return -1;
        if (sent < 0) break;
        connection->unsent_at += (size_t)sent;
        if (connection->unsent_at == connection->unsent_end) connection->unsent_at = connection->unsent_end = 0;
    }
    int waits = connection->unsent_end > 0;
    if (waits != connection->waits_to_write) interest(epoll, connection, EPOLL_CTL_MOD, EPOLLIN | (waits ? EPOLLOUT : 0));
    connection->waits_to_write = waits;
    return 0;
}

static int on_readable(struct connection *connection) {
    static uint8_t input[READ_BYTES];
    ssize_t count = recv(connection->fd, input, sizeof input, MSG_DONTWAIT);
    if (count <= 0) return count < 0 && errno == EAGAIN ? 0 : -1;
    return nghttp2_session_mem_recv(connection->session, input, (size_t)count) == count ? 0 : -1;
}

static void on_client(int epoll, int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection || nghttp2_session_server_new(&connection->session, callbacks, NULL) != 0) fail("connection");
    connection->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    interest(epoll, connection, EPOLL_CTL_ADD, EPOLLIN);
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX};
    nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, &settings, 1);
}

static int listen_on(int port) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 1024) != 0) fail("listen");
    return listener;
}

static void on_event(int epoll, struct connection *connection, unsigned events) {
    int lost = events & ~EPOLLOUT ? on_readable(connection) : 0;
    if (!lost) lost = flush_output(epoll, connection);
    if (!nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session)) lost = 1;
    if (!lost) return;
    close(connection->fd);
    nghttp2_session_del(connection->session);  // closes no streams: their requests are freed with the process
    free(connection);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: backend_h2 PORT\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    if (nghttp2_session_callbacks_new(&callbacks) != 0) fail("callbacks");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl");

    struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) on_client(epoll, listener);
            else on_event(epoll, connection, events[i].events);
        }
    }
}
