/* Opens a file 200 times, reads it, and allocates meanwhile what has nothing to do with it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
    static char *kept[200];
    char text[64];
    if (count < 2)
        return 2;
    for (int times = 0; times < 200; times++) {
        int file = open(words[1], O_RDONLY);
        if (file < 0 || read(file, text, sizeof text) < 0)
            return 1;
        kept[times] = malloc(100000);
        memset(kept[times], 1, 100000);
        close(file);
    }
    return 0;
}
