/* Has a chunk in nearly every bin of its main arena, and waits. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static void *block[400];
    int blocks = 0;
    /* The largest chunks go to bins too, and caches keep none (see the tunables). */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    mallopt(M_MXFAST, 0);
    size_t size = 24;
    while (size < 1200000 && blocks < 400) {
        block[blocks++] = malloc(size);
        if (!malloc(24)) /* neighbours don't join */
            return 1;
        size += size < 1024 ? 16 : size < 3200 ? 64 : size < 10800 ? 512 : size < 43000 ? 4096 : size < 170000 ? 32768 : 262144;
    }
    for (int i = 0; i < blocks; i++)
        free(block[i]);
    /* Sorts them: none is large enough. */
    if (!malloc(4 << 20))
        return 1;
    puts("ready");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
