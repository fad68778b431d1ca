/* Holds 64 MiB when it ends; how it ends, the first argument says. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *wait_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

static void *outlive(void *first) {
    pthread_join(*(pthread_t *)first, NULL);
    return NULL;
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    size_t length = 64 << 20;
    char *block = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return 1;
    memset(block, 1, length);
    pthread_t thread;
    static pthread_t first;
    if (strcmp(how, "threads") == 0)
        for (int i = 0; i < 8; i++)
            pthread_create(&thread, NULL, wait_for_ever, NULL);
    if (strcmp(how, "outlived") == 0) {
        first = pthread_self();
        pthread_create(&thread, NULL, outlive, &first);
        pthread_exit(NULL);
    }
    if (strcmp(how, "killed") == 0)
        raise(SIGKILL);
    if (strcmp(how, "exec") == 0)
        execlp("true", "true", NULL);
    return 5;
}
