/* A signal interrupts a function; its handler, on a stack of its own, asks for memory. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

static void *volatile kept;
static char stack[64 << 10];
static int *volatile nowhere;
static int somewhere;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    kept = malloc(3000000);
    *(volatile char *)kept = 1;
    /* Behind the two bytes of the instruction that failed. */
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

__attribute__((noinline, noclone)) int interrupted(int *at) {
    __asm__ volatile("movl %%ecx,(%%rax)" : : "a"(at), "c"(1) : "memory");
    return somewhere;
}

int main(void) {
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaltstack(&other, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0)
        return 2;
    int result = interrupted(nowhere);
    /* Not a tail call. */
    __asm__ volatile("" : "+r"(result));
    return result;
}
