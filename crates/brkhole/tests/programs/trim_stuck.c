// Stays inside malloc until a line comes on its standard input: malloc writes to a page that can't
// be written to, and the handler of the signal waits.
//
// Arguments: `single` or `several` (threads: with more than one, malloc holds the arena's lock
// then), `same` or `other` (the stack on which the handler runs), and perhaps a program that it
// executes then in place of going on.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK = 100 << 10 };

static char *page, *next;

static void wait_for_a_line(int signal, siginfo_t *info, void *context) {
    char line[16];
    (void)signal, (void)context;
    if ((uintptr_t)info->si_addr - (uintptr_t)page >= 4096) _exit(3);
    write(1, "stuck\n", 6);
    if (read(0, line, sizeof line) <= 0) _exit(4);
    if (next) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execl(next, next, "free", "1", (char *)NULL);
        _exit(6);
    }
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void *idle(void *nothing) {
    for (;;) pause();
    return nothing;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    next = arguments[3];
    pthread_t thread;
    if (!strcmp(arguments[1], "several") && pthread_create(&thread, NULL, idle, NULL)) return 5;
    struct sigaction action = {.sa_sigaction = wait_for_a_line, .sa_flags = SA_SIGINFO};
    if (!strcmp(arguments[2], "other")) {
        stack_t stack = {.ss_size = 256 << 10};
        stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL)) return 5;
        action.sa_flags |= SA_ONSTACK;
    }
    sigaction(SIGSEGV, &action, NULL);
    // The one in the middle is free. A larger request has malloc sort it into a bin, for which it
    // writes to the block's beginning.
    char *before = malloc(BLOCK), *middle = malloc(BLOCK), *after = malloc(BLOCK);
    if (!before || !middle || !after) return 5;
    memset(middle, 1, BLOCK);
    page = (char *)((uintptr_t)middle & ~(uintptr_t)4095);
    free(middle);
    // The chunks before and after begin on other pages.
    mprotect(page, 4096, PROT_READ);
    char *larger = malloc(BLOCK + 8192);
    if (!larger) return 5;
    memset(larger, 2, BLOCK + 8192);
    free(larger);
    free(before);
    free(after);
    write(1, "ready\n", 6);
    char line[16];
    while (read(0, line, sizeof line) > 0) {
        free(malloc(BLOCK));
        write(1, "well\n", 5);
    }
    return 0;
}
