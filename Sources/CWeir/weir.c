#define _GNU_SOURCE
#include "CWeir.h"
#include <sys/vfs.h>

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
void weir_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
