/* exec_self MODE N: makes one mremap, then executes itself with N-1, down to 0.
 * MODE is "main", or "thread": then a second thread does it, while a third one sleeps.
 * Known: N+1 mremap, N execve (and one that fails each time). */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char **arguments;

static void *again(void *unused) {
    char left[16], *missing[] = {"missing", NULL};
    snprintf(left, sizeof left, "%d", atoi(arguments[2]) - 1);
    char *next[] = {arguments[0], arguments[1], left, NULL};
    execv("/nonexistent/program", missing);
    execv("/proc/self/exe", next);
    exit(3);
    return unused;
}

static void *sleeper(void *unused) {
    pause();
    return unused;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    arguments = argv;
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mremap(memory, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED)
        return 4;
    if (atoi(argv[2]) == 0)
        return 5;
    if (strcmp(argv[1], "main") == 0)
        again(NULL);
    pthread_t first, second;
    pthread_create(&first, NULL, sleeper, NULL);
    pthread_create(&second, NULL, again, NULL);
    pthread_join(second, NULL);
    return 6;
}
