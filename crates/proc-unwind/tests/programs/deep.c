/* deep [N]: N calls deep, one function below it, malloc; then the same from another thread. */
#include <pthread.h>
#include <stdlib.h>

static void *volatile kept;

__attribute__((noinline, noclone)) void allocate_here(void) {
    kept = malloc(3000000);
    *(volatile char *)kept = 1;
}

__attribute__((noinline, noclone)) int go_down(int depth) {
    if (depth == 0) {
        allocate_here();
        __asm__ volatile("");
        return 0;
    }
    int below = go_down(depth - 1);
    /* So that it stays a call. */
    __asm__ volatile("" : "+r"(below));
    return below + 1;
}

__attribute__((noinline, noclone)) void *of_thread(void *depth) {
    return go_down(*(int *)depth) < 0 ? depth : NULL;
}

int main(int argc, char **argv) {
    int depth = argc > 1 ? atoi(argv[1]) : 3;
    if (go_down(depth) != depth)
        return 1;
    pthread_t thread;
    if (pthread_create(&thread, NULL, of_thread, &depth) != 0)
        return 2;
    return pthread_join(thread, NULL);
}
