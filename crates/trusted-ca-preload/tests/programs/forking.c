/*
 * Begins children while threads load bundles. Each child loads the first one and looks whether all
 * of it is there; those that run another program just do so.
 *
 * Usage: forking HOW THREADS CHILDREN BUNDLE...
 *
 * HOW is fork, _Fork, clone, vfork, spawn or system. The first bundle is loaded before there are
 * threads, and often afterwards, so that a library which remembers bundles knows it. Stores are made
 * before: making one takes a lock of libcrypto's own, which a fork copies as it is.
 */
#define _GNU_SOURCE
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that takes so many seconds hangs. */
enum { PATIENCE = 20, THREADS = 64 };

extern char **environ;
static char **paths;
static int bundles;
static X509_STORE *childs;
static atomic_int over;

/* How many certificates a store holds with those of a file; -1 if that was refused. */
static int load(X509_STORE *store, const char *path)
{
    int loaded = X509_STORE_load_locations(store, path, NULL);

    return loaded == 1 ? sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) : -1;
}

static void *keep_loading(void *argument)
{
    X509_STORE *store = X509_STORE_new();

    for (intptr_t turn = (intptr_t)argument; !atomic_load(&over); turn++) {
        load(store, paths[0]);
        load(store, paths[turn % bundles]);
    }
    X509_STORE_free(store);
    return NULL;
}

static void child(int expected)
{
    alarm(PATIENCE);
    _exit(load(childs, paths[0]) == expected ? 0 : 1);
}

/* A child's status, or -1. */
static int begin_and_wait(const char *how, int expected)
{
    static char *const nothing[] = { "true", NULL };
    int status = -1;
    pid_t pid = -1;

    if (strcmp(how, "system") == 0)
        return system("exit 0");
    if (strcmp(how, "spawn") == 0) {
        if (posix_spawnp(&pid, "true", NULL, NULL, nothing, environ) != 0)
            return -1;
    } else if (strcmp(how, "vfork") == 0) {
        if ((pid = vfork()) == 0) {
            execvp("true", nothing);
            _exit(127);
        }
    } else if (strcmp(how, "clone") == 0) {
        if ((pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) == 0)
            child(expected);
    } else if (strcmp(how, "_Fork") == 0) {
        if ((pid = _Fork()) == 0)
            child(expected);
    } else if ((pid = fork()) == 0) {
        child(expected);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int right = 0, hung = 0, wrong = 0;
    int count, children, expected;
    X509_STORE *store;

    if (argc < 5 || (count = atoi(argv[2])) > THREADS)
        return 2;
    children = atoi(argv[3]);
    paths = argv + 4;
    bundles = argc - 4;
    childs = X509_STORE_new();
    expected = load(store = X509_STORE_new(), paths[0]);
    for (intptr_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, keep_loading, (void *)i) != 0)
            return 3;
    for (int i = 0; i < children && hung < 3; i++) {
        int status = begin_and_wait(argv[1], expected);

        if (status == 0)
            right++;
        else if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
            hung++;
        else
            wrong++;
    }
    atomic_store(&over, 1);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    X509_STORE_free(store);
    X509_STORE_free(childs);
    printf("%d certificates; of %d children %d right, %d hung, %d wrong\n", expected, children,
           right, hung, wrong);
    return 0;
}
