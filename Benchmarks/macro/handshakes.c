// Makes TLS handshakes with a server on loopback, some at a time, and nothing else: each connection is opened, shaken,
// ended with close_notify, and done when the server has closed it, which it does only when it has read the client's
// last handshake message.
//
//     handshakes PORT SERVER_NAME full|resumed SECONDS CONNECTIONS VERSION CIPHER GROUP
//
// VERSION, CIPHER and GROUP are all that is offered. `resumed` gets a ticket first and uses it for all, renewed when the
// server sends another. Prints one line of JSON. Exit status: 1 when a handshake failed or was not of the kind wanted.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS_MAX = 256, STALLED_SECONDS = 5, SAMPLES_MAX = 1 << 20 };

// One connection at a time.
struct slot {
    int fd;
    SSL *tls;
    double began;
    int is_shaken;
};

static SSL_CTX *context;
static SSL_SESSION *session;  // the newest ticket
static struct sockaddr_in server;
static const char *server_name;
static int wants_resumed, epoll;
static unsigned long done;
static size_t shaken;  // of which so many have a time in `microseconds`
static double *microseconds;
static char negotiated[256];

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int keep_ticket(SSL *tls, SSL_SESSION *ticket) {
    (void)tls;
    if (!wants_resumed) return 0;
    SSL_SESSION_free(session);
    session = ticket;
    return 1;
}

static SSL *tls_over(int fd) {
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, fd) || !SSL_set_tlsext_host_name(tls, server_name)) fail("SSL_new");
    if (session) {
        // A copy, as a connection that ends without close_notify spoils its session for others.
        SSL_SESSION *copy = SSL_SESSION_dup(session);
        if (!copy || !SSL_set_session(tls, copy)) fail("SSL_set_session");
        SSL_SESSION_free(copy);
    }
    SSL_set_connect_state(tls);
    return tls;
}

// What was agreed upon; it must be the same each time.
static void check(SSL *tls) {
    char now_negotiated[sizeof negotiated];
    X509 *certificate = SSL_get0_peer_certificate(tls);
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    snprintf(
        now_negotiated, sizeof now_negotiated, "%s, %s, %s, %s %d bits", SSL_get_version(tls), SSL_get_cipher_name(tls),
        OBJ_nid2sn(SSL_get_negotiated_group(tls) & 0xffff), key ? EVP_PKEY_get0_type_name(key) : "no key",
        key ? EVP_PKEY_get_bits(key) : 0);
    if (negotiated[0] == 0) strcpy(negotiated, now_negotiated);
    if (strcmp(negotiated, now_negotiated) != 0) {
        fprintf(stderr, "negotiated %s, and before %s\n", now_negotiated, negotiated);
        exit(1);
    }
    if (SSL_session_reused(tls) != wants_resumed) {
        fprintf(stderr, wants_resumed ? "the server did not resume\n" : "the server resumed\n");
        exit(1);
    }
}

// A whole handshake and a request, since some servers send their ticket with the first answer.
static void get_ticket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = STALLED_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0) fail("connect");
    SSL *tls = tls_over(fd);
    char request[512], answer[4096];
    int count = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", server_name);
    if (SSL_write(tls, request, count) == count)
        while (SSL_read(tls, answer, sizeof answer) > 0) {}
    if (!session) {
        errno = 0;
        fail("the server sent no ticket");
    }
    SSL_shutdown(tls);
    SSL_free(tls);
    close(fd);
}

static void watch(struct slot *slot, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = slot};
    if (epoll_ctl(epoll, operation, slot->fd, &event) != 0) fail("epoll_ctl");
}

static void open_slot(struct slot *slot) {
    int on = 1;
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(slot->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) fail("connect");
    slot->began = now();
    slot->is_shaken = 0;
    slot->tls = tls_over(slot->fd);
    watch(slot, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET);
}

// Goes on as far as possible; true when the server has closed the connection.
static int advance(struct slot *slot) {
    ERR_clear_error();
    if (!slot->is_shaken) {
        int status = SSL_do_handshake(slot->tls);
        if (status <= 0) {
            int error = SSL_get_error(slot->tls, status);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
            fail("handshake");
        }
        slot->is_shaken = 1;
        check(slot->tls);
        if (shaken < SAMPLES_MAX) microseconds[shaken++] = (now() - slot->began) * 1e6;
        if (SSL_shutdown(slot->tls) < 0) fail("close_notify");
    }
    char rest[512];
    int count;
    do count = SSL_read(slot->tls, rest, sizeof rest);
    while (count > 0);
    return SSL_get_error(slot->tls, count) != SSL_ERROR_WANT_READ;
}

static void close_slot(struct slot *slot) {
    SSL_free(slot->tls);
    close(slot->fd);
    slot->tls = NULL;
    done++;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double part) {
    size_t at = (size_t)((double)shaken * part);
    return microseconds[at < shaken ? at : shaken - 1];
}

static void prepare(char **argv) {
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_name = argv[2];
    wants_resumed = strcmp(argv[3], "resumed") == 0;
    context = SSL_CTX_new(TLS_client_method());
    microseconds = malloc(SAMPLES_MAX * sizeof *microseconds);
    SSL_CONF_CTX *options = SSL_CONF_CTX_new();
    if (!context || !microseconds || !options) fail("context");
    SSL_CONF_CTX_set_flags(options, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT);
    SSL_CONF_CTX_set_ssl_ctx(options, context);
    if (SSL_CONF_cmd(options, "MinProtocol", argv[6]) <= 0 || SSL_CONF_cmd(options, "MaxProtocol", argv[6]) <= 0 ||
        SSL_CONF_cmd(options, "Ciphersuites", argv[7]) <= 0 || SSL_CONF_cmd(options, "Groups", argv[8]) <= 0)
        fail("VERSION CIPHER GROUP");
    SSL_CONF_CTX_free(options);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (wants_resumed) get_ticket();
}

int main(int argc, char **argv) {
    static struct slot slots[SLOTS_MAX];
    struct epoll_event events[SLOTS_MAX];
    int seconds = argc == 9 ? atoi(argv[4]) : 0, count = argc == 9 ? atoi(argv[5]) : 0;
    if (seconds < 1 || count < 1 || count > SLOTS_MAX) {
        fprintf(stderr, "usage: handshakes PORT SERVER_NAME full|resumed SECONDS CONNECTIONS VERSION CIPHER GROUP\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    prepare(argv);
    double begin = now();
    int open = count;
    for (int i = 0; i < count; i++) open_slot(&slots[i]);
    while (open > 0) {
        int ready = epoll_wait(epoll, events, SLOTS_MAX, STALLED_SECONDS * 1000);
        if (ready == 0) {
            fprintf(stderr, "nothing happened on %d connections for %d seconds\n", open, STALLED_SECONDS);
            return 1;
        }
        for (int i = 0; i < ready; i++) {
            struct slot *slot = events[i].data.ptr;
            if (!advance(slot)) continue;
            close_slot(slot);
            if (now() - begin < seconds) open_slot(slot);
            else open--;
        }
    }
    double elapsed = now() - begin;
    qsort(microseconds, shaken, sizeof *microseconds, ascending);
    printf(
        "{\"handshakes\": %lu, \"per_second\": %.1f, \"p50\": %.0f, \"p99\": %.0f, \"p999\": %.0f, \"negotiated\": \"%s\"}\n",
        done, (double)done / elapsed, percentile(0.5), percentile(0.99), percentile(0.999), negotiated);
    return 0;
}
