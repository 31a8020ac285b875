/* A place in one of the view's logs, as text that clients hand back and don't look into. It names the run (view.store)
 * and the log, so that a cursor of another run or of another camera is told from a place that is no longer kept.
 * Text: 40 lower-case hexadecimal digits, store (16), log (8), entry (16). Pure functions, any thread. */
#ifndef MEMAED_WEB_CURSOR_H
#define MEMAED_WEB_CURSOR_H

#include <stddef.h>
#include <stdint.h>

enum { WEB_CURSOR_SIZE = 41 };                  /* with the end */
enum { WEB_LOG_ALERTS = 0, WEB_LOG_CAMERA = 1 }; /* scores of the camera with that id: WEB_LOG_CAMERA + id */

struct web_cursor {
    uint64_t store;
    uint32_t log;
    uint64_t entry;         /* number of the first entry that the client has not seen */
};

void web_format_cursor(char out[WEB_CURSOR_SIZE], const struct web_cursor *cursor);
/* 0, or -EINVAL where text[0…size-1] is not what web_format_cursor() writes (ret untouched). */
int web_parse_cursor(const char *text, size_t size, struct web_cursor *ret);

#endif
