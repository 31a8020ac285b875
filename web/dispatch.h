/* Finds the route for the text of a request, or the answer that refuses it. This module knows nothing of sockets. Any thread. */
#ifndef MEMAED_WEB_DISPATCH_H
#define MEMAED_WEB_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "web/routes.h"

/* The facts that a request's header fields give. Begins as {.names = …, .n_names = …}. */
struct web_headers {
    char *const *names;             /* [n_names] that Host may have beside addresses and localhost */
    size_t n_names;
    size_t size;                    /* bytes of all names and values */
    bool has_body, foreign_host, foreign_site;
    const char *host, *origin;      /* the last of each; borrowed */
    int hosts, origins;             /* how many */
    struct web_fields fields;       /* the last of each */
};

/* name and value are borrowed as long as the headers are used. */
void web_headers_add(struct web_headers *headers, const char *name, const char *value);

/* Returns the route of a request, with the values of its path and query in *request. NULL: *ret is the refusal. The checks, in
 * this order: 421 Host, 403 another site, 414 and 431 sizes, 421 host of a target in absolute form. Then 400 the path's
 * encoding, 404 path, 405 method, 413 body, 400 query. */
const struct web_route *web_dispatch(const struct web_routes *routes, const char *method, const char *target, size_t size,
                                     const struct web_headers *headers, struct web_request *request, struct web_answer *ret);

#endif
