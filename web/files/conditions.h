/* Conditional requests (RFC 9110, section 13): whether a client has a file's present version already. Pure; text that anyone may
 * have sent (tests/fuzz/fuzz_ranges.c). Any thread. */
#ifndef MEMAED_WEB_FILES_CONDITIONS_H
#define MEMAED_WEB_FILES_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "web/answer.h"
#include "web/request.h"

/* A version of a file. */
struct web_version {
    const char *etag;           /* strong, with its quotes */
    int64_t modified_s;         /* UTC */
};

/* "Sat, 28 Nov 2026 10:15:00 GMT" */
void web_format_date(char out[WEB_DATE_SIZE], int64_t utc_s);
/* 0, or -EINVAL where text is not what web_format_date() writes (ret untouched). Older formats count as none. */
int web_parse_date(const char *text, int64_t *ret);

/* Returns true if the client needs no body, because it has this version: by If-None-Match, else by If-Modified-Since. */
bool web_is_unmodified(const struct web_fields *fields, const struct web_version *version);

/* Returns true if the field Range counts: if there is no If-Range, or if that names this version. A date names it only if it lies
 * before now_s: a file that changed within this second may change again with the same date. */
bool web_may_range(const struct web_fields *fields, const struct web_version *version, int64_t now_s);

#endif
