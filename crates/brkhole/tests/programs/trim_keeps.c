// Frees 98 of 100 blocks of random size, in the first thread and in others, and checks at every
// line on its standard input that the rest are as they were and that malloc works.
//
// Arguments: `free` or `blocked` (whether the break can grow), `beside` (glibc's malloc is used beside
// a preloaded one) or `polled` (the kernel has a thread of its own in it, where it permits
// io_uring), and how many threads.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCKS = 20000, LARGEST = 16000, KEPT_OF = 50, MOST_THREADS = 64 };

struct worker {
    unsigned seed;
    unsigned char *blocks[BLOCKS];
    size_t lengths[BLOCKS];
};

static struct worker workers[MOST_THREADS];
static pthread_barrier_t begin, end;

static unsigned dice(struct worker *worker) {
    worker->seed = worker->seed * 1103515245u + 12345u;
    return worker->seed >> 8;
}

static unsigned char pattern(int index, size_t at) {
    return (unsigned char)(index * 31 + at * 7 + 1);
}

static void fill(struct worker *worker, int blocks) {
    for (int i = 0; i < blocks; i++) {
        worker->lengths[i] = 1 + dice(worker) % LARGEST;
        worker->blocks[i] = malloc(worker->lengths[i]);
        if (!worker->blocks[i]) abort();
        for (size_t at = 0; at < worker->lengths[i]; at++)
            worker->blocks[i][at] = pattern(i, at);
    }
    for (int i = 0; i < blocks; i++) {
        if (i % KEPT_OF == 0) continue;
        free(worker->blocks[i]);
        worker->blocks[i] = NULL;
    }
}

static void check(struct worker *worker, int blocks) {
    for (int i = 0; i < blocks; i++) {
        if (!worker->blocks[i]) continue;
        for (size_t at = 0; at < worker->lengths[i]; at++)
            if (worker->blocks[i][at] != pattern(i, at)) abort();
    }
    void *more[100];
    for (int i = 0; i < 100; i++) {
        size_t length = 1 + dice(worker) % LARGEST;
        if (!(more[i] = malloc(length))) abort();
        memset(more[i], 0x5a, length);
    }
    for (int i = 0; i < 100; i++) free(more[i]);
}

static int blocks_each;

static void *work(void *argument) {
    struct worker *worker = argument;
    fill(worker, blocks_each);
    for (;;) {
        pthread_barrier_wait(&end);
        pthread_barrier_wait(&begin);
        check(worker, blocks_each);
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int threads = atoi(arguments[2]);
    if (threads < 1 || threads > MOST_THREADS) return 2;
    if (!strcmp(arguments[1], "blocked")) {
        uintptr_t page = ((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095;
        void *hole = mmap((void *)page, 4096, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (hole != (void *)page) return 3;
    }
#ifndef STATIC
    if (!strcmp(arguments[1], "beside")) {
        void *glibc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        void *(*own_malloc)(size_t) = glibc ? (void *(*)(size_t))dlsym(glibc, "malloc") : NULL;
        if (!own_malloc || own_malloc == malloc || !own_malloc(100)) return 5;
    }
#endif
    struct io_uring_params polled = {.flags = IORING_SETUP_SQPOLL};
    if (!strcmp(arguments[1], "polled")) syscall(SYS_io_uring_setup, 4, &polled);
    blocks_each = BLOCKS / threads;
    pthread_barrier_init(&begin, NULL, threads);
    pthread_barrier_init(&end, NULL, threads);
    for (int i = 0; i < threads; i++) workers[i].seed = 42 + i;
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, &workers[i])) return 4;
    }
    fill(&workers[0], blocks_each);
    pthread_barrier_wait(&end);
    write(1, "ready\n", 6);
    char line[16];
    while (read(0, line, sizeof line) > 0) {
        pthread_barrier_wait(&begin);
        check(&workers[0], blocks_each);
        pthread_barrier_wait(&end);
        write(1, "well\n", 5);
    }
    return 0;
}
