/* 2,000 blocks of 16,000 bytes, all freed at the end; with a word, the break is refused before by
 * a filter of its own and another program is executed: grow filtered PROGRAM. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int without_break(char **words)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_brk, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 9;
    execv(words[0], words);
    return 8;
}

int main(int count, char **words)
{
    static char *kept[2000];
    if (count > 2)
        return without_break(words + 2);
    for (int number = 0; number < 2000; number++) {
        kept[number] = malloc(16000);
        memset(kept[number], 1, 16000);
    }
    for (int number = 0; number < 2000; number++)
        free(kept[number]);
    return 0;
}
