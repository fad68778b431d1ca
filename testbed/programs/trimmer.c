/* Preloaded into a program that can't be asked to call malloc_trim itself: at signal 40 it does, and
   then makes the file that TRIMMER_MARK names. Signal 40 is a real-time signal that nobody else uses
   here. It must come only while the program waits in a system call: malloc_trim takes malloc's
   locks. */

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIM = 40 };

static char mark[4096];

static void trim(int number)
{
    int file;

    (void) number;
    malloc_trim(0);
    file = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0)
        close(file);
}

__attribute__((constructor)) static void listen_for_it(void)
{
    struct sigaction action = { .sa_handler = trim, .sa_flags = SA_RESTART };
    const char *name = getenv("TRIMMER_MARK");

    if (name == NULL || strlen(name) >= sizeof mark)
        return;
    strcpy(mark, name);
    sigaction(TRIM, &action, NULL);
}
