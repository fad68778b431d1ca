// Forks, and within that waits for a line on its standard input, as it waits for another after it.
#include <pthread.h>
#include <unistd.h>

static void waits(void) {
    char line[16];
    write(1, "forking\n", 8);
    read(0, line, sizeof line);
}

int main(void) {
    char line[16];
    pthread_atfork(waits, NULL, NULL);
    if (fork() == 0) _exit(0);
    write(1, "forked\n", 7);
    read(0, line, sizeof line);
    return 0;
}
