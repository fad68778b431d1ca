/*
 * Loads a bundle into several contexts and says how much each of them holds.
 *
 * Usage: contexts BUNDLE
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

enum { CONTEXTS = 5 };

int main(int argc, char **argv)
{
    SSL_CTX *contexts[CONTEXTS];

    if (argc != 2)
        return 2;
    for (int i = 0; i < CONTEXTS; i++) {
        contexts[i] = SSL_CTX_new(TLS_client_method());
        if (SSL_CTX_load_verify_locations(contexts[i], argv[1], NULL) != 1) {
            printf("refused: %s\n", ERR_reason_error_string(ERR_peek_last_error()));
            return 1;
        }
    }
    for (int i = 0; i < CONTEXTS; i++) {
        X509_STORE *store = SSL_CTX_get_cert_store(contexts[i]);

        printf("%d\n", sk_X509_OBJECT_num(X509_STORE_get0_objects(store)));
        SSL_CTX_free(contexts[i]);
    }
    return 0;
}
