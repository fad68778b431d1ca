/* arenas THREADS COUNT

   So many threads, each with an arena of its own, take so many blocks of up to 8 KiB each, write
   them, and free all but every twentieth. They stay, and the program stands still. */

#include <pthread.h>
#include <stdlib.h>

#include "standing.h"

enum { GREATEST = 8 << 10, KEPT = 20, MOST_THREADS = 64 };

static unsigned long blocks;
static pthread_barrier_t all_are_there, freed;

static void *work(void *seed)
{
    uint64_t state = FIRST_NUMBER + (uintptr_t) seed;
    unsigned long number;
    char **block;

    /* An arena is chosen at a thread's first block; with all of them there nobody inherits one. */
    pthread_barrier_wait(&all_are_there);
    block = malloc(blocks * sizeof *block);
    if (block == NULL)
        _exit(1);
    for (number = 0; number < blocks; number++) {
        size_t bytes = 16 + next_number(&state) % (GREATEST - 16);

        block[number] = malloc(bytes);
        if (block[number] == NULL)
            _exit(1);
        memset(block[number], 0xa5, bytes);
    }
    for (number = 0; number < blocks; number++)
        if (number % KEPT != 0)
            free(block[number]);
    pthread_barrier_wait(&freed);
    for (;;)
        pause();
    return NULL;
}

int main(int count, char **words)
{
    unsigned long threads, number;
    pthread_t thread;

    if (count != 3)
        return 2;
    threads = strtoul(words[1], NULL, 10);
    blocks = strtoul(words[2], NULL, 10);
    if (threads == 0 || threads > MOST_THREADS || blocks == 0)
        return 2;
    pthread_barrier_init(&all_are_there, NULL, threads);
    pthread_barrier_init(&freed, NULL, threads + 1);
    for (number = 0; number < threads; number++)
        if (pthread_create(&thread, NULL, work, (void *) (uintptr_t) (number * 7919)) != 0)
            return 1;
    pthread_barrier_wait(&freed);
    return stand_still();
}
