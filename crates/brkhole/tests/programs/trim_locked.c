// Its memory is locked, so that malloc_trim's madvise fails; and it looks at its errno all the time.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 2000, BYTES = 10000 };

static volatile sig_atomic_t stop;

static void end(int signal) {
    stop = signal;
}

int main(void) {
    static char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        if (!(blocks[i] = malloc(BYTES))) return 5;
        memset(blocks[i], 1, BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % 10) free(blocks[i]);
    if (mlockall(MCL_CURRENT)) return 6;
    signal(SIGTERM, end);
    volatile int *own = &errno;
    *own = 77;
    write(1, "ready\n", 6);
    while (!stop)
        if (*own != 77) _exit(7);
    return 0;
}
