#define _GNU_SOURCE
#include "CWeir.h"
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

int weir_accept4(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int weir_lease(int fd) {
    struct statfs system;
    if (fstatfs(fd, &system) != 0) return -1;
    // NFS and SMB refuse a lease with the same EAGAIN when the server has delegated nothing.
    switch ((unsigned)system.f_type) {
    case 0x6969u: case 0x517Bu: case 0xFF534D42u: case 0xFE534D42u: return -1;
    }
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return 1;
    return errno == EAGAIN ? 0 : -1;
}
int weir_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
int weir_signalfd(const sigset_t *mask) { return signalfd(-1, mask, SFD_NONBLOCK | SFD_CLOEXEC); }
int weir_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
int weir_packet_socket(void) { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
// The kernel takes no more descriptors at once (SCM_MAX_FD).
enum { most_descriptors = 253 };
union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(most_descriptors * sizeof(int))];
};
ssize_t weir_send_descriptors(int fd, const void *bytes, size_t length, const int *descriptors, int count) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (count < 0 || count > most_descriptors) return errno = EINVAL, -1;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, (size_t)count * sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}
ssize_t weir_receive_descriptors(int fd, void *bytes, size_t length, int *descriptors, int *count) {
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    union control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    int room = *count;
    ssize_t received;
    *count = 0;
    do received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0) return -1;
    int isCut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        size_t came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < came; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(head) + index * sizeof(int), sizeof descriptor);
            if (*count < room) descriptors[(*count)++] = descriptor;
            else isCut = 1, close(descriptor);
        }
    }
    if (!isCut) return received;
    while (*count > 0) close(descriptors[--*count]);
    errno = EMSGSIZE;
    return -1;
}
int weir_peer_user(int fd, uid_t *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *user = peer.uid;
    return 0;
}
int weir_listens(int fd) {
    int listens = 0, protocol = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || !listens) return 0;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}
void weir_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
double weir_clock_seconds(int clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
int64_t weir_modified(const struct stat *info) {
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}
const char *weir_errno_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}
void *weir_map_twice(const char *name, size_t size) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) return NULL;
    char *start = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) == 0) start = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failed = start == MAP_FAILED;
    for (int half = 0; half < 2 && !failed; half++)
        failed = mmap(start + (size_t)half * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED;
    int code = errno;
    if (failed && start != MAP_FAILED) munmap(start, 2 * size);
    close(fd);
    errno = code;
    return failed ? NULL : start;
}
void weir_unmap_twice(void *start, size_t size) { munmap(start, 2 * size); }
