/* Stops itself and is continued, and watches a child do the same. Exit status 0 if each stop was
 * a real one, seen by the parent, and ended by SIGCONT only. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

int main(void) {
    int status, pipe_ends[2];
    char byte = 0;
    if (pipe(pipe_ends))
        return 7;

    /* A child stops itself; seen, continued, seen again before it may end. */
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
        _exit(read(pipe_ends[0], &byte, 1) == 1 ? 9 : 1);
    }
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        return 1;
    if (WSTOPSIG(status) != SIGSTOP)
        return 2;
    kill(child, SIGCONT);
    if (waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status))
        return 3;
    if (write(pipe_ends[1], &byte, 1) != 1)
        return 7;
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 9)
        return 4;

    /* Itself; a child, told beforehand, continues it after a while, and again until it is told
     * that this was enough (the first time may come before the stop). */
    pid_t parent = getpid();
    child = fork();
    if (child == 0) {
        struct pollfd enough = {.fd = pipe_ends[0], .events = POLLIN};
        if (read(pipe_ends[0], &byte, 1) != 1)
            _exit(1);
        usleep(200 * 1000);
        do
            kill(parent, SIGCONT);
        while (poll(&enough, 1, 20) == 0);
        _exit(0);
    }
    double before = now();
    if (write(pipe_ends[1], &byte, 1) != 1)
        return 7;
    raise(SIGSTOP);
    if (now() - before < 0.2)
        return 5;
    if (write(pipe_ends[1], &byte, 1) != 1)
        return 7;
    if (waitpid(child, &status, 0) != child || status != 0)
        return 6;
    return 0;
}
