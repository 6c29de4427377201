// A library to preload: counts the heap allocations of a process.
//
// With WEIR_MALLOC_COUNT=FILE the count is kept in that file's first eight bytes, where another program can read it
// while this one runs; a program may also ask for weir_malloc_count(). Counted is every call that may hand out memory,
// also a realloc that could stay in place.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// glibc's own names for what this file replaces; asking the linker for them would itself allocate.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_ulong own_count;
static atomic_ulong *count = &own_count;

__attribute__((constructor)) static void share_count(void) {
    const char *path = getenv("WEIR_MALLOC_COUNT");
    if (!path) return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof own_count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return;
    atomic_ulong *file_count = shared;
    atomic_fetch_add(file_count, atomic_load(&own_count));
    count = file_count;
}

static void add_one(void) { atomic_fetch_add_explicit(count, 1, memory_order_relaxed); }

unsigned long weir_malloc_count(void) { return atomic_load(count); }

void *malloc(size_t bytes) {
    add_one();
    return __libc_malloc(bytes);
}

void *calloc(size_t items, size_t bytes) {
    add_one();
    return __libc_calloc(items, bytes);
}

void *realloc(void *block, size_t bytes) {
    add_one();
    return __libc_realloc(block, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    add_one();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **block, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    void *memory = memalign(alignment, bytes);
    if (!memory) return ENOMEM;
    *block = memory;
    return 0;
}
