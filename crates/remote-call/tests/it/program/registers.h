/* Fills every register with a pattern, spins, and looks whether they are still there. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

unsigned long general[15];
unsigned long spins;
unsigned char given_vectors[32][64], seen_vectors[32][64];
unsigned char given_x87[8][16], seen_x87[8][16];
unsigned long given_masks[8], seen_masks[8];
/* Rounding to zero, in SSE's and in x87's control words, with all exceptions masked. */
unsigned given_mxcsr = 0x7f80, seen_mxcsr, usual_mxcsr = 0x1f80;
unsigned short given_x87_control = 0x0f7f, seen_x87_control;
/* 0: xmm, 1: ymm, 2: zmm and masks. */
int vector_kind;

/* 0: all are there; 1: a general register, a flag or a byte of the red zone isn't. */
int spin_raw(unsigned long count);

asm(".text\n"
    ".globl spin_raw\n"
    ".type spin_raw, @function\n"
    "spin_raw:\n"
    "  pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
    "  movq %rdi, spins(%rip)\n"
    "  ldmxcsr given_mxcsr(%rip)\n"
    "  fninit\n"
    "  fldcw given_x87_control(%rip)\n"
    ".irp i,0,1,2,3,4,5,6,7\n"
    "  fldt given_x87+16*\\i(%rip)\n"
    ".endr\n"
    "  cmpl $1, vector_kind(%rip)\n"
    "  je 1f\n"
    "  ja 2f\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "  movdqu given_vectors+64*\\i(%rip), %xmm\\i\n"
    ".endr\n"
    "  jmp 3f\n"
    "1:\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "  vmovdqu given_vectors+64*\\i(%rip), %ymm\\i\n"
    ".endr\n"
    "  jmp 3f\n"
    "2:\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "  vmovdqu64 given_vectors+64*\\i(%rip), %zmm\\i\n"
    ".endr\n"
    ".irp i,0,1,2,3,4,5,6,7\n"
    "  kmovw given_masks+8*\\i(%rip), %k\\i\n"
    ".endr\n"
    "3:\n"
    /* The red zone. */
    ".irp i,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n"
    "  movq $0x5a5a00+\\i, -8*\\i(%rsp)\n"
    ".endr\n"
    ".macro all_general_registers do\n"
    "  \\do general+0(%rip), %rax\n"
    "  \\do general+8(%rip), %rbx\n"
    "  \\do general+16(%rip), %rcx\n"
    "  \\do general+24(%rip), %rdx\n"
    "  \\do general+32(%rip), %rsi\n"
    "  \\do general+40(%rip), %rdi\n"
    "  \\do general+48(%rip), %rbp\n"
    "  \\do general+56(%rip), %r8\n"
    "  \\do general+64(%rip), %r9\n"
    "  \\do general+72(%rip), %r10\n"
    "  \\do general+80(%rip), %r11\n"
    "  \\do general+88(%rip), %r12\n"
    "  \\do general+96(%rip), %r13\n"
    "  \\do general+104(%rip), %r14\n"
    "  \\do general+112(%rip), %r15\n"
    ".endm\n"
    ".macro compare memory, register\n"
    "  cmpq \\memory, \\register\n"
    "  jne 9f\n"
    ".endm\n"
    "  all_general_registers movq\n"
    "  std\n"
    "  stc\n"
    "4: decq spins(%rip)\n" /* leaves the carry flag alone */
    "  jnz 4b\n"
    "  jnc 9f\n"
    "  all_general_registers compare\n"
    ".irp i,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n"
    "  cmpq $0x5a5a00+\\i, -8*\\i(%rsp)\n"
    "  jne 9f\n"
    ".endr\n"
    "  pushfq\n"
    "  popq %rax\n"
    "  testl $0x400, %eax\n"
    "  jz 9f\n"
    "  xorl %eax, %eax\n"
    "  jmp 5f\n"
    "9: movl $1, %eax\n"
    "5: cld\n"
    "  stmxcsr seen_mxcsr(%rip)\n"
    "  ldmxcsr usual_mxcsr(%rip)\n"
    "  fnstcw seen_x87_control(%rip)\n"
    ".irp i,7,6,5,4,3,2,1,0\n"
    "  fstpt seen_x87+16*\\i(%rip)\n"
    ".endr\n"
    "  fninit\n"
    "  cmpl $1, vector_kind(%rip)\n"
    "  je 6f\n"
    "  ja 7f\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "  movdqu %xmm\\i, seen_vectors+64*\\i(%rip)\n"
    ".endr\n"
    "  jmp 8f\n"
    "6:\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "  vmovdqu %ymm\\i, seen_vectors+64*\\i(%rip)\n"
    ".endr\n"
    "  vzeroupper\n"
    "  jmp 8f\n"
    "7:\n"
    ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "  vmovdqu64 %zmm\\i, seen_vectors+64*\\i(%rip)\n"
    ".endr\n"
    ".irp i,0,1,2,3,4,5,6,7\n"
    "  kmovw %k\\i, seen_masks+8*\\i(%rip)\n"
    ".endr\n"
    "  vzeroupper\n"
    "8: popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
    "  ret\n"
    ".size spin_raw, .-spin_raw\n");

static void make_patterns(void) {
    for (int i = 0; i < 15; i++)
        general[i] = 0x0123456789abcdefUL * (i + 3);
    __builtin_cpu_init();
    vector_kind = __builtin_cpu_supports("avx512f") ? 2 : __builtin_cpu_supports("avx") ? 1 : 0;
    static const int bytes[] = {16, 32, 64}, count[] = {16, 16, 32};
    for (int i = 0; i < count[vector_kind]; i++)
        for (int k = 0; k < bytes[vector_kind]; k++)
            given_vectors[i][k] = i * 67 + k * 5 + 1;
    for (int i = 0; i < 8; i++) {
        long double number = 1.5L * (i + 1) / 7;
        memcpy(given_x87[i], &number, 10);
        given_masks[i] = vector_kind == 2 ? 0x1111 * (i + 1) : 0;
    }
}

static const char *wrong_register;

static int spin_and_check(unsigned long count) {
    wrong_register = 0;
    if (spin_raw(count))
        wrong_register = "a general register, a flag or the red zone";
    else if (memcmp(given_vectors, seen_vectors, sizeof given_vectors))
        wrong_register = "a vector register";
    else if (memcmp(given_x87, seen_x87, sizeof given_x87))
        wrong_register = "an x87 register";
    else if (memcmp(given_masks, seen_masks, sizeof given_masks))
        wrong_register = "a mask register";
    else if ((seen_mxcsr & ~0x3fu) != given_mxcsr)
        wrong_register = "mxcsr";
    else if (seen_x87_control != given_x87_control)
        wrong_register = "the x87 control word";
    return wrong_register != 0;
}

static const char *registers_say(void) { return wrong_register ? wrong_register : "registers"; }

/* All that a function needn't preserve, and the control words, for good measure. */
static void spoil_registers(void) {
    asm volatile("fninit; fldz; fld1\n"
                 "ldmxcsr usual_mxcsr(%%rip)\n" ::
                     : "memory");
    if (vector_kind == 0)
        asm volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm15; movdqa %%xmm0, %%xmm7" ::: "memory");
    else
        asm volatile("vzeroall" ::: "memory");
    asm volatile("movq $-1, %%rcx; movq $-2, %%rdx; movq $-3, %%rsi; movq $-4, %%rdi;"
                 "movq $-5, %%r8; movq $-6, %%r9; movq $-7, %%r10; movq $-8, %%r11" ::
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
}
