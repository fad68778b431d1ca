/*
 * What OpenSSL's own interface says of loading bundles: loads BUNDLE
 *
 * Run where prepare.sh was. Prints JSON, which has to be the same however the bundles were loaded:
 * for every step what the call returned, the whole error queue, and what the store holds then, in
 * its order.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

static const char *bundle;

/* A string of JSON. What is printed here has no control characters. */
static void quoted(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

/* Empties the queue. File and line of OpenSSL's source are left out: they are nobody's business. */
static void errors(void)
{
    const char *file, *data, *comma = "";
    int line, flags;
    unsigned long code;
    char reason[256], whole[512];

    printf("\"errors\": [");
    while ((code = ERR_get_error_line_data(&file, &line, &data, &flags)) != 0) {
        ERR_error_string_n(code, reason, sizeof reason);
        snprintf(whole, sizeof whole, "%s %s", reason, flags & ERR_TXT_STRING ? data : "");
        printf("%s", comma);
        quoted(whole);
        comma = ", ";
    }
    printf("]");
}

/* The first bytes of the hash of an object's DER, with its trust settings. */
static void object(const X509_OBJECT *object)
{
    unsigned char hash[SHA256_DIGEST_LENGTH], *der = NULL;
    int bytes, is_crl = X509_OBJECT_get_type(object) == X509_LU_CRL;

    bytes = is_crl ? i2d_X509_CRL(X509_OBJECT_get0_X509_CRL((X509_OBJECT *)object), &der)
                   : i2d_X509_AUX(X509_OBJECT_get0_X509(object), &der);
    SHA256(der, bytes, hash);
    OPENSSL_free(der);
    printf("\"%s %02x%02x%02x%02x\"", is_crl ? "CRL" : "X509", hash[0], hash[1], hash[2], hash[3]);
}

static void report(const char *step, int returned, X509_STORE *store)
{
    static const char *comma = "{";
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    int number;

    printf("%s\n", comma);
    comma = ",";
    quoted(step);
    printf(": {\"returned\": %d, ", returned);
    errors();
    printf(", \"objects\": [");
    for (number = 0; number < sk_X509_OBJECT_num(objects); number++) {
        printf("%s", number == 0 ? "" : ", ");
        object(sk_X509_OBJECT_value(objects, number));
    }
    printf("]}");
}

/* Loads into a store of its own: twice, then beside another file. */
static void into_store(const char *file, const char *directory)
{
    X509_STORE *store = X509_STORE_new();
    char step[512];
    int time;

    for (time = 1; time <= 2; time++) {
        snprintf(step, sizeof step, "store %s %s, time %d", file ? file : "-", directory ? directory : "-", time);
        report(step, X509_STORE_load_locations(store, file, directory), store);
    }
    snprintf(step, sizeof step, "store %s %s, then another", file ? file : "-", directory ? directory : "-");
    report(step, X509_STORE_load_locations(store, "wrong.pem", NULL), store);
    X509_STORE_free(store);
}

static SSL_CTX *context(const char *file)
{
    SSL_CTX *fresh = SSL_CTX_new(TLS_client_method());

    if (file != NULL && SSL_CTX_load_verify_locations(fresh, file, NULL) != 1) {
        fprintf(stderr, "%s can't be loaded\n", file);
        exit(1);
    }
    return fresh;
}

/* The error of verifying the server's certificate; 0 is none. */
static int verified(X509_STORE *store)
{
    X509_STORE_CTX *verification = X509_STORE_CTX_new();
    BIO *file = BIO_new_file("server.pem", "r");
    X509 *server = PEM_read_bio_X509(file, NULL, NULL, NULL);
    int error;

    X509_STORE_CTX_init(verification, store, server, NULL);
    X509_verify_cert(verification);
    error = X509_STORE_CTX_get_error(verification);
    X509_STORE_CTX_free(verification);
    X509_free(server);
    BIO_free(file);
    return error;
}

static void into_context(const char *file)
{
    char step[512];
    int time;

    for (time = 1; time <= 2; time++) {
        SSL_CTX *fresh = context(NULL);
        int returned = SSL_CTX_load_verify_locations(fresh, file, NULL);

        snprintf(step, sizeof step, "context %s, time %d", file, time);
        report(step, returned, SSL_CTX_get_cert_store(fresh));
        returned = SSL_CTX_load_verify_locations(fresh, "right.pem", NULL);
        snprintf(step, sizeof step, "context %s, time %d, then another", file, time);
        report(step, returned, SSL_CTX_get_cert_store(fresh));
        SSL_CTX_free(fresh);
    }
}

/* What is done to one context's store must not be seen in another's. */
static void apart(void)
{
    SSL_CTX *first = context("both.pem"), *second = context("both.pem"), *third = context("both.pem");
    X509_STORE *store = SSL_CTX_get_cert_store(first), *kept;

    report("apart: first", verified(store), store);
    report("apart: list loaded", X509_STORE_load_locations(store, "crl.pem", NULL), store);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    report("apart: first asks for the list", verified(store), store);
    kept = SSL_CTX_get_cert_store(second);
    report("apart: second", verified(kept), kept);
    X509_STORE_up_ref(kept);
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    report("apart: second's store outlives it", verified(kept), kept);
    X509_STORE_free(kept);
    kept = SSL_CTX_get_cert_store(third);
    report("apart: third", verified(kept), kept);
    SSL_CTX_free(third);
    third = context("both.pem");
    kept = SSL_CTX_get_cert_store(third);
    report("apart: a new one", verified(kept), kept);
    SSL_CTX_free(third);
    /* A context that is given a store after it loaded has that one. */
    third = context("both.pem");
    SSL_CTX_set_cert_store(third, X509_STORE_new());
    kept = SSL_CTX_get_cert_store(third);
    report("apart: replaced", verified(kept), kept);
    SSL_CTX_free(third);
}

int main(int count, char **words)
{
    const char *files[] = {
        NULL, "right.pem", "both.pem", "listed.pem", "twice.pem", "trusted.pem", "crl.pem", "empty.pem",
        "garbage.pem", "cut.pem", "damaged.pem", "directory", "missing.pem", "server.key", "/dev/null",
    };
    size_t number;
    X509_STORE *store;

    if (count != 2)
        return 2;
    files[0] = bundle = words[1];
    for (number = 0; number < sizeof files / sizeof *files; number++) {
        into_store(files[number], NULL);
        into_context(files[number]);
    }
    into_store(NULL, "directory");
    into_store("right.pem", "directory");
    into_store(NULL, NULL);

    /* An error that waits in the queue stays there, before those that come. */
    store = X509_STORE_new();
    ERR_put_error(ERR_LIB_USER, 0, 42, __FILE__, __LINE__);
    report("an error before", X509_STORE_load_locations(store, bundle, NULL), store);
    ERR_put_error(ERR_LIB_USER, 0, 42, __FILE__, __LINE__);
    report("an error before an error", X509_STORE_load_locations(store, "damaged.pem", NULL), store);
    X509_STORE_free(store);

    apart();
    printf("\n}\n");
    return 0;
}
