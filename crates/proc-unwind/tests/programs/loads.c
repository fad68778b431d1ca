/* loads LIBRARY [deleted | OTHER]: loads it, deletes it if asked to, calls what it exports; then
 * does the same with another one, where the first has been. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline, noclone)) static int use(const char *path, int deleted) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL)
        return 3;
    if (deleted && unlink(path) != 0)
        return 4;
    int (*exported)(void) = (int (*)(void))dlsym(library, "exported");
    if (exported == NULL)
        return 5;
    int result = exported();
    return dlclose(library) != 0 ? 6 : result;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    int deleted = argc > 2 && strcmp(argv[2], "deleted") == 0;
    int result = use(argv[1], deleted);
    if (result == 0 && argc > 2 && !deleted)
        result = use(argv[2], 0);
    return result;
}
