/* blocks COUNT free|blocked

   Takes so many blocks of all sizes up to 16 KiB from malloc, writes every byte of them, and frees
   all but every fiftieth, in no order. `blocked` first puts a page at the program break, so that it
   can't grow. Then the program stands still. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "standing.h"

enum { GREATEST = 16 << 10, KEPT = 50, PAGE = 4096 };

static int block_the_break(void)
{
    uintptr_t end = ((uintptr_t) sbrk(0) + PAGE - 1) / PAGE * PAGE;
    void *page = mmap((void *) end, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == (void *) end ? 0 : -1;
}

int main(int count, char **words)
{
    uint64_t state = FIRST_NUMBER;
    unsigned long blocks, number, other;
    char **block, *swapped;

    if (count != 3 || (blocks = strtoul(words[1], NULL, 10)) == 0)
        return 2;
    block = malloc(blocks * sizeof *block);
    if (block == NULL)
        return 1;
    if (strcmp(words[2], "blocked") == 0 && block_the_break() != 0) {
        fprintf(stderr, "no page could be put at the break\n");
        return 1;
    }
    for (number = 0; number < blocks; number++) {
        size_t bytes = 16 + next_number(&state) % (GREATEST - 16);

        block[number] = malloc(bytes);
        if (block[number] == NULL)
            return 1;
        memset(block[number], 0xa5, bytes);
    }
    for (number = blocks - 1; number > 0; number--) {
        other = next_number(&state) % (number + 1);
        swapped = block[number];
        block[number] = block[other];
        block[other] = swapped;
    }
    for (number = 0; number < blocks; number++)
        if (number % KEPT != 0)
            free(block[number]);
    return stand_still();
}
