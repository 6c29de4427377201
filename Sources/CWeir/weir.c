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
