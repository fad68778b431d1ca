/* Threads that allocate, check and free as fast as they can, until told to stop: eight, or as many as
   the first argument says. None at all are made for 1, so that malloc takes no locks. With a second
   argument they rest for so many microseconds between bursts. */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 8, SLOTS = 400, BURST = 300 };
static int threads = THREADS;
static int rest;
static volatile int stop;
static uint64_t rounds[THREADS];

static void *work(void *argument)
{
    long number = (long)(intptr_t)argument;
    uint64_t state = number * 2654435761u + 1;
    unsigned char *block[SLOTS] = {0};
    size_t length[SLOTS] = {0};
    while (!stop) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t slot = (state >> 40) % SLOTS;
        unsigned char mark = (unsigned char)(slot * 31 + number);
        if (block[slot]) {
            if (block[slot][0] != mark || block[slot][length[slot] - 1] != mark) {
                static const char bad[] = "a block was changed\n";
                if (write(1, bad, sizeof bad - 1) < 0)
                    _exit(3);
                _exit(2);
            }
            free(block[slot]);
            block[slot] = NULL;
        } else {
            size_t size = (state >> 20) % 8 ? 1 + (state >> 24) % 600 : 1 + (state >> 24) % 40000;
            length[slot] = size;
            block[slot] = malloc(size);
            memset(block[slot], mark, size);
        }
        rounds[number]++;
        if (rest && rounds[number] % BURST == 0)
            usleep(rest);
        if (threads == 1 && rounds[number] % 4096 == 0) {
            struct pollfd told = {.fd = 0, .events = POLLIN};
            if (poll(&told, 1, 0) > 0)
                break;
        }
    }
    for (int slot = 0; slot < SLOTS; slot++)
        free(block[slot]);
    return NULL;
}

int main(int count, char **argument)
{
    if (count > 1)
        threads = atoi(argument[1]);
    if (count > 2)
        rest = atoi(argument[2]);
    if (threads < 1 || threads > THREADS)
        return 1;
    /* Whoever looks at it gets a CPU when it wants one. */
    if (nice(10) < 0)
        return 1;
    if (threads == 1) {
        puts("running");
        fflush(stdout);
        work(0);
        printf("fine %llu\n", (unsigned long long)rounds[0]);
        fflush(stdout);
        return 0;
    }
    pthread_t thread[THREADS];
    for (long i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, (void *)(intptr_t)i))
            return 1;
    char line[100];
    puts("running");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    stop = 1;
    uint64_t sum = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        sum += rounds[i];
    }
    printf("fine %llu\n", (unsigned long long)sum);
    fflush(stdout);
    return 0;
}
