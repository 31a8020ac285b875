/* Which page sent a request, as far as its headers tell. A browser on this machine also shows pages of strangers, and they can
 * make it send requests here. Host tells a page that reached memaed through a name of its own (DNS rebinding). Pure functions over text
 * that anyone may have sent (tests/fuzz/fuzz_query.c); any thread. */
#ifndef MEMAED_WEB_ORIGIN_H
#define MEMAED_WEB_ORIGIN_H

#include <stdbool.h>

/* Whether a Host header names this machine's loopback: localhost, an address of 127.0.0.0/8 or [::1], each with or without
 * a port. */
bool web_parse_loopback_host(const char *host);

#endif
