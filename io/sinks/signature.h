/* The signature of the Standard Webhooks specification (symmetric, version 1): base64 of HMAC-SHA256 over
 * "ID.TIMESTAMP.BODY", by GnuTLS. https://www.standardwebhooks.com. Any thread. */
#ifndef MEMAED_IO_SINKS_SIGNATURE_H
#define MEMAED_IO_SINKS_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_SIZE = 48 };       /* "v1,", 44 of base64, the end */

/* Writes the value of the header webhook-signature, "v1,<base64>". timestamp_s is that of webhook-timestamp, in seconds
 * since 1970. key is the decoded secret. 0; -EIO where GnuTLS refuses (out untouched). */
int signature_make(char out[SIGNATURE_SIZE], const void *key, size_t key_size, const char *id, int64_t timestamp_s,
                   const void *body, size_t size);

#endif
