/* Credentials in URLs are never shown. Any thread. */
#ifndef MEMAED_IO_REDACT_H
#define MEMAED_IO_REDACT_H

#include <stddef.h>

/* Copies text into out (cut to size, always ended) with what may be secret in every URL in it replaced by "***":
 * user and password (rtsp: "***@host"), and the values of query parameters whose names say so (password, passwd, pwd,
 * pass, token, key, apikey, secret, auth, signature, user, usr …). Other text passes as it is. out must not alias text. */
void redact(char *out, size_t size, const char *text);

#endif
