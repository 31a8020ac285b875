/* A client of memaed's own REST interface, through libcurl: one request, whose answer is JSON. Any thread; waits for the network.
 * Certificates are verified; redirects are not followed; proxies of the environment are not used. */
#ifndef MEMAED_IO_REST_CLIENT_H
#define MEMAED_IO_REST_CLIENT_H

#include <jansson.h>

#include "core/error.h"

/* method is "GET" or "POST", which sends no body. base is, for example, "http://127.0.0.1:8787"; path begins with '/'. The answer
 * may take timeout_s.
 * 0: *ret is the answer's JSON, the caller's reference. -EINVAL: base is no URL of http or https. -EIO: there was no answer, or
 * it is too long or no JSON. -ENOENT: HTTP status 404. -EPROTO: another status than 2xx. err names the cause; after -ENOENT and
 * -EPROTO it is the "detail" of the answer. err may hold the password of base, so only redact() may show it. */
int rest_call(json_t **ret, const char *method, const char *base, const char *path, double timeout_s, struct error *err);

#endif
