/* Loads a bundle of certificates N times into one SSL context: one_context BUNDLE N */
#include <openssl/ssl.h>
#include <stdlib.h>

int main(int count, char **words)
{
    if (count < 3)
        return 2;
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    for (int times = atoi(words[2]); times > 0; times--)
        if (!SSL_CTX_load_verify_locations(context, words[1], NULL))
            return 1;
    return 0;
}
