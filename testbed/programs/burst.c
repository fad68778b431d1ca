/* burst BLOCKS BLOCK_BYTES held|freed|trimmed

   Takes so many blocks from malloc and writes every byte of them; frees them, the last first; tells
   malloc to give back what it can. Ends, without any clearing away, at the moment that is named. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Blocks hold the address of the block before, so that no list of them takes memory beside them. */
struct link {
    struct link *before;
};

static void end_at(const char *moment, const char *asked)
{
    if (strcmp(moment, asked) == 0)
        _exit(0);
}

int main(int count, char **words)
{
    struct link *last = NULL, *link;
    unsigned long blocks, bytes, number;

    if (count != 4)
        return 2;
    blocks = strtoul(words[1], NULL, 10);
    bytes = strtoul(words[2], NULL, 10);
    if (bytes < sizeof *link)
        return 2;
    for (number = 0; number < blocks; number++) {
        link = malloc(bytes);
        if (link == NULL) {
            fprintf(stderr, "malloc gave out %lu of %lu blocks\n", number, blocks);
            return 1;
        }
        memset(link, 0xa5, bytes);
        link->before = last;
        last = link;
    }
    end_at("held", words[3]);
    while (last != NULL) {
        link = last;
        last = link->before;
        free(link);
    }
    end_at("freed", words[3]);
    malloc_trim(0);
    end_at("trimmed", words[3]);
    return 2;
}
