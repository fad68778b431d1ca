/* 200,000 one-byte reads, an mmap and a munmap at every 64th; says what they took, in nanoseconds: of
 * the process's own time, and until they were done. Waits for a byte before, and for one after. It
 * stands below 32 KiB of stack, as a program at work does. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
    char byte, stack[32 << 10];
    memset(stack, 1, sizeof stack);
    __asm__ volatile("" : : "r"(stack) : "memory");
    int zero = open("/dev/zero", O_RDONLY);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    if (read(0, &byte, 1) < 0)
        return 1;
    long long own = now(CLOCK_PROCESS_CPUTIME_ID), all = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 200000; i++) {
        if (read(zero, &byte, 1) != 1)
            return 2;
        if (i % 64 == 0)
            munmap(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8192);
    }
    own = now(CLOCK_PROCESS_CPUTIME_ID) - own, all = now(CLOCK_MONOTONIC) - all;
    printf("%lld %lld\n", own, all);
    return read(0, &byte, 1) < 0;
}
