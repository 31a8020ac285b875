#include "io/sinks/signature.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

enum { SHA256_SIZE = 32 };

int signature_make(char out[SIGNATURE_SIZE], const void *key, size_t key_size, const char *id, int64_t timestamp_s,
                   const void *body, size_t size)
{
    unsigned char mac[SHA256_SIZE];
    char time[32];
    int time_size = snprintf(time, sizeof time, ".%" PRId64 ".", timestamp_s);

    gnutls_hmac_hd_t hmac;
    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, key, key_size) < 0)
        return -EIO;
    int r = gnutls_hmac(hmac, id, strlen(id));
    if (r >= 0)
        r = gnutls_hmac(hmac, time, (size_t)time_size);
    if (r >= 0)
        r = gnutls_hmac(hmac, body, size);
    gnutls_hmac_deinit(hmac, mac);
    if (r < 0)
        return -EIO;

    gnutls_datum_t text;
    const gnutls_datum_t raw = {mac, sizeof mac};
    if (gnutls_base64_encode2(&raw, &text) < 0)
        return -EIO;
    r = -EIO;
    if (text.size < SIGNATURE_SIZE - 3) {
        snprintf(out, SIGNATURE_SIZE, "v1,%.*s", (int)text.size, (const char *)text.data);
        r = 0;
    }
    gnutls_free(text.data);
    return r;
}
