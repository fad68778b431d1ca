/* A process that does with its memory exactly what it is told, one line at a time, and nothing
   else: no stdio, no malloc. Each command is answered by one line, so whoever weighs it knows that
   it is waiting. Numbers are decimal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static char line[8192];
static unsigned long page;
static char *block;
static unsigned long block_bytes;

static void answer(unsigned long number)
{
    char text[24];
    char *at = text + sizeof text;
    *--at = '\n';
    do {
        *--at = '0' + number % 10;
    } while (number /= 10);
    if (write(1, at, text + sizeof text - at) < 0)
        _exit(1);
}

static void fail(void)
{
    if (write(1, "failed\n", 7) < 0)
        _exit(1);
}

/* One byte at a time, so that nothing is read ahead of an exec. 0 at the end of the input. */
static int read_line(void)
{
    unsigned long length = 0;
    while (length < sizeof line - 1 && read(0, line + length, 1) == 1) {
        if (line[length] == '\n') {
            line[length] = 0;
            return 1;
        }
        length++;
    }
    return 0;
}

static unsigned long number(void)
{
    unsigned long value = 0;
    for (const char *at = line + 2; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

static unsigned long the_break(void)
{
    return syscall(SYS_brk, 0);
}

static void *wait_forever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(void)
{
    page = sysconf(_SC_PAGESIZE);
    while (read_line()) {
        switch (line[0]) {
        case 'm': /* map N bytes */
            block_bytes = number();
            block = mmap(0, block_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            madvise(block, block_bytes, MADV_NOHUGEPAGE);
            answer((unsigned long)block);
            break;
        case 't': /* touch each page of the block */
            for (unsigned long at = 0; at < block_bytes; at += page)
                ((volatile char *)block)[at] = 1;
            answer(block_bytes / page);
            break;
        case 'u': /* unmap the block */
            answer(munmap(block, block_bytes) == 0);
            break;
        case 'b': /* the break */
            answer(the_break());
            break;
        case 'g': { /* grow the break by N bytes: 1 if the kernel did */
            unsigned long wanted = the_break() + number();
            answer((unsigned long)syscall(SYS_brk, wanted) == wanted);
            break;
        }
        case 'h': { /* a read-only page N bytes above the break, rounded up to a page */
            char *at = (char *)((the_break() + page - 1) / page * page + number());
            char *got = mmap(at, page, PROT_READ,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            answer(got == at);
            break;
        }
        case 'o': { /* map the file whose name follows, '|' standing for a newline */
            for (char *at = line; *at; at++)
                if (*at == '|')
                    *at = '\n';
            int file = open(line + 2, O_RDONLY);
            if (file < 0 || mmap(0, 1, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED)
                fail();
            else
                answer(1);
            break;
        }
        case 'r': { /* the kernel's ru_maxrss, in bytes */
            struct rusage usage;
            getrusage(RUSAGE_SELF, &usage);
            answer(usage.ru_maxrss * 1024);
            break;
        }
        case 'p': { /* one thread more */
            pthread_t thread;
            answer(pthread_create(&thread, 0, wait_forever, 0) == 0);
            break;
        }
        case 'e': /* end the main thread only */
            answer(1);
            syscall(SYS_exit, 0);
            break;
        case 'x': /* become a fresh copy of this program */
            execl("/proc/self/exe", "child", (char *)0);
            fail();
            break;
        default: /* just answer */
            answer(0);
        }
    }
    return 0;
}
