/* UTC times as text: RFC 3339 with milliseconds, the format of REST, webhooks and logs. Pure; any thread. */
#ifndef MEMAED_CORE_UTC_H
#define MEMAED_CORE_UTC_H

#include <stdint.h>

enum { UTC_SIZE = sizeof "2024-01-02T03:04:05.678Z" };

/* Writes the time `us` microseconds after 1970-01-01T00:00:00Z, rounded down to whole milliseconds. A time outside the years
 * 0 to 9999, the range of RFC 3339, becomes the nearest time inside it. */
void utc_format(char out[UTC_SIZE], int64_t us);

/* Reads a time of RFC 3339 in the years 0000 to 9999, such as 2024-01-02T03:04:05Z or 2024-01-02T05:04:05.5+02:00. Digits
 * beyond microseconds are dropped. The second may be 60, a leap second, and is then that of the next minute. 0, or
 * -EINVAL (ret untouched). */
int utc_parse(const char *text, int64_t *ret);

#endif
