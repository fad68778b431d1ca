/* keeps_free BYTES THREADS [CHUNKS]: has malloc keep that much free in runs of seven blocks of 4,096
 * bytes, shared out among so many threads, each with an arena of its own, and in so many single
 * chunks of 176 bytes between others that are in use. Says that it is ready, waits for
 * a byte on standard input, and then gives it back itself. Says on standard output how many
 * nanoseconds malloc_trim took for that. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, RUN = 7, SMALL = 160 };

static pthread_barrier_t filled;
static size_t runs_each;

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The block behind each run stays. */
static void fill(void) {
    size_t blocks = runs_each * (RUN + 1);
    char **block = calloc(blocks + 1, sizeof *block);
    if (!block)
        abort();
    for (size_t i = 0; i < blocks; i++) {
        if (!(block[i] = malloc(BLOCK)))
            abort();
        memset(block[i], 1, BLOCK);
    }
    for (size_t i = 0; i < blocks; i++)
        if (i % (RUN + 1) != RUN)
            free(block[i]);
    pthread_barrier_wait(&filled);
}

/* None is so small that it goes to a fast bin, and the thread's cache takes seven. */
static void fill_small(size_t chunks) {
    char **block = calloc(2 * chunks + 1, sizeof *block);
    if (!block)
        abort();
    for (size_t i = 0; i < 2 * chunks; i++) {
        if (!(block[i] = malloc(SMALL)))
            abort();
        memset(block[i], 1, SMALL);
    }
    for (size_t i = 0; i < 2 * chunks; i += 2)
        free(block[i]);
}

static void *thread(void *argument) {
    fill();
    for (;;)
        pause();
    return argument;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4)
        return 2;
    unsigned threads = (unsigned)atol(argv[2]);
    if (threads == 0)
        return 2;
    runs_each = (size_t)atol(argv[1]) / threads / (RUN * BLOCK);
    pthread_barrier_init(&filled, NULL, threads);
    for (unsigned i = 1; i < threads; i++) {
        pthread_t other;
        if (pthread_create(&other, NULL, thread, NULL))
            return 1;
    }
    fill();
    if (argc == 4)
        fill_small((size_t)atol(argv[3]));
    char byte;
    if (write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
        return 1;
    long long began = nanoseconds();
    malloc_trim(0);
    long long took = nanoseconds() - began;
    char text[32];
    int length = snprintf(text, sizeof text, "%lld\n", took);
    return write(1, text, length) != length;
}
