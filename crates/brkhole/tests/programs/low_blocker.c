/* Takes 8 MiB a little above its break, as a hint asks for it, and then so many small blocks that
 * the break has to pass them. To be linked with -no-pie: then the break is below 2 GiB. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
    uintptr_t above = ((uintptr_t)sbrk(0) + 0x40fff) & ~(uintptr_t)0xfff;
    void *there = mmap((void *)above, 8 << 20, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (there != (void *)above)
        return 3;
    for (int i = 0; i < 100; i++)
        if (!malloc(20000))
            return 1;
    return 0;
}
