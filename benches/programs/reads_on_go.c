/* reads_on_go R H: says that it is ready, waits for a byte on standard input, then makes R one-byte
 * reads with H heap calls (half brk, half brk back) spread among them. Says on standard output how
 * many nanoseconds these took: whoever watches it begins before and ends after. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    long reads = atol(argv[1]), heap = atol(argv[2]);
    int fd = open("/dev/zero", O_RDONLY);
    char byte;
    char *start = (char *)syscall(SYS_brk, 0);
    if (write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
        return 1;
    long long began = nanoseconds();
    long done = 0;
    for (long i = 0; i < reads; i++) {
        if (read(fd, &byte, 1) != 1)
            return 1;
        for (; done * reads < (i + 1) * heap; done++)
            syscall(SYS_brk, done % 2 ? start : start + 4096);
    }
    long long took = nanoseconds() - began;
    char text[32];
    int length = snprintf(text, sizeof text, "%lld\n", took);
    return write(1, text, length) != length;
}
