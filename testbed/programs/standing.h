/* What the programs that stand still have in common: their numbers, and how they come to trim. */

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static const uint64_t FIRST_NUMBER = 88172645463325252u;

/* The same numbers in every run (xorshift). */
static uint64_t next_number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void say(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(1);
}

static int wait_for_a_line(void)
{
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1)
        if (byte == '\n')
            return 0;
    return -1;
}

/* Says "ready"; at the next line of standard input malloc gives back what it can, and "trimmed" is
   said; at the next it returns the program's status. */
static int stand_still(void)
{
    say("ready\n");
    if (wait_for_a_line() != 0)
        return 1;
    malloc_trim(0);
    say("trimmed\n");
    wait_for_a_line();
    return 0;
}
