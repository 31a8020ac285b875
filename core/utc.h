/* UTC times as text, the one form that REST, webhooks and logs show: RFC 3339 with milliseconds. Pure; any thread. */
#ifndef MEMAED_CORE_UTC_H
#define MEMAED_CORE_UTC_H

#include <stdint.h>

enum { UTC_SIZE = sizeof "2024-01-02T03:04:05.678Z" };

/* Writes the time us microseconds after 1970-01-01T00:00:00Z, cut to whole milliseconds (towards the past). Times outside
 * the years 0 to 9999, which RFC 3339 can't say, become the nearest that it can. */
void utc_format(char out[UTC_SIZE], int64_t us);

#endif
