/*
 * Makes big what a look into it may read, says so, and waits for the end of its input. Files are
 * made in the present directory.
 *
 * hostile places MIB: variables of a "libc.so.6" that look like a main arena wherever one may begin
 * hostile ring ARENAS: a ring of that many empty arenas
 * hostile libraries COUNT: so many sparse files of 64 MiB that are called libc.so
 * hostile names COUNT: so many mappings of a file with a path of nearly 4096 bytes
 * hostile chunks COUNT: so many free chunks of malloc's
 * hostile data MIB: a "libc.so.6" with so much data, in which is no arena
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 2200, STEP = 2208, BINS = 112, TOP = 96, NEXT = 2160 };

static int made(const char *name, off_t length)
{
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0755);
    if (file < 0 || ftruncate(file, length))
        exit(3);
    return file;
}

static void *mapped(void *at, size_t length, int kind, int file)
{
    void *memory = mmap(at, length, PROT_READ | PROT_WRITE, kind, file, 0);
    if (memory == MAP_FAILED)
        exit(4);
    return memory;
}

static void places(long mib)
{
    size_t length = mib << 20;
    uint64_t chunk = (uint64_t)mapped(NULL, 1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1) + 4096;
    uint64_t *words = mapped(NULL, length, MAP_PRIVATE, made("libc.so.6", length));
    for (size_t at = 0; at < length; at += 8)
        words[at / 8] = at % LENGTH < TOP ? 0 : chunk;
}

static void ring(long arenas)
{
    char *main_arena = mapped(NULL, 4096, MAP_PRIVATE, made("libc.so.6", 4096));
    char *others = mapped(NULL, arenas * STEP, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (long arena = 0; arena < arenas; arena++) {
        char *header = arena ? others + arena * STEP : main_arena;
        char *next = arena + 1 < arenas ? others + (arena + 1) * STEP : main_arena;
        for (int bin = 0; bin < 127; bin++) {
            char *empty = header + BINS + bin * 16 - 16;
            memcpy(header + BINS + bin * 16, &empty, 8);
            memcpy(header + BINS + bin * 16 + 8, &empty, 8);
        }
        char *top = header + BINS - 16;
        memcpy(header + TOP, &top, 8);
        memcpy(header + NEXT, &next, 8);
    }
}

static void libraries(long count)
{
    for (long number = 0; number < count; number++) {
        char name[40];
        sprintf(name, "%ld", number);
        mkdir(name, 0755);
        strcat(name, "/libc.so");
        int file = made(name, 64 << 20);
        mapped(NULL, 4096, MAP_PRIVATE, file);
        close(file);
    }
}

static void names(long count)
{
    /* Sixteen directories of 240 bytes: as long as a path may be. */
    char directory[241];
    memset(directory, 'd', 240);
    directory[240] = 0;
    for (int depth = 0; depth < 15; depth++)
        if ((mkdir(directory, 0755), chdir(directory)))
            exit(5);
    int file = made("f", 8192);
    char *at = mapped(NULL, count * 8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (long number = 0; number < count; number++)
        mapped(at + number * 8192, 4096, MAP_PRIVATE | MAP_FIXED, file);
}

static void chunks(long count)
{
    /* Larger than what a fast bin takes; a thread's cache takes seven. */
    enum { SIZE = 136 };
    char **all = malloc(2 * count * sizeof *all);
    if (!all)
        exit(7);
    for (long number = 0; number < 2 * count; number++)
        if (!(all[number] = malloc(SIZE)))
            exit(7);
    for (long number = 0; number < 2 * count; number += 2)
        free(all[number]);
}

static void data(long mib)
{
    size_t length = mib << 20;
    memset(mapped(NULL, length, MAP_PRIVATE, made("libc.so.6", length)), 1, length);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long count = strtol(argv[2], NULL, 10);
    switch (argv[1][0]) {
    case 'p':
        places(count);
        break;
    case 'r':
        ring(count);
        break;
    case 'l':
        libraries(count);
        break;
    case 'c':
        chunks(count);
        break;
    case 'd':
        data(count);
        break;
    default:
        names(count);
    }
    if (write(1, "ready\n", 6) != 6)
        return 6;
    char end;
    while (read(0, &end, 1) > 0)
        ;
    return 0;
}
