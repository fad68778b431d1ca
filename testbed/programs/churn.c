/* churn THREADS CPU_SECONDS

   So many threads take and free blocks of all sizes up to 64 KiB as fast as they can, each out of a
   set of its own that it keeps full by half, until the process has used so much processor time. Says
   how often malloc and free were called, the processor time that this took, and the time on the
   clock:

   { "operations": 123, "cpu_seconds": 4.0, "wall_seconds": 2.1 } */

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 1024, MOST_THREADS = 64, GREATEST_SHIFT = 12 };

static atomic_int is_over;

struct count {
    /* A cache line for each: the counting is not to be what the threads wait for. */
    _Alignas(128) unsigned long operations;
};

static struct count counts[MOST_THREADS];

static void end(int number)
{
    (void) number;
    atomic_store_explicit(&is_over, 1, memory_order_relaxed);
}

static void *work(void *which)
{
    uint64_t state = 88172645463325252u + 7919 * (uintptr_t) which;
    char *slot[SLOTS] = { NULL };
    unsigned long operations = 0;

    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        char **at;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at = &slot[state % SLOTS];
        if (*at != NULL) {
            free(*at);
            *at = NULL;
        } else {
            /* Small blocks come more often than great ones. */
            size_t bytes = 16 + ((state >> 32) & ((16u << ((state >> 20) % (GREATEST_SHIFT + 1))) - 1));

            *at = malloc(bytes);
            if (*at == NULL)
                _exit(1);
            **at = 1;
        }
        operations++;
    }
    counts[(uintptr_t) which].operations = operations;
    return NULL;
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

int main(int count, char **words)
{
    struct sigaction action = { .sa_handler = end };
    struct itimerval limit = { { 0, 0 }, { 0, 0 } };
    pthread_t thread[MOST_THREADS];
    unsigned long threads, operations = 0;
    double wall, cpu, budget;
    uintptr_t number;

    if (count != 3)
        return 2;
    threads = strtoul(words[1], NULL, 10);
    budget = strtod(words[2], NULL);
    if (threads == 0 || threads > MOST_THREADS || budget <= 0)
        return 2;
    limit.it_value.tv_sec = (time_t) budget;
    limit.it_value.tv_usec = (suseconds_t) (1e6 * (budget - (double) (time_t) budget));
    /* ITIMER_PROF counts the processor time of all threads together. */
    if (sigaction(SIGPROF, &action, NULL) != 0 || setitimer(ITIMER_PROF, &limit, NULL) != 0)
        return 1;
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (number = 0; number < threads; number++)
        if (pthread_create(&thread[number], NULL, work, (void *) number) != 0)
            return 1;
    for (number = 0; number < threads; number++) {
        pthread_join(thread[number], NULL);
        operations += counts[number].operations;
    }
    printf("{ \"operations\": %lu, \"cpu_seconds\": %.6f, \"wall_seconds\": %.6f }\n", operations,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
