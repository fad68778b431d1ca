/* Does with its heap what it is told, a line at a time, and then waits: nothing but malloc itself
   writes to the heap between two commands. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 2000000 };
static void *blocks[MOST];
static uint64_t seed = 88172645463325252ULL;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void answer(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        _exit(1);
}

/* COUNT blocks of SMALLEST to LARGEST bytes; then all but every KEPT-th are freed. */
static void churn(void **place, long count, long smallest, long largest, long kept)
{
    for (long i = 0; i < count; i++) {
        size_t size = smallest + random_number() % (largest - smallest + 1);
        place[i] = malloc(size);
        memset(place[i], 1, size);
    }
    for (long i = 0; i < count; i++)
        if (i % kept != 0)
            free(place[i]);
}

/* COUNT blocks of BYTES bytes, each with one behind it that stays; then they are freed. Of every
   three in a row the pages inside the first go to swap, if there is any, and those inside the second
   are given up. Tells where they were. */
static void go_away(long count, long bytes, char *text)
{
    long page = sysconf(_SC_PAGESIZE);
    for (long i = 0; i < count; i++) {
        blocks[i] = malloc(bytes);
        memset(blocks[i], 1, bytes);
        blocks[count + i] = malloc(24);
    }
    for (long i = 0; i < count; i++)
        free(blocks[i]);
    *text = 0;
    for (long i = 0; i < count; i++) {
        /* Behind what malloc keeps in a free block. */
        uintptr_t from = ((uintptr_t)blocks[i] + 32 + page - 1) / page * page;
        uintptr_t to = ((uintptr_t)blocks[i] + bytes) / page * page;
        int advice = i % 3 == 0 ? MADV_PAGEOUT : MADV_DONTNEED;
        if (i % 3 != 2 && madvise((void *)from, to - from, advice))
            _exit(1);
        sprintf(text + strlen(text), "%lx%c", (long)blocks[i], i + 1 < count ? ' ' : '\n');
    }
}

/* COUNT blocks of BYTES bytes and more, each with a mapping of its own: plain, aligned and grown;
   every fourth one is freed again. */
static void large(long count, long bytes)
{
    for (long i = 0; i < count; i++) {
        switch (i % 3) {
        case 0:
            blocks[i] = malloc(bytes + i * 5000);
            break;
        case 1:
            blocks[i] = memalign(1 << 16, bytes + i * 100);
            break;
        default:
            blocks[i] = realloc(malloc(bytes), 2 * bytes + i);
        }
        memset(blocks[i], 1, bytes);
    }
    for (long i = 0; i < count; i += 4)
        free(blocks[i]);
}

/* COUNT pairs of free blocks, each pair in a fast bin of its own, whose first is on a page with a
   number that ends in 0: its link is aligned both as it is and mangled. */
static void fast_pairs(long count)
{
    for (long pair = 0; pair < count; pair++) {
        size_t size = 24 + 16 * pair;
        void *cached[7], *last, *before = NULL;
        for (int i = 0; i < 7; i++)
            cached[i] = malloc(size);
        last = malloc(size);
        do {
            before = last;
            last = malloc(size);
        } while (((uintptr_t)last - 16) >> 12 & 15);
        for (int i = 0; i < 7; i++)
            free(cached[i]);
        free(before);
        free(last);
    }
}

static struct { uintptr_t start, end; int stays; } chunks[MOST];

/* COUNT blocks, of which every fourth is freed, and between some of them lies much that stays. Tells
   how many that stay share a page with one that was freed, and their bytes. */
static void pins(long count, char *text)
{
    static char has_free[1 << 20];
    long pinning = 0, bytes = 0;
    for (long i = 0; i < count; i++) {
        chunks[i].stays = i % 4 != 1;
        void *block = malloc(!chunks[i].stays || i % 64 < 8 ? 2000 + i % 7 * 500 : 24 + i % 5 * 16);
        chunks[i].start = (uintptr_t)block - 16;
        chunks[i].end = (uintptr_t)block + malloc_usable_size(block) - 8;
        memset(block, 1, malloc_usable_size(block));
        blocks[i] = block;
    }
    uintptr_t first = chunks[0].start >> 12;
    for (long i = 0; i < count; i++)
        if (!chunks[i].stays) {
            free(blocks[i]);
            for (uintptr_t page = chunks[i].start >> 12; page <= (chunks[i].end - 1) >> 12; page++)
                has_free[page - first] = 1;
        }
    for (long i = 0; i < count; i++)
        if (chunks[i].stays)
            for (uintptr_t page = chunks[i].start >> 12; page <= (chunks[i].end - 1) >> 12; page++)
                if (has_free[page - first]) {
                    pinning++;
                    bytes += chunks[i].end - chunks[i].start;
                    break;
                }
    sprintf(text, "%ld %ld\n", pinning, bytes);
}

static pthread_barrier_t barrier;

static void *thread(void *number)
{
    void **own = calloc(20000, sizeof *own);
    pthread_barrier_wait(&barrier);
    uint64_t state = (uintptr_t)number * 7919;
    for (long i = 0; i < 20000; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t size = 40 + (state >> 33) % 3000;
        own[i] = malloc(size);
        memset(own[i], 1, size);
    }
    for (long i = 0; i < 20000; i++)
        if (i % 50 != 0)
            free(own[i]);
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
    return NULL;
}

int main(void)
{
    char line[200], text[400];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(0, line + length, 1);
        if (got != 1)
            return 0;
        if (line[length] != '\n') {
            length++;
            continue;
        }
        line[length] = 0;
        length = 0;
        long a = 0, b = 0, c = 0, d = 0;
        sscanf(line + 1, "%ld %ld %ld %ld", &a, &b, &c, &d);
        strcpy(text, "ok\n");
        switch (line[0]) {
        case 'c':
            churn(blocks, a, b, c, d);
            break;
        case 'a':
            go_away(a, b, text);
            break;
        case 'b':
            large(a, b);
            break;
        case 'f':
            fast_pairs(a);
            break;
        case 'p':
            pins(a, text);
            break;
        case 'h': { /* the break gets no further */
            char *end = sbrk(0);
            void *hole = mmap(end, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            strcpy(text, hole == end ? "ok\n" : "no\n");
            break;
        }
        case 't': /* threads with arenas of their own, which wait */
            pthread_barrier_init(&barrier, NULL, a + 1);
            for (long i = 0; i < a; i++) {
                pthread_t id;
                if (pthread_create(&id, NULL, thread, (void *)(uintptr_t)(i + 1)))
                    strcpy(text, "no\n");
            }
            pthread_barrier_wait(&barrier);
            pthread_barrier_wait(&barrier);
            usleep(50000);
            break;
        case 'T':
            sprintf(text, "%d\n", malloc_trim(0));
            break;
        case 'm': /* M_MXFAST, M_ARENA_MAX, ... */
            sprintf(text, "%d\n", mallopt(a, b));
            break;
        case 'l': /* lock all memory, which then can't be given back by halves */
            strcpy(text, mlockall(MCL_CURRENT | MCL_FUTURE) ? "no\n" : "ok\n");
            break;
        case 'k': { /* a free chunk of A bytes with a locked page in its middle, not at the top */
            mallopt(M_MMAP_THRESHOLD, 32 << 20);
            char *block = malloc(a), *behind = malloc(100);
            if (!block || !behind) abort();
            memset(block, 1, a);
            char *page = (char *)(((uintptr_t)block + a / 2) & -(uintptr_t)4096);
            strcpy(text, mlock(page, 4096) ? "no\n" : "ok\n");
            free(block);
            break;
        }
        case 's': /* somebody else's sbrk */
            strcpy(text, sbrk(a) == (void *)-1 ? "no\n" : "ok\n");
            break;
        case 'M': { /* A mappings of one page each, which the kernel can't join */
            for (long i = 0; i < a; i++)
                if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
                    strcpy(text, "no\n");
            break;
        }
        case 'i':
#if __GLIBC_PREREQ(2, 33)
        {
            struct mallinfo2 info = mallinfo2();
            sprintf(text, "%zu %zu %zu %zu %zu %zu %zu\n", info.arena, info.fordblks, info.fsmblks, info.keepcost, info.ordblks + info.smblks, info.hblks, info.hblkhd);
        }
#endif
            break;
        default:
            strcpy(text, "what?\n");
        }
        answer(text);
    }
}
