/* fallback hole|free: mallocs and keeps 8,000 blocks of 1,000 bytes, with a page mapped at the
 * break ("hole") or without. The heap is there before the hole: malloc was called once. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    char *first = malloc(1);
    if (first == NULL)
        return 3;
    if (strcmp(argv[1], "hole") == 0) {
        uintptr_t page = ((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095;
        void *hole = mmap((void *)page, 4096, PROT_READ,
                          MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (hole != (void *)page)
            return 4;
    }
    for (int i = 0; i < 8000; i++) {
        char *block = malloc(1000);
        if (block == NULL)
            return 5;
        memset(block, 1, 1000);
        first = block;
    }
    return *first != 1;
}
