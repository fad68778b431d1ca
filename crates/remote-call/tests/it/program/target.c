/* A process to be held and called, which checks itself.
 *
 * target MODE: says where its functions are and `ready`, does what the mode says until SIGTERM,
 * and then says what it found; the exit status is 0 if all was well. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "registers.h"

static volatile sig_atomic_t enough, seen_usr2;
static volatile unsigned long calls;
static volatile int go_on_spinning = 1;
static __thread long in_tls = 4711;

/* What is called. It spoils all that a function may spoil, makes system calls, and notices a wrong
 * alignment of the stack and a direction flag that is set. */
__attribute__((noinline)) unsigned long plain(unsigned long a, unsigned long b, unsigned long c,
                                              unsigned long d, unsigned long e, unsigned long f) {
    __attribute__((aligned(16))) volatile char room[16384];
    if ((uintptr_t)room % 16)
        return 0;
    asm volatile("movaps %%xmm0, %0" : "=m"(room[0]));
    memset((void *)room, 7, sizeof room);
    unsigned long flags;
    asm volatile("pushfq; popq %0" : "=r"(flags));
    if (flags & 0x400)
        return 0;
    spoil_registers();
    syscall(SYS_getppid);
    syscall(SYS_close, -1);
    errno = 0;
    calls++;
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 0xdead00000000;
}

unsigned long counted(void) { return calls; }

__attribute__((noinline)) unsigned long number(const char *text, unsigned long *sum) {
    unsigned long number = strtoul(text, 0, 10);
    *sum += number;
    return number;
}

unsigned long caller(void) { return syscall(SYS_gettid); }

void crash(void) { *(volatile int *)8 = 1; }

unsigned long divide(unsigned long number) {
    unsigned long zero = 0, result;
    asm volatile("xorl %%edx, %%edx; divq %2" : "=a"(result) : "a"(number), "r"(zero) : "rdx");
    return result;
}

/* Returns when another function is called, or after a long time. */
unsigned long stuck(void) {
    struct timespec moment = {0, 1000000};
    for (int i = 0; i < 60000 && go_on_spinning; i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, 0);
    calls++;
    return 1;
}

void unstick(void) { go_on_spinning = 0; }

/* Makes as many system calls. */
unsigned long busy(unsigned long count) {
    for (unsigned long i = 0; i < count; i++)
        syscall(SYS_getppid);
    return count;
}

static void on_signal(int signal) {
    if (signal == SIGTERM)
        enough = 1;
    else
        seen_usr2++;
}

static int failures;

static void expect(int is_so, const char *what) {
    if (!is_so) {
        printf("wrong: %s\n", what);
        failures++;
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* The time that the calls with a timeout wait. */
static double seconds = 2;

static void spin_until_enough(void) {
    while (!enough)
        expect(spin_and_check(10 * 1000 * 1000) == 0, registers_say());
}

static void registers(void) {
    spin_until_enough();
}

static void on_quiet_signal(int signal) {
    (void)signal;
    failures++;
}

/* With handlers for the signals that are nobody's as a rule. */
static void urgent(void) {
    signal(SIGURG, on_quiet_signal);
    signal(SIGWINCH, on_quiet_signal);
    puts("urgent");
    fflush(stdout);
    spin_until_enough();
}

static void read_pipe(void) {
    char bytes[8];
    ssize_t length = read(0, bytes, sizeof bytes);
    printf("read %zd %s\n", length, length < 0 ? strerror(errno) : "");
}

static void timed(const char *name, long result, double since) {
    double took = now() - since;
    printf("%s %ld %s\n", name, result, result < 0 ? strerror(errno) : "no error");
    printf("waited %.3f of %.3f\n", took, seconds);
}

static struct timespec timeout(void) {
    return (struct timespec){(time_t)seconds, 0};
}

static void sleep_a_while(void) {
    struct timespec time = timeout();
    double since = now();
    timed("nanosleep", syscall(SYS_nanosleep, &time, 0), since);
}

static void clock_sleep(void) {
    struct timespec time = timeout();
    double since = now();
    timed("clock_nanosleep", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, 0), since);
}

static void clock_sleep_until(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)seconds;
    double since = now();
    timed("clock_nanosleep",
          syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, 0), since);
}

static void poll_a_while(void) {
    struct pollfd input = {0, POLLIN, 0};
    double since = now();
    timed("poll", poll(&input, 1, (int)(seconds * 1000)), since);
}

static void ppoll_a_while(void) {
    struct pollfd input = {0, POLLIN, 0};
    struct timespec time = timeout();
    sigset_t during, before, after;
    sigemptyset(&during);
    sigaddset(&during, SIGWINCH);
    sigprocmask(SIG_BLOCK, 0, &before);
    double since = now();
    timed("ppoll", ppoll(&input, 1, &time, &during), since);
    sigprocmask(SIG_BLOCK, 0, &after);
    expect(!memcmp(&before, &after, 8), "the signal mask after ppoll");
}

static void futex_wait(void) {
    static int word;
    struct timespec time = timeout();
    double since = now();
    timed("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time, 0, 0), since);
}

static void epoll_a_while(void) {
    struct epoll_event event;
    int epoll = epoll_create1(0);
    double since = now();
    timed("epoll_wait", epoll_wait(epoll, &event, 1, (int)(seconds * 1000)), since);
}

static void suspended(void) {
    sigset_t during, before, after;
    sigfillset(&during);
    sigdelset(&during, SIGTERM);
    sigprocmask(SIG_BLOCK, 0, &before);
    int result = sigsuspend(&during);
    expect(result == -1 && errno == EINTR && enough, "sigsuspend ends with SIGTERM alone");
    sigprocmask(SIG_BLOCK, 0, &after);
    expect(!memcmp(&before, &after, 8), "the signal mask after sigsuspend");
}

static void signals(void) {
    static char memory[1 << 16];
    stack_t stack = {memory, 0, sizeof memory}, old;
    sigaltstack(&stack, 0);
    sigset_t blocked, after, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGRTMIN + 3);
    sigprocmask(SIG_SETMASK, &blocked, 0);
    raise(SIGUSR1);
    errno = 4712;
    in_tls = 4713;
    while (!enough)
        if (spin_and_check(1000 * 1000))
            break;
    expect(errno == 4712 || calls, "errno");
    expect(in_tls == 4713, "thread-local memory");
    expect(enough, registers_say());
    sigprocmask(SIG_BLOCK, 0, &after);
    expect(!memcmp(&blocked, &after, 8), "the signal mask");
    sigpending(&pending);
    expect(sigismember(&pending, SIGUSR1) == 1, "SIGUSR1 is pending");
    sigaltstack(0, &old);
    expect(old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size && old.ss_flags == 0,
           "the alternate stack");
}

static void *spinning_thread(void *unused) {
    (void)unused;
    /* These share the check's memory, so they check only what is their own. */
    for (volatile unsigned long i = 0; !enough; i++)
        ;
    return 0;
}

static void *sleeping_thread(void *unused) {
    (void)unused;
    while (!enough) {
        struct timespec time = {0, 3000000};
        double since = now();
        int result = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, 0);
        /* The signal that ends all this may come to any thread. */
        if (!enough && (result || now() - since < 0.003))
            __sync_fetch_and_add(&failures, 1);
    }
    return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long under_mutex;

static void *locking_thread(void *unused) {
    (void)unused;
    while (!enough) {
        pthread_mutex_lock(&mutex);
        long before = under_mutex;
        free(malloc(before % 5000));
        under_mutex = before + 1;
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void threads(void) {
    void *(*all[7])(void *) = {spinning_thread, sleeping_thread, sleeping_thread, locking_thread,
                               locking_thread,  locking_thread,  sleeping_thread};
    pthread_t thread[7];
    for (int i = 0; i < 7; i++)
        pthread_create(&thread[i], 0, all[i], 0);
    puts("threads");
    fflush(stdout);
    spin_until_enough();
    for (int i = 0; i < 7; i++)
        pthread_join(thread[i], 0);
    expect(failures == 0, "a sleep in a thread");
}

static void *short_thread(void *unused) { return unused; }

/* Makes threads and processes all the time. */
static void breed(void) {
    long born = 0;
    while (!enough) {
        pthread_t thread;
        if (pthread_create(&thread, 0, short_thread, 0) == 0)
            pthread_join(thread, 0);
        pid_t child = fork();
        if (child == 0)
            _exit(3);
        int status = 0;
        pid_t ended;
        do
            ended = waitpid(child, &status, 0);
        while (ended < 0 && errno == EINTR);
        expect(ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 3, "a child's end");
        born++;
    }
    expect(born > 0, "born");
}

/* A parent waits for its vfork's child where nothing but death can reach it. */
static void vforked(void) {
    if (vfork() == 0) {
        char byte;
        (void)!read(0, &byte, 1);
        _exit(0);
    }
}

/* The only thread stands on memory that nobody but it knows to be a stack. */
static void foreign_stack(void) {
    static char memory[1 << 20];
    asm volatile("movq %%rsp, %%rbx; movq %0, %%rsp; 1: cmpl $0, enough(%%rip); je 1b;"
                 "movq %%rbx, %%rsp"
                 :
                 : "r"(memory + sizeof memory - 64)
                 : "rbx", "memory", "cc");
}

/* Sleeps again and again; a sleep may be interrupted, but never ends early otherwise. */
static void naps(void) {
    struct timespec nap = {0, 20000000};
    while (!enough) {
        double since = now();
        int result = nanosleep(&nap, 0);
        expect(result == 0 || errno == EINTR, "a nap's result");
        expect(result || now() - since >= 0.02, "a nap's length");
    }
}

static void filtered(void) {
    struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, all};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "a filter");
    puts("filtered");
    fflush(stdout);
    spin_until_enough();
}

static char *own_name;

/* Becomes itself again and again. */
static void executing(void) { execl(own_name, own_name, "execs", (char *)0); }

static void first_thread_ends(void) {
    pthread_t thread;
    pthread_create(&thread, 0, spinning_thread, 0);
    pthread_exit(0);
}

static void small_stack(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32 << 10);
    pthread_t thread;
    pthread_create(&thread, &attributes, spinning_thread, 0);
    pthread_exit(0);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"registers", registers},
        {"urgent", urgent},
        {"read", read_pipe},
        {"nanosleep", sleep_a_while},
        {"clock_nanosleep", clock_sleep},
        {"clock_nanosleep_until", clock_sleep_until},
        {"poll", poll_a_while},
        {"ppoll", ppoll_a_while},
        {"futex", futex_wait},
        {"epoll", epoll_a_while},
        {"sigsuspend", suspended},
        {"signals", signals},
        {"threads", threads},
        {"breed", breed},
        {"vfork", vforked},
        {"foreign-stack", foreign_stack},
        {"first-thread-ends", first_thread_ends},
        {"small-stack", small_stack},
        {"naps", naps},
        {"seccomp", filtered},
        {"execs", executing},
    };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    own_name = argv[0];
    if (argc > 2)
        seconds = atof(argv[2]);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGUSR2, &action, 0);
    make_patterns();
    if (argc > 1 && !strcmp(argv[1], "execs") && getenv("AGAIN"))
        executing();
    setenv("AGAIN", "yes", 1);
    printf("plain %p\ncounted %p\ncrash %p\ndivide %p\nabort %p\nstuck %p\nunstick %p\nbusy %p\n", plain,
           counted, crash, divide, abort, stuck, unstick, busy);
    printf("number %p\ncaller %p\n", number, caller);
    printf("data %p\nready\n", (void *)&calls);
    fflush(stdout);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (argc > 1 && !strcmp(argv[1], modes[i].name)) {
            modes[i].run();
            printf("calls %lu\nusr2 %d\n", calls, (int)seen_usr2);
            return failures ? 1 : 0;
        }
    return 2;
}
