/* Says what it was given and whether its break grows; takes 8,000,000 bytes in small blocks. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        printf("argument %s\n", argv[i]);
    printf("variable %s\n", getenv("GIVEN"));

    unsigned long first = syscall(SYS_brk, 0);
    unsigned long wanted = first + (1 << 20);
    unsigned long got = syscall(SYS_brk, wanted);
    printf("break %s\n", got == wanted ? "grew" : got == first ? "refused" : "odd");

    double product = 1.5 * argc;
    long sum = 0;
    for (int i = 0; i < 8000; i++) {
        char *block = malloc(1000);
        memset(block, i, 1000);
        sum += block[999];
    }
    printf("sum %ld, product %.1f\n", sum, product);
    return 7;
}
