/*
 * Loads each bundle of a list in several ways, and says all that a program could tell afterwards:
 * what was returned, the whole error queue, and what the store holds, in order.
 *
 * Usage: verdicts LIST RESIDENT
 *
 * LIST has one path a line; RESIDENT is a bundle that is in the store before where one is wanted.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum way { STORE_FILE, STORE_FILE_EX, STORE_LOCATIONS, CONTEXT_LOCATIONS, CONTEXT_FILE, WAYS };
enum before { CLEAN, STALE, MARKED, NEARLY_FULL, FULL, NOT_EMPTY, TWICE, BEFORES };

static const char *const ways[] = {
    "X509_STORE_load_file", "X509_STORE_load_file_ex", "X509_STORE_load_locations",
    "SSL_CTX_load_verify_locations", "SSL_CTX_load_verify_file"
};
static const char *const befores[] = {
    "nothing before", "an error queued", "an error queued and marked", "a queue nearly full",
    "a full queue", "a store that isn't empty", "for the second time"
};
/* How many errors are queued beforehand. OpenSSL keeps 15. */
static const int queued[] = { 0, 1, 1, 14, 15, 0, 0 };

struct target {
    SSL_CTX *context;
    X509_STORE *store;
};

static void say_errors(void)
{
    const char *file, *function, *data;
    char text[256];
    int line, flags;
    unsigned long code;

    while ((code = ERR_get_error_all(&file, &line, &function, &data, &flags)) != 0) {
        ERR_error_string_n(code, text, sizeof text);
        printf("  queued: %08lx %s in %s, flags %d: %s\n", code, text, function, flags, data);
    }
}

/* FNV-1a: enough to tell two certificates apart. */
static uint64_t hash(const unsigned char *bytes, int length)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (int i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

static void say_contents(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

    printf("  holds:");
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        const X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
        int is_crl = X509_OBJECT_get_type(object) == X509_LU_CRL;
        unsigned char *der = NULL;
        int length = is_crl ? i2d_X509_CRL(X509_OBJECT_get0_X509_CRL(object), &der)
                            : i2d_X509_AUX(X509_OBJECT_get0_X509(object), &der);

        printf(" %s%016llx", is_crl ? "r" : "c", (unsigned long long)hash(der, length));
        OPENSSL_free(der);
    }
    printf("\n");
}

static int load(struct target target, enum way way, const char *path)
{
    switch (way) {
    case STORE_FILE:
        return X509_STORE_load_file(target.store, path);
    case STORE_FILE_EX:
        return X509_STORE_load_file_ex(target.store, path, NULL, NULL);
    case STORE_LOCATIONS:
        return X509_STORE_load_locations(target.store, path, NULL);
    case CONTEXT_LOCATIONS:
        return SSL_CTX_load_verify_locations(target.context, path, NULL);
    default:
        return SSL_CTX_load_verify_file(target.context, path);
    }
}

static void load_and_say(enum way way, enum before before, const char *path, const char *resident)
{
    struct target target = { NULL, NULL };

    ERR_clear_error();
    if (way >= CONTEXT_LOCATIONS)
        target.context = SSL_CTX_new(TLS_client_method());
    else
        target.store = X509_STORE_new();
    if (before == NOT_EMPTY && load(target, way, resident) != 1)
        exit(3);
    if (before == TWICE)
        load(target, way, path);
    ERR_clear_error();
    for (int i = 0; i < queued[before]; i++)
        ERR_raise_data(ERR_LIB_USER, 1 + i, "left behind %d", i);
    if (before == MARKED)
        ERR_set_mark();

    printf(" %s, %s: returned %d\n", ways[way], befores[before], load(target, way, path));
    if (before == MARKED)
        printf("  the mark: %d\n", ERR_pop_to_mark());
    say_errors();
    if (target.context != NULL)
        say_contents(SSL_CTX_get_cert_store(target.context));
    else
        say_contents(target.store);
    SSL_CTX_free(target.context);
    X509_STORE_free(target.store);
}

int main(int argc, char **argv)
{
    char path[4096];
    FILE *list;

    if (argc != 3 || (list = fopen(argv[1], "r")) == NULL)
        return 2;
    for (int number = 0; fgets(path, sizeof path, list) != NULL; number++) {
        path[strcspn(path, "\n")] = '\0';
        printf("%s\n", path);
        /* In each way from a clean slate, and in one way each after something else; a file is
         * first read in another situation each time. */
        for (int turn = 0; turn < WAYS + BEFORES - 1; turn++) {
            int which = (turn + number) % (WAYS + BEFORES - 1);
            int before = which < WAYS ? CLEAN : which - WAYS + 1;
            int way = which < WAYS ? which : (before + number / WAYS) % WAYS;

            load_and_say(way, before, path, argv[2]);
        }
    }
    fclose(list);
    return 0;
}
