/* Blocks, queues and handles real-time signals with a payload, from itself and from a child, and
 * is interrupted in the middle of calls. Exit status 0 if everything came as POSIX promises. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUEUED = 50 };

static volatile sig_atomic_t count, wrong;

static void queued(int number, siginfo_t *info, void *unused) {
    (void)unused;
    if (number != SIGRTMIN + 3 || info->si_code != SI_QUEUE || info->si_value.sival_int != count)
        wrong = 1;
    count++;
    /* A watched call in a handler. */
    munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static void plain(int number) { (void)number; }

int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = queued;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGRTMIN + 3, &action, NULL);

    /* Queued while blocked, delivered in order when unblocked. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < QUEUED; i++)
        if (sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i}))
            return 1;
    if (count != 0)
        return 2;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (count != QUEUED || wrong)
        return 3;

    /* From a child, fetched synchronously; the highest number there is. */
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        _exit(sigqueue(parent, SIGRTMAX, (union sigval){.sival_int = 4711}));
    siginfo_t info;
    if (sigwaitinfo(&set, &info) != SIGRTMAX || info.si_value.sival_int != 4711)
        return 4;
    if (info.si_pid != child)
        return 5;
    waitpid(child, NULL, 0);

    /* A sleep without SA_RESTART is cut short, and a FIFO's open is begun anew with it. */
    action.sa_handler = plain;
    action.sa_flags = 0;
    sigaction(SIGALRM, &action, NULL);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {.it_value = {.tv_nsec = 50 * 1000 * 1000}};
    timer_settime(timer, 0, &soon, NULL);
    struct timespec minute = {.tv_sec = 60};
    if (nanosleep(&minute, NULL) != -1 || errno != EINTR)
        return 6;

    /* SIGTRAP is an ordinary signal for an ordinary program. */
    action.sa_handler = plain;
    sigaction(SIGTRAP, &action, NULL);
    if (raise(SIGTRAP))
        return 7;
    return 0;
}
