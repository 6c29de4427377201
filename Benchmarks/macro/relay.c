// The floor: a raw TCP relay. One epoll loop, one upstream connection per client connection, kept as long as the client
// stays. A request costs two recv and two send and nothing is parsed, so no proxy with the same kernel calls can cost
// less. Compare proxies with it, never run it for real.
//
//     relay LISTEN_PORT BACKEND_PORT          both on 127.0.0.1
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 256, BUFFER_BYTES = 64 * 1024 };

// One end of a relayed connection; `fd` is -1 once closed, the memory lives until the batch of events is done.
struct end {
    int fd;
    struct end *peer;
    struct end *next_closed;
};

static char buffer[BUFFER_BYTES];
static struct end *closed;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void watch(int epoll, int fd, void *owner) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void close_pair(struct end *end) {
    struct end *both[] = {end, end->peer};
    for (int i = 0; i < 2; i++) {
        close(both[i]->fd);
        both[i]->fd = -1;
        both[i]->next_closed = closed;
        closed = both[i];
    }
}

static void accept_client(int epoll, int listener, const struct sockaddr_in *backend) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)backend, sizeof *backend) != 0) {
        if (server >= 0) close(server);
        close(client);
        return;
    }
    struct end *ends = calloc(2, sizeof *ends);  // one block a pair, freed by release_closed
    if (!ends) fail("calloc");
    ends[0] = (struct end){.fd = client, .peer = &ends[1]};
    ends[1] = (struct end){.fd = server, .peer = &ends[0]};
    no_delay(client);
    no_delay(server);
    watch(epoll, client, &ends[0]);
    watch(epoll, server, &ends[1]);
}

// Sends everything. The socket buffers of loopback hold far more than one response, so waiting here is not part of
// what is measured; it only keeps the relay correct.
static int send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            if (poll(&writable, 1, 1000) <= 0) return -1;
        } else if (sent < 0 && errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static void relay(struct end *from) {
    ssize_t count = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) {
        if (send_all(from->peer->fd, buffer, (size_t)count) != 0) close_pair(from);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_pair(from);
    }
}

// The two ends of a pair stand next to each other on the list; their block starts at the lower address.
static void release_closed(void) {
    while (closed) {
        struct end *one = closed, *other = closed->next_closed;
        closed = other->next_closed;
        free(one < other ? one : other);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: relay LISTEN_PORT BACKEND_PORT\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in own = loopback(atoi(argv[1])), backend = loopback(atoi(argv[2]));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 1024) != 0) fail("listen");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener, NULL);

    struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < ready; i++) {
            struct end *end = events[i].data.ptr;
            if (!end) {
                accept_client(epoll, listener, &backend);
            } else if (end->fd >= 0) {
                relay(end);
            }
        }
        release_closed();
    }
}
