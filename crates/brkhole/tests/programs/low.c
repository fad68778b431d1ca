/* Takes memory below 2 GiB, by flag and by hint, changes some of it, and takes 20 MiB elsewhere.
 * At the end writes what /proc/self/maps says of private writable memory below 2 GiB, a line a
 * mapping: start and end. It has to come to 14 MiB.
 *
 * With an argument it first waits for a byte on its standard input. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

#define MIB (1UL << 20)
#define LOW 0x80000000UL

static char *take(unsigned long hint, unsigned long bytes, int protection, int flags) {
    return mmap((void *)hint, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

int main(int count, char **arguments) {
    char byte;
    if (count > 1 && read(0, &byte, 1) != 1)
        return 2;
    (void)arguments;
    int rw = PROT_READ | PROT_WRITE;
    char *flagged = take(MAP_32BIT ? 0 : LOW / 2, 8 * MIB, rw, MAP_32BIT);
    char *hinted = take(0x10000000, 3 * MIB, rw, 0);
    char *reserved = take(0x20000000, 16 * MIB, PROT_NONE, 0);
    if ((unsigned long)flagged >= LOW || hinted != (char *)0x10000000 ||
        reserved != (char *)0x20000000)
        return 3;
    if (mremap(hinted, 3 * MIB, 4 * MIB, 0) != hinted)
        return 4;
    if (mprotect(reserved, 5 * MIB, rw) || munmap(flagged + 6 * MIB, 2 * MIB) ||
        mprotect(hinted, MIB, PROT_READ))
        return 5;
    if (take(0, 20 * MIB, rw, 0) == MAP_FAILED)
        return 6;

    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096], permissions[8], name[4096];
    unsigned long start, end;
    while (maps && fgets(line, sizeof line, maps)) {
        name[0] = 0;
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %4095s", &start, &end, permissions, name);
        if (end <= LOW && !strcmp(permissions, "rw-p") && !name[0])
            printf("%#lx %#lx\n", start, end);
    }
    return 0;
}
