/*
 * Two threads at one variable, with nothing to keep them apart.
 */
#include <pthread.h>
#include <stddef.h>

static volatile int counter;

static void *count(void *unused)
{
    for (int i = 0; i < 1000; i++)
        counter++;
    return unused;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, count, NULL) != 0)
        return 3;
    count(NULL);
    pthread_join(thread, NULL);
    return 0;
}
