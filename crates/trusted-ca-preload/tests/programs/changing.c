/* Loads a bundle into two contexts, and has the first no longer trust any of it for servers. Says whether each
   trusts the server before and after. */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static SSL_CTX *loaded(const char *bundle)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    return SSL_CTX_load_verify_locations(ctx, bundle, NULL) == 1 ? ctx : NULL;
}

static void verify(const char *name, SSL_CTX *ctx, X509 *server)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(ctx), server, NULL);
    X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_trust(check, X509_TRUST_SSL_SERVER);
    X509_verify_cert(check);
    printf("%s: %s\n", name, X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
    X509_STORE_CTX_free(check);
}

int main(int count, char **arguments)
{
    FILE *file = count > 2 ? fopen(arguments[2], "r") : NULL;
    X509 *server = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    SSL_CTX *first = loaded(arguments[1]), *second = loaded(arguments[1]);
    if (!server || !first || !second) return 1;
    verify("first", first, server);
    verify("second", second, server);
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(first));
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        if (root) X509_add1_reject_object(root, OBJ_nid2obj(NID_server_auth));
    }
    verify("first", first, server);
    verify("second", second, server);
    return 0;
}
