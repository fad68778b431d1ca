/* reads R H: R one-byte reads with H heap calls (half brk, half brk back) spread among them.
 * A timing load, with known counts: R read, H brk (and those of the C library's start). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    long reads = atol(argv[1]), heap = atol(argv[2]);
    int fd = open("/dev/zero", O_RDONLY);
    char byte;
    char *start = (char *)syscall(SYS_brk, 0);
    long done = 0;
    for (long i = 0; i < reads; i++) {
        if (read(fd, &byte, 1) != 1)
            return 1;
        for (; done * reads < (i + 1) * heap; done++)
            syscall(SYS_brk, done % 2 ? start : start + 4096);
    }
    return 0;
}
