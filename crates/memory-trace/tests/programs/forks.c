/* 1,000 children, ten at a time; each makes one mremap. Some end before their parent has been
 * told of their birth. Known: 1,000 mremap. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 1000, AT_ONCE = 10, PAGE = 4096 };

int main(void) {
    char *memory =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int made = 0; made < CHILDREN; made += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            pid_t child = fork();
            if (child < 0)
                return 1;
            if (child == 0)
                _exit(mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            int status;
            if (wait(&status) < 0 || status != 0)
                return 2;
        }
    }
    return 0;
}
