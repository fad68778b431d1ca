/* bundle FILE CONTEXTS held|freed|trimmed

   Makes so many SSL contexts and loads the bundle into each, as nginx does for
   lua_ssl_trusted_certificate; frees them, the last first, as nginx's pools do; tells malloc to
   give back what it can. Ends, without any clearing away, at the moment that is named. */

#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end_at(const char *moment, const char *asked)
{
    if (strcmp(moment, asked) == 0)
        _exit(0);
}

static SSL_CTX *context(const char *file)
{
    SSL_CTX *fresh = SSL_CTX_new(TLS_method());

    if (fresh == NULL)
        return NULL;
    SSL_CTX_set_verify_depth(fresh, 1);
    if (SSL_CTX_load_verify_locations(fresh, file, NULL) != 1)
        return NULL;
    /* A load that succeeds may leave errors in the queue. */
    ERR_clear_error();
    return fresh;
}

int main(int count, char **words)
{
    SSL_CTX **all;
    unsigned long contexts, number;

    if (count != 4)
        return 2;
    contexts = strtoul(words[2], NULL, 10);
    all = calloc(contexts, sizeof *all);
    if (all == NULL)
        return 1;
    for (number = 0; number < contexts; number++) {
        all[number] = context(words[1]);
        if (all[number] == NULL) {
            ERR_print_errors_fp(stderr);
            return 1;
        }
    }
    end_at("held", words[3]);
    while (number > 0)
        SSL_CTX_free(all[--number]);
    end_at("freed", words[3]);
    malloc_trim(0);
    end_at("trimmed", words[3]);
    return 2;
}
