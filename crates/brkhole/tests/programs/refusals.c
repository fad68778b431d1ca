/* refusals MODE [wait]: asks for memory until it gets none; given "wait", after a line on standard
   input. What each comes to is in the tests. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

static void *map(void *at, size_t bytes, int protection, int flags) {
    return mmap(at, bytes, protection, flags, -1, 0);
}

/* Blocks of 16 KiB, so that malloc has to ask for more. */
static void fill(int blocks) {
    for (int i = 0; i < blocks; i++) {
        volatile char *block = malloc(16384);
        if (block)
            block[0] = 1;
    }
}

static void *page_end(void) {
    uintptr_t end = (uintptr_t)sbrk(0);
    return (void *)((end + 4095) & ~4095UL);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    int fixed = MAP_FIXED_NOREPLACE;
    if (argc > 2 && getchar() == EOF)
        return 99;
    if (strcmp(mode, "map") == 0) {
        while (map(NULL, 8 * MIB, PROT_READ | PROT_WRITE, ANONYMOUS) != MAP_FAILED)
            ;
        return 3;
    }
    if (strcmp(mode, "low") == 0) {
        while (map(NULL, 32 * MIB, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_32BIT | MAP_NORESERVE) !=
               MAP_FAILED)
            ;
        return 4;
    }
    if (strcmp(mode, "huge") == 0) {
        /* More than any machine's pool. */
        map(NULL, 1UL << 44, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_HUGETLB);
        return 7;
    }
    if (strcmp(mode, "crowd") == 0) {
        /* Neighbours that differ, so that the kernel can't make them one. */
        for (int i = 0;; i++)
            if (map(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, ANONYMOUS) == MAP_FAILED)
                return 5;
    }
    if (strcmp(mode, "absurd") == 0) {
        volatile size_t bytes = 80UL << 40;
        void *block = malloc(bytes);
        fill(20);
        _exit(block != NULL);
    }
    if (strcmp(mode, "harmless") == 0) {
        void *page = map(NULL, 4096, PROT_READ, ANONYMOUS);
        map(page, 4096, PROT_READ | PROT_WRITE, ANONYMOUS | fixed);
        if (map(NULL, 1024 * MIB, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_HUGETLB) == MAP_FAILED)
            map(NULL, 1024 * MIB, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_NORESERVE);
        map(NULL, 200UL << 40, PROT_NONE, ANONYMOUS | MAP_NORESERVE);
        fill(2000);
        return 6;
    }
    /* As a constructor does, before malloc has asked for anything. */
    if ((strcmp(mode, "trick") == 0 || strcmp(mode, "sbrk") == 0 || strcmp(mode, "full") == 0) &&
        map(page_end(), 1, PROT_READ, ANONYMOUS | MAP_FIXED) == MAP_FAILED)
        return 98;
    if (strcmp(mode, "sbrk") == 0)
        /* An allocator of its own, that knows no other way. */
        return sbrk(8 * MIB) == (void *)-1 ? 8 : 0;
    if (strcmp(mode, "full") == 0)
        return malloc(512 * MIB) ? 0 : 9;
    fill(20);
    if ((strcmp(mode, "merge") == 0 || strcmp(mode, "beside") == 0) &&
        map(page_end(), 65536, PROT_READ | PROT_WRITE, ANONYMOUS | fixed) == MAP_FAILED)
        return 98;
    if (strcmp(mode, "beside") != 0)
        fill(2000);
    printf("%p\n", page_end());
    fflush(stdout);
    if (argc > 2)
        getchar();
    return 0;
}
