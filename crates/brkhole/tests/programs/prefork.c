/* Has 30 MiB of small blocks, most of them freed again, and three children that share them with it. Says who
   all are, and waits for the end of its input. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BLOCKS 60000
#define CHILDREN 3

int main(void)
{
    static char *block[BLOCKS];
    pid_t child[CHILDREN];
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = malloc(500);
        memset(block[i], 1, 500);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % 20 != 0)
            free(block[i]);
    printf("%d", getpid());
    fflush(stdout);
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
        printf(" %d", child[i]);
    }
    puts("");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (int i = 0; i < CHILDREN; i++)
        kill(child[i], SIGKILL);
    return 0;
}
