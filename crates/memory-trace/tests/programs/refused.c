/* Asks for a greater break: three times; then, given "fork", twice more in a child. Given "hole",
   after it mapped a page at the break. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long brk_to(unsigned long address) { return syscall(SYS_brk, address); }

int main(int argc, char **argv) {
    unsigned long end = brk_to(0);
    unsigned long page = (end + 4095) & ~4095UL;
    if (argc > 1 && strcmp(argv[1], "hole") == 0 &&
        mmap((void *)page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) != (void *)page)
        return 1;
    for (int i = 0; i < 3; i++)
        brk_to(end + (8 << 20));
    if (argc > 2 && strcmp(argv[2], "fork") == 0) {
        if (fork() == 0) {
            brk_to(end + (8 << 20));
            brk_to(end + (8 << 20));
            _exit(0);
        }
        wait(NULL);
    }
    return 0;
}
