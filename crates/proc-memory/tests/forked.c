/* Five pages, each of its own letter, the fourth of which is unmapped; and 32 MiB that are written
   before it makes a child, which only waits. Says where both are and who the child is, and ends with
   its input. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SHARED_BYTES (32 << 20)

static char *map(size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
    size_t page = sysconf(_SC_PAGESIZE);
    char *pages = map(5 * page), *shared = map(SHARED_BYTES);
    if (pages == MAP_FAILED || shared == MAP_FAILED)
        return 1;
    for (int number = 0; number < 5; number++)
        memset(pages + number * page, 'a' + number, page);
    munmap(pages + 3 * page, page);
    madvise(shared, SHARED_BYTES, MADV_NOHUGEPAGE);
    memset(shared, 1, SHARED_BYTES);
    int child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    printf("%d %lu %lu\n", child, (unsigned long)pages, (unsigned long)shared);
    fflush(stdout);
    getchar();
    kill(child, SIGKILL);
    return 0;
}
