// Takes and gives back memory as fast as it can, checks what is in it, and tells at every line on
// its standard input how often.
//
// Argument: how many threads.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 4000, LARGEST = 5000, MOST_THREADS = 64 };

static atomic_ulong turns;

static void check(unsigned char *block, size_t length, unsigned char mark) {
    if (block[0] != mark || block[length / 2] != mark || block[length - 1] != mark) abort();
}

static void *churn(void *number) {
    static __thread unsigned char *blocks[HELD];
    static __thread size_t lengths[HELD];
    unsigned seed = (unsigned)(size_t)number;
    for (;;) {
        seed = seed * 1103515245u + 12345u;
        unsigned at = (seed >> 8) % HELD;
        unsigned char mark = (unsigned char)(at * 13 + 1);
        if (blocks[at]) check(blocks[at], lengths[at], mark);
        seed = seed * 1103515245u + 12345u;
        size_t length = 1 + (seed >> 8) % LARGEST;
        switch ((seed >> 4) % 4) {
        case 0:
            free(blocks[at]);
            blocks[at] = NULL;
            break;
        case 1:
            blocks[at] = realloc(blocks[at], length);
            break;
        default:
            free(blocks[at]);
            blocks[at] = malloc(length);
        }
        if (blocks[at]) {
            memset(blocks[at], mark, length);
            lengths[at] = length;
        }
        // A program does something with its memory, too.
        for (volatile int work = 0; work < 3000; work++) {
        }
        turns++;
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    int threads = atoi(arguments[1]);
    if (threads < 1 || threads > MOST_THREADS) return 2;
    if (threads == 1) {
        // Alone: malloc takes no locks. Whether it is still there is seen by its being alive.
        write(1, "ready\n", 6);
        churn((void *)1);
    }
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, churn, (void *)(size_t)(i + 1))) return 4;
    }
    write(1, "ready\n", 6);
    char line[16];
    while (read(0, line, sizeof line) > 0) {
        unsigned long before = turns;
        while (turns < before + 1000) usleep(1000);
        write(1, "well\n", 5);
    }
    return 0;
}
