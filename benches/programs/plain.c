/* plain LOCATIONS BUNDLE: what the reproducer `locations` does, in plain C.
 *
 * Makes LOCATIONS contexts as nginx makes one for each location with lua_ssl_trusted_certificate,
 * call by call as crates/trusted-ca makes them (context.rs, nginx.rs, library.rs), and holds them.
 * No Lua, no Rust, no parent that weighs: it reads its own resident memory from smaps_rollup, into
 * a buffer that is there from the start, so that weighing leaves its heap alone.
 *
 * Standard output, a name and a value a line: openssl, locations, start_rss_bytes,
 * loaded_rss_bytes, load_seconds. Status 0; 1 when something failed; 2 for bad usage. */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int server_conf_index, ssl_index;

static void fail(const char *call) {
    fprintf(stderr, "plain: %s failed\n", call);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* Stands where nginx's verify callback stands: nginx asks for the verdict after the handshake. */
static int accept_all(int ok, X509_STORE_CTX *chain) {
    (void)ok;
    (void)chain;
    return 1;
}

/* Stands where nginx's info callback stands. */
static void observe(const SSL *ssl, int where, int ret) {
    (void)ssl;
    (void)where;
    (void)ret;
}

/* Once per process: ngx_ssl_init. */
static void set_up(void) {
    if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) == 0)
        fail("OPENSSL_init_ssl");
    ERR_clear_error();
    server_conf_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    ssl_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (server_conf_index < 0 || ssl_index < 0)
        fail("SSL_CTX_get_ex_new_index");
}

/* A location's context: ngx_ssl_create, then ngx_http_lua_set_ssl. */
static SSL_CTX *new_context(void) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (ctx == NULL)
        fail("SSL_CTX_new");
    if (SSL_CTX_set_ex_data(ctx, server_conf_index, NULL) == 0 ||
        SSL_CTX_set_ex_data(ctx, ssl_index, NULL) == 0)
        fail("SSL_CTX_set_ex_data");

    SSL_CTX_clear_options(ctx, SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 |
                                   SSL_OP_NO_TLSv1_3);
    SSL_CTX_set_options(ctx, SSL_OP_NO_SSLv3);
    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);

    SSL_CTX_set_options(ctx, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS | SSL_OP_NO_COMPRESSION |
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
                                 SSL_OP_IGNORE_UNEXPECTED_EOF |
#endif
                                 SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_info_callback(ctx, observe);
    if (SSL_CTX_set_cipher_list(ctx, "DEFAULT") == 0)
        fail("SSL_CTX_set_cipher_list");
    return ctx;
}

/* ngx_ssl_trusted_certificate, before nginx 1.27.2. */
static void load_trusted(SSL_CTX *ctx, const char *bundle) {
    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), accept_all);
    SSL_CTX_set_verify_depth(ctx, 1);
    if (SSL_CTX_load_verify_locations(ctx, bundle, NULL) == 0)
        fail("SSL_CTX_load_verify_locations");
    ERR_clear_error();
}

static long rss_bytes(void) {
    static char text[8192];
    size_t filled = 0;
    ssize_t got;
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror("plain: /proc/self/smaps_rollup");
        exit(1);
    }
    while (filled < sizeof text - 1 &&
           (got = read(fd, text + filled, sizeof text - 1 - filled)) > 0)
        filled += (size_t)got;
    close(fd);
    text[filled] = '\0';
    const char *line = strstr(text, "\nRss:");
    if (line == NULL) {
        fprintf(stderr, "plain: /proc/self/smaps_rollup has no Rss\n");
        exit(1);
    }
    return atol(line + strlen("\nRss:")) * 1024;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    long locations = argc == 3 ? atol(argv[1]) : 0;
    if (locations < 1) {
        fprintf(stderr, "usage: plain LOCATIONS BUNDLE\n");
        return 2;
    }
    const char *bundle = argv[2];
    SSL_CTX **contexts = malloc((size_t)locations * sizeof *contexts);
    if (contexts == NULL)
        fail("malloc");

    /* What OpenSSL sets up once per process is no location's cost. */
    set_up();
    SSL_CTX_free(new_context());

    /* Read twice, so that the first reading's page faults are not in the second's figure. */
    rss_bytes();
    long start = rss_bytes();
    double began = now();
    for (long i = 0; i < locations; i++) {
        contexts[i] = new_context();
        load_trusted(contexts[i], bundle);
    }
    double seconds = now() - began;
    long loaded = rss_bytes();

    printf("openssl %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("locations %ld\n", locations);
    printf("start_rss_bytes %ld\n", start);
    printf("loaded_rss_bytes %ld\n", loaded);
    printf("load_seconds %.9f\n", seconds);

    for (long i = locations; i-- > 0;)
        SSL_CTX_free(contexts[i]);
    free(contexts);
    return fflush(stdout) == 0 ? 0 : 1;
}
