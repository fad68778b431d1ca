/* Has 128 MiB of blocks, frees all but the last, and ends its main thread: what is there belongs to a process
   whose leader is a zombie. The other thread says its number and waits for the end of its input. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCKS 8192

static void *rest(void *leader)
{
    pthread_join(*(pthread_t *)leader, NULL);
    printf("%ld\n", syscall(SYS_gettid));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    exit(0);
}

int main(void)
{
    static char *block[BLOCKS];
    static pthread_t leader, other;
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = malloc(16000);
        memset(block[i], 1, 16000);
    }
    for (int i = 0; i < BLOCKS - 1; i++)
        free(block[i]);
    leader = pthread_self();
    if (pthread_create(&other, NULL, rest, &leader) != 0)
        return 1;
    pthread_exit(NULL);
}
