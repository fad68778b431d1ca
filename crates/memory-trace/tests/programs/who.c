/* Exit status 10 if it runs with root's rights, 11 if not. Known: 3 mremap. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 3; i++)
        memory = mremap(memory, 4096, 4096, MREMAP_MAYMOVE);
    return geteuid() == 0 ? 10 : 11;
}
