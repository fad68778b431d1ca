/*
 * freed BLOCKS [SECONDS]: takes so many blocks of 4000 bytes, writes them, frees all but each
 * sixteenth, writes what malloc itself says of that, and ends; or waits for so long first.
 *
 * Says "SYSTEM FREE": mallinfo's arena and fordblks, bytes from the kernel and of them free.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* mallinfo, and not the newer one, so that every glibc has it; the figures are small enough. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    size_t blocks = strtoul(argv[1], NULL, 10);
    char **all = malloc(blocks * sizeof *all + 1);
    char line[64];
    for (size_t i = 0; i < blocks; i++) {
        all[i] = malloc(4000);
        if (!all[i])
            return 4;
        memset(all[i], 1, 4000);
    }
    for (size_t i = 0; i < blocks; i++)
        if (i % 16 != 0)
            free(all[i]);
    struct mallinfo info = mallinfo();
    int length = snprintf(line, sizeof line, "%d %d\n", info.arena, info.fordblks);
    if (write(1, line, length) != length)
        return 5;
    if (argc > 2)
        sleep(atoi(argv[2]));
    /* Nothing is freed on the way out. */
    _exit(0);
}
