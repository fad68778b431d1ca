/* Damages malloc's own book-keeping as its argument says, tells so, and touches malloc no more. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t word;

/* A chunk: size of the one before, own size, links. */
struct chunk {
    word before, size;
    struct chunk *forward, *back;
};

/* Through an address that the compiler can't follow, since it warns of freed blocks. */
static struct chunk *chunk_of(word block)
{
    volatile word address = block - 16;
    return (struct chunk *)address;
}

static struct chunk outside[8];

int main(int count, char **arguments)
{
    const char *kind = count > 1 ? arguments[1] : "";
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    char *large = malloc(400u << 20);
    /* Three free chunks with blocks in use between them. */
    volatile word block[7];
    for (int i = 0; i < 7; i++)
        block[i] = (word)malloc(5000);
    for (int i = 1; i < 7; i += 2)
        free((void *)block[i]);
    struct chunk *last = chunk_of(block[1]), *middle = chunk_of(block[3]), *first = chunk_of(block[5]);
    /* The unsorted bin; malloc's own words are at fixed distances from it, whatever the version. */
    struct chunk *bin = first->back;
    word *bins = (word *)bin + 2;
    word *top = (word *)bin, *next = bins + 256, *system_bytes = bins + 259;
    if (bin->forward != first || bin->back != last || last->forward != bin || *top < block[6]) {
        puts("the bin is not where it was thought to be");
        return 1;
    }
#define IS(name) (strcmp(kind, name) == 0)
    if (IS("nothing")) {
    } else if (IS("self-loop")) {
        middle->forward = middle;
    } else if (IS("loop")) {
        middle->forward = first;
    } else if (IS("closed loop")) {
        first->forward = middle, middle->back = first;
        middle->forward = first, first->back = middle;
    } else if (IS("wild")) {
        middle->forward = (struct chunk *)0x4141414141414140;
    } else if (IS("kernel")) {
        middle->forward = (struct chunk *)0xffffffff81000000;
    } else if (IS("null")) {
        middle->forward = NULL;
    } else if (IS("unaligned")) {
        middle->forward = (struct chunk *)((char *)last + 8);
    } else if (IS("code")) {
        middle->forward = (struct chunk *)((word)&main & ~15ull);
    } else if (IS("size zero")) {
        middle->size = 1;
    } else if (IS("size huge")) {
        middle->size = 0x7ffffffffff1;
    } else if (IS("size all bits")) {
        middle->size = ~0ull;
    } else if (IS("size of another")) {
        middle->size += 16;
    } else if (IS("in use")) {
        ((struct chunk *)((char *)middle + (middle->size & ~15ull)))->size |= 1;
    } else if (IS("outside")) {
        /* Complete in itself, but not in the heap. */
        outside[0] = (struct chunk){0, 64 | 1, bin, middle};
        outside[2].before = 64;
        middle->forward = &outside[0];
        bin->back = &outside[0];
    } else if (IS("overlap")) {
        struct chunk *inner = (struct chunk *)((char *)middle + 256);
        *inner = (struct chunk){0, 512 | 1, last, middle};
        *(word *)((char *)inner + 512) = 512;
        *(word *)((char *)inner + 520) = 64;
        middle->forward = inner;
        last->back = inner;
    } else if (IS("chain")) {
        /* Ten million, each with the right links. */
        struct chunk *before = middle;
        for (long i = 0; i < 10000000; i++) {
            struct chunk *one = (struct chunk *)(large + i * 32);
            *one = (struct chunk){0, 32 | 1, NULL, before};
            before->forward = one;
            before = one;
        }
        before->forward = last;
        last->back = before;
    } else if (IS("endless chain")) {
        /* A ring beside the bin, entered from it. */
        struct chunk *ring = (struct chunk *)large;
        for (long i = 0; i < 100000; i++)
            ring[i] = (struct chunk){0, 32 | 1, &ring[(i + 1) % 100000], &ring[(i + 99999) % 100000]};
        ring[0].back = middle;
        middle->forward = ring;
    } else if (IS("top wild")) {
        *top = 0x4141414141414140;
    } else if (IS("top size")) {
        ((struct chunk *)*top)->size = 1ull << 40 | 1;
    } else if (IS("top unaligned")) {
        ((struct chunk *)*top)->size += 32;
    } else if (IS("system bytes")) {
        *system_bytes = 1ull << 46;
    } else if (IS("ring wild")) {
        *next = 0x4141414141414140;
    } else if (IS("ring null")) {
        *next = 0;
    } else if (IS("ring beside")) {
        /* Two that lead to each other and not back. */
        word *one = (word *)large, *two = (word *)(large + 4096);
        word *start = (word *)*next;
        for (long i = 0; i < 300; i++)
            one[i] = two[i] = start[i];
        one[next - start] = (word)two;
        two[next - start] = (word)one;
        *next = (word)one;
    } else if (IS("ring long")) {
        word *start = (word *)*next;
        long length = system_bytes + 2 - start, distance = next - start, bins_at = bins - start;
        for (long i = 0; i < 100000; i++) {
            word *one = (word *)large + i * 320;
            memcpy(one, start, length * 8);
            for (long k = 0; k < 254; k++)
                one[bins_at + k] = (word)(one + bins_at + (k & ~1) - 2);
            one[distance] = (word)(one + 320);
        }
        *next = (word)large;
    } else if (IS("second arena")) {
        /* A ring that leads back, through something that has no heaps. */
        word *start = (word *)*next, *one = (word *)large;
        memcpy(one, start, (system_bytes + 2 - start) * 8);
        long bins_at = bins - start;
        for (long k = 0; k < 254; k++)
            one[bins_at + k] = (word)(one + bins_at + (k & ~1) - 2);
        *next = (word)one;
    } else {
        puts("what?");
        return 1;
    }
    if (write(1, "ready\n", 6) < 0)
        return 1;
    pause();
    return 0;
}
