// A library to preload under callgrind: each byte that comes through the pipe WEIR_MARK calls weir_mark(), before which
// callgrind is told to write down what it has counted (--dump-before=weir_mark). So no debugger has to stop the process,
// which a container may not allow.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline, visibility("default"))) void weir_mark(void) { __asm__ volatile(""); }

static void *serve_marks(void *pipe_path) {
    char byte;
    int pipe = open(pipe_path, O_RDWR | O_CLOEXEC);  // also for writing: it never ends when a writer goes away
    if (pipe < 0) return NULL;
    while (read(pipe, &byte, 1) == 1) weir_mark();
    return NULL;
}

__attribute__((constructor)) static void start(void) {
    char *path = getenv("WEIR_MARK");
    pthread_t thread;
    if (!path) return;
    // The process's signals are for its own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, serve_marks, path) == 0) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
