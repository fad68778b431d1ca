/* Maps 64 MiB by itself and drops them again: malloc has no part in it. */
#include <string.h>
#include <sys/mman.h>

int main(void)
{
    size_t length = 64 << 20;
    char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    memset(memory, 1, length);
    madvise(memory, length, MADV_DONTNEED);
    return 0;
}
