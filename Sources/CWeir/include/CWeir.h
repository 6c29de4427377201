// What the Glibc module does not offer to Swift: Linux calls and their constants, nothing else.
#ifndef CWEIR_H
#define CWEIR_H
#include <features.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// POLLRDHUP, which <poll.h> defines for _GNU_SOURCE alone.
static const int weir_pollrdhup = 0x2000;

// Takes a read lease, which goes with the descriptor: 1 = held, 0 = somebody has the file open for writing, -1 = not known.
// A break of the lease sends SIGIO.
int weir_lease(int fd);
// The text of an errno, which lives for ever and is the same in every language.
const char *weir_errno_text(int code);
// `size` bytes of fresh memory, mapped twice back to back: what is written behind the first mapping's end lies at its start.
// A multiple of the page size. NULL with errno on failure; weir_unmap_twice gives it back.
void *weir_map_twice(const char *name, size_t size);
void weir_unmap_twice(void *start, size_t size);
int weir_accept4(int fd, struct sockaddr *address, socklen_t *length);
int weir_eventfd(void);
int weir_signalfd(const sigset_t *mask);
int weir_socket(int family);
void weir_name_thread(const char *name);
// A unix socket of type SOCK_SEQPACKET: what is sent at once is received at once.
int weir_packet_socket(void);
// sendmsg with SCM_RIGHTS; the descriptors stay the caller's. -1 with errno on failure.
ssize_t weir_send_descriptors(int fd, const void *bytes, size_t length, const int *descriptors, int count);
// recvmsg; `*count` is the room in `descriptors` and then how many came, which are the caller's and close on exec. What was
// cut, bytes or descriptors, is refused with EMSGSIZE, and nothing is left open. 0 = the peer has ended.
ssize_t weir_receive_descriptors(int fd, void *bytes, size_t length, int *descriptors, int *count);
// The user that the peer of a unix socket ran as when it connected or listened: SO_PEERCRED. -1 when it is not known.
int weir_peer_user(int fd, uid_t *user);
// Whether this is a TCP socket that listens.
int weir_listens(int fd);
// Which module a timespec belongs to depends on what else is imported, so Swift outside the engine never sees one.
// Seconds of a CLOCK_ constant's clock.
double weir_clock_seconds(int clock);
// Nanoseconds since 1970 at the last modification.
int64_t weir_modified(const struct stat *info);

// recv and send without a thread-cancellation point: glibc's pay eight locked instructions a request for one. Sanitizers
// watch glibc's, so they get those.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define WEIR_WATCHED 1
#endif
#endif
static inline ssize_t weir_recv(int fd, void *bytes, size_t count) {
#ifdef WEIR_WATCHED
    return recv(fd, bytes, count, 0);
#else
    return syscall(SYS_recvfrom, fd, bytes, count, 0, (void *)0, (void *)0);
#endif
}
static inline ssize_t weir_send(int fd, const void *bytes, size_t count) {
#ifdef WEIR_WATCHED
    return send(fd, bytes, count, MSG_NOSIGNAL);
#else
    return syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL, (void *)0, 0);
#endif
}
#endif
