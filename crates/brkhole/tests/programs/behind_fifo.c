/* Maps a file, as a library's variables are mapped, and puts a FIFO in its place. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    int file = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC, 0755);
    if (file < 0 || ftruncate(file, 8192))
        return 1;
    char *mapped = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED)
        return 1;
    mapped[0] = 1;
    if (unlink(arguments[1]) || mkfifo(arguments[1], 0600))
        return 1;
    puts("ready");
    fflush(stdout);
    getchar();
    return 0;
}
