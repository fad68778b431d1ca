/* blocks COUNT free|blocked

   Takes so many blocks of all sizes up to 16 KiB from malloc, writes every byte of them, and frees
   all but every fiftieth, in no order. `blocked` first puts a page at the program break, so that it
   can't grow. Says "ready"; at the next line of standard input it has malloc give back what it can,
   and says "trimmed"; at the next it ends. */

#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GREATEST = 16 << 10, KEPT = 50, PAGE = 4096 };

/* The same numbers in every run. */
static uint64_t next_number(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int block_the_break(void)
{
    uintptr_t end = ((uintptr_t) sbrk(0) + PAGE - 1) / PAGE * PAGE;
    void *page = mmap((void *) end, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == (void *) end ? 0 : -1;
}

static int wait_for_a_line(void)
{
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1)
        if (byte == '\n')
            return 0;
    return -1;
}

static void say(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(1);
}

int main(int count, char **words)
{
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
        size_t bytes = 16 + next_number() % (GREATEST - 16);

        block[number] = malloc(bytes);
        if (block[number] == NULL)
            return 1;
        memset(block[number], 0xa5, bytes);
    }
    for (number = blocks - 1; number > 0; number--) {
        other = next_number() % (number + 1);
        swapped = block[number];
        block[number] = block[other];
        block[other] = swapped;
    }
    for (number = 0; number < blocks; number++)
        if (number % KEPT != 0)
            free(block[number]);
    say("ready\n");
    if (wait_for_a_line() != 0)
        return 1;
    malloc_trim(0);
    say("trimmed\n");
    wait_for_a_line();
    return 0;
}
