// The features must be settled before any other header, as in CEvent.
#include <features.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Twins of function-like macros, which Swift does not see.
static inline long weir_ssl_ctx_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline long weir_ssl_ctx_set_min_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long weir_ssl_ctx_set_max_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}
static inline long weir_ssl_ctx_set_groups(SSL_CTX *context, const char *names) {
    return SSL_CTX_set1_groups_list(context, names);
}
static inline long weir_ssl_ctx_set_session_cache(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}
static inline long weir_ssl_ctx_set_read_ahead(SSL_CTX *context, int on) {
    return SSL_CTX_set_read_ahead(context, on);
}
static inline long weir_ssl_ctx_set_status_callback(SSL_CTX *context, int (*callback)(SSL *, void *)) {
    return SSL_CTX_set_tlsext_status_cb(context, callback);
}
static inline long weir_ssl_set_ocsp_response(SSL *ssl, void *bytes, long count) {
    return SSL_set_tlsext_status_ocsp_resp(ssl, bytes, count);
}
static inline void *weir_openssl_copy(const void *bytes, size_t count) { return OPENSSL_memdup(bytes, count); }
static inline void weir_openssl_free(void *bytes) { OPENSSL_free(bytes); }

// A constant that Swift cannot read from its macro.
static inline unsigned long weir_name_rfc2253(void) { return XN_FLAG_RFC2253; }

// A server sends no old compression, takes no second handshake on a connection, and chooses by its own preference, except
// that a client without AES in hardware gets what is cheap for it.
static inline void weir_ssl_ctx_set_server_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
}
static inline long weir_ssl_ctx_set_status_argument(SSL_CTX *context, void *argument) {
    return SSL_CTX_set_tlsext_status_arg(context, argument);
}
static inline long weir_ssl_ctx_set_max_chain(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_cert_list(context, bytes);
}
static inline int weir_ssl_set_owner(SSL *ssl, void *owner) { return SSL_set_app_data(ssl, (char *)owner); }
static inline void *weir_ssl_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }
static inline long weir_ssl_set_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }
static inline long weir_ssl_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}
static inline EVP_MAC_CTX *weir_mac_begin(EVP_MAC_CTX *context, const unsigned char *key, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(context, parameters) == 1 ? context : NULL;
}
static inline void weir_ssl_ctx_set_client_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}
// Once a server's handshake is over: frees what it alone needs of the names that were asked for and agreed on. Which
// protocol was chosen can still be asked for.
static inline void weir_ssl_forget_names(SSL *ssl) {
    SSL_set_tlsext_host_name(ssl, NULL);
    SSL_SESSION *session = SSL_get_session(ssl);
    if (session) SSL_SESSION_set1_alpn_selected(session, NULL, 0);
}
