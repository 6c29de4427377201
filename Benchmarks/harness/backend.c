// The origin behind every measured proxy: one epoll loop that answers HTTP/1.1 keep-alive requests from memory. It is
// meant to be cheaper than any proxy in front of it, so that the proxy's core is the busy one.
//
//     backend PORT                            on 127.0.0.1
//
//     /b/BYTES   a body of that many bytes (at most 1 MiB); every other path: 128 bytes
//     /count     the number of requests answered so far, itself not counted
//
// Pipelined requests are answered in one write; a request body with Content-Length is read and thrown away, any other
// request body ends the connection. It parses just enough for clients that behave.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 256, HEAD_BYTES = 16 * 1024, BODY_BYTES_MAX = 1024 * 1024, DEFAULT_BODY_BYTES = 128 };

struct connection {
    int fd;
    size_t body_left;  // bytes of a request body still to be thrown away
    size_t filled;     // bytes of `input`
    char *unsent;      // what the socket did not take, or NULL
    size_t unsent_at, unsent_end;
    char input[HEAD_BYTES];
};

// What one round of reading answers; shared by all connections because it is sent or copied away before the next one.
static struct {
    char *bytes;
    size_t count, capacity;
} output;

static char body[BODY_BYTES_MAX];
static unsigned long answered;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void append(const char *bytes, size_t count) {
    if (output.count + count > output.capacity) {
        output.capacity = (output.count + count) * 2;
        output.bytes = realloc(output.bytes, output.capacity);
        if (!output.bytes) fail("realloc");
    }
    memcpy(output.bytes + output.count, bytes, count);
    output.count += count;
}

static void answer(const char *bytes, size_t count, int head_only) {
    char head[128];
    int length = snprintf(
        head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", count);
    append(head, (size_t)length);
    if (!head_only) append(bytes, count);
}

// The value of a header in `head`, which ends with an empty line; NULL when absent.
static const char *header(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line && line + 1 + length < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') return line + length + 1;
    }
    return NULL;
}

// Answers the request whose head is [head, end). Returns its body's length, or -1 to close.
static long serve(const char *head, const char *end) {
    const char *path = memchr(head, ' ', (size_t)(end - head));
    if (!path || header(head, end, "transfer-encoding")) return -1;
    path++;
    int head_only = strncmp(head, "HEAD ", 5) == 0;
    if (strncmp(path, "/count ", 7) == 0) {
        char text[32];
        answer(text, (size_t)snprintf(text, sizeof text, "%lu", answered), head_only);
    } else {
        size_t count = DEFAULT_BODY_BYTES;
        if (strncmp(path, "/b/", 3) == 0) count = strtoul(path + 3, NULL, 10);
        answer(body, count > BODY_BYTES_MAX ? BODY_BYTES_MAX : count, head_only);
        answered++;
    }
    const char *length = header(head, end, "content-length");
    return length ? strtol(length, NULL, 10) : 0;
}

// Answers every complete request of the input and keeps the rest. Returns -1 to close.
static int serve_all(struct connection *connection) {
    size_t at = 0;
    for (;;) {
        size_t thrown = connection->filled - at;
        if (thrown > connection->body_left) thrown = connection->body_left;
        connection->body_left -= thrown;
        at += thrown;
        const char *head = connection->input + at;
        const char *end = memmem(head, connection->filled - at, "\r\n\r\n", 4);
        if (connection->body_left > 0 || !end) break;
        long body_bytes = serve(head, end + 4);
        if (body_bytes < 0) return -1;
        connection->body_left = (size_t)body_bytes;
        at = (size_t)(end + 4 - connection->input);
    }
    connection->filled -= at;
    memmove(connection->input, connection->input + at, connection->filled);
    return connection->filled == HEAD_BYTES ? -1 : 0;
}

static void interest(int epoll, struct connection *connection, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, operation, connection->fd, &event) != 0) fail("epoll_ctl");
}

// Sends the output; what the socket does not take waits in the connection, which is not read meanwhile.
static int flush_output(int epoll, struct connection *connection) {
    ssize_t sent = send(connection->fd, output.bytes, output.count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) sent = 0;
    if ((size_t)sent == output.count) return 0;
    connection->unsent_at = 0;
    connection->unsent_end = output.count - (size_t)sent;
    connection->unsent = malloc(connection->unsent_end);
    if (!connection->unsent) fail("malloc");
    memcpy(connection->unsent, output.bytes + sent, connection->unsent_end);
    interest(epoll, connection, EPOLL_CTL_MOD, EPOLLOUT);
    return 0;
}

static int on_writable(int epoll, struct connection *connection) {
    ssize_t sent = send(
        connection->fd, connection->unsent + connection->unsent_at, connection->unsent_end - connection->unsent_at,
        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    connection->unsent_at += (size_t)sent;
    if (connection->unsent_at < connection->unsent_end) return 0;
    free(connection->unsent);
    connection->unsent = NULL;
    interest(epoll, connection, EPOLL_CTL_MOD, EPOLLIN);
    return 0;
}

static int on_readable(int epoll, struct connection *connection) {
    ssize_t count = recv(
        connection->fd, connection->input + connection->filled, HEAD_BYTES - connection->filled, MSG_DONTWAIT);
    if (count <= 0) return count < 0 && errno == EAGAIN ? 0 : -1;
    connection->filled += (size_t)count;
    output.count = 0;
    if (serve_all(connection) != 0) return -1;
    return output.count > 0 ? flush_output(epoll, connection) : 0;
}

static void on_client(int epoll, int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) fail("calloc");
    connection->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    interest(epoll, connection, EPOLL_CTL_ADD, EPOLLIN);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: backend PORT\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 26);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 1024) != 0) fail("listen");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl");

    struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                on_client(epoll, listener);
                continue;
            }
            // A connection has one event in a batch, so freeing it here leaves no other pointing at it.
            int lost = connection->unsent ? on_writable(epoll, connection) : on_readable(epoll, connection);
            if (lost) {
                close(connection->fd);
                free(connection->unsent);
                free(connection);
            }
        }
    }
}
