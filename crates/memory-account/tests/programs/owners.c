/* Memory of every kind of owner, each of a size of its own, written to its last page. Says "ready"
 * and waits; with an argument, beside a child that shares it. */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MIB (1L << 20)

static char zeros[11 * MIB];
static volatile char *kept[16];
static pthread_barrier_t done;

/* Writes to memory that nothing else looks at. */
static void fill(void *at, size_t bytes) {
    memset(at, 1, bytes);
    __asm__ volatile("" : : "r"(at) : "memory");
}

static void *filled(size_t bytes, int flags, int file) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
    if (at == MAP_FAILED) { perror("mmap"); exit(1); }
    fill(at, bytes);
    return at;
}

/* 3 MiB of a stack that stay in use, or that were. */
static __attribute__((noinline)) void deep(int stays) {
    fill(alloca(3 * MIB), 3 * MIB);
    if (stays) {
        pthread_barrier_wait(&done);
        for (;;) pause();
    }
}

static void *thread(void *stays) {
    /* An arena of its own, of small blocks. */
    for (int i = 0; i < 2048; i++) fill(malloc(1000), 1000);
    deep(stays != NULL);
    pthread_barrier_wait(&done);
    for (;;) pause();
    return NULL;
}

int main(int count, char **arguments) {
    FILE *file = tmpfile();
    if (!file || ftruncate(fileno(file), 2 * MIB)) return 1;
    fill(zeros, sizeof zeros);
    kept[0] = filled(2 * MIB, MAP_SHARED, fileno(file));
    kept[1] = filled(5 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
    /* No header that malloc would write. */
    kept[2] = filled(17 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    /* One of several mappings, the middle one untouched. */
    char *split = malloc(3 * MIB);
    fill(split, 1);
    fill(split + 3 * MIB - 1, 1);
    char *middle = (char *)(((long)split + MIB) & -4096L);
    if (madvise(middle, MIB, MADV_NOHUGEPAGE)) return 1;
    for (int i = 3; i < 10; i++) {
        kept[i] = malloc(MIB);
        fill((char *)kept[i], MIB);
    }
    for (int i = 0; i < 13 * 1024; i++) fill(malloc(1000), 1000);
    pthread_barrier_init(&done, NULL, 3);
    for (long stays = 0; stays < 2; stays++) {
        pthread_t one;
        if (pthread_create(&one, NULL, thread, (void *)stays)) return 1;
    }
    pthread_barrier_wait(&done);
    if (count > 1 && fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
