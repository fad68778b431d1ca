/* 64 threads at once; each grows one mapping ten times and drops its pages ten times.
 * Known: 640 mremap, and at least 640 madvise (the C library may add some at thread exit). */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { THREADS = 64, TURNS = 10, PAGE = 4096 };

static void *work(void *unused) {
    size_t bytes = PAGE;
    char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int turn = 0; turn < TURNS; turn++) {
        memory = mremap(memory, bytes, bytes + PAGE, MREMAP_MAYMOVE);
        if (memory == MAP_FAILED)
            abort();
        bytes += PAGE;
        memory[bytes - 1] = 1;
        madvise(memory, bytes, MADV_DONTNEED);
    }
    munmap(memory, bytes);
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL))
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
