/*
 * Waits for a byte on its standard input, then asks for memory by functions of known names, says
 * `done`, and waits for the end of its input.
 *
 * asks TIMES [STACK_BYTES]: so many blocks of a MiB and more, each with a mapping of its own, below
 * so much of stack.
 */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

void *volatile first;

__attribute__((noinline)) void *inner(void)
{
    char *block = malloc(MIB);
    if (block)
        block[0] = 1;
    return block;
}

__attribute__((noinline)) int middle(void)
{
    return inner() == NULL;
}

__attribute__((noinline)) int outer(int stack_bytes)
{
    volatile char *room = alloca(stack_bytes + 1);
    room[0] = 1;
    return middle() + room[0];
}

int main(int count, char **words)
{
    int times = atoi(words[1]), stack_bytes = count > 2 ? atoi(words[2]) : 0;
    char byte;
    /* The main arena is there before. */
    first = malloc(1);
    if (read(0, &byte, 1) != 1)
        return 2;
    for (int time = 0; time < times; time++)
        outer(stack_bytes);
    if (write(1, "done\n", 5) != 5)
        return 3;
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}
