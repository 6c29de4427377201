// What the Glibc module does not offer to Swift: Linux calls and their constants, nothing else.
#ifndef CWEIR_H
#define CWEIR_H
#include <features.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int weir_accept4(int fd, struct sockaddr *address, socklen_t *length);
int weir_eventfd(void);
int weir_signalfd(const sigset_t *mask);
int weir_socket(int family);
void weir_name_thread(const char *name);
#endif
