/* Memory full of what looks like somebody's headers: sizes, addresses of its own, flags, extremes.
 * Says "ready" and waits. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (3L << 20)

int main(void) {
    uint64_t *at = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t state = 88172645463325252ULL, base = (uintptr_t)at;
    if (at == MAP_FAILED) return 1;
    for (long i = 0; i < WORDS; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        uint64_t random = state >> 8;
        switch (state & 7) {
        case 0: at[i] = random & 1; break;
        case 1: at[i] = UINT64_MAX - (random & 4095); break;
        case 2: at[i] = base + random % (WORDS * 8); break;
        case 3: at[i] = (base + random % (WORDS * 8)) & ~4095ULL; break;
        case 4: at[i] = (random & 0xfffff000) | (random >> 40 & 7); break;
        case 5: at[i] = (base + i * 8) & ~0x1fffffULL; break;
        case 6: at[i] = random & 0x3ff; break;
        default: at[i] = state; break;
        }
    }
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
