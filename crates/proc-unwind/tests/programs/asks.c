/* asks main|hole|thread|random: asks malloc and its relatives for known sizes until each has made the heap
 * grow, and says what it will ask for by an lseek that fails (offset: bytes, whence: which
 * function). 0 bytes: what comes is not to be counted. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MALLOC = 100, CALLOC, REALLOC, POSIX_MEMALIGN, MEMALIGN };

static const size_t sizes[] = {1,    24,    25,    40,    100,   520,    1000,   1032,
                               1500, 4000,  10001, 16384, 65536, 100000, 131000, 140001,
                               200000, 1000000, 5000003};
static void *volatile kept;
/* About three steps of the break, or as many of a thread's heap. */
static size_t enough = 400 * 1024;

static void say(size_t bytes, int function) { syscall(SYS_lseek, -1, bytes, function); }

static void ask(int function, size_t bytes) {
    size_t times = bytes > 128 * 1024 ? 2 : enough / (bytes < 24 ? 32 : bytes + 8) + 1;
    for (size_t i = 0; i < times; i++) {
        void *block = NULL;
        switch (function) {
        case MALLOC:
            block = malloc(bytes);
            break;
        case CALLOC:
            block = bytes % 4 == 0 ? calloc(bytes / 4, 4) : calloc(1, bytes);
            break;
        case REALLOC:
            say(0, 0);
            block = malloc(bytes / 2);
            say(bytes, function);
            block = realloc(block, bytes);
            break;
        case POSIX_MEMALIGN:
            if (posix_memalign(&block, 64, bytes) != 0)
                abort();
            break;
        case MEMALIGN:
            block = memalign(256, bytes);
            break;
        }
        if (block == NULL)
            abort();
        kept = block;
    }
}

static void *run(void *unused) {
    kept = malloc(1);
    for (int function = MALLOC; function <= MEMALIGN; function++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (function == REALLOC && sizes[i] < 4000)
                continue;
            say(sizes[i], function);
            ask(function, sizes[i]);
            say(0, 0);
        }
    return unused;
}

/* Sizes of all magnitudes, from a fixed seed; each is in many registers when it is asked for. */
static void ask_at_random(void) {
    uint64_t state = 88172645463325252;
    for (int i = 0; i < 4000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        size_t bytes = (state >> 20) % ((size_t)1 << (4 + state % 18));
        int function = MALLOC + (int)((state >> 50) % 5);
        void *block = NULL;
        if (function == REALLOC)
            block = malloc(bytes / 3 + 1);
        say(bytes == 0 ? 1 : bytes, function);
        if (bytes == 0)
            bytes = 1;
        size_t alignment = (size_t)16 << (state >> 60);
        if (function == MALLOC)
            block = malloc(bytes);
        else if (function == CALLOC)
            block = calloc(bytes, 1);
        else if (function == REALLOC)
            block = realloc(block, bytes);
        else if (function == MEMALIGN)
            block = memalign(alignment, bytes);
        else if (posix_memalign(&block, alignment, bytes) != 0)
            abort();
        say(0, 0);
        if (block == NULL)
            abort();
        kept = block;
        /* Some holes, so that the next is not always from the top. */
        if (i % 5 == 0)
            free(block);
    }
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    kept = malloc(1);
    if (strcmp(argv[1], "hole") == 0) {
        uintptr_t page = ((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095;
        void *hole = mmap((void *)page, 4096, PROT_READ,
                          MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (hole != (void *)page)
            return 4;
    }
    if (strcmp(argv[1], "random") == 0) {
        ask_at_random();
        return 0;
    }
    if (strcmp(argv[1], "thread") != 0) {
        run(NULL);
        return 0;
    }
    enough = 16 * 1024;
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        return 5;
    return pthread_join(thread, NULL);
}
