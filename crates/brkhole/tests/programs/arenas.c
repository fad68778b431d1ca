/* Eight threads that take and keep memory of three sorts, and one that has ended before the end:
 * small blocks (arenas), large ones (mmap), and stacks. Half of the small ones is freed, those
 * that were taken last; with the argument `sparse` every other one is, with `live` none, with `tidy`
 * all of them as the program ends. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, SMALL = 4000, SMALL_BYTES = 1000, LARGE_BYTES = 3 << 20 };

static void *keep[THREADS][SMALL];
static void *large[THREADS];
static int first_freed = SMALL / 2, step = 1;

static void *work(void *argument) {
    long number = (long)argument;
    for (int i = 0; i < SMALL; i++)
        keep[number][i] = memset(malloc(SMALL_BYTES), 1, SMALL_BYTES);
    for (int i = first_freed; i < SMALL; i += step)
        free(keep[number][i]);
    large[number] = memset(malloc(LARGE_BYTES), 1, LARGE_BYTES);
    if (number % 2)
        free(large[number]);
    return NULL;
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "";
    int is_tidy = !strcmp(how, "tidy");
    if (is_tidy || !strcmp(how, "live"))
        first_freed = SMALL;
    if (!strcmp(how, "sparse"))
        first_freed = 0, step = 2;
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* It would move with what is freed. */
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i))
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    void *heap = malloc(100000);
    for (int i = 0; is_tidy && i < THREADS * SMALL; i++)
        free(keep[i / SMALL][i % SMALL]);
    return heap == NULL;
}
