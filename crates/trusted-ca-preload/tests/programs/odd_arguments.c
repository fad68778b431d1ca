/*
 * Calls the loaders with arguments that no sensible program gives them, and a few that only rare
 * ones do, and says what comes of it.
 *
 * Usage: odd_arguments BUNDLE DIRECTORY
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* Evaluates a call from a clean slate. */
#define SAY(call) \
    do { \
        int result; \
        ERR_clear_error(); \
        errno = 0; \
        result = (call); \
        say(#call, result, errno); \
    } while (0)

static X509_STORE *store;
static SSL_CTX *context;

static void say(const char *call, int result, int error)
{
    const char *function, *data;
    unsigned long code;

    printf("%s: returned %d\n", call, result);
    /* A load that works may leave anything in errno. */
    if (result != 1)
        printf("  errno %d\n", error);
    while ((code = ERR_get_error_all(NULL, NULL, &function, &data, NULL)) != 0)
        printf("  queued: %08lx in %s: %s\n", code, function, data);
}

static int objects(X509_STORE *of)
{
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(of));
}

/* How many of the certificates have a key that can be used. */
static int keys(X509_STORE *of)
{
    int usable = 0;

    for (int i = 0; i < objects(of); i++) {
        X509_OBJECT *object = sk_X509_OBJECT_value(X509_STORE_get0_objects(of), i);

        usable += X509_get0_pubkey(X509_OBJECT_get0_X509(object)) != NULL;
    }
    ERR_clear_error();
    return usable;
}

static void of_stores(const char *bundle, const char *directory)
{
    store = X509_STORE_new();
    SAY(X509_STORE_load_file(store, NULL));
    SAY(X509_STORE_load_file(NULL, NULL));
    SAY(X509_STORE_load_file_ex(store, NULL, NULL, NULL));
    SAY(X509_STORE_load_file_ex(store, "", NULL, NULL));
    SAY(X509_STORE_load_locations(store, NULL, NULL));
    SAY(X509_STORE_load_locations_ex(store, NULL, NULL, NULL, NULL));
    SAY(X509_STORE_load_locations(store, "", NULL));
    SAY(X509_STORE_load_locations(store, NULL, ""));
    SAY(X509_STORE_load_locations(store, bundle, ""));
    SAY(X509_STORE_load_locations(store, directory, directory));
    SAY(X509_STORE_load_locations(store, "missing", directory));
    SAY(X509_STORE_load_locations(store, NULL, directory));
    SAY(X509_STORE_load_locations(store, bundle, directory));
    SAY(X509_STORE_load_locations_ex(store, bundle, directory, NULL, "provider=default"));
    SAY(X509_STORE_load_file_ex(store, bundle, NULL, "provider=default"));
    SAY(X509_STORE_load_file_ex(store, bundle, NULL, "no such thing"));
    SAY(objects(store));
    X509_STORE_free(store);
}

static void of_contexts(const char *bundle, const char *directory)
{
    context = SSL_CTX_new(TLS_client_method());
    SAY(SSL_CTX_load_verify_locations(context, NULL, NULL));
    SAY(SSL_CTX_load_verify_locations(context, "", NULL));
    SAY(SSL_CTX_load_verify_locations(context, "", ""));
    SAY(SSL_CTX_load_verify_locations(context, NULL, directory));
    SAY(SSL_CTX_load_verify_locations(context, bundle, directory));
    SAY(SSL_CTX_load_verify_locations(context, directory, NULL));
    SAY(SSL_CTX_load_verify_file(context, NULL));
    SAY(SSL_CTX_load_verify_dir(context, NULL));
    SAY(SSL_CTX_load_verify_file(context, bundle));
    SAY(SSL_CTX_load_verify_store(context, bundle));
    SAY(objects(SSL_CTX_get_cert_store(context)));
    SSL_CTX_free(context);
}

/* Certificates belong to the library context that they were parsed for. In one whose only
 * provider does nothing no key can be used; in the usual one each can. */
static void of_library_contexts(const char *bundle)
{
    OSSL_LIB_CTX *other = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(other, "default");
    OSSL_LIB_CTX *before;

    for (int round = 0; round < 2; round++) {
        context = SSL_CTX_new(TLS_client_method());
        SAY(SSL_CTX_load_verify_locations(context, bundle, NULL));
        SAY(keys(SSL_CTX_get_cert_store(context)));
        SSL_CTX_free(context);

        context = SSL_CTX_new_ex(other, NULL, TLS_client_method());
        /* From here on nothing can be fetched in it. */
        OSSL_PROVIDER_unload(provider);
        provider = OSSL_PROVIDER_load(other, "null");
        SAY(SSL_CTX_load_verify_locations(context, bundle, NULL));
        SAY(keys(SSL_CTX_get_cert_store(context)));
        OSSL_PROVIDER_unload(provider);
        provider = OSSL_PROVIDER_load(other, "default");
        SSL_CTX_free(context);
    }
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(other);

    other = OSSL_LIB_CTX_new();
    provider = OSSL_PROVIDER_load(other, "null");
    before = OSSL_LIB_CTX_set0_default(other);
    store = X509_STORE_new();
    SAY(X509_STORE_load_file(store, bundle));
    SAY(keys(store));
    X509_STORE_free(store);
    OSSL_LIB_CTX_set0_default(before);
    store = X509_STORE_new();
    SAY(X509_STORE_load_file(store, bundle));
    SAY(keys(store));
    X509_STORE_free(store);
    store = X509_STORE_new();
    SAY(X509_STORE_load_file_ex(store, bundle, other, NULL));
    SAY(keys(store));
    X509_STORE_free(store);
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(other);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    of_stores(argv[1], argv[2]);
    of_contexts(argv[1], argv[2]);
    of_library_contexts(argv[1]);
    return 0;
}
