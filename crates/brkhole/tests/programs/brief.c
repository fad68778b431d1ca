/*
 * Makes processes that live for a moment, one after the other, until the end of its input.
 *
 * brief WORKERS MICROSECONDS: takes blocks, writes to them, frees every second one, and says so.
 * Then so many workers each fork again and again a process that does nothing for up to that time
 * and ends. All of them have the heap that this process made: nobody uses malloc any more.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 200, BYTES = 10000 };

static void work(uint32_t state, unsigned microseconds)
{
    for (;;) {
        state = state * 1664525u + 1013904223u;
        pid_t brief = fork();
        if (brief < 0)
            _exit(5);
        if (brief == 0) {
            usleep((state >> 8) % microseconds);
            _exit(0);
        }
        if (waitpid(brief, NULL, 0) != brief)
            _exit(6);
    }
}

int main(int argc, char **argv)
{
    static char *block[BLOCKS];
    unsigned long workers = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned microseconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    pid_t own = getpid();
    char byte;

    if (workers == 0 || microseconds == 0)
        return 2;
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = malloc(BYTES);
        if (!block[i])
            return 3;
        memset(block[i], 1, BYTES);
    }
    for (int i = 0; i < BLOCKS; i += 2)
        free(block[i]);

    for (unsigned long i = 0; i < workers; i++) {
        pid_t worker = fork();
        if (worker < 0)
            return 4;
        if (worker == 0) {
            /* It doesn't outlive this process, however that ends. */
            if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != own)
                _exit(1);
            work(i + 1, microseconds);
        }
    }
    if (write(1, "ready\n", 6) != 6)
        return 1;
    while (read(0, &byte, 1) == 1)
        ;
    return 0;
}
