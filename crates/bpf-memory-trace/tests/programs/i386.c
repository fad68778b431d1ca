/* Waits for a byte on standard input, then makes calls that 32-bit code makes: as a 64-bit program by
   int 0x80, or, compiled by -m32 -nostdlib -static, as one that has no others. With TALKS, it says when it
   waits and when it is done, and waits once more; with FILTERS, it installs seccomp filters first. */
static char byte, name[] = "/etc/hosts";
static unsigned old_mmap[] = {0, 0x5000, 1, 0x22, -1u, 0};

static long call(long number, long a, long b, long c, long d, long e)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory"
#ifdef __x86_64__
                       , "r8", "r9", "r10", "r11"
#endif
    );
    return result;
}

#ifdef FILTERS
/* Allows everything, twice: by prctl and by seccomp. */
static void filter(void)
{
    static unsigned allow[] = {0x06, 0x7fff0000};
    static unsigned program[2];
    *(unsigned short *)program = 1;
    program[1] = (unsigned)(unsigned long)allow;
    call(172, 38, 1, 0, 0, 0);
    call(172, 22, 2, (long)program, 0, 0);
    call(354, 1, 0, (long)program, 0, 0);
}
#endif

static int work(void)
{
#ifdef FILTERS
    filter();
#endif
#ifdef TALKS
    call(4, 1, (long)"ready\n", 6, 0, 0);
#endif
    call(3, 0, (long)&byte, 1, 0, 0);
    call(45, 0, 0, 0, 0, 0);
    long memory = call(192, 0, 0x7000, 3, 0x22, -1);
    call(125, memory, 0x1000, 1, 0, 0);
    call(219, memory, 0x1000, 4, 0, 0);
    call(163, memory, 0x7000, 0x3000, 0, 0);
    call(91, memory, 0x3000, 0, 0, 0);
    call(90, (long)old_mmap, 0, 0, 0, 0);
    call(6, call(5, (long)name, 0, 0, 0, 0), 0, 0, 0, 0);
    call(6, call(295, -100, (long)name, 0, 0, 0), 0, 0, 0, 0);
    call(8, (long)"/nowhere/at all", 0600, 0, 0, 0);
    call(11, (long)"/nowhere/at all", 0, 0, 0, 0);
#ifdef TALKS
    call(4, 1, (long)"done\n", 5, 0, 0);
    call(3, 0, (long)&byte, 1, 0, 0);
#endif
    return 6;
}

#ifdef __x86_64__
int main(void)
{
    return work();
}
#else
void _start(void)
{
    call(1, work(), 0, 0, 0, 0);
}
#endif
