/*
 * Loads bundles and frees them again, many times, with one name under which there is another file
 * each time; says by how much the heap grew in the second half.
 *
 * Usage: cycles ROUNDS EXTRA LINK BUNDLE...
 */
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static X509 *extra;

static SSL_CTX *loaded(const char *path)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (SSL_CTX_load_verify_locations(context, path, NULL) != 1)
        exit(3);
    return context;
}

static void replace(const char *name, const char *bundle)
{
    char fresh[4096];

    snprintf(fresh, sizeof fresh, "%s.new", name);
    if (symlink(bundle, fresh) != 0 || rename(fresh, name) != 0)
        exit(3);
}

static void load_and_free(const char *path, int round)
{
    SSL_CTX *first = loaded(path), *second = loaded(path);
    X509_STORE *store = X509_STORE_new();

    if (X509_STORE_load_locations(store, path, NULL) != 1)
        exit(3);
    if (round % 2 == 0)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(second), extra);
    if (round % 3 == 0)
        SSL_CTX_set_cert_store(first, store);
    else
        X509_STORE_free(store);
    if (SSL_CTX_load_verify_locations(first, path, NULL) != 1)
        exit(3);
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    /* What is refused mustn't cost anything either. */
    store = X509_STORE_new();
    X509_STORE_load_locations(store, "missing", NULL);
    X509_STORE_load_locations(store, "/", NULL);
    ERR_clear_error();
    X509_STORE_free(store);
}

int main(int argc, char **argv)
{
    SSL_CTX *kept = NULL;
    size_t halfway = 0;
    int rounds;
    FILE *file;

    if (argc < 5 || (file = fopen(argv[2], "r")) == NULL)
        return 2;
    rounds = atoi(argv[1]);
    extra = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    for (int round = 0; round < rounds; round++) {
        for (int i = 4; i < argc; i++) {
            SSL_CTX *before = kept;

            replace(argv[3], argv[i]);
            load_and_free(argv[3], round);
            load_and_free(argv[i], round);
            /* One context outlives what its file was. */
            kept = loaded(argv[3]);
            SSL_CTX_free(before);
        }
        if (round == rounds / 2)
            halfway = mallinfo2().uordblks;
    }
    printf("grown by %ld bytes\n", (long)(mallinfo2().uordblks - halfway));
    SSL_CTX_free(kept);
    X509_free(extra);
    return 0;
}
