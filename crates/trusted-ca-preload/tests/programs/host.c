/* Opens plug-ins privately and lets each load a bundle, in turn. Usage: host BUNDLE PLUGIN... */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 2; i < argc; i++) {
            void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
            int (*run)(const char *) = plugin ? dlsym(plugin, "contexts_and_stores") : NULL;

            if (!run) {
                printf("%s\n", dlerror());
                return 1;
            }
            printf("plug-in %d: %d\n", i - 1, run(argv[1]));
        }
    }
    return 0;
}
