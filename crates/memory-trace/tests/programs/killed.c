/* killed MODE: makes 100 mremap calls and is then killed by SIGKILL: "self" by its own hand,
 * "threads" by a child while eight threads are in the middle of memory calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *busy(void *unused) {
    for (;;)
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
    return unused;
}

int main(int argc, char **argv) {
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 100; i++)
        memory = mremap(memory, 4096, 4096, MREMAP_MAYMOVE);
    if (argc == 2 && strcmp(argv[1], "self") == 0)
        kill(getpid(), SIGKILL);
    pid_t parent = getpid();
    if (fork() == 0) {
        usleep(100 * 1000);
        kill(parent, SIGKILL);
        _exit(0);
    }
    pthread_t thread;
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, busy, NULL);
    pause();
    return 1;
}
