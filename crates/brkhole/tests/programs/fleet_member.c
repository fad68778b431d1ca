// One process of a fleet: gives itself a name, takes memory as it is told to, says so and waits.
//
//     fleet_member fat NAME      64 MiB in 2048-byte pieces, of which every 64th is kept
//     fleet_member hole NAME     the same, and nothing of it at the break
//     fleet_member small NAME    nothing more than it has
//     fleet_member many N        N children, which call themselves fleet-0, fleet-1, ...
//
// It ends when the test does.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PIECE = 2048 - 16, PIECES = 32768, KEPT = 64 };

static void live_no_longer_than_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        exit(1);
}

static void take_and_free(void) {
    char **pieces = malloc(PIECES * sizeof *pieces);
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(PIECE);
        memset(pieces[i], 1, PIECE);
    }
    for (int i = 0; i < PIECES; i++)
        if (i % KEPT != 0)
            free(pieces[i]);
}

static void block_the_break(void) {
    // In one page of its own just above the break; where that is, malloc hasn't asked yet.
    char *end = sbrk(0);
    char *page = (char *)(((unsigned long)end + 4095) & ~4095ul);
    if (mmap(page, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != page)
        exit(2);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 3;
    live_no_longer_than_parent();
    if (strcmp(argv[1], "many") == 0) {
        for (int i = 0; i < atoi(argv[2]); i++) {
            int to_me[2];
            char name[20], ready;
            if (pipe(to_me) != 0)
                return 4;
            if (fork() == 0) {
                live_no_longer_than_parent();
                snprintf(name, sizeof name, "fleet-%d", i);
                prctl(PR_SET_NAME, name);
                if (write(to_me[1], "", 1) != 1)
                    _exit(5);
                pause();
            }
            if (read(to_me[0], &ready, 1) != 1)
                return 6;
            close(to_me[0]);
            close(to_me[1]);
        }
    } else {
        prctl(PR_SET_NAME, argv[2]);
        if (strcmp(argv[1], "hole") == 0)
            block_the_break();
        if (strcmp(argv[1], "small") != 0)
            take_and_free();
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
