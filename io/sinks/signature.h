/* The symmetric signature, version 1, of the Standard Webhooks specification (https://www.standardwebhooks.com): base64 of
 * HMAC-SHA256 over "ID.TIMESTAMP.BODY", by GnuTLS. Any thread. */
#ifndef MEMAED_IO_SINKS_SIGNATURE_H
#define MEMAED_IO_SINKS_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_SIZE = 48 };       /* bytes: "v1,", 44 of base64, the final 0 */

/* Writes the value of the header webhook-signature, "v1,<base64>". key is the decoded secret; timestamp_s is the value of
 * webhook-timestamp, in seconds since 1970. 0, or -EIO if GnuTLS fails (out untouched). */
int signature_make(char out[SIGNATURE_SIZE], const void *key, size_t key_size, const char *id, int64_t timestamp_s,
                   const void *body, size_t size);

#endif
