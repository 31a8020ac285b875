/* Headers that reveal which page sent a request. A browser on this machine also shows pages of other sites, and they can make it
 * send requests to memaed. Host reveals a page that gave memaed's address a name of its own (DNS rebinding). Origin and
 * Sec-Fetch-Site reveal a page of another site; a program such as curl sends neither. Pure functions over text that anyone
 * may have sent (tests/fuzz/fuzz_query.c); any thread. */
#ifndef MEMAED_WEB_ORIGIN_H
#define MEMAED_WEB_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if a Host header names this machine's loopback: localhost, an address of 127.0.0.0/8 or [::1], each with
 * or without a port. */
bool web_parse_loopback_host(const char *host);

/* Returns true if a Host header holds a numeric address, localhost, or one of names [n], each with or without a port. A page that
 * rebinds DNS needs a name of its own, so an address is safe. */
bool web_is_known_host(const char *host, char *const *names, size_t n);

/* Returns true if an Origin header, SCHEME://HOST or SCHEME://HOST:PORT, is the origin of a page that came from this
 * Host. Hosts are compared without regard to case. A port that is missing is the scheme's, on both sides: 80 of http, 443 of
 * https. memaed speaks http alone. A proxy before it may speak https, so both schemes are taken. Everything else is refused:
 * "null", an empty text, another scheme, a path, a user name. */
bool web_is_same_origin(const char *origin, const char *host);

/* Returns true if the value of Sec-Fetch-Site is one that memaed's own page, or the user by hand, sends: same-origin or
 * none. */
bool web_is_same_site(const char *value);

#endif
