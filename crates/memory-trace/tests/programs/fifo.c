/* fifo PATH: opens a FIFO that nobody writes to; a signal interrupts it, the kernel begins the
 * open anew, a child opens the other end. Exit status 0 if the open succeeded at last.
 * Known: the interrupted open counts as a failed call of its own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void nothing(int number) { (void)number; }

int main(int argc, char **argv) {
    if (argc != 2 || mkfifo(argv[1], 0600))
        return 2;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = nothing;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(100 * 1000);
        kill(parent, SIGUSR1);
        usleep(100 * 1000);
        _exit(open(argv[1], O_WRONLY) < 0);
    }
    int fd = open(argv[1], O_RDONLY);
    int status;
    waitpid(child, &status, 0);
    unlink(argv[1]);
    return fd < 0 || status != 0;
}
