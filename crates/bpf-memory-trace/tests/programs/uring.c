/* Waits for a byte on standard input, then has io_uring open and close files. With TALKS, it says when it
   waits and when it is done, and waits once more. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring;
static unsigned *tail, *mask, *array, *taken, *done, *done_mask;
static struct io_uring_sqe *requests;
static struct io_uring_cqe *results;

/* One request, and its result. */
static int one(struct io_uring_sqe request)
{
    unsigned at = *tail & *mask;
    requests[at] = request;
    array[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    if (__atomic_load_n(done, __ATOMIC_ACQUIRE) == *taken)
        return -1;
    int result = results[*taken & *done_mask].res;
    __atomic_store_n(taken, *taken + 1, __ATOMIC_RELEASE);
    return result;
}

static int opens(const char *name, int flags, int slot)
{
    return one((struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .flags = flags,
                                     .addr = (unsigned long)name, .file_index = slot});
}

static int closes(int fd, int slot)
{
    return one((struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = fd, .file_index = slot});
}

static int told(const char *text)
{
    char byte;
#ifdef TALKS
    if (write(1, text, strlen(text)) < 0)
        return 1;
#endif
    return read(0, &byte, 1) != 1;
}

int main(void)
{
    struct io_uring_params of = {0};
    int none[2] = {-1, -1};
    static char long_name[4000];
    memset(long_name, '/', sizeof long_name - 1);
    memcpy(long_name + sizeof long_name - 1 - 9, "etc/hosts", 9);
    if (told("ready\n"))
        return 2;
    ring = syscall(SYS_io_uring_setup, 4, &of);
    if (ring < 0)
        return 3; /* See /proc/sys/kernel/io_uring_disabled. */
    char *asked = mmap(NULL, of.sq_off.array + 4 * of.sq_entries, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    char *answered = mmap(NULL, of.cq_off.cqes + of.cq_entries * sizeof *results,
                          PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
    requests = mmap(NULL, of.sq_entries * sizeof *requests, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    tail = (void *)(asked + of.sq_off.tail);
    mask = (void *)(asked + of.sq_off.ring_mask);
    array = (void *)(asked + of.sq_off.array);
    taken = (void *)(answered + of.cq_off.head);
    done = (void *)(answered + of.cq_off.tail);
    done_mask = (void *)(answered + of.cq_off.ring_mask);
    results = (void *)(answered + of.cq_off.cqes);
    syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, none, 2);

    /* At once; by a worker; of a long name; into a slot; none. */
    closes(opens("/etc/hosts", 0, 0), 0);
    closes(opens("/etc/passwd", IOSQE_ASYNC, 0), 0);
    closes(opens(long_name, 0, 0), 0);
    opens("/etc/hosts", 0, 2);
    closes(0, 2);
    opens("/nowhere/at all", 0, 0);
#ifdef TALKS
    /* Among its mappings is one whose name isn't UTF-8. */
    if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, memfd_create("\xff", 0), 0) == MAP_FAILED)
        return 4;
    told("done\n");
#endif
    return 0;
}
