#include "web/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void web_format_cursor(char out[WEB_CURSOR_SIZE], const struct web_cursor *cursor)
{
    snprintf(out, WEB_CURSOR_SIZE, "%016" PRIx64 "%08" PRIx32 "%016" PRIx64, cursor->store, cursor->log, cursor->entry);
}

/* Reads n hexadecimal digits. Unlike strtoull(), it refuses signs, blanks and capitals. */
static int parse_hex(const char *text, size_t n, uint64_t *ret)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        int digit;
        if (text[i] >= '0' && text[i] <= '9')
            digit = text[i] - '0';
        else if (text[i] >= 'a' && text[i] <= 'f')
            digit = text[i] - 'a' + 10;
        else
            return -EINVAL;
        x = x << 4 | (uint64_t)digit;
    }
    *ret = x;
    return 0;
}

int web_parse_cursor(const char *text, size_t size, struct web_cursor *ret)
{
    uint64_t store, log, entry;
    if (size != WEB_CURSOR_SIZE - 1 || parse_hex(text, 16, &store) < 0 || parse_hex(text + 16, 8, &log) < 0 ||
        parse_hex(text + 24, 16, &entry) < 0)
        return -EINVAL;
    *ret = (struct web_cursor){.store = store, .log = (uint32_t)log, .entry = entry};
    return 0;
}
