/*
 * Keeps COUNT blocks of BYTES bytes, each too large for malloc's arenas, says so, and waits for the
 * end of its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long count = strtol(argv[1], NULL, 10), bytes = strtol(argv[2], NULL, 10);
    for (long i = 0; i < count; i++) {
        /* Volatile, so that no block is left out. */
        void *volatile block = malloc(bytes);
        if (!block)
            return 3;
        memset(block, 1, bytes);
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
