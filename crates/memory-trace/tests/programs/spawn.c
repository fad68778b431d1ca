/* Runs "true" by vfork, by posix_spawn and by fexecve, ten times each.
 * Known: 30 executions. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int ended_well(pid_t child) {
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void) {
    char *arguments[] = {"true", NULL};
    for (int i = 0; i < 10; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execve("/bin/true", arguments, environ);
            _exit(1);
        }
        if (!ended_well(child))
            return 1;
        if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ))
            return 2;
        if (!ended_well(child))
            return 3;
        child = fork();
        if (child == 0) {
            int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
            syscall(SYS_execveat, file, "", arguments, environ, AT_EMPTY_PATH);
            _exit(1);
        }
        if (!ended_well(child))
            return 4;
    }
    return 0;
}
