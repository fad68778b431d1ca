// Has as many mappings as its argument says, and keeps memory free.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 2000, BLOCK = 9000, KEPT = 10, PAGE = 4096 };

int main(int count, char **arguments) {
    static char *blocks[BLOCKS];
    if (count != 2) return 2;
    for (int i = atoi(arguments[1]); i > 0; i--) {
        // Neighbours differ, so that the kernel doesn't make one of them.
        int access = PROT_READ | (i & 1 ? PROT_WRITE : 0);
        if (mmap(NULL, PAGE, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return 3;
    }
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        if (!blocks[i]) return 4;
        memset(blocks[i], 1, BLOCK);
    }
    for (int i = 0; i < BLOCKS - KEPT; i++) free(blocks[i]);
    write(1, "ready\n", 6);
    char line[16];
    while (read(0, line, sizeof line) > 0) {
        free(malloc(BLOCK));
        write(1, "well\n", 5);
    }
    return 0;
}
