/*
 * Keeps freed memory that lies between blocks in use, says so, and waits for the end of its input.
 *
 * keeps free|hole BLOCKS MAPPINGS: with `hole` a page is mapped at the break first; of BLOCKS blocks
 * of 16 KiB, written to, all are freed again but each 64th, so that of 64 KiB * 16 at least
 * (63 * 16 - 8) KiB are whole free pages; then MAPPINGS pages are mapped that no neighbour merges
 * with.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 16384
#define KEPT 64

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t blocks = strtoul(argv[2], NULL, 10);
    size_t mappings = strtoul(argv[3], NULL, 10);
    long page = sysconf(_SC_PAGESIZE);

    if (strcmp(argv[1], "hole") == 0) {
        uintptr_t at = ((uintptr_t)sbrk(0) + page - 1) / page * page;
        void *hole = mmap((void *)at, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (hole != (void *)at)
            return 3;
    }

    char **all = malloc(blocks * sizeof *all + 1);
    for (size_t i = 0; i < blocks; i++) {
        all[i] = malloc(BLOCK);
        if (!all[i])
            return 4;
        memset(all[i], 1, BLOCK);
    }
    for (size_t i = 0; i < blocks; i++)
        if (i % KEPT != KEPT - 1)
            free(all[i]);

    for (size_t i = 0; i < mappings; i++) {
        int protection = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
        if (mmap(NULL, page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            return 5;
    }

    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
