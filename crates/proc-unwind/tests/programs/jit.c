/* Makes code and runs it: a function with a frame pointer that calls back. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *volatile kept;

__attribute__((noinline, noclone)) void called_back(void) {
    kept = malloc(3000000);
    *(volatile char *)kept = 1;
}

__attribute__((noinline, noclone)) int run_code(void (*code)(void (*)(void))) {
    code(called_back);
    return kept == NULL;
}

int main(void) {
    /* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
    static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 2;
    memcpy(page, code, sizeof code);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        return 3;
    int result = run_code((void (*)(void (*)(void)))page);
    /* Not a tail call. */
    __asm__ volatile("" : "+r"(result));
    return result;
}
