/* growths N DEPTH: N growths of the break, each from DEPTH functions deep. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *end;

/* The empty instruction stands behind the call, so that the compiler can't make it a loop. */
__attribute__((noinline, noclone)) static long deeper(long depth) {
    if (depth > 1) {
        long failed = deeper(depth - 1);
        __asm__ volatile("" : "+r"(failed));
        return failed;
    }
    end += 4096;
    return syscall(SYS_brk, end) != (long)end;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    long growths = atol(argv[1]), depth = atol(argv[2]);
    end = (char *)syscall(SYS_brk, 0);
    for (; growths > 0; growths--)
        if (deeper(depth))
            return 1;
    return 0;
}
