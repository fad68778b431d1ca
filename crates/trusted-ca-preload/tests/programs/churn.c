/*
 * Many threads that load bundles into contexts of their own, change what they loaded and free it,
 * while one file is replaced all the time. Each thread checks that its contexts hold what it asked
 * for, and nothing of the other threads'.
 *
 * Usage: churn THREADS ROUNDS MEMBER EXTRA CRL LINK BUNDLE...
 *
 * MEMBER is in every BUNDLE, EXTRA in none; otherwise no two have a certificate in common. CRL is
 * MEMBER's. LINK is made here: one bundle after the other.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUNDLES = 64, THREADS = 256 };

/* Certificates and lists, in whatever order. */
struct contents {
    int count;
    uint64_t sum;
};

static int rounds, bundles;
static char **paths;
static const char *member, *extra, *list, *link_path;
static struct contents expected[BUNDLES], of_member, of_extra, of_list;
static atomic_int wrong, finished;

static void complain(const char *what, int thread, int round)
{
    if (atomic_fetch_add(&wrong, 1) < 10)
        fprintf(stderr, "thread %d, round %d: %s\n", thread, round, what);
}

static struct contents one(unsigned char *der, int length)
{
    struct contents contents = { 1, 0xcbf29ce484222325 };

    for (int i = 0; i < length; i++)
        contents.sum = (contents.sum ^ der[i]) * 0x100000001b3;
    OPENSSL_free(der);
    return contents;
}

static struct contents of_certificate(X509 *certificate)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);

    return one(der, length);
}

static struct contents of_crl(X509_CRL *crl)
{
    unsigned char *der = NULL;
    int length = i2d_X509_CRL(crl, &der);

    return one(der, length);
}

static struct contents both(struct contents a, struct contents b)
{
    return (struct contents){ a.count + b.count, a.sum + b.sum };
}

static struct contents without(struct contents a, struct contents b)
{
    return (struct contents){ a.count - b.count, a.sum - b.sum };
}

static int same(struct contents a, struct contents b)
{
    return a.count == b.count && a.sum == b.sum;
}

static struct contents held(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    struct contents contents = { 0, 0 };

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);

        contents = both(contents, X509_OBJECT_get_type(object) == X509_LU_CRL
                                      ? of_crl(X509_OBJECT_get0_X509_CRL(object))
                                      : of_certificate(X509_OBJECT_get0_X509(object)));
    }
    return contents;
}

static X509 *certificate(const char *path)
{
    FILE *file = fopen(path, "r");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

    fclose(file);
    return certificate;
}

static X509_CRL *crl(const char *path)
{
    FILE *file = fopen(path, "r");
    X509_CRL *crl = PEM_read_X509_CRL(file, NULL, NULL, NULL);

    fclose(file);
    return crl;
}

/* Read one by one, which is nobody's business but libcrypto's. */
static struct contents of_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct contents contents = { 0, 0 };
    X509 *certificate;

    while ((certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        contents = both(contents, of_certificate(certificate));
        X509_free(certificate);
    }
    fclose(file);
    ERR_clear_error();
    return contents;
}

/* The LINK may be any bundle at any moment. */
static int is_expected(struct contents contents, int bundle)
{
    if (bundle >= 0)
        return same(contents, expected[bundle]);
    for (int i = 0; i < bundles; i++)
        if (same(contents, expected[i]))
            return 1;
    return 0;
}

static int verifies(X509_STORE *store, X509 *certificate)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    int verified = X509_STORE_CTX_init(check, store, certificate, NULL) == 1
                   && X509_verify_cert(check) == 1;

    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return verified;
}

/* Looks into a context's store without asking for it. */
static int builds_chain(SSL_CTX *context, X509 *certificate)
{
    int built = SSL_CTX_use_certificate(context, certificate) == 1
                && SSL_CTX_build_cert_chain(context, 0) >= 1;

    ERR_clear_error();
    return built;
}

static void *work(void *argument)
{
    int thread = (int)(intptr_t)argument;
    X509 *ours = certificate(extra), *everybodys = certificate(member);
    X509_CRL *revoked = crl(list);

    for (int round = 0; round < rounds; round++) {
        int bundle = round % 3 == 2 ? -1 : (thread + round * 7) % bundles;
        const char *path = bundle < 0 ? link_path : paths[bundle];
        int action = (thread + round) % 5;
        struct contents added = { 0, 0 };
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        X509_STORE *store;

        if (SSL_CTX_load_verify_locations(context, path, NULL) != 1)
            complain("a bundle was refused", thread, round);
        if (action == 0) {
            if (builds_chain(context, ours))
                complain("another thread's certificate is trusted", thread, round);
            if (!builds_chain(context, everybodys))
                complain("the bundle's certificate isn't trusted", thread, round);
        }
        if (action == 1) {
            int second = (bundle + 1) % bundles;

            if (SSL_CTX_load_verify_locations(context, paths[second], NULL) != 1)
                complain("a second bundle was refused", thread, round);
            if (bundle >= 0)
                added = without(expected[second], of_member);
        }
        store = SSL_CTX_get_cert_store(context);
        if (action == 2) {
            X509_STORE_add_cert(store, ours);
            added = of_extra;
        }
        if (action == 3) {
            X509_STORE_add_crl(store, revoked);
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
            added = of_list;
        }
        if (action == 4) {
            /* A store of the thread's own, filled and handed over. */
            store = X509_STORE_new();
            if (X509_STORE_load_locations(store, path, NULL) != 1)
                complain("a store was refused a bundle", thread, round);
            X509_STORE_add_cert(store, ours);
            added = of_extra;
            SSL_CTX_set_cert_store(context, store);
        }
        if (!(action == 1 && bundle < 0) && !is_expected(without(held(store), added), bundle))
            complain("a store holds something else", thread, round);
        if (verifies(store, ours) != (action == 2 || action == 4))
            complain("the added certificate is where it shouldn't be, or isn't", thread, round);
        if (!verifies(store, everybodys))
            complain("the bundle's certificate doesn't verify", thread, round);
        if (!!(X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(store)) & X509_V_FLAG_CRL_CHECK)
            != (action == 3))
            complain("flags are another thread's", thread, round);
        SSL_CTX_free(context);
    }
    X509_free(ours);
    X509_free(everybodys);
    X509_CRL_free(revoked);
    atomic_fetch_add(&finished, 1);
    return NULL;
}

/* Another file under the name, in one step: mostly an old one, sometimes one just written. */
static void replace(int turn)
{
    const char *bundle = paths[turn % bundles];
    char fresh[4096];

    snprintf(fresh, sizeof fresh, "%s.new", link_path);
    unlink(fresh);
    if (turn % 8 != 7) {
        if (symlink(bundle, fresh) != 0)
            exit(3);
    } else {
        FILE *from = fopen(bundle, "r"), *to = fopen(fresh, "w");
        int byte;

        while ((byte = getc(from)) != EOF)
            putc(byte, to);
        fclose(from);
        fclose(to);
    }
    if (rename(fresh, link_path) != 0)
        exit(3);
}

int main(int argc, char **argv)
{
    pthread_t workers[THREADS];
    int threads, turn = 0;
    X509 *certificate_of;
    X509_CRL *crl_of;

    if (argc < 9 || argc - 7 > BUNDLES || (threads = atoi(argv[1])) > THREADS)
        return 2;
    rounds = atoi(argv[2]);
    member = argv[3];
    extra = argv[4];
    list = argv[5];
    link_path = argv[6];
    paths = argv + 7;
    bundles = argc - 7;
    for (int i = 0; i < bundles; i++)
        expected[i] = of_file(paths[i]);
    of_member = of_certificate(certificate_of = certificate(member));
    X509_free(certificate_of);
    of_extra = of_certificate(certificate_of = certificate(extra));
    X509_free(certificate_of);
    of_list = of_crl(crl_of = crl(list));
    X509_CRL_free(crl_of);

    replace(turn++);
    for (intptr_t i = 0; i < threads; i++)
        if (pthread_create(&workers[i], NULL, work, (void *)i) != 0)
            return 3;
    while (atomic_load(&finished) < threads) {
        replace(turn++);
        usleep(500);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i], NULL);
    printf("%d rounds, %d wrong\n", threads * rounds, atomic_load(&wrong));
    return atomic_load(&wrong) != 0;
}
