/* mixed CALLS: nothing but memory calls (one or two more than CALLS, to end a round): the break up
 * and down, mappings made, kept for a while and removed. There are 16,384 sizes, and 512 blocks at
 * a time that don't join, so that whoever keeps a list has a long one. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT 512
#define PAGE 4096

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    static char *kept[KEPT];
    static size_t sizes[KEPT];
    char *start = (char *)syscall(SYS_brk, 0);
    uint64_t random = 1;
    long left = atol(argv[1]);
    for (size_t at = 0; left > 0; at = (at + 1) % KEPT) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (1 + (random >> 33) % 16384) * PAGE;
        syscall(SYS_brk, start + size);
        left--;
        if (kept[at]) {
            if (munmap(kept[at], sizes[at]) != 0)
                return 1;
            left--;
        }
        sizes[at] = size + PAGE;
        kept[at] = mmap(NULL, sizes[at], PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        /* A read-only page between the blocks keeps the kernel from joining them. */
        if (kept[at] == MAP_FAILED || mprotect(kept[at], PAGE, PROT_READ) != 0)
            return 1;
        left -= 2;
    }
    return 0;
}
