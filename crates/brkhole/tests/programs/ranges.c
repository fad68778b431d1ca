/* Makes 15,000 ranges of one page, with as many between them that can't be used, and gives back and
 * takes again one of them 40,000 times. */
#include <stddef.h>
#include <sys/mman.h>

enum { PAGES = 30000, TIMES = 40000, PAGE = 4096 };

int main(void) {
    int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *all = mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE, flags, -1, 0);
    if (all == MAP_FAILED)
        return 1;
    for (int i = 1; i < PAGES; i += 2)
        if (mprotect(all + (size_t)i * PAGE, PAGE, rw))
            return 2;
    for (int i = 0; i < TIMES; i++) {
        char *page = all + (size_t)(i % PAGES | 1) * PAGE;
        if (munmap(page, PAGE) || mmap(page, PAGE, rw, flags | MAP_FIXED, -1, 0) != page)
            return 3;
    }
    return 0;
}
