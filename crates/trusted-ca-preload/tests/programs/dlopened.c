/*
 * Opens OpenSSL, or two copies of it, privately (RTLD_LOCAL), and loads a bundle into contexts and
 * stores of each in turn.
 *
 * Usage: dlopened BUNDLE LIBCRYPTO LIBSSL [LIBCRYPTO LIBSSL]
 *
 * Every copy gets an allocator of its own, which writes the copy's number before each block: a
 * certificate of one copy in a store of the other is seen at once, and freeing it aborts.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COPIES = 2, ROUNDS = 4, HEADER = 16 };

typedef void *allocate(size_t, const char *, int);
typedef void *reallocate(void *, size_t, const char *, int);
typedef void release(void *, const char *, int);

struct copy {
    int (*CRYPTO_set_mem_functions)(allocate *, reallocate *, release *);
    void *(*TLS_client_method)(void);
    void *(*SSL_CTX_new)(void *);
    int (*SSL_CTX_load_verify_locations)(void *, const char *, const char *);
    void *(*SSL_CTX_get_cert_store)(void *);
    void (*SSL_CTX_free)(void *);
    void *(*X509_STORE_new)(void);
    int (*X509_STORE_load_locations)(void *, const char *, const char *);
    void *(*X509_STORE_get0_objects)(void *);
    void (*X509_STORE_free)(void *);
    int (*OPENSSL_sk_num)(void *);
    void *(*OPENSSL_sk_value)(void *, int);
    void *(*X509_OBJECT_get0_X509)(void *);
};

static void *marked(char *block, uint64_t number)
{
    *(uint64_t *)block = number;
    return block + HEADER;
}

static uint64_t mark(void *block)
{
    return *(uint64_t *)((char *)block - HEADER);
}

static void *unmarked(void *block, uint64_t number)
{
    if (mark(block) != number)
        abort();
    return (char *)block - HEADER;
}

#define ALLOCATOR(number)                                                                       \
    static void *allocate##number(size_t bytes, const char *file, int line)                     \
    {                                                                                           \
        return bytes ? marked(malloc(bytes + HEADER), number) : NULL;                           \
    }                                                                                           \
    static void *reallocate##number(void *old, size_t bytes, const char *file, int line)        \
    {                                                                                           \
        void *block = old ? unmarked(old, number) : NULL;                                       \
        if (bytes == 0) {                                                                       \
            free(block);                                                                        \
            return NULL;                                                                        \
        }                                                                                       \
        return marked(realloc(block, bytes + HEADER), number);                                  \
    }                                                                                           \
    static void release##number(void *block, const char *file, int line)                        \
    {                                                                                           \
        if (block)                                                                              \
            free(unmarked(block, number));                                                      \
    }

ALLOCATOR(1)
ALLOCATOR(2)

static void *opened(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (!handle) {
        printf("%s\n", dlerror());
        exit(1);
    }
    return handle;
}

static struct copy copy_of(const char *libcrypto, const char *libssl)
{
    void *crypto = opened(libcrypto), *ssl = opened(libssl);
    struct copy copy;

#define FIND(library, name) copy.name = dlsym(library, #name)
    FIND(crypto, CRYPTO_set_mem_functions);
    FIND(ssl, TLS_client_method);
    FIND(ssl, SSL_CTX_new);
    FIND(ssl, SSL_CTX_load_verify_locations);
    FIND(ssl, SSL_CTX_get_cert_store);
    FIND(ssl, SSL_CTX_free);
    FIND(crypto, X509_STORE_new);
    FIND(crypto, X509_STORE_load_locations);
    FIND(crypto, X509_STORE_get0_objects);
    FIND(crypto, X509_STORE_free);
    FIND(crypto, OPENSSL_sk_num);
    FIND(crypto, OPENSSL_sk_value);
    FIND(crypto, X509_OBJECT_get0_X509);
    return copy;
}

static void tell(const struct copy *copy, uint64_t number, void *store)
{
    void *objects = copy->X509_STORE_get0_objects(store);
    int held = copy->OPENSSL_sk_num(objects), strangers = 0;

    for (int i = 0; i < held; i++) {
        void *certificate = copy->X509_OBJECT_get0_X509(copy->OPENSSL_sk_value(objects, i));

        strangers += mark(certificate) != number;
    }
    printf("copy %d: %d certificates, %d of another copy\n", (int)number, held, strangers);
}

int main(int argc, char **argv)
{
    struct copy copies[COPIES];
    void *contexts[COPIES][ROUNDS], *stores[COPIES][ROUNDS];
    int known = (argc - 2) / 2;

    if (known < 1 || known > COPIES)
        return 2;
    for (int i = 0; i < known; i++)
        copies[i] = copy_of(argv[2 + 2 * i], argv[3 + 2 * i]);
    copies[0].CRYPTO_set_mem_functions(allocate1, reallocate1, release1);
    if (known == 2)
        copies[1].CRYPTO_set_mem_functions(allocate2, reallocate2, release2);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < known; i++) {
            struct copy *copy = &copies[i];
            void *context = copy->SSL_CTX_new(copy->TLS_client_method());
            void *store = copy->X509_STORE_new();

            if (copy->SSL_CTX_load_verify_locations(context, argv[1], NULL) != 1 ||
                copy->X509_STORE_load_locations(store, argv[1], NULL) != 1)
                return 1;
            tell(copy, i + 1, copy->SSL_CTX_get_cert_store(context));
            tell(copy, i + 1, store);
            contexts[i][round] = context;
            stores[i][round] = store;
        }
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < known; i++) {
            copies[i].SSL_CTX_free(contexts[i][round]);
            copies[i].X509_STORE_free(stores[i][round]);
        }
    }
    return 0;
}
