/* What a request asks for: the target of its request line taken apart, and its Host looked at. Pure functions over text
 * that anyone may have sent (tests/fuzz/fuzz_query.c); any thread. */
#ifndef MEMAED_WEB_REQUEST_H
#define MEMAED_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "web/cursor.h"

enum web_route {
    WEB_CAMERAS,            /* /api/v1/cameras */
    WEB_CAMERA,             /* /api/v1/cameras/NAME */
    WEB_SCORES,             /* /api/v1/cameras/NAME/scores */
    WEB_ALERTS,             /* /api/v1/alerts */
    WEB_ALERT,              /* /api/v1/alerts/ID */
    WEB_HEALTHZ,
    WEB_READYZ,
    WEB_METRICS,
};

enum { WEB_TARGET_MAX = 2048, WEB_LIMIT_DEFAULT = 100, WEB_LIMIT_MAX = 1000 };

struct web_request {
    enum web_route route;
    char camera[65];        /* CAMERA, SCORES: of the path. ALERTS: of the parameter, "" for all. Elsewhere "". */
    uint64_t alert;         /* ALERT */
    bool has_since;         /* SCORES, ALERTS */
    struct web_cursor since;
    size_t limit;           /* SCORES, ALERTS */
};

/* Takes target ("/path?name=value&…", percent-encoded, as it stands in the request line) apart. Parameters that the route
 * doesn't know are ignored; one that it knows must not come twice.
 * 0; -ENOENT where no route has that path; -EINVAL with the cause in err where the encoding is broken (*parameter NULL) or
 * a parameter is wrong (*parameter its name, static). ret is written on success only, *parameter always. */
int web_parse_target(const char *target, size_t size, struct web_request *ret, const char **parameter, struct error *err);

/* Whether a Host header names this machine's loopback: localhost, an address of 127.0.0.0/8 or [::1], each with or without
 * a port. A page that points a name of its own at 127.0.0.1 (DNS rebinding) sends that name, and is told apart by it. */
bool web_parse_loopback_host(const char *host);

#endif
