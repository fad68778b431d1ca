/* A library with one function that it exports and one that it keeps for itself. The name of the
 * latter can be changed (-Dhidden=other), and nothing else. */
#include <stdlib.h>

static void *volatile kept;

__attribute__((noinline, noclone)) static void hidden(void) {
    kept = malloc(3000000);
    *(volatile char *)kept = 1;
}

__attribute__((visibility("default"))) int exported(void) {
    hidden();
    return kept == NULL;
}
