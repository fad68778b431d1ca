/* scene STEP...: takes the steps in their order, says where its break is, and waits until its input
 * ends. It uses malloc for nothing but the step of that name, so that the heap is as the steps say.
 * Each line of input, a decimal number, asks for so many bytes more at the break; the answer is 1 if
 * the kernel granted them. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static unsigned long page, start;
static char *hole, **arguments;
static char **blocks;
static unsigned long count;

static unsigned long brk_to(unsigned long to) {
    return syscall(SYS_brk, to);
}

static char *end_of_heap(void) {
    return (char *)((brk_to(0) + page - 1) / page * page);
}

static void check(int good, const char *step) {
    if (good)
        return;
    if (write(2, step, strlen(step)) < 0 || write(2, " failed\n", 8) < 0)
        _exit(2);
    _exit(1);
}

/* The middle of the heap, at the beginning of a page. */
static char *middle(void) {
    return (char *)((start + (brk_to(0) - start) / 2) / page * page);
}

static int file_of(unsigned long bytes) {
    int file = syscall(SYS_memfd_create, "two\nlines", 0);
    return file >= 0 && ftruncate(file, bytes) == 0 ? file : -1;
}

static int take(const char *name, unsigned long n) {
    if (!strcmp(name, "grow")) { /* the break by N bytes, or a page */
        unsigned long wanted = brk_to(0) + (n ? n : page);
        return brk_to(wanted) == wanted;
    }
    if (!strcmp(name, "touch")) /* the last byte below the break */
        return *(volatile char *)(brk_to(0) - 1) = 1;
    if (!strcmp(name, "hole")) { /* a page to read, N bytes above the break */
        hole = end_of_heap() + n;
        return mmap(hole, page, PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == hole;
    }
    if (!strcmp(name, "mend")) /* the hole */
        return munmap(hole, page) == 0;
    if (!strcmp(name, "named")) { /* one with a name that the program gives, if the kernel can */
        char *at = end_of_heap() + n;
        char *got = mmap(at, page, PROT_NONE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, page, "a wall");
        return got == at;
    }
    if (!strcmp(name, "file")) { /* a file, N bytes above the break */
        char *at = end_of_heap() + n;
        return mmap(at, page, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, file_of(page), 0) == at;
    }
    if (!strcmp(name, "again")) /* from the first step, for ever */
        return execv("/proc/self/exe", arguments);
    if (!strcmp(name, "cut")) /* N pages out of the middle of the heap */
        return munmap(middle(), n * page) == 0;
    if (!strcmp(name, "over")) /* a file over N pages in the middle of the heap */
        return mmap(middle(), n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                    file_of(n * page), 0) == middle();
    if (!strcmp(name, "protect")) /* N pages of the middle of the heap */
        return mprotect(middle(), n * page, PROT_READ) == 0;
    if (!strcmp(name, "readonly")) /* the last N pages of the heap */
        return mprotect(end_of_heap() - n * page, n * page, PROT_READ) == 0;
    if (!strcmp(name, "shred")) { /* every other of 2N pages from the start of the heap */
        for (unsigned long i = 0; i < n; i++)
            if (mprotect((char *)start + 2 * i * page, page, PROT_READ))
                return 0;
        return 1;
    }
    if (!strcmp(name, "many") || !strcmp(name, "files")) { /* N mappings, a page each */
        int anonymous = !strcmp(name, "many");
        int file = anonymous ? -1 : file_of(n * page);
        int flags = anonymous ? ANONYMOUS : MAP_PRIVATE;
        char *at = mmap(0, n * page, PROT_READ, flags, file, 0);
        if (at == MAP_FAILED)
            return 0;
        for (unsigned long i = 0; i < n; i += 2)
            if (mprotect(at + i * page, page, PROT_NONE))
                return 0;
        return 1;
    }
    if (!strcmp(name, "malloc")) { /* N blocks of 8 KB, touched */
        blocks = mmap(0, n * sizeof *blocks, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
        for (count = 0; count < n; count++) {
            blocks[count] = malloc(8000);
            if (!blocks[count])
                return 0;
            memset(blocks[count], 1, 8000);
        }
        return 1;
    }
    if (!strcmp(name, "free")) { /* all of them but every Nth and the last */
        for (unsigned long i = 0; i + 1 < count; i++)
            if (i % n)
                free(blocks[i]);
        return 1;
    }
    return 0;
}

static void say(const char *text) {
    if (write(1, text, strlen(text)) < 0)
        _exit(2);
}

int main(int argc, char **argv) {
    static char text[64];
    page = sysconf(_SC_PAGESIZE);
    start = brk_to(0);
    arguments = argv;
    for (int i = 1; i < argc; i++) {
        char *number = strchr(argv[i], '=');
        unsigned long n = number ? strtoul(number + 1, 0, 0) : 0;
        if (number)
            *number = 0;
        check(take(argv[i], n), argv[i]);
    }
    unsigned long at = brk_to(0);
    text[16] = '\n';
    for (int i = 15; i >= 0; i--, at >>= 4)
        text[i] = "0123456789abcdef"[at & 15];
    say(text);
    for (unsigned long length = 0; read(0, text + length, 1) == 1; length++) {
        if (text[length] != '\n' && length < sizeof text - 2)
            continue;
        text[length] = 0;
        unsigned long wanted = brk_to(0) + strtoul(text, 0, 10);
        say(brk_to(wanted) == wanted ? "1\n" : "0\n");
        length = -1;
    }
    return 0;
}
