/* heap ROUNDS: nothing but memory calls, four a round: brk up, mmap, munmap, brk down. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    char *start = (char *)syscall(SYS_brk, 0);
    for (long round = atol(argv[1]); round > 0; round--) {
        syscall(SYS_brk, start + 135168);
        void *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED || munmap(block, 1 << 20) != 0)
            return 1;
        syscall(SYS_brk, start);
    }
    return 0;
}
