/* A plug-in that is linked to an OpenSSL of its own: loads a bundle in both usual ways. */
#include <openssl/ssl.h>

int contexts_and_stores(const char *bundle)
{
    int held = -1;

    for (int turn = 0; turn < 4; turn++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        X509_STORE *store = X509_STORE_new();
        int ours, theirs;

        if (SSL_CTX_load_verify_locations(context, bundle, NULL) != 1 ||
            X509_STORE_load_locations(store, bundle, NULL) != 1)
            return -1;
        ours = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
        theirs = sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context)));
        if (ours != theirs || (turn > 0 && ours != held))
            return -2;
        held = ours;
        X509_STORE_free(store);
        SSL_CTX_free(context);
    }
    return held;
}
