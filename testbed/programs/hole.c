/* Preloaded, it maps a page at the program break, as lua-nginx-module did: the break can't grow. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void hole(void) {
    uintptr_t page = ((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095;
    void *hole = mmap((void *)page, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                      -1, 0);
    if (hole != (void *)page) _exit(3);
}
