/* Does known things when told to: a byte on standard input lets it go on, and it says on standard
 * output where it is. Mappings that are counted are of a size that nothing else here makes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNTED = 0x7000 };

static void say(const char *text) {
    if (write(1, text, strlen(text)) < 0)
        _exit(90);
}

static void told(const char *text) {
    char go;
    say(text);
    while (read(0, &go, 1) != 1)
        if (errno != EINTR)
            _exit(91);
}

static void maps(int times) {
    for (int i = 0; i < times; i++)
        munmap(mmap(NULL, COUNTED, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), COUNTED);
}

/* 100 mmap, 100 munmap, 1 of each that fails; 25 brk, 4 of them refused; 20 opens and closes of the
 * file, 5 opens that fail. */
static void calls(const char *file) {
    maps(100);
    mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap((void *)1, COUNTED);
    char *end = (char *)syscall(SYS_brk, 0);
    for (int i = 1; i <= 10; i++)
        syscall(SYS_brk, end + i * 8192);
    for (int i = 9; i >= 0; i--)
        syscall(SYS_brk, end + i * 8192);
    char *above = (char *)(((unsigned long)end + 4095) & ~4095UL);
    mmap(above, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 1; i <= 4; i++)
        syscall(SYS_brk, above + i * 8192);
    for (int i = 0; i < 20; i++)
        close(open(file, O_RDONLY));
    for (int i = 0; i < 5; i++)
        if (open("/nonexistent/file", O_RDONLY) != -1)
            _exit(92);
}

/* 1 brk that asks, 500 upwards. */
static void grows(void) {
    char *end = (char *)syscall(SYS_brk, 0);
    for (int i = 1; i <= 500; i++)
        syscall(SYS_brk, end + i * 4096);
}

static atomic_int go, ready, storming;

static void *waits(void *unused) {
    (void)unused;
    ready++;
    while (!go)
        usleep(1000);
    maps(50);
    return NULL;
}

static void *does(void *unused) {
    (void)unused;
    maps(50);
    return NULL;
}

static void threads(void) {
    pthread_t early[8], late[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&early[i], NULL, waits, NULL);
    while (ready < 8)
        usleep(1000);
    told("ready\n");
    go = 1;
    for (int i = 0; i < 8; i++)
        pthread_create(&late[i], NULL, does, NULL);
    for (int i = 0; i < 8; i++) {
        pthread_join(early[i], NULL);
        pthread_join(late[i], NULL);
    }
}

/* Each thread makes the next and ends; now and then one stays and waits. */
static pthread_attr_t detached;
static void *storm(void *number) {
    long mine = (long)number;
    pthread_t next;
    if (storming && pthread_create(&next, &detached, storm, (void *)(mine + 1)))
        _exit(93);
    /* Nobody is counted any more once the last one has said that it is the last. */
    int staying = ready;
    if (!storming)
        ready |= 1 << 20;
    else if (mine % 50 == 0 && staying < 30 &&
             atomic_compare_exchange_strong(&ready, &staying, staying + 1)) {
        while (!go)
            usleep(1000);
        maps(50);
        ready--;
    }
    return NULL;
}

static void storms(void) {
    pthread_t first;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    storming = 1;
    pthread_create(&first, &detached, storm, (void *)1L);
    told("ready\n");
    storming = 0;
    while (!(ready & 1 << 20))
        usleep(1000);
    char text[32];
    int stay = ready & 0xfffff;
    go = 1;
    while (ready & 0xfffff)
        usleep(1000);
    snprintf(text, sizeof text, "%d\n", stay);
    say(text);
}

static void forks(void) {
    told("ready\n");
    for (int i = 0; i < 20; i++) {
        if (fork() == 0) {
            maps(30);
            _exit(i);
        }
    }
    while (wait(NULL) > 0)
        ;
}

static atomic_int count, wrong;

static void queued(int number, siginfo_t *info, void *unused) {
    (void)number, (void)unused;
    if (info->si_value.sival_int != count)
        wrong = 1;
    count++;
}

/* 400 queued signals from elsewhere, with a payload that counts. */
static void signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = queued;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGRTMIN + 3, &action, NULL);
    say("ready\n");
    while (count < 400)
        maps(1);
    say(wrong ? "wrong\n" : "right\n");
}

static void load(void) {
    int zero = open("/dev/zero", O_RDONLY);
    char text[64], byte;
    for (;;) {
        told("ready\n");
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int i = 0; i < 200000; i++) {
            if (read(zero, &byte, 1) != 1)
                _exit(94);
            /* 300 times five mappings, made and removed: 3,000 calls. */
            if (i % 667 == 0)
                for (int j = 0; j < 5; j++)
                    maps(1);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        long ns = (to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec;
        snprintf(text, sizeof text, "%ld\n", ns);
        say(text);
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *file = argc > 2 ? argv[2] : "/dev/null";
    if (!strcmp(mode, "calls")) {
        told("ready\n");
        calls(file);
    } else if (!strcmp(mode, "at-once")) {
        maps(100);
        return 5;
    } else if (!strcmp(mode, "threads")) {
        threads();
    } else if (!strcmp(mode, "storm")) {
        storms();
    } else if (!strcmp(mode, "forks")) {
        forks();
    } else if (!strcmp(mode, "exec")) {
        told("ready\n");
        execl(argv[0], argv[0], "at-once", NULL);
    } else if (!strcmp(mode, "signals")) {
        signals();
    } else if (!strcmp(mode, "ticks")) {
        for (;;) {
            told("tick\n");
            maps(1);
        }
    } else if (!strcmp(mode, "flood")) {
        told("ready\n");
        maps(20000);
    } else if (!strcmp(mode, "grows")) {
        told("ready\n");
        grows();
    } else if (!strcmp(mode, "load")) {
        load();
    } else {
        return 2;
    }
    told("done\n");
    return 3;
}
