// Has an allocator in itself that says of itself to be jemalloc, and waits for its input's end.
#include <stddef.h>
#include <unistd.h>

const char *volatile says = "<jemalloc>: Error";
static _Alignas(16) char memory[1 << 20];
static size_t used;

void *malloc(size_t bytes) {
    void *block = memory + used;
    used += (bytes + 15) & ~(size_t)15;
    return used <= sizeof memory ? block : NULL;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t bytes) { return malloc(count * bytes); }
void *realloc(void *block, size_t bytes) { return block ? NULL : malloc(bytes); }

int main(void) {
    char line[16];
    write(1, "ready\n", 6);
    return read(0, line, sizeof line) != 0;
}
