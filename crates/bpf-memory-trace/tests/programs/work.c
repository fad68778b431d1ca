/* Waits for a byte on standard input, then does what is watched, in each of so many threads:
   work THREADS; or so many calls and nothing else: work calls N; or a brk behind a marked stack:
   work stack. */
#define _GNU_SOURCE
#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char long_name[4000];

static void *work(void *number)
{
    long n = (long)number;
    for (int i = 0; i < 50; i++) {
        char *memory = mmap(NULL, 8192 * (n + 1), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memory[0] = 1;
        memory = mremap(memory, 8192 * (n + 1), 16384 * (n + 1), MREMAP_MAYMOVE);
        madvise(memory, 4096, MADV_DONTNEED);
        mprotect(memory, 4096, PROT_READ);
        munmap(memory, 16384 * (n + 1));
        munmap((void *)1, 4096);
        syscall(SYS_brk, 0);
        int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
        close(fd);
        fd = openat(AT_FDCWD, "/", O_DIRECTORY);
        close(fd);
        syscall(SYS_open, long_name, O_RDONLY);
        syscall(SYS_openat, AT_FDCWD, (void *)8, O_RDONLY);
        syscall(SYS_creat, "/nowhere/at all", 0600);
        close(-1);
    }
    pid_t child = fork();
    if (child == 0) {
        if (n % 2 == 0)
            execl("/nowhere/true", "true", NULL);
        else
            execl("/bin/true", "true", NULL);
        _exit(7);
    }
    waitpid(child, NULL, 0);
    return NULL;
}

#define MARK 0x1122334455667788

/* Leaves so much of the stack untouched, and has marks below it. */
__attribute__((noinline)) static int below(int times, int bytes)
{
    char *room = alloca(bytes);
    /* In the middle of a piece of 1024 bytes, wherever the kernel began the stack. */
    room = alloca((unsigned long)room % 1024 + 512);
    __asm__ volatile("" : : "r"(room) : "memory");
    volatile unsigned long *marks = alloca(4 * sizeof *marks);
    for (int i = 0; i < 4; i++)
        marks[i] = MARK;
    if (times > 1)
        return below(times - 1, 8192) + (marks[3] == 0);
    syscall(SYS_brk, 0);
    return marks[3] == 0;
}

int main(int argc, char **argv)
{
    char byte;
    if (argc < 2 || read(0, &byte, 1) != 1)
        return 2;
    if (strcmp(argv[1], "calls") == 0) {
        for (long n = atol(argv[2]); n > 0; n--)
            syscall(SYS_brk, 0);
        return 0;
    }
    if (strcmp(argv[1], "stack") == 0) {
        /* The linker has been no deeper. */
        return below(2, 1 << 16);
    }
    memset(long_name, 'x', sizeof long_name - 1);
    pthread_t threads[64];
    long count = atol(argv[1]);
    for (long n = 0; n < count; n++)
        pthread_create(&threads[n], NULL, work, (void *)n);
    for (long n = 0; n < count; n++)
        pthread_join(threads[n], NULL);
    /* A fork that ends by a signal. */
    pid_t child = fork();
    if (child == 0)
        abort();
    waitpid(child, NULL, 0);
    return 5;
}
